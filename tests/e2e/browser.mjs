// SPDX-License-Identifier: GPL-2.0-or-later
// A headless Chromium for tests: one JSON line on standard input asks, one on standard output answers;
// {"error": why} when it failed. What is a right answer is the tests' business.
//
//   {"do":"open","url"}                             goes there and waits for one of our pages -> {"page"}
//   {"do":"claim","code","user","password"}         -> {} in the console, or error with the page's words
//   {"do":"login","user","password"}                likewise
//   {"do":"console"[,"width","height"]}             waits for a picture (of that size) -> {"width","height"}
//   {"do":"canvas","file"}                          writes the framebuffer, RGBA -> {"width","height"}
//   {"do":"screenshot","file"}                      PNG of what the page shows there, a pixel for each of the Target's
//                                                   -> {"width","height"}
//   {"do":"type","text"} {"do":"key","key"}         into the Target; key as Playwright names it ("Control+a")
//   {"do":"down","key"} {"do":"up","key"}
//   {"do":"move","x","y"} {"do":"click","x","y"[,"button"]}   in pixels of the Target
//   {"do":"wheel","x","y","dy"}
//   {"do":"press","id"}                             a button of the page, by its id
//   {"do":"activate","id"}                          likewise, while the focus stays: as assistive technology does
//   {"do":"overlay"} {"do":"bar"}                   -> {"text"}
//   {"do":"await-overlay","text"}                   until it holds text; "": until there is none
//   {"do":"await-led","led","on"}                   num, caps or scroll
//   {"do":"await-bar","text"} {"do":"await-gate","text"}
//   {"do":"errors"}                                 -> {"errors"}: what the browser complained of
//   {"do":"goto","url"} {"do":"fill","id","text"} {"do":"push","name"[,"row"]}   any page: the first button
//                                                   that this stands on, in the row of a table that holds this
//   {"do":"choose","id","value"} {"do":"check","label"} {"do":"disabled","id"}   a list, a box; -> {"disabled"}
//   {"do":"fill-labelled","label","text"}           by what the field is called
//   {"do":"follow","name"}                          likewise, and on in the tab that it opens; the one before is closed
//   {"do":"await-text","id","text"}                 until the element holds text; "": until it is hidden
//   {"do":"await-row","row","text"}                 until a table's row that holds row holds text too
//   {"do":"window","width","height"} {"do":"shot","file"}   PNG of the whole window
//   {"do":"axe"}                                    -> {"wrong"}: what keeps people out, serious or worse, as axe-core sees it
//   {"do":"quit"}                                   as does the end of the input

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const npm = createRequire(path.join(TOP, "build/npm/"));
const { chromium } = npm("playwright-core");
const AXE = npm("axe-core").source;
const WAIT_MS = 30000;

const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
const errors = [];

context.setDefaultTimeout(WAIT_MS);
context.on("page", (tab) => {
	tab.on("console", (message) => {
		if (message.type() === "error")
			errors.push(message.text());
	});
	tab.on("pageerror", (error) => errors.push(String(error)));
});

let page = await context.newPage();

const shown = () => page.waitForFunction(() => {
	if (!document.getElementById("console").hidden)
		return "console";
	const gate = document.getElementById("gate");

	return !gate.hidden && !document.getElementById("gate-form").hidden && document.getElementById("gate-title").textContent;
}).then((handle) => handle.jsonValue());

// In the console, or the form's own words.
async function submit() {
	await page.click("#gate-go");
	const why = await page.waitForFunction(() => {
		const text = document.getElementById("gate-error").textContent;

		return !document.getElementById("console").hidden ? { ok: true } : text && { text };
	}).then((handle) => handle.jsonValue());

	if (!why.ok)
		throw new Error(why.text);
}

// Where a pixel of the Target is on the page.
async function place(x, y) {
	return page.evaluate(([x, y]) => {
		const canvas = document.querySelector("#screen canvas");
		const box = canvas.getBoundingClientRect();

		return [box.left + (x + 0.5) * box.width / canvas.width, box.top + (y + 0.5) * box.height / canvas.height];
	}, [x, y]);
}

async function picture({ width, height }) {
	const handle = await page.waitForFunction(({ width, height }) => {
		const canvas = document.querySelector("#screen canvas");
		const there = canvas && canvas.width && document.getElementById("overlay").hidden;

		return there && (!width || (canvas.width === width && canvas.height === height)) &&
			{ width: canvas.width, height: canvas.height };
	}, { width, height });

	return handle.jsonValue();
}

// The canvas has one pixel for each of the framebuffer; only its style is scaled to the window. noVNC asks for the next
// update only when it has drawn the last, and a session is current only when asked: so "current" is also "drawn".
async function canvas(file) {
	const { width, height, data } = await page.evaluate(() => {
		const canvas = document.querySelector("#screen canvas");
		const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
		let text = "";

		for (let i = 0; i < data.length; i += 32768)
			text += String.fromCharCode(...data.subarray(i, i + 32768));
		return { width: canvas.width, height: canvas.height, data: btoa(text) };
	});

	fs.writeFileSync(file, Buffer.from(data, "base64"));
	return { width, height };
}

