// SPDX-License-Identifier: GPL-2.0-or-later
// Which page a person sees: claim, log in, or the console. What each does is in gate.js and console.js.

import * as api from "./api.js";
import { showGate } from "./gate.js";
import { closeConsole, openConsole } from "./console.js";

const SOON_MS = 3000;

async function choose() {
	try {
		await api.status();
		await openConsole(choose);
		return;
	} catch (error) {
		closeConsole();
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

// A Manager sends people here with a Ticket behind the #. It works once, and is not to stay in the history.
async function begin() {
	const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");

	if (ticket) {
		history.replaceState(null, "", location.pathname);
		try {
			await api.useTicket(ticket);
		} catch (error) {
			showGate("refused", choose, error.message);
			return;
		}
	}
	choose();
}

window.addEventListener("hashchange", () => location.reload());
begin();
