/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Echo requests, by the kernel's sockets for them, which need no right (icmp(7), ping_group_range). */
#ifndef KVMNET_SHELL_PING_H
#define KVMNET_SHELL_PING_H

#include "lib/shell_query.h"

#define PING_COUNT 4

/* Prints each answer. SHELL_DONE: there was one. */
enum shell_status ping(const char *host);

#endif
