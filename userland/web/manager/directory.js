// SPDX-License-Identifier: GPL-2.0-or-later
// The directory that people are imported from: its settings, the import and its preview, and who checks passwords.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";
import { button, cell } from "./table.js";

const FIELDS = ["url", "bind_dn", "bind_password", "base", "filter", "group", "name_attribute", "type", "ca"];
const LISTS = [["added", "New"], ["changed", "Changed"], ["gone", "Gone"],
	["taken", "Not taken: a user of this Manager has that name"],
	["odd", "Not taken: no name, several, one that cannot be a user's, or another's too"]];
const AT_ONCE = 50; // names that are shown before a person asks for more

const at = (id) => document.getElementById(id);
const field = (name) => at(`directory-${name}`);
let onLost = null;
let groups = [];

function lost(error) {
	if (error.status === 401 || error.status === 403)
		onLost();
	else
		at("notice").textContent = error.message;
}

// ---- the mode ----

function showMode({ mode, keeper, imported, gone, settings }) {
	const external = mode === "external";

	at("directory-mode").textContent = external ?
		`The directory checks passwords. ${keeper} alone logs in by one of this Manager, and opens no Targets.` :
		"This Manager checks passwords. Whoever was imported is inactive until you give him one.";
	at("directory-count").textContent = `${imported} imported, ${gone.length} of them gone from the directory`;
	at("directory-go").textContent = external ? "Back to Local mode" : "Have the directory check passwords";
	at("directory-go").disabled = !settings;
	at("directory-go").onclick = () => askForMode(external);
	at("directory-clean").disabled = !gone.length;
	at("directory-clean").onclick = () => ask({
		title: "Remove those who are gone",
		text: gone.join(", "),
		go: "Remove",
		fields: [],
		act: async () => {
			await fleet.removeGone();
			await load();
		},
	});
}

function askForMode(external) {
	ask({
		title: external ? "Back to Local mode" : "Have the directory check passwords",
		text: external ?
			"Users with a password at this Manager log in by it; those without are inactive. Everybody logs in anew." :
			"You alone go on with your password of this Manager: you then manage, and open no Targets. All others who were " +
			"imported log in by the directory. Everybody logs in anew.",
		go: external ? "Go back" : "Have it so",
		fields: [],
		act: async () => {
			await fleet.setMode(external ? "local" : "external");
			onLost();
		},
	});
}

// ---- the settings ----

function addMapping({ directory, group }) {
	const row = at("directory-groups").insertRow();
	const dn = document.createElement("input");
	const select = document.createElement("select");

	dn.value = directory;
	dn.maxLength = 512;
	dn.required = true;
	dn.setAttribute("aria-label", "Group of the directory");
	select.setAttribute("aria-label", "User Group");
	for (const one of groups)
		select.add(new Option(one.name, one.id, false, one.id === group));
	cell(row, dn);
	cell(row, select);
	row.insertCell().append(button("Remove", () => row.remove()));
}

function mappings() {
	return [...at("directory-groups").rows].map((row) => ({
		directory: row.querySelector("input").value,
		group: Number(row.querySelector("select").value),
	}));
}

function showSettings(settings) {
	for (const name of FIELDS)
		if (settings && name !== "bind_password")
			field(name).value = settings[name];
	field("bind_password").value = "";
	field("bind_password").placeholder = settings ? "as it is" : "";
	at("directory-groups").replaceChildren();
	settings?.groups.forEach(addMapping);
	at("directory-preview").disabled = at("directory-import").disabled = !settings;
}

function say(text, wrong) {
	at("directory-said").textContent = text;
	at("directory-said").className = wrong ? "error" : "quiet";
}

// An empty password is one that stays.
async function save(event) {
	const body = { groups: mappings() };

	event.preventDefault();
	for (const name of FIELDS)
		if (name !== "bind_password" || field(name).value)
			body[name] = field(name).value;
	say("");
	try {
		await fleet.setDirectory(body);
		await load();
		say("Saved.");
	} catch (error) {
		say(error.message, true);
	}
}

// ---- an import ----

function listOf(title, names) {
	const details = document.createElement("details");
	const summary = document.createElement("summary");
	const list = document.createElement("p");
	let shown = 0;
	const more = button("More", () => {
		shown += AT_ONCE;
		list.textContent = names.slice(0, shown).join(", ");
		more.hidden = shown >= names.length;
	});

	summary.textContent = `${title}: ${names.length}`;
	more.click();
	details.append(summary, list, more);
	return details;
}

function showAnswer(answer, done) {
	const text = document.createElement("p");
	const lists = LISTS.filter(([name]) => answer[name].length);

	text.textContent = `${answer.found} found${done ? ", imported." : "; nothing is changed yet."}` +
		(lists.length ? "" : " All are here as they are there.") +
		(answer.partial ? ` Nobody is gone by this answer, which is not all there is: ${answer.why}` : "");
	at("directory-answer").replaceChildren(text, ...lists.map(([name, title]) => listOf(title, answer[name])));
}

async function run(act, done) {
	const buttons = [at("directory-preview"), at("directory-import")];

	for (const one of buttons)
		one.disabled = true;
	at("directory-answer").textContent = "The directory is asked.";
	try {
		showAnswer(await act(), done);
		showMode(await fleet.directory());
	} catch (error) {
		at("directory-answer").textContent = error.message;
		if (error.status === 401)
			onLost();
	} finally {
		for (const one of buttons)
			one.disabled = false;
	}
}

// ----

async function load() {
	const [known, all] = await Promise.all([fleet.directory(), fleet.all("groups")]);

	groups = all.groups;
	showMode(known);
	showSettings(known.settings);
	at("directory-add").disabled = !groups.length;
}

export async function open(lostLogin) {
	onLost = lostLogin;
	at("directory-form").onsubmit = save;
	at("directory-add").onclick = () => addMapping({ directory: "", group: groups[0].id });
	at("directory-preview").onclick = () => run(fleet.preview, false);
	at("directory-import").onclick = () => run(fleet.importUsers, true);
	say("");
	at("directory-answer").replaceChildren();
	await load().catch(lost);
}

export function close() {}
