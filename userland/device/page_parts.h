/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the page's files share among themselves; all of it belongs to the page thread. */
#ifndef KVMNET_DEVICE_PAGE_PARTS_H
#define KVMNET_DEVICE_PAGE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include <libwebsockets.h>

#include "device/api.h"
#include "device/config.h"
#include "device/page_files.h"
#include "lib/identity.h"

#define PAGE_CHUNK 65536

struct page_exchange;
struct page_console;
struct page_watcher;
struct page_guests;

struct page {
	struct identity *identity;
	struct page_guests *guests;
	struct api api;
	struct page_files *files;
	struct lws_context *context;
	struct lws_vhost *vhost;
	int listen_fd; /* ours until the library takes it over, then -1 */
	uint64_t last_id;
	struct page_exchange *exchanges;
	struct page_console *consoles;
	struct page_watcher *watchers;
	uint64_t status_id;   /* of the BUS_STATUS under way for the watchers; 0: none */
	bool status_outdated; /* something changed while it was */
	char *status;	      /* the newest, as JSON; NULL: none yet */
	uint64_t status_number;
	lws_sorted_usec_list_t sweep;
	unsigned char chunk[LWS_PRE +
			    PAGE_CHUNK]; /* what is being written: the library sends or copies it at once */
};

struct page *page_of(struct lws *wsi);
/* Who asks, from socket and headers. false: a header is longer than we take. */
bool page_caller(struct lws *wsi, struct api_caller *caller);
/* A header's value; "" when missing. false: longer than size. */
bool page_header(struct lws *wsi, enum lws_token_indexes token, char *buf, size_t size);
/* Judges a WebSocket upgrade; true, or the refusal is sent and the callback returns 1. */
bool page_may_upgrade(struct lws *wsi, const char *path, struct api_caller *caller, uint32_t *login,
		      char *user);
/* Ends WebSockets whose login is gone. */
void page_end_strangers(struct page *page);

/* Connections in all; a source has a share of them (page_guests.c). */
#define PAGE_GUESTS_MAX 512

struct page_guests *page_guests_new(void); /* NULL: out of memory */
void page_guests_free(struct page_guests *guests);
bool page_guests_may_come(const struct page_guests *guests, const struct sockaddr_storage *address);
/* wsi: NULL when the library did not take it. */
void page_guests_add(struct page_guests *guests, struct lws *wsi, const struct sockaddr_storage *address);
/* Also for connections that are no guests. */
void page_guests_remove(struct page_guests *guests, struct lws *wsi);

int page_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
void page_http_job_done(struct page *page, const struct job *job);
/* false: nobody waits for it. */
bool page_http_status(struct page *page, const struct bus_answer *answer);
/* Puts the security headers and what every answer has; false: no room. */
bool page_common_headers(struct lws *wsi, unsigned char **at, unsigned char *end);

int page_console_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			  size_t len);
int page_relay_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
void page_console_end_strangers(struct page *page);

int page_watch_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
void page_watch_end_strangers(struct page *page);
/* The Device's state changed: everybody who watches is to learn it. */
void page_watch_changed(struct page *page);
void page_watch_status(struct page *page, const struct bus_answer *answer);

#endif
