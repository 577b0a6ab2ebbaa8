// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps the console's two WebSockets to the Device: RFB for noVNC, and the Device's
// status. Connects again by itself, ever more slowly. Shows nothing but the screen.

import RFB from "./novnc/core/rfb.js";

import * as api from "./api.js";

const LONGEST_WAIT_S = 15;
const ENDED = 1000; // RFC 6455 7.4.1: the Device closed it on purpose
const RATE_MS = 1000;

// package-lock.json pins the release whose parts this overrides. noVNC tells nobody what it drew, and it lets go of
// keys only when the window loses the focus: releases that come after the screen lost it would never be seen.
class ConsoleRFB extends RFB {
	updates = 0;
	painted = false; // pixels have come since the size changed

	constructor(...options) {
		super(...options);
		this._canvas.addEventListener("blur", () => this._keyboard._allKeysUp());
	}

	get viewOnly() {
		return super.viewOnly;
	}

	// noVNC lets go of the keys too, but when it sends nothing any more.
	set viewOnly(on) {
		if (on)
			this._keyboard._allKeysUp();
		super.viewOnly = on;
	}

	_framebufferUpdate() {
		const whole = super._framebufferUpdate();

		if (whole) {
			this.updates++;
			this.dispatchEvent(new CustomEvent("drawn"));
		}
		return whole;
	}

	_handleDataRect() {
		const whole = super._handleDataRect();

		this.painted ||= whole;
		return whole;
	}

	_resize(width, height) {
		this.painted = false;
		super._resize(width, height);
	}
}

export class Link {
	state = "connecting"; // waiting (seconds to go), open, ended, managed (the Manager decides who may), closed
	seconds = 0;
	why = ""; // it ended, in the Device's words
	painted = false; // the screen shows a picture of its size
	#screen;
	#events;
	#rfb = null;
	#socket = null; // noVNC's
	#watch = null;
	#timer = 0;
	#rate = 0;
	#failures = 0;
	#bytes = 0;
	#viewOnly = false;

	// events: changed(), status(status), rate(updates, bytes), refused() when the log-in does not hold
	constructor(screen, events) {
		this.#screen = screen;
		this.#events = events;
	}

	set viewOnly(on) {
		this.#viewOnly = on;
		if (this.#rfb)
			this.#rfb.viewOnly = on;
	}

	focus() {
		this.#rfb?.focus();
	}

	ctrlAltDel() {
		this.#rfb?.sendCtrlAltDel();
	}

	async now() {
		this.#drop();
		this.#become("connecting");
		try {
			const status = await api.status();

			if (this.state !== "connecting")
				return;
			this.#events.status(status);
			if (status.rights.includes("view"))
				this.#connect();
			else
				this.#become("managed");
		} catch (error) {
			if (this.state !== "connecting")
				return;
			if (error.status === 401 || error.status === 409)
				this.#events.refused();
			else
				this.#wait();
		}
	}

	close() {
		this.#drop();
		this.state = "closed";
	}

	#become(state) {
		this.state = state;
		this.#events.changed();
	}

	#connect() {
		const socket = api.socket("console", "binary");
		const rfb = new ConsoleRFB(this.#screen, socket, { shared: true });

		this.#rfb = rfb;
		this.#socket = socket;
		rfb.viewOnly = this.#viewOnly;
		rfb.scaleViewport = true;
		rfb.showDotCursor = true; // the Target draws its own pointer: ours must not hide it, nor be lost
		rfb.background = "transparent";
		socket.addEventListener("message", (event) => {
			this.#bytes += event.data.byteLength;
		});
		socket.addEventListener("close", (event) => this.#lost(rfb, event.code, event.reason));
		rfb.addEventListener("connect", () => {
			this.#failures = 0;
			this.#become("open");
			if (document.activeElement === document.body)
				rfb.focus();
		});
		rfb.addEventListener("drawn", () => this.#drawn(rfb.painted));
		this.#watchStatus();
		this.#measure();
	}

	#drawn(painted) {
		if (this.painted === painted)
			return;
		this.painted = painted;
		this.#events.changed();
	}

	#watchStatus() {
		const socket = api.socket("events", "events");

		this.#watch = socket;
		socket.addEventListener("message", (event) => this.#events.status(JSON.parse(event.data)));
		// The console's own socket tells that the Device is gone; this one alone is only opened again.
		socket.addEventListener("close", () => {
			if (this.#watch === socket && this.state === "open")
				this.#lost(this.#rfb, 0);
		});
	}

	#measure() {
		let bytes = this.#bytes;
		let updates = 0;

		this.#rate = setInterval(() => {
			this.#events.rate(this.#rfb.updates - updates, this.#bytes - bytes);
			bytes = this.#bytes;
			updates = this.#rfb.updates;
		}, RATE_MS);
	}

	#lost(rfb, code, why) {
		if (rfb !== this.#rfb || this.state === "closed")
			return;
		const open = this.state === "open";

		this.#drop();
		if (code === ENDED && open) {
			this.why = why;
			this.#become("ended");
		} else {
			this.#wait();
		}
	}

	// Twice as long after each failure, and not all browsers at the same moment.
	#wait() {
		const longest = Math.min(2 ** this.#failures++, LONGEST_WAIT_S);

		this.seconds = Math.max(1, Math.round(longest * (0.75 + Math.random() / 2)));
		this.#become("waiting");
		this.#timer = setInterval(() => {
			this.seconds--;
			if (this.seconds > 0)
				this.#events.changed();
			else
				this.now();
		}, 1000);
	}

	#drop() {
		const rfb = this.#rfb;
		const watch = this.#watch;

		clearInterval(this.#timer);
		clearInterval(this.#rate);
		this.#rfb = this.#watch = null;
		this.painted = false;
		if (this.#socket?.readyState <= WebSocket.OPEN)
			rfb.disconnect();
		watch?.close();
		this.#screen.replaceChildren();
	}
}
