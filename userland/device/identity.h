/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This Device's own key pair (P-256) and self-signed certificate, made at first start. */
#ifndef KVMNET_DEVICE_IDENTITY_H
#define KVMNET_DEVICE_IDENTITY_H

#include <stddef.h>
#include <openssl/ssl.h>

struct identity;

/* Reads STATE_DIR/device.{key,crt}, making them at first start. NULL after logging why. */
struct identity *identity_open(const char *state_dir);
void identity_close(struct identity *identity);
/* SHA-256 of the certificate as "AB:CD:..." (95 characters and NUL). */
void identity_fingerprint(const struct identity *identity, char buf[96]);
EVP_PKEY *identity_key(const struct identity *identity);     /* borrowed */
X509 *identity_certificate(const struct identity *identity); /* borrowed */
/* Puts both into ctx, which is then a server of this Device; 0 or -1 after logging. */
int identity_use(const struct identity *identity, SSL_CTX *ctx);

#endif
