// SPDX-License-Identifier: GPL-2.0-or-later
// Which page a person sees: claim, log in, the console, or the settings. What each does is in gate.js, console.js and
// settings.js.

import * as api from "./api.js";
import { showGate } from "./gate.js";
import { closeConsole, openConsole } from "./console.js";
import { network } from "./device.js";
import { closeSettings, openSettings } from "./settings.js";

const SOON_MS = 3000;

let wish = "console";

const choose = () => go(wish);

// Whoever opens this Device at a new address comes to keep it.
async function go(where) {
	wish = where;
	try {
		const { owner } = await api.status();
		const trial = owner && (await network().catch(() => ({}))).trial;

		document.getElementById("go-settings").hidden = !owner;
		document.getElementById("go-settings").onclick = () => go("settings");
		closeSettings();
		closeConsole();
		if (owner && (where === "settings" || trial))
			await openSettings(choose, () => go("console"));
		else
			await openConsole(choose);
	} catch (error) {
		closeConsole();
		closeSettings();
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
