/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who this is: the key that sshd let in, and what the list of keys calls it. */
#ifndef KVMNET_SHELL_ADMINISTRATOR_H
#define KVMNET_SHELL_ADMINISTRATOR_H

#include "lib/shell_query.h"

#define ADMINISTRATOR_KEYS "/etc/kvmnet/manager-administrators.keys"

/* Pure. auth: what sshd wrote (sshd_config(5), ExposeAuthInfo); keys: the list (sshd(8), AUTHORIZED_KEYS FILE
 * FORMAT). Fills who and key; without a key that is understood both say so. */
void administrator_parse(const char *auth, const char *keys, struct shell_query *query);
/* The same, of the files themselves. */
void administrator_find(struct shell_query *query);

#endif
