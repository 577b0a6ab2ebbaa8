// SPDX-License-Identifier: GPL-2.0-or-later
// The owner's page: network, Manager, this Device's own settings, sessions, password. The network is network.js's.

import * as api from "./api.js";
import * as device from "./device.js";
import { ask, askForPassword, closeDialogs } from "./dialog.js";
import { hideGate } from "./gate.js";
import { closeNetwork, openNetwork, showNetwork } from "./network.js";
import { Poll } from "./poll.js";
import { button, cell, state } from "./table.js";

const STEPS = { dns: "Name", ping: "Ping", tls: "TLS" };
const LINKS = { up: ["Connected", "good"], connecting: ["Not connected", ""], refused: ["Refused", ""] };
const MINUTE_S = 60;

const at = (id) => document.getElementById(id);

// ---- the Manager ----

function stateOfLink(manager) {
	const [text, colour] = LINKS[manager.link] || [manager.link, ""];

	return state(text, colour);
}

function showManager(manager, settings) {
	const named = settings.managers.length ? ` It is looked for at ${settings.managers.join(", ")}.` : "";

	at("managed").hidden = !manager;
	at("managed-name").textContent = manager?.name || "";
	at("release").hidden = at("link").hidden = !manager;
	at("link").replaceChildren(...manager ? [stateOfLink(manager)] : []);
	at("manager-text").textContent = manager ? `${manager.why}${named}` :
		"This Device has none. A Manager on this network finds it by itself, and an administrator adopts it there.";
}

function showWay({ addresses, manager }) {
	at("way").replaceChildren();
	for (const { address, steps } of addresses)
		for (const { step, good, text } of steps) {
			const row = at("way").insertRow();

			cell(row, address);
			cell(row, state(STEPS[step] || step, good ? "good" : ""));
			cell(row, text);
		}
	if (manager) {
		const row = at("way").insertRow();

		cell(row, manager.name);
		cell(row, state("Link", manager.link === "up" ? "good" : ""));
		cell(row, manager.link === "up" ? "It is connected." : manager.why);
	}
	at("way-table").hidden = !at("way").rows.length;
	at("no-way").hidden = at("way").rows.length > 0;
}

async function tryWay() {
	at("try-way").disabled = true;
	at("try-way").textContent = "Trying…";
	try {
		showWay(await device.reach());
	} catch (error) {
		at("notice").textContent = error.message;
	} finally {
		at("try-way").disabled = false;
		at("try-way").textContent = "Try the way to the Manager";
	}
}

function askToRelease(name) {
	ask({
		title: `Release this Device from ${name}`,
		text: "It forgets that Manager, and everybody's Tickets end. A Device that had no owner before has none then: its " +
			"console shows a new claim code.",
		go: "Release",
		fields: [],
		act: async () => {
			await device.release();
			await poll.now();
		},
	});
}

// ---- this Device ----

function showOwn(settings, managed) {
	const minutes = settings.session_timeout_s / MINUTE_S;

	at("own-name").textContent = settings.name || "the host name";
	at("own-timeout").textContent = minutes ? `after ${Number(minutes.toFixed(1))} min` : "never";
	at("change-own").hidden = managed;
	at("own-managed").hidden = !managed;
}

function askForOwn(settings) {
	ask({
		title: "This Device",
		go: "Save",
		fields: [
			{ name: "name", label: "Name in the network; empty: the host name", value: settings.name, optional: true },
			{ name: "timeout", label: "Minutes without a key until a session ends; 0: never",
				value: String(settings.session_timeout_s / MINUTE_S), length: 8 },
		],
		act: async ({ name, timeout }) => {
			await device.setSettings({ ...settings, name, session_timeout_s: Math.round(Number(timeout) * MINUTE_S) });
			await poll.now();
		},
	});
}

// ---- sessions ----

function showSessions(sessions) {
	at("sessions").replaceChildren();
	for (const { id, user, peer, view_only: watching } of sessions) {
		const row = at("sessions").insertRow();

		cell(row, user);
		cell(row, peer);
		cell(row, watching ? "watches" : "in control");
		row.insertCell().append(button("End", async () => {
			await device.endSession(id).catch((error) => {
				at("notice").textContent = error.message;
			});
			await poll.now();
		}));
	}
	at("no-session").hidden = sessions.length > 0;
	at("sessions-table").hidden = !sessions.length;
}

// ---- who it is, and its log ----

async function showIdentity() {
	const { fingerprint, not_after: end } = await device.identity();

	at("fingerprint").textContent = fingerprint;
	at("not-after").textContent = end.slice(0, 10);
}

async function showLog() {
	try {
		const { lines } = await device.log();

		at("log").textContent = lines.map(({ time, level, text }) => `${time} ${level}: ${text}`).join("\n");
		at("log").hidden = false;
		at("log").scrollTop = at("log").scrollHeight;
	} catch (error) {
		at("notice").textContent = error.message;
	}
}

// ---- all of it ----

// Without what changes all the time: a list is drawn anew only when it is another one.
async function read() {
	const [network, status, settings] = await Promise.all([device.network(), api.status(), device.settings()]);
	const sessions = status.sessions.map(({ id, user, peer, view_only }) => ({ id, user, peer, view_only }));

	return { user: status.user, manager: status.manager, network, sessions, settings };
}

function show({ user, manager, network, sessions, settings }) {
	at("owner").textContent = user;
	showNetwork(network);
	showManager(manager, settings);
	showOwn(settings, Boolean(manager));
	showSessions(sessions);
	at("release").onclick = () => askToRelease(manager.name);
	at("change-own").onclick = () => askForOwn(settings);
}

const poll = new Poll(read, show);

function askToReset(lost) {
	ask({
		title: "Reset this Device",
		text: "All log-ins and sessions end, and whoever reads the new claim code on its console may claim it. Its address may " +
			"be another one then.",
		go: "Reset",
		fields: [{ name: "password", label: "Your password", type: "password", length: 256, complete: "current-password" }],
		act: async ({ password }) => {
			await device.reset(password);
			lost();
		},
	});
}

// lost: nobody is logged in any more. toConsole: the person goes there.
export async function openSettings(lost, toConsole) {
	openNetwork(() => poll.now());
	at("try-way").onclick = tryWay;
	at("change-password").onclick = () => askForPassword("Your other log-ins and sessions end.", device.password);
	at("show-log").onclick = showLog;
	at("reset").onclick = () => askToReset(lost);
	at("log").hidden = true;
	at("go-console").onclick = toConsole;
	at("leave").onclick = async () => {
		await api.logout().catch(() => {});
		lost();
	};
	await Promise.all([poll.start(lost), showIdentity()]);
	hideGate();
	at("settings").hidden = false;
	document.title = "Settings – kvmnet";
}

export function closeSettings() {
	poll.stop();
	closeNetwork();
	closeDialogs();
	at("settings").hidden = true;
}
