// SPDX-License-Identifier: GPL-2.0-or-later
// The program's API as functions: an answer, or an ApiError whose message a person can read.

const PROGRAM = document.documentElement.dataset.program; // Device or Manager

export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status; // 0: there was no answer
	}
}

export async function call(method, path, body) {
	const options = { method, cache: "no-store", credentials: "same-origin" };
	let response;

	if (body) {
		options.headers = { "Content-Type": "application/json" };
		options.body = JSON.stringify(body);
	}
	try {
		response = await fetch(`/api/v1/${path}`, options);
	} catch {
		throw new ApiError(0, `The ${PROGRAM} does not answer.`);
	}
	const answer = await response.json().catch(() => ({}));
	if (!response.ok)
		throw new ApiError(response.status, answer.error || `The ${PROGRAM} answered ${response.status}.`);
	return answer;
}

export const state = () => call("GET", "state");
export const status = () => call("GET", "status");
export const claim = (code, user, password) => call("POST", "claim", { code, user, password });
export const login = (user, password) => call("POST", "login", { user, password });
export const useTicket = (ticket) => call("POST", "ticket", { ticket });
export const logout = () => call("POST", "logout");

export function socket(name, protocol) {
	return new WebSocket(`wss://${location.host}/api/v1/${name}`, [protocol]);
}
