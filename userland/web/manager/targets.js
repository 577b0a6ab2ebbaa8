// SPDX-License-Identifier: GPL-2.0-or-later
// The Targets that a person may open, and opening one.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";
import { Poll } from "./poll.js";
import { noPicture, size } from "./reason.js";
import { button, cell, state } from "./table.js";

const at = (id) => document.getElementById(id);
let administrator = false;

// The tab comes first: after waiting, browsers do not believe any more that a person pressed.
export async function openTarget(id) {
	const tab = window.open("about:blank", "_blank");

	try {
		const { ticket, url } = await fleet.ticket(id);

		if (!tab)
			throw new Error("The browser keeps new tabs shut: allow them for this page.");
		tab.opener = null;
		tab.location.replace(`${url}#ticket=${ticket}`);
		at("notice").textContent = "";
	} catch (error) {
		tab?.close();
		at("notice").textContent = error.message;
	}
}

function stateOf(target) {
	if (target.state === "unavailable")
		return state("Not connected", "");
	return target.state === "active" ? state("In use", "waiting") : state("Idle", "good");
}

function askToDisconnect(target) {
	ask({
		title: `Disconnect ${target.users.join(", ")}`,
		text: "All sessions at this Target end, and their people are told that it was you. Whoever may, can open it again.",
		go: "Disconnect",
		fields: [],
		act: () => fleet.endSessions(target.id),
	});
}

function addRow(target) {
	const row = at("target-list").insertRow();
	const capture = target.state !== "unavailable" && target.capture;
	const control = target.rights.includes("control");

	row.dataset.id = target.id;
	cell(row, target.name || "(no name)");
	cell(row, stateOf(target), target.users.length ? `by ${target.users.join(", ")}` : "");
	cell(row, capture ? noPicture(capture)?.[0] || size(capture) : "");
	cell(row, control ? "See and control" : "See");
	row.insertCell().append(button("Open", () => openTarget(target.id)));
	if (administrator && target.state === "active")
		row.lastChild.append(button("Disconnect", () => askToDisconnect(target)));
}

function show({ targets }) {

	at("target-list").replaceChildren();
	targets.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id)).forEach(addRow);
	at("no-target").hidden = targets.length > 0;
}

const poll = new Poll(fleet.targets, show);

export async function open(lost, account) {
	administrator = account.type === "administrator";
	await poll.start(lost);
}

export const close = () => poll.stop();
