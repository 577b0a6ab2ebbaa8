/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom we believe on the other side of TLS: one key, or one CA. There is no way to believe just anybody. */
#ifndef KVMNET_CLIENT_TRUST_H
#define KVMNET_CLIENT_TRUST_H

#include <openssl/ssl.h>

#include "client/address.h"
#include "client/cli.h"
#include "lib/certificate.h"

enum trust_way {
	TRUST_NOBODY, /* the place is not known yet */
	TRUST_KNOWN,  /* the key that was confirmed there before */
	TRUST_PIN,    /* the key, or the certificate, with this SHA-256 */
	TRUST_CA,
};

struct trust {
	enum trust_way way;
	struct address address;
	uint8_t pin[CERTIFICATE_ID_SIZE];
	X509_STORE *store;
	/* of the peer that was judged last */
	bool judged, refused;
	uint8_t id[CERTIFICATE_ID_SIZE], fingerprint[CERTIFICATE_ID_SIZE];
};

/* By --pin, --ca or what is remembered of place. CLI_DONE, or after saying why; trust_close() in any case. */
enum cli_status trust_open(struct trust *trust, const struct cli *cli, const char *place);
/* The key with that id, 64 digits, and no other. */
bool trust_pin(struct trust *trust, const char *id);
void trust_close(struct trust *trust);

/* TLS 1.3, and who answers is judged by trust, which lives longer. false: out of memory. */
bool trust_use(struct trust *trust, SSL_CTX *ctx);
/* A key that was refused for not being known: asks the person, and remembers it. false: it stays refused. */
bool trust_learn(struct trust *trust);
/* Says why a peer was refused. CLI_NO_PEER. */
enum cli_status trust_explain(const struct trust *trust);

#endif
