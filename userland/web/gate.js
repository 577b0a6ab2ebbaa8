// SPDX-License-Identifier: GPL-2.0-or-later
// What comes before all else: claiming a Device or Manager without an owner, logging in, and why one cannot.

import * as api from "./api.js";

const PROGRAM = document.documentElement.dataset.program;
const TEXTS = {
	claim: {
		title: `Claim this ${PROGRAM}`,
		text: "It has no owner yet. Enter the claim code that its own console shows, and choose how you will log in.",
		go: "Claim",
	},
	login: { title: "Log in", text: PROGRAM === "Device" ? "To see and drive the Target." : "To see your Devices and Targets.", go: "Log in" },
	wait: { title: "One moment", text: "", go: "" },
	refused: { title: "No session", text: "", go: "" },
};

const at = (id) => document.getElementById(id);

async function send(kind) {
	if (kind === "login")
		return api.login(at("user").value, at("password").value);
	if (at("password").value !== at("again").value)
		throw new Error("The two passwords are not the same.");
	return api.claim(at("code").value, at("user").value, at("password").value);
}

export function showGate(kind, done, text) {
	const claim = kind === "claim";
	const form = at("gate-form");

	at("gate-title").textContent = TEXTS[kind].title;
	at("gate-text").textContent = text || TEXTS[kind].text;
	at("gate-go").textContent = TEXTS[kind].go;
	at("gate-error").textContent = "";
	at("code-row").hidden = at("again-row").hidden = !claim;
	at("code").required = at("again").required = claim;
	at("password").autocomplete = claim ? "new-password" : "current-password";
	at("password").minLength = claim ? 8 : 0;
	form.hidden = kind === "wait" || kind === "refused";
	at("gate").hidden = false;
	(claim ? at("code") : at("user")).focus();

	form.onsubmit = async (event) => {
		event.preventDefault();
		at("gate-go").disabled = true;
		at("gate-error").textContent = "";
		try {
			await send(kind);
			form.reset();
			at("gate").hidden = true;
			done();
		} catch (error) {
			at("gate-error").textContent = error.message;
			at("password").select();
		} finally {
			at("gate-go").disabled = false;
		}
	};
}

export function hideGate() {
	at("gate").hidden = true;
}
