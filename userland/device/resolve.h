/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Managers' names to addresses, on a thread of its own: an unreachable name server takes seconds. */
#ifndef KVMNET_DEVICE_RESOLVE_H
#define KVMNET_DEVICE_RESOLVE_H

#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>

#include "device/config.h"
#include "lib/loop.h"

/* getaddrinfo() with the servers that hold at this moment, and with little patience: seconds at worst. port in numbers. */
int resolve_name(const char *name, const char *port, int flags, struct addrinfo **list);

struct resolver;

/* found is called on the loop's thread for each address of each Manager, as they are found. NULL after logging. */
struct resolver *resolve_open(struct loop *loop, const struct config_managers *managers, uint16_t port,
			      void (*found)(void *arg, const struct sockaddr_storage *address), void *arg);
/* Waits for a look-up that runs: that is seconds at worst. */
void resolve_close(struct resolver *resolver);
/* Looks up each name that is not being looked up; addresses in numbers are found before it returns. A name that cannot
 * be found is logged once, and once found again. */
void resolve_start(struct resolver *resolver);

#endif
