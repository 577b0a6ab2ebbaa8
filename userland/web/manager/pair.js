// SPDX-License-Identifier: GPL-2.0-or-later
// Two Managers that are one: whether this is the Secondary, and the way to the other one, also when this one is gone.

import { ask } from "./dialog.js";
import * as fleet from "./fleet.js";

const at = (id) => document.getElementById(id);
let pair = { role: "alone", peer: "" };
let type = "";
let there = true;

function show() {
	const secondary = pair.role === "secondary";
	const host = pair.peer.includes(":") ? `[${pair.peer}]` : pair.peer;

	at("pair").hidden = !pair.peer || (there && !secondary);
	at("pair-text").textContent = there ? "This is the Secondary: what it shows may be old, and changes are made at the Primary." :
		"This Manager does not answer. The other one of the pair may.";
	at("pair-go").textContent = `Go to ${pair.peer}`;
	at("pair-go").href = pair.peer ? `https://${host}${location.port && `:${location.port}`}/` : "";
	at("promote").hidden = !there || !secondary || type !== "administrator";
}

// What the Manager says of itself, and who asks ("": nobody).
export function know(state, who) {
	pair = state;
	type = who;
	there = true;
	show();
}

export function answers(does) {
	if (there === does)
		return;
	there = does;
	show();
}

document.addEventListener("poll", (event) => answers(event.detail));

// done() when it has begun: the Manager starts again, and everybody logs in anew.
export function open(done) {
	at("promote").onclick = () => ask({
		title: "Become the Primary",
		text: `Make sure that ${pair.peer} is gone or stopped: two Primaries are two Managers that differ.`,
		go: "Become the Primary",
		fields: [],
		act: async () => {
			await fleet.promote();
			setTimeout(done);
		},
	});
}
