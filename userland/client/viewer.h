/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session at a Target, opened with a Ticket: TLS to the Device whose key the Ticket is for, and RFB inside. */
#ifndef KVMNET_CLIENT_VIEWER_H
#define KVMNET_CLIENT_VIEWER_H

#include "client/rfb.h"
#include "client/targets.h"

struct viewer;

/* Logs in at the Manager and opens the Target, which the command's first two arguments name; with keys only where the
 * person may press them. NULL after saying why, in *status. */
struct viewer *viewer_open(const struct cli *cli, bool keys, enum cli_status *status);
void viewer_close(struct viewer *viewer); /* may be NULL */

struct rfb *viewer_rfb(struct viewer *viewer);
/* Sends what is in rfb's out. CLI_DONE, or after saying why; so do the others. */
enum cli_status viewer_send(struct viewer *viewer);
/* Sends it, and reads up to the end of an update. All of them may take as long as one answer, from the opening or the
 * last pause on. */
enum cli_status viewer_await_update(struct viewer *viewer);
/* Sends it, and lets so much time pass. */
enum cli_status viewer_pause(struct viewer *viewer, unsigned ms);

#endif
