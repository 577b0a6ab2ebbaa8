/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTPS and WebSocket on a thread of their own: the listener and its limits, TLS
 * 1.3, static files, and a JSON API and WebSockets that the site adds.
 */
#ifndef KVMNET_LIB_WEB_H
#define KVMNET_LIB_WEB_H

#include <stdbool.h>
#include <stdint.h>

#include <libwebsockets.h>
#include <openssl/ssl.h>

#include "lib/web_request.h"

#define WEB_CHUNK 65536
#define WEB_PROTOCOLS_MAX 8
#define WEB_SWEEP_S 10

struct web;

struct web_settings {
	const char *address; /* numeric */
	uint16_t port;
	const char *files;    /* the folder of static files */
	unsigned descriptors; /* that the site adds to the library's, at most */
};

/* What the server asks a site, always on the web thread (set_up_tls: before it runs). arg is its first argument. */
struct web_site {
	void *arg;
	/* Key, certificate, and who may come; 0, or -1 after logging. */
	int (*set_up_tls)(void *arg, SSL_CTX *ctx);
	/* Everything under /api/ that can be judged before the body. true: go on. */
	bool (*check)(void *arg, struct web_request *request);
	/* Answers, or leaves status 0: an answer then goes out by web_find() and web_answered(). */
	void (*run)(void *arg, struct web_request *request);
	/* A request with wait_s has waited so long: answer it now. Or, status being 0 too, its asker is gone. */
	void (*expire)(void *arg, struct web_request *request);
	/* After web_wake(); many times may be once. */
	void (*woken)(void *arg);
	/* Every WEB_SWEEP_S, and when logins changed: WebSockets whose login is gone are to be ended. */
	void (*sweep)(void *arg);
	/* WebSockets by their subprotocol, and descriptors to watch; ends with an empty one. Each judges who comes in
	 * LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: web_upgrade() helps. lws_get_opaque_user_data() is theirs. */
	const struct lws_protocols *protocols;
};

/* Binds before it returns: privileges may be dropped after. site and what it points to live as long. NULL after logging. */
struct web *web_open(const struct web_settings *settings, const struct web_site *site);
/* Starts the thread. 0, or -1 after logging. */
int web_start(struct web *web);
/* Ends the thread; connections stay until web_free(), which calls the site for each. Both also when never started, or
 * web is NULL. */
void web_stop(struct web *web);
void web_free(struct web *web);

/* Has woken() called on the web thread. From any thread until web_free(); web is a void * to serve as a callback. */
void web_wake(void *web);

/* These belong to the web thread, or to who has it not started yet. */
uint64_t web_next_id(struct web *web); /* for a question of the site's own: never a request's */
/* The request that waits for its answer; NULL: it has one, or nobody waits any more. */
struct web_request *web_find(struct web *web, uint64_t id);
/* It has its answer now. */
void web_answered(struct web *web, struct web_request *request);

/* For the site's protocols. */
void *web_arg(struct lws *wsi); /* site's arg */
struct web *web_of(struct lws *wsi);
struct lws_context *web_context(struct web *web);
struct lws_vhost *web_vhost(struct web *web);
/* WEB_CHUNK bytes with LWS_PRE before them, for what is being written: the library sends or copies it at once. */
unsigned char *web_chunk(struct web *web);
/* Is this a WebSocket for path? 0 and *caller; else it is refused. */
int web_upgrade(struct lws *wsi, const char *path, struct web_caller *caller);
/* Refuses a WebSocket with an HTTP status; returns what the filter's callback then returns. */
int web_refuse(struct lws *wsi, int status, const char *text);
/* Whoever this is has proved it: it is no guest any more, and takes none of their places. */
void web_known(struct lws *wsi);
/* Ends a connection soon. */
void web_end(struct lws *wsi);

#endif
