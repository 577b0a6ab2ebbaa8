/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This Manager in discovery: it announces itself, probes, and passes on what Devices say. None of it is a right. */
#ifndef KVMNET_MANAGER_FINDER_H
#define KVMNET_MANAGER_FINDER_H

#include "lib/discovery.h"
#include "lib/loop.h"
#include "manager/config.h"

struct finder;

struct finder_user {
	void *arg;
	/* A Device announced itself or answered, from that numeric address. */
	void (*found)(void *arg, const struct discovery_message *message, const char *address);
};

/* key: the Manager's own; boot: how often it was started. All lives as long. NULL after logging why. */
struct finder *finder_open(struct loop *loop, const struct config *config, EVP_PKEY *key, uint64_t boot,
			   const struct finder_user *user);
void finder_close(struct finder *finder); /* NULL: nothing */

#endif
