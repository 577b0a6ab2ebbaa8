// SPDX-License-Identifier: GPL-2.0-or-later
// Cells, buttons and states of the lists that the pages are made of.

export function cell(row, content, detail) {
	const td = row.insertCell();

	td.append(content);
	if (detail) {
		const small = document.createElement("small");

		small.textContent = detail;
		td.append(small);
	}
	return td;
}

export function button(text, act) {
	const made = document.createElement("button");

	made.type = "button";
	made.textContent = text;
	made.onclick = act;
	return made;
}

// colour: good, waiting or none
export function state(text, colour) {
	const made = document.createElement("span");

	made.textContent = text;
	made.className = `state ${colour}`;
	return made;
}
