/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to this Device's Manager (lib/LINK.md), on a thread of its own: a
 * dead name server holds up nothing else. What requests mean is their taker's.
 */
#ifndef KVMNET_DEVICE_LINK_H
#define KVMNET_DEVICE_LINK_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "device/link_message.h"
#include "device/manager.h"
#include "device/settings.h"

#define LINK_REQUESTS 16 /* that may wait for their answers */
#define LINK_WHY_SIZE 256

struct link;

enum link_phase {
	LINK_NONE,	 /* no Manager */
	LINK_CONNECTING, /* or waiting to do so again */
	LINK_UP,
	LINK_REFUSED, /* by us or by the Manager; it is tried again */
};

struct link_state {
	enum link_phase phase;
	char why[LINK_WHY_SIZE]; /* it is not up, for people; may be empty */
};

/* What the link says of this Device, and whom it wakes: wake is called on the link's thread when there is a request
 * or another state. Both outlive the link, own too. */
struct link_host {
	EVP_PKEY *own;
	uint64_t boot;
	void (*wake)(void *arg);
	void *arg;
};

/* NULL after logging why. */
struct link *link_start(struct manager *manager, const struct settings *settings,
			const struct link_host *host);
void link_stop(struct link *link); /* waits for its thread; NULL: nothing */

/* Another Manager, certificate or address: begins anew, at once. */
void link_restart(struct link *link, const struct settings *settings);
/* Another name or revision: told with the next hello. */
void link_retell(struct link *link, const struct settings *settings);
/* The Device's newest status, as JSON. */
void link_tell(struct link *link, const char *status);
/* The next request; its body is to be freed. *key: to answer it by. */
bool link_take(struct link *link, uint64_t *key, struct link_message *request);
/* The answer to a request; json may be NULL. One whose connection is gone is dropped. */
void link_answer(struct link *link, uint64_t key, int status, const char *json);
void link_look(struct link *link, struct link_state *state);

/* TLS towards the Manager of adoption, with own's certificate: nobody else is taken for it. NULL after logging. */
SSL_CTX *link_tls(const struct adoption *adoption, EVP_PKEY *own);
/* Why its certificate was refused (X509_V_ERR_*), for a person. */
void link_refusal_text(char *text, size_t size, const struct adoption_address *address, int verify_error);

#endif
