/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who comes in with a Ticket of the Manager's (lib/TICKET.md), with no question to it: so also while it is away. Calls are
 * thread-safe and wait for the disk. */
#ifndef KVMNET_DEVICE_GATE_H
#define KVMNET_DEVICE_GATE_H

#include <stddef.h>
#include <sys/socket.h>

#include "device/manager.h"
#include "lib/ticket.h"

struct gate;

enum gate_result {
	GATE_OPEN,
	GATE_REFUSED,
	GATE_LIMITED, /* too many wrong ones from there: wait */
	GATE_FAILED,  /* could not be stored: see the log */
};

/* Reads STATE_DIR/ticket-keys and /tickets. own: this Device's key; both are borrowed. NULL after logging why. */
struct gate *gate_open(const char *state_dir, struct manager *manager, EVP_PKEY *own);
void gate_close(struct gate *gate); /* NULL: nothing */

/* The keys that the Manager signs with from now on, a JWK set. NULL: on the disk; or what is wrong with them, or
 * gate_unstored. */
const char *gate_set_keys(struct gate *gate, const json_t *set);
extern const char gate_unstored[];
/* This Device has no Manager any more. 0, or -1 after logging why. */
int gate_forget_keys(struct gate *gate);

/* Takes back what was issued at that time or before, by the Manager's clock, whoever it is for: who has not used his
 * asks for another. NULL, or what is wrong; gate_unstored. */
const char *gate_revoke(struct gate *gate, int64_t issued);

/* peer: where it comes from, for the limit. *ticket: what it permits. *why: if it does not, a sentence that lives on. */
enum gate_result gate_admit(struct gate *gate, const struct sockaddr *peer, const char *text, size_t len,
			    struct ticket *ticket, const char **why);

#endif
