/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Tickets that were used: each works once, whatever happens between. Takes no lock. */
#ifndef KVMNET_DEVICE_SPENT_H
#define KVMNET_DEVICE_SPENT_H

#include "lib/ticket.h"

#define SPENT_MAX 256 /* a Ticket lives for 90 s at most: more people than this do not come in that time */

struct spent {
	/* Whatever expired then or before was used or too late: should the clock go back, it stays so. */
	int64_t horizon;
	unsigned count;
	struct spent_ticket {
		uint8_t id[TICKET_ID_BYTES];
		int64_t expires;
	} tickets[SPENT_MAX];
};

enum spent_result {
	SPENT_NOW, /* it was not: it is now, on the disk too */
	SPENT_BEFORE,
	SPENT_FULL,   /* too many at once */
	SPENT_FAILED, /* could not be stored: see the log */
};

/* STATE_DIR/tickets; there may be none. 0, or -1 after logging why: to go on without it would take Tickets twice. */
int spent_load(const char *state_dir, struct spent *spent);
/* Whatever expires at that time or before is good no more. 0, or -1 after logging why: then it was not stored. */
int spent_revoke(struct spent *spent, const char *state_dir, int64_t expires);
/* ticket was found good at now. */
enum spent_result spent_use(struct spent *spent, const char *state_dir, const struct ticket *ticket,
			    int64_t now);

#endif
