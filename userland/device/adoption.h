/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Manager that this Device belongs to: who it is, the CA that it is known by, the certificate that it gave us.
 * Whether somebody may adopt is api.c's to ask; here is whether what they bring is sound.
 */
#ifndef KVMNET_DEVICE_ADOPTION_H
#define KVMNET_DEVICE_ADOPTION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/x509.h>

#include "lib/certificate.h"

#define ADOPTION_ADDRESSES 8
#define ADOPTION_HOST_SIZE 192
#define ADOPTION_NAME_SIZE 65	/* up to 64 bytes of UTF-8 without control characters, and NUL */
#define ADOPTION_ID_SIZE 65	/* a SHA-256 as hex, and NUL */
#define ADOPTION_TEXT_MAX 32768 /* bytes of JSON */
#define ADOPTION_MANAGER "manager.kvmnet.internal" /* what each Manager's certificate is for */

struct adoption_address {
	char host[ADOPTION_HOST_SIZE];
	uint16_t port;
};

struct adoption {
	char id[ADOPTION_ID_SIZE], name[ADOPTION_NAME_SIZE]; /* the Manager's; id: its CA key's hash */
	X509 *ca, *certificate;
	unsigned address_count; /* at least one */
	struct adoption_address address[ADOPTION_ADDRESSES];
	bool sole_owner; /* this Device had no owner before: a release leaves it without */
};

/* NULL and *adoption, to be freed, or what is wrong with the form, for a person. */
const char *adoption_parse(const json_t *body, struct adoption **adoption);
void adoption_free(struct adoption *adoption); /* NULL: nothing */

/* Whether the CA is what it says and its certificate is for own, this Device's key. NULL, or what is wrong. A time
 * before certificate_now()'s earliest is no time, and judges nothing. */
const char *adoption_judge(const struct adoption *adoption, EVP_PKEY *own, time_t now);
/* Whether both are of one Manager's CA, for whoever judges adoption as well; before may be NULL. */
bool adoption_same_authority(const struct adoption *adoption, const struct adoption *before);
/* Whether it comes from the Manager of before, and later than what that one gave then: then nobody need log in. */
bool adoption_renews(const struct adoption *adoption, const struct adoption *before);

/* STATE_DIR/adoption. load: 0 and *adoption, NULL when there is none; -1 after logging why. */
int adoption_load(const char *state_dir, struct adoption **adoption);
int adoption_store(const char *state_dir, const struct adoption *adoption); /* 0, or -1 after logging */
int adoption_forget(const char *state_dir);				    /* likewise; none is as good */

/* "HOST", "HOST:PORT", "ADDRESS", "[ADDRESS6]:PORT"; without a port it is 443. */
bool adoption_parse_address(const char *text, struct adoption_address *address);
json_t *adoption_addresses_json(const struct adoption_address *address,
				unsigned count); /* NULL: out of memory */
/* The name that key's holder has among a Manager's Devices. */
#define ADOPTION_DEVICE_SIZE 64
bool adoption_device_name(EVP_PKEY *key, char name[ADOPTION_DEVICE_SIZE]);

/* Writes 2 * len digits and NUL. */
void adoption_hex(const uint8_t *bytes, size_t len, char *text);

#endif
