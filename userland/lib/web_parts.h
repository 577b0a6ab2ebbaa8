/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the web server's files share among themselves; all of it belongs to the web thread. */
#ifndef KVMNET_LIB_WEB_PARTS_H
#define KVMNET_LIB_WEB_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/web.h"
#include "lib/web_files.h"

struct web_exchange;
struct web_guests;

struct web {
	const struct web_site *site;
	struct lws_protocols protocols[WEB_PROTOCOLS_MAX + 3];
	struct web_guests *guests;
	struct web_files *files;
	struct lws_context *context;
	struct lws_vhost *vhost;
	int listen_fd; /* ours until the library takes it over, then -1 */
	uint64_t last_id;
	struct web_exchange *exchanges;
	lws_sorted_usec_list_t sweep;
	pthread_t thread;
	bool started;
	atomic_bool stopping;
	unsigned char chunk[LWS_PRE + WEB_CHUNK];
};

/* A header's value; "" when missing. false: longer than size. */
bool web_header(struct lws *wsi, enum lws_token_indexes token, char *buf, size_t size);
/* Who asks, from socket and headers. false: a header is longer than we take. */
bool web_caller(struct lws *wsi, struct web_caller *caller);

/* Connections of guests in all; a source has a share of them (web_guests.c). */
#define WEB_GUESTS_MAX 512

struct web_guests *web_guests_new(void); /* NULL: out of memory */
void web_guests_free(struct web_guests *guests);
bool web_guests_may_come(const struct web_guests *guests, const struct sockaddr_storage *address);
/* wsi: NULL when the library did not take it. */
void web_guests_add(struct web_guests *guests, struct lws *wsi, const struct sockaddr_storage *address);
/* Also for connections that are no guests. */
void web_guests_remove(struct web_guests *guests, struct lws *wsi);

/* The first protocol: of everything that is no WebSocket. */
int web_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

#endif
