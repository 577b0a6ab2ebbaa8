// SPDX-License-Identifier: GPL-2.0-or-later
// The list of Devices as the Manager knows them, and what can be done with one.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";
import { Poll } from "./poll.js";
import { noPicture, size } from "./reason.js";
import { button, cell, state } from "./table.js";
import { openTarget } from "./targets.js";

const SHORT_ID = 16;

// State, its colour, and what may be done.
const STATES = {
	unclaimed: ["New", "waiting", "Adopt"],
	"stand-alone": ["Stand-alone", "waiting", "Adopt"],
	"managed by another": ["Another Manager's", "", null],
	adopted: ["Adopted", "good", "Release"],
};

const at = (id) => document.getElementById(id);
let opens = true; // the keeper of External Authentication mode opens no Targets

function stateOf(device) {
	const [text, colour] = STATES[device.state] || [device.state, ""];

	if (device.state !== "adopted")
		return state(text, colour);
	return device.link === "up" ? state("Connected", colour) : state("Not connected", "");
}

function targetOf(device) {
	const capture = device.status?.capture;

	if (device.link !== "up" || !capture)
		return "";
	return noPicture(capture)?.[0] || size(capture);
}

function addressOf(device) {
	const host = device.address.includes(":") ? `[${device.address}]` : device.address;

	return device.https_port === 443 ? host : `${host}:${device.https_port}`;
}

function addRow(device) {
	const row = at("list").insertRow();
	const action = STATES[device.state]?.[2];
	const last = [];

	row.dataset.id = device.id;
	cell(row, device.name || "(no name)");
	cell(row, stateOf(device), device.why);
	cell(row, targetOf(device));
	cell(row, addressOf(device));
	cell(row, device.firmware || "");
	cell(row, device.id.slice(0, SHORT_ID)).className = "hash";
	if (device.state === "adopted" && opens)
		last.push(button("Open", () => openTarget(device.id)));
	if (action)
		last.push(button(action, () => (action === "Adopt" ? askToAdopt(device) : askToRelease(device))));
	row.insertCell().append(...last);
}

function show({ devices }) {
	const adopted = devices.filter((device) => device.state === "adopted");
	const up = adopted.filter((device) => device.link === "up");

	at("list").replaceChildren();
	devices.sort((a, b) => (a.name || "").localeCompare(b.name || "") || a.id.localeCompare(b.id)).forEach(addRow);
	at("nothing").hidden = devices.length > 0;
	at("count").textContent = `${up.length} of ${adopted.length} adopted Devices connected`;
}

// What is asked, and the list once more when it is done.
function askAbout(device, question) {
	ask({
		...question,
		title: `${question.go} ${device.name || "this Device"}`,
		hash: device.id,
		act: async (values) => {
			await question.act(values);
			await poll.now();
		},
	});
}

function askToAdopt(device) {
	const unclaimed = device.state === "unclaimed";

	askAbout(device, {
		text: unclaimed ? "It has no owner yet. Enter the claim code that its own console shows." :
			"It has an owner. Enter the owner's user name and password.",
		go: "Adopt",
		fields: unclaimed ? [{ name: "code", label: "Claim code", length: 20, code: true }] :
			[{ name: "user", label: "Owner's user name" },
				{ name: "password", label: "Owner's password", type: "password", length: 256 }],
		act: (authority) => fleet.adopt(device.id, authority),
	});
}

function askToRelease(device) {
	askAbout(device, {
		text: "It forgets this Manager and is its owner's own again, or nobody's if it had no owner.",
		go: "Release",
		fields: [],
		act: () => fleet.release(device.id),
	});
}

const poll = new Poll(fleet.devices, show);

export async function open(lost, account) {
	opens = account.opens;
	await poll.start(lost);
}

export function close() {
	poll.stop();
	at("count").textContent = "";
}
