// SPDX-License-Identifier: GPL-2.0-or-later
// Users, User Groups and Target Sets, for administrators.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";
import { button, cell } from "./table.js";

const TYPES = [["user", "User"], ["viewonly", "View only"], ["administrator", "Administrator"]];
const PASSWORD = { name: "password", label: "Password", type: "password", length: 256, complete: "new-password" };

const at = (id) => document.getElementById(id);
const known = { users: [], groups: [], sets: [], targets: [] };
let onLost = null;

const nameOf = (list, id) => list.find((one) => one.id === id)?.name || "?";
const pairs = (list) => list.map((one) => [one.id ?? one.name, one.name]);

async function load() {
	const [users, groups, sets, targets] = await Promise.all([fleet.users(), fleet.all("groups"), fleet.all("sets"),
		fleet.targets()]);

	Object.assign(known, users, groups, sets, targets);
	known.targets.sort((a, b) => a.name.localeCompare(b.name));
	show();
}

// The lists once more, whatever became of it; a failure goes to whoever asked.
async function doing(act) {
	try {
		await act();
	} finally {
		await load().catch((error) => {
			if (error.status === 401 || error.status === 403)
				onLost();
		});
	}
}

function confirm(title, text, act) {
	ask({ title, text, go: "Remove", fields: [], act: () => doing(act) });
}

function standing(user) {
	const words = [];

	if (user.imported)
		words.push(user.gone ? "gone from the directory" : "from the directory");
	if (!user.active)
		words.push("cannot log in now");
	return words.join(", ");
}

function addUserRow(user) {
	const row = at("user-list").insertRow();

	cell(row, user.name);
	cell(row, TYPES.find(([type]) => type === user.type)[1], standing(user));
	row.insertCell().append(
		button("Type", () => ask({
			title: `What ${user.name} is`,
			text: "A user opens the Targets of his groups; view only sees them and sends nothing. Whoever is changed logs in anew.",
			go: "Change",
			fields: [{ name: "type", label: "Type", options: TYPES, value: user.type }],
			act: ({ type }) => doing(() => fleet.setType(user.name, type)),
		})),
		button("Password", () => ask({
			title: `A new password for ${user.name}`,
			go: "Change",
			fields: [PASSWORD],
			act: ({ password }) => doing(() => fleet.setPassword(user.name, password)),
		})),
		button("Remove", () => confirm(`Remove ${user.name}`, "What this user is logged in as ends at once.",
			() => fleet.removeUser(user.name))));
}

function editGroup(group) {
	ask({
		title: group.id ? `The group ${group.name}` : "A new User Group",
		go: group.id ? "Change" : "Add",
		fields: [
			{ name: "name", label: "Name", value: group.name },
			{ name: "users", label: "Users", type: "several", options: pairs(known.users), value: group.users },
			{ name: "sets", label: "Target Sets", type: "several", options: pairs(known.sets), value: group.sets },
		],
		act: (body) => doing(() => fleet.put("groups", group.id, body)),
	});
}

function editSet(set) {
	ask({
		title: set.id ? `The set ${set.name}` : "A new Target Set",
		go: set.id ? "Change" : "Add",
		fields: [
			{ name: "name", label: "Name", value: set.name },
			{ name: "targets", label: "Targets", type: "several", options: pairs(known.targets), value: set.targets },
		],
		act: (body) => doing(() => fleet.put("sets", set.id, body)),
	});
}

function addGroupRow(group) {
	const row = at("group-list").insertRow();

	cell(row, group.name);
	cell(row, group.users.join(", "));
	cell(row, group.sets.map((id) => nameOf(known.sets, id)).join(", "));
	row.insertCell().append(button("Edit", () => editGroup(group)), button("Remove",
		() => confirm(`Remove the group ${group.name}`, "Its users stay.", () => fleet.remove("groups", group.id))));
}

function addSetRow(set) {
	const row = at("set-list").insertRow();

	cell(row, set.name);
	cell(row, set.targets.map((id) => nameOf(known.targets, id)).join(", "));
	row.insertCell().append(button("Edit", () => editSet(set)), button("Remove",
		() => confirm(`Remove the set ${set.name}`, "Its Targets stay.", () => fleet.remove("sets", set.id))));
}

function show() {
	for (const list of ["user-list", "group-list", "set-list"])
		at(list).replaceChildren();
	known.users.forEach(addUserRow);
	known.groups.forEach(addGroupRow);
	known.sets.forEach(addSetRow);
}

function askForUser() {
	ask({
		title: "A new user",
		go: "Add",
		fields: [{ name: "name", label: "Name" }, { name: "type", label: "Type", options: TYPES, value: "user" }, PASSWORD],
		act: ({ name, type, password }) => doing(() => fleet.addUser(name, type, password)),
	});
}

export async function open(lost) {
	onLost = lost;
	at("add-user").onclick = askForUser;
	at("add-group").onclick = () => editGroup({ id: 0, name: "", users: [], sets: [] });
	at("add-set").onclick = () => editSet({ id: 0, name: "", targets: [] });
	await load();
}

export function close() {}
