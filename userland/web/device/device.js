// SPDX-License-Identifier: GPL-2.0-or-later
// What the settings ask of the Device's API: its owner's part of it.

import { call } from "./api.js";

export const network = () => call("GET", "network");
export const tryNetwork = (wanted) => call("PUT", "network", wanted);
export const keepNetwork = () => call("POST", "network/keep");
export const returnNetwork = () => call("POST", "network/return");
export const reach = () => call("GET", "network/managers");
export const identity = () => call("GET", "identity");
export const log = () => call("GET", "log");
export const settings = () => call("GET", "settings");
export const setSettings = (wanted) => call("PUT", "settings", wanted);
export const password = (old, fresh) => call("POST", "password", { old_password: old, new_password: fresh });
export const reset = (word) => call("POST", "reset", { password: word });
export const endSession = (id) => call("DELETE", `sessions/${id}`);
export const release = () => call("DELETE", "adoption");
