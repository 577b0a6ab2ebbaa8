// SPDX-License-Identifier: GPL-2.0-or-later
// The Manager's API beyond what api.js has.

import { call } from "./api.js";

export const devices = () => call("GET", "devices");
// authority: { code }, or { user, password } of the Device's owner.
export const adopt = (id, authority) => call("POST", `devices/${id}/adoption`, authority);
// { ticket, url }: what opens a session at its Target.
export const ticket = (id) => call("POST", `targets/${id}/ticket`);
export const release = (id) => call("DELETE", `devices/${id}/adoption`);
