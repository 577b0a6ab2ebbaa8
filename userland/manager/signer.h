/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key that signs Tickets (lib/TICKET.md), and nothing else. Once open, any thread may use it. */
#ifndef KVMNET_MANAGER_SIGNER_H
#define KVMNET_MANAGER_SIGNER_H

#include "lib/ticket.h"

struct signer;

/* Reads STATE_DIR/ticket.key, making what was never there. NULL after logging why. */
struct signer *signer_open(const char *state_dir);
void signer_close(struct signer *signer); /* NULL: nothing */

/* The JWK set that Devices are to check Tickets with; NULL: out of memory. */
json_t *signer_keys(const struct signer *signer);
/* Who, for what and with which rights is ticket's; its id and times are given here. The text, malloc'd, to be wiped;
 * NULL after logging why. */
char *signer_sign(const struct signer *signer, struct ticket *ticket);

#endif
