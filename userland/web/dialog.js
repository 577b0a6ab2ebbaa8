// SPDX-License-Identifier: GPL-2.0-or-later
// The dialogue that asks a person for something: its fields, its button, and what went wrong with what they said.

document.body.insertAdjacentHTML("beforeend", `
	<dialog id="ask" aria-labelledby="ask-title">
		<form id="ask-form" method="dialog">
			<h2 id="ask-title"></h2>
			<p id="ask-text" class="quiet"></p>
			<p id="ask-key" class="quiet" hidden>Its key's SHA-256 is <span id="ask-hash" class="hash"></span></p>
			<div id="ask-fields"></div>
			<p id="ask-error" class="error" role="alert"></p>
			<div class="actions">
				<button id="ask-cancel" type="button">Cancel</button>
				<button id="ask-go" class="go" type="submit"></button>
			</div>
		</form>
	</dialog>
`);

const at = (id) => document.getElementById(id);

function labelled(text, element) {
	const label = document.createElement("label");

	label.append(text, element);
	return label;
}

function input(field) {
	const element = document.createElement("input");

	element.type = field.type || "text";
	element.value = field.value || "";
	element.required = !field.optional;
	element.maxLength = field.length || 64;
	element.spellcheck = false;
	element.autocapitalize = field.code ? "characters" : "none";
	element.className = field.code ? "code" : "";
	element.placeholder = field.code ? "ABCD-EFGH-JKLM" : "";
	element.autocomplete = field.complete || "off";
	element.id = `ask-${field.name}`;
	return { element: labelled(field.label, element), value: () => element.value };
}

// field.options: [[value, text], …]
function choice(field) {
	const element = document.createElement("select");

	for (const [value, text] of field.options)
		element.add(new Option(text, value, false, value === field.value));
	element.id = `ask-${field.name}`;
	return { element: labelled(field.label, element), value: () => element.value };
}

// field.value: those of the options that are chosen.
function several(field) {
	const set = document.createElement("fieldset");
	const legend = document.createElement("legend");
	const boxes = field.options.map(([value, text]) => {
		const box = document.createElement("input");
		const label = document.createElement("label");

		box.type = "checkbox";
		box.checked = field.value.includes(value);
		label.append(box, text);
		set.append(label);
		return [value, box];
	});

	legend.textContent = field.label;
	set.prepend(legend);
	if (!boxes.length)
		set.append("There are none yet.");
	return { element: set, value: () => boxes.filter(([, box]) => box.checked).map(([value]) => value) };
}

function make(field) {
	if (field.type === "several")
		return several(field);
	return field.options ? choice(field) : input(field);
}

// field.only: [name, value]; it is there only while that other field has that value.
function hideOthers(fields, made) {
	const values = Object.fromEntries(made.map(([name, field]) => [name, field.value()]));

	for (const [index, { only }] of fields.entries()) {
		const { element } = made[index][1];

		element.hidden = Boolean(only) && values[only[0]] !== only[1];
		for (const inner of element.querySelectorAll("input, select"))
			inner.disabled = element.hidden;
	}
}

// hash: of a Device's key, to be compared. act(values by name) does it; what it throws is shown, and the dialogue stays.
export function ask({ title, text, hash, go, fields, act }) {
	const made = fields.map((field) => [field.name, make(field)]);

	at("ask-title").textContent = title;
	at("ask-text").textContent = text || "";
	at("ask-key").hidden = !hash;
	at("ask-hash").textContent = hash?.match(/.{4}/g).join(" ") || "";
	at("ask-go").textContent = go;
	at("ask-error").textContent = "";
	at("ask-fields").replaceChildren(...made.map(([, field]) => field.element));
	at("ask-form").onchange = () => hideOthers(fields, made);
	hideOthers(fields, made);
	at("ask-cancel").onclick = () => at("ask").close();
	at("ask-form").onsubmit = async (event) => {
		event.preventDefault();
		at("ask-go").disabled = true;
		at("ask-error").textContent = "";
		try {
			await act(Object.fromEntries(made.map(([name, field]) => [name, field.value()])));
			at("ask").close();
		} catch (error) {
			at("ask-error").textContent = error.message;
		} finally {
			at("ask-go").disabled = false;
		}
	};
	at("ask").showModal();
}

// change(old, fresh) does it.
export function askForPassword(text, change) {
	ask({
		title: "Your password",
		text,
		go: "Change",
		fields: [
			{ name: "old", label: "The one that you have", type: "password", length: 256, complete: "current-password" },
			{ name: "fresh", label: "A new one", type: "password", length: 256, complete: "new-password" },
		],
		act: ({ old, fresh }) => change(old, fresh),
	});
}

export function closeDialogs() {
	for (const dialog of document.querySelectorAll("dialog[open]"))
		dialog.close();
}
