// SPDX-License-Identifier: GPL-2.0-or-later
// The Targets that a person may open, and opening one.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";
import { noPicture, size } from "./reason.js";
import { button, cell, state } from "./table.js";

const LOOK_MS = 2000;

const at = (id) => document.getElementById(id);
let timer = 0;
let onLost = null;
let shown = "";
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

function show(targets) {
	const text = JSON.stringify(targets);

	if (text === shown) // nothing that a person is about to press moves away
		return;
	shown = text;
	at("target-list").replaceChildren();
	targets.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id)).forEach(addRow);
	at("no-target").hidden = targets.length > 0;
}

async function look() {
	clearTimeout(timer);
	try {
		show((await fleet.targets()).targets);
		at("notice").textContent = "";
	} catch (error) {
		if (error.status === 401 || error.status === 409) {
			onLost();
			return;
		}
		at("notice").textContent = error.message;
	}
	timer = setTimeout(look, LOOK_MS);
}

export async function open(lost, type) {
	onLost = lost;
	administrator = type === "administrator";
	shown = "";
	show((await fleet.targets()).targets);
	timer = setTimeout(look, LOOK_MS);
}

export function close() {
	clearTimeout(timer);
}
