/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Device's page: HTTPS and WebSocket on 443, on a thread of its own. */
#ifndef KVMNET_DEVICE_PAGE_H
#define KVMNET_DEVICE_PAGE_H

#include "device/account.h"
#include "device/bus.h"
#include "device/config.h"
#include "lib/identity.h"

/* Binds before it returns: privileges may be dropped after. All four outlive page_stop(). 0, or -1 after logging. */
int page_start(const struct config *config, struct account_store *accounts, struct identity *identity,
	       struct bus *bus);
/* Ends every connection and the thread. */
void page_stop(void);

#endif
