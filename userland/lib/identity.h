/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key pair (P-256) and its certificate, made at first start: by the key this appliance is known. */
#ifndef KVMNET_LIB_IDENTITY_H
#define KVMNET_LIB_IDENTITY_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "lib/certificate.h"

struct identity;

/* Which of an appliance's identities, and who certifies it. */
struct identity_kind {
	const char *stem;  /* of its files: "device" for device.key and device.crt */
	const char *whose; /* "this Device", as it is named to people */
	/* A certificate for key, or NULL after logging why; itself NULL: the key signs one for a server, for ten years. */
	X509 *(*issue)(void *arg, EVP_PKEY *key);
	void *arg;
};

/* Reads STATE_DIR/STEM.{key,crt}, making what was never there. kind lives as long. NULL after logging why. */
struct identity *identity_open(const char *state_dir, const struct identity_kind *kind);
void identity_close(struct identity *identity);
/* A new certificate for the same key, stored, in the place of the old one, which is kept when that fails. 0, or -1 after
 * logging why. The certificate, and what is of it (fingerprint, use), belong to one thread at a time: that which renews.
 * The key never changes, and is any thread's. */
int identity_renew(struct identity *identity);
/* SHA-256 of the certificate as "AB:CD:..." (95 characters and NUL). */
void identity_fingerprint(const struct identity *identity, char buf[96]);
EVP_PKEY *identity_key(const struct identity *identity);     /* borrowed */
X509 *identity_certificate(const struct identity *identity); /* borrowed */
/* Puts both into ctx; 0 or -1 after logging. */
int identity_use(const struct identity *identity, SSL_CTX *ctx);

#define IDENTITY_NAMES_SIZE 160

/* What the holder of key is called on this machine: its host name, and that one and the name from the key's hash as a
 * subjectAltName, "DNS:HOST,DNS:kvmnet-XXXXXXXX.local". */
bool identity_names(EVP_PKEY *key, char host[CERTIFICATE_NAME_MAX + 1], char names[IDENTITY_NAMES_SIZE]);

#endif
