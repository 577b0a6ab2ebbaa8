// SPDX-License-Identifier: GPL-2.0-or-later
// The network: its interfaces as they are, a dialogue to change one, and the trial that follows.

import * as device from "./device.js";
import { ask } from "./dialog.js";
import { button, cell, state } from "./table.js";

const SOURCES = { dhcp: "by DHCP", auto: "by the router", static: "static", link_local: "for this wire alone" };
const SECOND_MS = 1000;

const at = (id) => document.getElementById(id);

let again = null; // asks the Device for the newest
let trial = null;
let end = 0; // of the trial, by performance.now()
let ticker = 0;

// ---- interfaces ----

function stateOf(link) {
	if (!link.up)
		return state("Off", "");
	return link.carrier ? state("Connected", "good") : state("No cable", "");
}

function lines(texts) {
	const made = document.createElement("div");

	for (const text of texts)
		made.append(Object.assign(document.createElement("div"), { textContent: text }));
	return made;
}

function addRow(link, changeable) {
	const row = at("interfaces").insertRow();
	const seen = link.addresses.filter(({ source }) => source !== "link_local");

	cell(row, link.name, link.mac);
	cell(row, stateOf(link));
	cell(row, lines((seen.length ? seen : link.addresses).map(({ address, prefix, source, usable }) =>
		`${address}/${prefix}, ${usable ? SOURCES[source] : "not usable: does somebody else have it?"}`)));
	cell(row, lines(link.gateways.map((gateway) => `via ${gateway}`)));
	row.insertCell().append(...changeable ? [button("Change", () => askToChange(link))] : []);
}

// ---- changing one ----

const family = (mode, address, prefix, gateway) =>
	(mode === "static" ? { mode, address, prefix: Number(prefix), gateway: gateway || null } : { mode });

function familyFields(name, title, automatic, now, example) {
	const only = [name, "static"];

	return [
		{ name, label: title, options: [automatic, ["static", "Static"], ["off", "Off"]], value: now?.mode },
		{ name: `${name}-address`, label: `${title} address, such as ${example.address}`, value: now?.address, only },
		{ name: `${name}-prefix`, label: `Its network's prefix, such as ${example.prefix}`, value: now?.prefix || example.prefix,
			length: 3, only },
		{ name: `${name}-gateway`, label: "Gateway; empty: there is none", value: now?.gateway, optional: true, only },
	];
}

function askToChange(link) {
	const now = link.settings;

	ask({
		title: `Addresses of ${link.name}`,
		text: "They are tried for a minute. Unless you keep them within it, what was before comes back.",
		go: "Try",
		fields: [
			...familyFields("ipv4", "IPv4", ["dhcp", "By DHCP"], now?.ipv4, { address: "192.0.2.5", prefix: "24" }),
			...familyFields("ipv6", "IPv6", ["auto", "By the router"], now?.ipv6, { address: "2001:db8::5", prefix: "64" }),
			{ name: "dns", label: "DNS servers, with blanks between; empty: those that the network names",
				value: now?.dns.join(" "), length: 150, optional: true },
		],
		act: async (values) => {
			const part = (name) => family(values[name], values[`${name}-address`], values[`${name}-prefix`],
				values[`${name}-gateway`]);

			await device.tryNetwork({
				interface: link.name,
				ipv4: part("ipv4"),
				ipv6: part("ipv6"),
				dns: values.dns.split(/[\s,]+/).filter(Boolean),
			});
			await again();
		},
	});
}

// ---- the trial ----

function addressOf({ ipv4, ipv6 }) {
	if (ipv4.mode === "static")
		return ipv4.address;
	return ipv6.mode === "static" ? `[${ipv6.address}]` : "";
}

function tick() {
	const left = Math.max(0, Math.ceil((end - performance.now()) / SECOND_MS));

	at("trial-left").textContent = left ? `Without your word, what was before comes back in ${left} s.` :
		"The time is over: this Device goes back to what it had before.";
}

function showTrial(newest) {
	trial = newest;
	clearInterval(ticker);
	at("trial").hidden = !trial;
	if (!trial)
		return;
	const address = addressOf(trial.settings);
	const port = location.port ? `:${location.port}` : "";

	end = performance.now() + trial.left_s * SECOND_MS;
	ticker = setInterval(tick, SECOND_MS);
	tick();
	at("trial-text").textContent = `New addresses of ${trial.interface} are on trial.`;
	at("trial-way").hidden = !address || location.hostname === address;
	at("trial-link").href = at("trial-link").textContent = `https://${address}${port}/`;
	at("trial-keep").disabled = !trial.holds;
}

async function decide(act) {
	at("trial-error").textContent = "";
	try {
		await act();
		await again();
	} catch (error) {
		at("trial-error").textContent = error.message;
	}
}

// ---- all of it ----

export function showNetwork(network) {
	at("host-name").textContent = network.host_name;
	at("dns").textContent = network.dns.join(", ") || "none";
	at("unchangeable").hidden = network.changeable;
	at("interfaces").replaceChildren();
	for (const link of network.interfaces)
		addRow(link, network.changeable);
	showTrial(network.trial || null);
}

export function openNetwork(refresh) {
	again = refresh;
	at("trial-keep").onclick = () => decide(device.keepNetwork);
	at("trial-return").onclick = () => decide(device.returnNetwork);
}

export function closeNetwork() {
	clearInterval(ticker);
}
