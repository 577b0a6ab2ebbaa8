// SPDX-License-Identifier: GPL-2.0-or-later
// The console: the Target's screen by noVNC, why there is none, and the bar. How the
// connection is kept is link.js's; the words for a missing picture are reason.js's.

import * as api from "./api.js";
import { hideGate } from "./gate.js";
import { Link } from "./link.js";
import { noPicture, size } from "./reason.js";

const at = (id) => document.getElementById(id);

let link = null;
let leave = null; // called when the log-in is gone
let status = null;
let viewOnly = false; // the person's wish
let mayControl = true;

function showOverlay(what, why, again) {
	const focused = document.activeElement;

	at("overlay").hidden = !what;
	at("reason").textContent = what || "";
	at("advice").textContent = why || "";
	at("again-now").hidden = !again;
	if (again && (focused === document.body || at("screen").contains(focused)))
		at("again-now").focus();
}

// Only one reason at a time: without a connection nothing else is known.
function explain() {
	const missing = status && noPicture(status.capture);

	if (link.state === "connecting")
		showOverlay("Connecting…");
	else if (link.state === "waiting")
		showOverlay("Connection lost", `Trying again in ${link.seconds} s.`, true);
	else if (link.state === "ended")
		showOverlay("The session ended", `The Device ended it: ${link.why}.`, true);
	else if (link.state === "managed")
		showOverlay(`Managed by ${status.manager?.name || "a Manager"}`, "It decides who opens a session here: open the " +
			"Target there. While it cannot be reached, this Device's owner may.", true);
	else if (missing)
		showOverlay(...missing);
	else
		showOverlay(link.painted ? "" : "Waiting for the picture…");
}

function showFacts() {
	const capture = status?.capture;
	const usb = status?.target.usb_configured;
	const leds = status?.target.leds || {};
	const up = link.state === "open";
	const missing = capture && noPicture(capture);
	let text = "No connection";

	if (up && missing)
		text = missing[0];
	else if (up)
		text = usb ? "Connected" : "Connected, no USB";
	at("target").textContent = text;
	at("target").title = usb ? "" : "The Target's USB host has not taken our keyboard and pointer.";
	at("target").classList.toggle("good", up && !missing && Boolean(usb));
	at("mode").textContent = capture && !missing ? size(capture) : "";
	for (const led of ["num", "caps", "scroll"])
		at(`led-${led}`).classList.toggle("on", Boolean(leds[led]));
	document.title = capture?.width ? `${size(capture)} – kvmnet` : "kvmnet";
}

function bytesText(bytes) {
	if (bytes < 1000)
		return `${bytes} B/s`;
	return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB/s` : `${(bytes / 1e6).toFixed(1)} MB/s`;
}

function showRate(updates, bytes) {
	at("rate").textContent = `${updates} fps · ${bytesText(bytes)}`;
}

const watching = () => viewOnly || !mayControl;

function setViewOnly(on) {
	viewOnly = on;
	at("view-only").setAttribute("aria-pressed", String(watching()));
	at("view-only").disabled = !mayControl;
	at("ctrl-alt-del").disabled = watching();
	if (link)
		link.viewOnly = watching();
}

// What the log-in permits; without rights it is what everybody watches, and says nothing of that.
function take(newest) {
	status = newest;
	if (newest.rights) {
		mayControl = newest.rights.includes("control");
		setViewOnly(viewOnly);
	}
	explain();
	showFacts();
}

async function logOut() {
	await api.logout().catch(() => {});
	leave();
}

// noVNC takes every key while the screen has the focus; this one is ours. The three keys held with it
// are released as the screen loses the focus (link.js).
function comeBack(event) {
	if (!(event.ctrlKey && event.altKey && event.shiftKey && event.code === "KeyB"))
		return;
	event.preventDefault();
	event.stopImmediatePropagation();
	if (document.fullscreenElement)
		document.exitFullscreen();
	(watching() ? at(mayControl ? "view-only" : "full-screen") : at("ctrl-alt-del")).focus();
}

function wire() {
	at("ctrl-alt-del").onclick = () => {
		link.ctrlAltDel();
		link.focus();
	};
	at("view-only").onclick = () => setViewOnly(!viewOnly);
	at("full-screen").onclick = () => {
		at("console").requestFullscreen({ navigationUI: "hide" }).then(() => {
			navigator.keyboard?.lock?.().catch(() => {});
			link.focus();
		}, () => {});
	};
	at("log-out").onclick = logOut;
	at("again-now").onclick = () => link.now();
	window.addEventListener("keydown", comeBack, true);
}

export async function openConsole(left) {
	leave = left;
	hideGate();
	at("console").hidden = false;
	wire();
	link = new Link(at("screen"), {
		changed: () => {
			explain();
			showFacts();
		},
		status: take,
		rate: showRate,
		refused: () => leave(),
	});
	showRate(0, 0);
	setViewOnly(viewOnly);
	link.now();
}

export function closeConsole() {
	if (!link)
		return;
	window.removeEventListener("keydown", comeBack, true);
	link.close();
	link = null;
	status = null;
	at("console").hidden = true;
	document.title = "kvmnet";
}
