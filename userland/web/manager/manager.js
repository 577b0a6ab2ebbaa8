// SPDX-License-Identifier: GPL-2.0-or-later
// Which page of the Manager a person sees: claim, log in, or the Devices.

import * as api from "./api.js";
import { hideGate, showGate } from "./gate.js";
import { closeDevices, openDevices } from "./devices.js";

const SOON_MS = 3000;

async function choose() {
	try {
		await openDevices(choose);
		hideGate();
	} catch (error) {
		closeDevices();
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

document.getElementById("log-out").onclick = async () => {
	await api.logout().catch(() => {});
	choose();
};

choose();