// Makes the window just as wide as shows the canvas unscaled, and high enough (the bar above has a fraction of a pixel);
// where that is on the page, in whole pixels as the browser paints it.
async function unscaled() {
	const { width, height } = page.viewportSize();
	const more = await page.evaluate(() => {
		const screen = document.getElementById("screen");
		const canvas = screen.querySelector("canvas");
		const box = screen.getBoundingClientRect();

		return { width: canvas.width - box.width, height: Math.ceil(canvas.height - box.height) };
	});

	await page.setViewportSize({ width: width + more.width, height: height + more.height });
	const handle = await page.waitForFunction(() => {
		const canvas = document.querySelector("#screen canvas");
		const { x, y, width, height } = canvas.getBoundingClientRect();

		return width === canvas.width && height === canvas.height &&
			{ x: Math.round(x), y: Math.round(y), width, height };
	});

	return handle.jsonValue();
}

const text = (id) => page.evaluate((id) => {
	const element = document.getElementById(id);

	return element.hidden ? "" : element.innerText;
}, id);

const awaitText = (id, want) => page.waitForFunction(([id, want]) => {
	const element = document.getElementById(id);

	return want ? !element.hidden && element.innerText.toLowerCase().includes(want.toLowerCase()) :
		element.hidden;
}, [id, want]);

const focusScreen = () => page.focus("#screen canvas");

const commands = {
	open: async ({ url }) => {
		await page.goto(url);
		return { page: await shown() };
	},
	claim: async ({ code, user, password }) => {
		await page.fill("#code", code);
		await page.fill("#user", user);
		await page.fill("#password", password);
		await page.fill("#again", password);
		await submit();
	},
	login: async ({ user, password }) => {
		await page.fill("#user", user);
		await page.fill("#password", password);
		await submit();
	},
	console: picture,
	canvas: ({ file }) => canvas(file),
	screenshot: async ({ file }) => {
		const clip = await unscaled();

		await page.screenshot({ path: file, clip });
		return { width: clip.width, height: clip.height };
	},
	type: async ({ text }) => {
		await focusScreen();
		await page.keyboard.type(text);
	},
	key: async ({ key }) => {
		await focusScreen();
		await page.keyboard.press(key);
	},
	down: async ({ key }) => {
		await focusScreen();
		await page.keyboard.down(key);
	},
	up: ({ key }) => page.keyboard.up(key),
	move: async ({ x, y }) => page.mouse.move(...await place(x, y)),
	click: async ({ x, y, button }) => page.mouse.click(...await place(x, y), { button: button || "left" }),
	wheel: async ({ x, y, dy }) => {
		await page.mouse.move(...await place(x, y));
		await page.mouse.wheel(0, dy);
	},
	press: ({ id }) => page.click(`#${id}`),
	activate: ({ id }) => page.evaluate((id) => document.getElementById(id).click(), id),
	overlay: async () => ({ text: await text("overlay") }),
	bar: async () => ({ text: await page.innerText(".bar") }),
	"await-overlay": async ({ text }) => {
		await awaitText("overlay", text);
	},
	"await-bar": async ({ text }) => {
		await page.waitForFunction((text) => document.querySelector(".bar").innerText.includes(text), text);
	},
	"await-led": async ({ led, on }) => {
		await page.waitForFunction(([led, on]) => document.getElementById(`led-${led}`).classList.contains("on") === on,
			[led, on]);
	},
	"await-gate": async ({ text }) => {
		await awaitText("gate", text);
	},
	goto: async ({ url }) => {
		await page.goto(url);
	},
	choose: async ({ id, value }) => {
		await page.selectOption(`#${id}`, value);
	},
	check: ({ label }) => page.getByLabel(label, { exact: true }).check(),
	disabled: async ({ id }) => ({ disabled: await page.isDisabled(`#${id}`) }),
	fill: ({ id, text }) => page.fill(`#${id}`, text),
	"fill-labelled": ({ label, text }) => page.getByLabel(label, { exact: true }).first().fill(text),
	push: ({ name, row }) => (row ? page.getByRole("row").filter({ hasText: row }) : page)
		.getByRole("button", { name, exact: true }).first().click(),
	follow: async ({ name, row }) => {
		const [tab] = await Promise.all([context.waitForEvent("page"), commands.push({ name, row })]);

		await tab.waitForURL(/^https:/);
		await page.close();
		page = tab;
	},
	"await-text": async ({ id, text }) => {
		await awaitText(id, text);
	},
	"await-row": async ({ row, text }) => {
		await page.getByRole("row").filter({ hasText: row }).filter({ hasText: text }).waitFor({ timeout: 4 * WAIT_MS });
	},
	window: ({ width, height }) => page.setViewportSize({ width, height }),
	shot: async ({ file }) => {
		await page.screenshot({ path: file });
	},
	// Twice is as good as once: each page has its own.
	axe: async () => {
		await page.evaluate(AXE);
		const { violations } = await page.evaluate(() => window.axe.run());

		return { wrong: violations.filter(({ impact }) => impact === "serious" || impact === "critical")
			.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`) };
	},
	errors: () => ({ errors: errors.splice(0) }),
};

async function answer(line) {
	try {
		const command = JSON.parse(line);

		if (!Object.hasOwn(commands, command.do))
			throw new Error(`${command.do}: no such command`);
		return await commands[command.do](command) || {};
	} catch (error) {
		const where = await text("overlay").catch(() => "");

		return { error: String(error.message || error).split("\n")[0] + (where ? ` (the page says: ${where})` : "") };
	}
}

for await (const line of readline.createInterface({ input: process.stdin })) {
	if (line === '{"do":"quit"}')
		break;
	fs.writeSync(1, `${JSON.stringify(await answer(line))}\n`);
}
await browser.close();
