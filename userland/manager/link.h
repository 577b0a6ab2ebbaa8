/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices' connections to this Manager (lib/LINK.md): who may have one, what comes up, requests down. Web thread. */
#ifndef KVMNET_MANAGER_LINK_H
#define KVMNET_MANAGER_LINK_H

#include <stdbool.h>

#include <jansson.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>

#include "manager/fleet.h"

#define LINK_PROTOCOL "kvmnet-link-1"
#define LINK_REQUESTS 16 /* that a Device takes at once */

/* What links tell their site; each is web_site's arg, which begins with this. */
struct link_site {
	struct fleet *fleet;
	/* device->link has just been accepted; hello's settings_revision is in device. */
	void (*up)(struct link_site *site, struct fleet_device *device);
	/* For the audit: what, of which Device (NULL: nobody's), in a sentence. */
	void (*event)(struct link_site *site, const char *what, const char *device, const char *text);
	const char *elsewhere; /* where Devices are to go instead, in a sentence; NULL: nowhere */
};

/* In a web_site: asks for a certificate where a Device wants its Manager. 0, or -1 after logging. */
int link_set_up_tls(SSL_CTX *ctx, X509 *authority);
int link_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

/* Status 0: the connection ended first. body is borrowed, NULL: none. */
typedef void link_done_fn(void *arg, int status, const json_t *body);
/* What a Device is asked. */
struct link_question {
	const char *method, *path;
	const char *by; /* who asks for it here; NULL: nobody */
	json_t *body;	/* taken; NULL: none */
};

/* done (NULL: nobody waits) is called once, later. false, and it is not: too many wait. */
bool link_ask(struct link *link, const struct link_question *question, link_done_fn *done, void *arg);
/* The one that the Device shows; borrowed. */
X509 *link_certificate(const struct link *link);
/* Ends it with a sentence. */
void link_refuse(struct link *link, unsigned code, const char *why);

#endif
