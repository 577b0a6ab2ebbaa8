/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the page's files share among themselves; all of it belongs to the page thread. */
#ifndef KVMNET_DEVICE_PAGE_PARTS_H
#define KVMNET_DEVICE_PAGE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "device/api.h"
#include "device/page.h"
#include "lib/identity.h"
#include "lib/web.h"

#define PAGE_CONSOLES (3 * BUS_SESSIONS) /* a session and its channels */

struct page_console;
struct page_watcher;
struct page_order;

struct page {
	struct web *web;
	struct web_site site;
	struct identity *identity;
	struct api api;
	struct page_console *consoles;
	struct page_watcher *watchers;
	struct page_order *orders; /* requests of the Manager's that wait for their answers */
	struct link_host link_host;
	struct link_state link_state; /* as it was last seen */
	uint64_t status_id;	      /* of the BUS_STATUS under way for the watchers; 0: none */
	bool status_outdated;	      /* something changed while it was */
	char *status;		      /* the newest, as JSON; NULL: none yet */
	uint64_t status_number;
};

/* Judges a WebSocket upgrade as api_may_upgrade() does; true, or the refusal is sent and the callback returns 1. */
bool page_may_upgrade(struct lws *wsi, const char *path, struct web_caller *caller, unsigned right,
		      struct login *login);

int page_console_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			  size_t len);
int page_relay_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
/* Sessions that ended: why, for their browsers. */
void page_console_take_ends(struct page *page);
/* Ends those whose login is gone. */
void page_console_end_strangers(struct page *page);

/* The link may have something. true: its state changed. */
bool page_link_woken(struct page *page);
/* The Manager's request that waits for its answer; NULL: there is none of that id. */
struct web_request *page_link_find(struct page *page, uint64_t id);
/* It has its answer now. */
void page_link_answered(struct page *page, struct web_request *request);
void page_link_free(struct page *page);

int page_watch_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
void page_watch_end_strangers(struct page *page);
/* The Device's state changed: everybody who watches is to learn it, and the Manager. */
void page_watch_changed(struct page *page);
void page_watch_status(struct page *page, const struct bus_answer *answer);

#endif
