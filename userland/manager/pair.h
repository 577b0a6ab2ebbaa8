/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that make two Managers one: pair on the first, join on the second, and again on whoever comes back. */
#ifndef KVMNET_MANAGER_PAIR_H
#define KVMNET_MANAGER_PAIR_H

#include <stdbool.h>

#include "manager/config.h"
#include "manager/store.h"

#define PAIR_FILE "pair" /* in STATE_DIR: who the two are */

/* A name or address, and nothing that means something in a certificate's extension, SQL or a file of settings. */
bool pair_address_valid(const char *address);

/* Makes this Manager one of a pair, moves what manager.db holds to MariaDB, and writes what the other one needs into a
 * new file, mode 0600. 0, or -1 after logging. */
int pair_make(const struct config *config, const struct store_server *at, const char *self, const char *peer,
	      const char *file);
/* Takes what such a file says. 0, or -1 after logging: then nothing was taken. */
int pair_take(const struct config *config, const char *file);
/* Our server drops what it has, takes all that the Primary's has and follows it from there. 0, or -1 after logging. */
int pair_join(const struct config *config, const struct store_server *at);

#endif
