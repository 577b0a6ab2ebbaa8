/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Ticket for one Target, for the commands that open a session with it. */
#ifndef KVMNET_CLIENT_TARGETS_H
#define KVMNET_CLIENT_TARGETS_H

#include "client/http.h"
#include "client/pick.h"

struct target_ticket {
	char id[PICK_ID_DIGITS + 1]; /* of the Device's key */
	json_t *answer;		     /* the Manager's, whose members are sound; holds the Ticket */
	const char *ticket, *url;    /* in it */
};

/* For the Target of that id or name. CLI_DONE, or after saying why; target_forget() in any case. */
enum cli_status target_ticket(struct http *http, const char *target, bool view_only,
			      struct target_ticket *ticket);
bool target_may(const struct target_ticket *ticket, const char *right);
void target_forget(struct target_ticket *ticket); /* wiped */

#endif
