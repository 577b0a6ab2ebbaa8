/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Manager's certificate authority: certifies the Manager itself and its Devices, and knows its Devices again.
 * Once open, any thread may use it. */
#ifndef KVMNET_MANAGER_CA_H
#define KVMNET_MANAGER_CA_H

#include <stdbool.h>
#include <time.h>

#include "lib/certificate.h"

#define CA_ID_SIZE (2 * CERTIFICATE_ID_SIZE + 1)  /* as hex, and NUL */
#define CA_MANAGER_NAME "manager.kvmnet.internal" /* by which Devices know the Manager */

struct ca;

enum ca_verdict {
	CA_OK,
	CA_NOT_OURS,
	CA_EXPIRED,
};

/* Reads STATE_DIR/ca.{key,crt}, making what was never there, and the certificate anew in the last third of its time.
 * NULL after logging why. */
struct ca *ca_open(const char *state_dir);
void ca_close(struct ca *ca);
const char *ca_id(const struct ca *ca);	   /* the Manager's: of the authority's key, lower case hex */
X509 *ca_certificate(const struct ca *ca); /* borrowed */

/* For struct identity_kind: the Manager's own TLS certificate for key. arg is a struct ca. */
X509 *ca_issue_manager(void *arg, EVP_PKEY *key);
/* For the Device whose key hashes to id. name is what people call it: what a certificate cannot carry is replaced.
 * It starts later than after, the start of the one that it replaces (0: of none). NULL after logging why. */
X509 *ca_issue_device(const struct ca *ca, EVP_PKEY *key, const char *id, const char *name, time_t after);
/* Whether the peer of a link shows a certificate of a Device: then its id. CA_EXPIRED: that, and when it ended.
 * Whether that Device is still wanted is not known here. */
/* peer: NULL when it showed none. */
enum ca_verdict ca_judge_device(const struct ca *ca, X509 *peer, char id[CA_ID_SIZE], time_t *ended);
/* When less than a third of its time is left: issue it anew. */
time_t ca_renewal(const X509 *certificate);

#define CA_SERIAL_SIZE 48 /* 20 bytes as hex and NUL: RFC 5280 section 4.1.2.2 */
bool ca_serial(const X509 *certificate, char text[CA_SERIAL_SIZE]);
time_t ca_starts(const X509 *certificate);
time_t ca_ends(const X509 *certificate);

#endif
