// SPDX-License-Identifier: GPL-2.0-or-later
// Which page of the Manager a person sees: claim, log in, or one of its pages.

import * as api from "./api.js";
import * as devices from "./devices.js";
import { askForPassword, closeDialogs } from "./dialog.js";
import * as directory from "./directory.js";
import * as fleet from "./fleet.js";
import { hideGate, showGate } from "./gate.js";
import * as pair from "./pair.js";
import * as targets from "./targets.js";
import * as users from "./users.js";

const SOON_MS = 3000;
const PAGES = { targets, devices, users, directory };

const at = (id) => document.getElementById(id);
let current = null;

function leave() {
	closeDialogs();
	if (current)
		PAGES[current].close();
	current = null;
	at("manager").hidden = true;
}

async function go(name, account) {
	if (current)
		PAGES[current].close();
	current = name;
	for (const page of Object.keys(PAGES)) {
		at(page).hidden = page !== name;
		if (page === name)
			at(`go-${page}`).setAttribute("aria-current", "page");
		else
			at(`go-${page}`).removeAttribute("aria-current");
	}
	at("notice").textContent = "";
	await PAGES[name].open(choose, account);
}

async function choose() {
	try {
		const state = await api.state();

		pair.know(state, "");
		const account = await fleet.account();
		const administrator = account.type === "administrator";

		pair.know(state, account.type);
		at("who").textContent = account.user;
		at("go-devices").hidden = at("go-users").hidden = at("go-directory").hidden = !administrator;
		at("go-targets").hidden = !account.opens;
		at("manager").hidden = false;
		for (const name of Object.keys(PAGES))
			at(`go-${name}`).onclick = () => go(name, account).catch(choose);
		await go(administrator ? "devices" : "targets", account);
		hideGate();
	} catch (error) {
		leave();
		pair.answers(error.status !== 0);
		if (error.status === 409)
			showGate("claim", choose);
		else if (error.status === 401)
			showGate("login", choose);
		else
			showGate("wait", choose, error.message);
		if (error.status !== 409 && error.status !== 401)
			setTimeout(choose, SOON_MS);
	}
}

at("own-password").onclick = () => askForPassword("Your log-ins elsewhere end.", fleet.password);

pair.open(choose);

at("log-out").onclick = async () => {
	await api.logout().catch(() => {});
	choose();
};

choose();
