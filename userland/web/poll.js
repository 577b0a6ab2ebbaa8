// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the program again and again for what a page shows, until the page is left or the log-in is gone.

const AGAIN_MS = 2000;

// A "poll" event of the document tells whoever it concerns whether the program answers.
const tell = (answers) => document.dispatchEvent(new CustomEvent("poll", { detail: answers }));

export class Poll {
	#read;
	#show;
	#lost = null;
	#timer = 0;
	#round = 0; // an answer to an earlier one is nobody's
	#shown = "";

	// read() gives what show() is called with, when it is another than before.
	constructor(read, show) {
		this.#read = read;
		this.#show = show;
	}

	// The first time throws what read() throws; lost() is called when nobody is logged in any more.
	async start(lost) {
		const round = ++this.#round;

		this.#lost = lost;
		this.#shown = "";
		const answer = await this.#read();

		if (round !== this.#round)
			return;
		this.#take(answer);
		this.#timer = setTimeout(() => this.now(), AGAIN_MS);
	}

	stop() {
		this.#round++;
		clearTimeout(this.#timer);
	}

	async now() {
		const notice = document.getElementById("notice");
		const round = this.#round;

		clearTimeout(this.#timer);
		try {
			const answer = await this.#read();

			if (round !== this.#round)
				return;
			this.#take(answer);
			notice.textContent = "";
			tell(true);
		} catch (error) {
			if (round !== this.#round)
				return;
			if (error.status === 401 || error.status === 409) {
				this.#lost();
				return;
			}
			notice.textContent = error.message;
			tell(error.status !== 0);
		}
		this.#timer = setTimeout(() => this.now(), AGAIN_MS);
	}

	// Nothing that a person is about to press moves away.
	#take(answer) {
		const text = JSON.stringify(answer);

		if (text === this.#shown)
			return;
		this.#shown = text;
		this.#show(answer);
	}
}
