/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Device's page: HTTPS and WebSocket on 443, and the link to its Manager, on threads of their own. */
#ifndef KVMNET_DEVICE_PAGE_H
#define KVMNET_DEVICE_PAGE_H

#include "device/account.h"
#include "device/bus.h"
#include "device/config.h"
#include "device/gate.h"
#include "device/manager.h"
#include "device/settings.h"
#include "lib/identity.h"

/* All that it points to outlives page_stop(), but settings: they are copied. */
struct page_stores {
	struct account_store *accounts;
	struct manager *manager;
	struct gate *gate;
	struct identity *identity;
	struct bus *bus;
	const struct settings *settings;
	uint64_t boot;
};

/* Binds before it returns: privileges may be dropped after. 0, or -1 after logging. */
int page_start(const struct config *config, const struct page_stores *stores);
/* Ends every connection and the threads. */
void page_stop(void);

#endif
