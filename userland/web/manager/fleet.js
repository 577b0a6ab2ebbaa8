// SPDX-License-Identifier: GPL-2.0-or-later
// The Manager's API beyond what api.js has.

import { call } from "./api.js";

export const devices = () => call("GET", "devices");
// authority: { code }, or { user, password } of the Device's owner.
export const adopt = (id, authority) => call("POST", `devices/${id}/adoption`, authority);
// { ticket, url }: what opens a session at its Target.
export const ticket = (id) => call("POST", `targets/${id}/ticket`);
export const promote = () => call("POST", "promotion");
export const account = () => call("GET", "account");
export const password = (old, fresh) => call("POST", "password", { old_password: old, new_password: fresh });
export const targets = () => call("GET", "targets");
export const users = () => call("GET", "users");
export const addUser = (name, type, secret) => call("POST", "users", { name, type, password: secret });
export const setType = (name, type) => call("PUT", `users/${name}/type`, { type });
export const setPassword = (name, secret) => call("PUT", `users/${name}/password`, { password: secret });
export const removeUser = (name) => call("DELETE", `users/${name}`);
// what: groups or sets; id: 0 for a new one.
export const all = (what) => call("GET", what);
export const put = (what, id, body) => (id ? call("PUT", `${what}/${id}`, body) : call("POST", what, body));
export const remove = (what, id) => call("DELETE", `${what}/${id}`);
export const endSessions = (id) => call("DELETE", `targets/${id}/sessions`);
export const release = (id) => call("DELETE", `devices/${id}/adoption`);
export const directory = () => call("GET", "directory");
export const setDirectory = (settings) => call("PUT", "directory", settings);
// mode: local or external
export const setMode = (mode) => call("PUT", "directory/mode", { mode });
export const preview = () => call("POST", "directory/preview");
export const importUsers = () => call("POST", "directory/import");
export const removeGone = () => call("DELETE", "directory/gone");
