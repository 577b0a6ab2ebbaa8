/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tickets, as TICKET.md says: a Manager's signed, short-lived permission to open
 * one session. Pure: no clock, no memory of the ones that were used.
 */
#ifndef KVMNET_LIB_TICKET_H
#define KVMNET_LIB_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/evp.h>

#define TICKET_SIZE 1025    /* its text and NUL */
#define TICKET_LONGEST_S 60 /* from issue to expiry */
#define TICKET_SKEW_S 30    /* by which Manager's and Device's clocks may differ */
#define TICKET_ID_BYTES 16  /* random: no two are the same */
#define TICKET_NAME_SIZE 65 /* up to 64 bytes of UTF-8 and NUL */
#define TICKET_HASH_SIZE 65 /* a SHA-256 as hex and NUL */
#define TICKET_KID_SIZE 44  /* a SHA-256 as base64url and NUL */
#define TICKET_KEYS_MAX 4   /* the Manager's key and those that it had before */

enum ticket_right {
	TICKET_VIEW = 1 << 0,
	TICKET_CONTROL = 1 << 1,
	TICKET_MEDIA = 1 << 2,
	TICKET_POWER = 1 << 3,
	TICKET_EXCLUSIVE = 1 << 4,
};

struct ticket {
	uint8_t id[TICKET_ID_BYTES];
	char manager[TICKET_HASH_SIZE]; /* who gives it, and for which Device: their ids */
	char device[TICKET_HASH_SIZE];
	char user[TICKET_NAME_SIZE], target[TICKET_NAME_SIZE]; /* no control characters */
	unsigned rights;				       /* of enum ticket_right; TICKET_VIEW always */
	int64_t issued, expires;			       /* seconds since 1970, UTC */
};

struct ticket_key {
	char kid[TICKET_KID_SIZE];
	EVP_PKEY *key; /* Ed25519, public */
};

struct ticket_keys {
	unsigned count;
	struct ticket_key key[TICKET_KEYS_MAX];
};

/* What a Device knows before it looks. */
struct ticket_scope {
	const struct ticket_keys *keys;
	const char *manager, *device; /* ids */
	int64_t now;
};

/* The Ticket as text, of strlen() < TICKET_SIZE, to be freed; NULL: out of memory, a field outside its rules, or key is
 * not Ed25519. */
char *ticket_sign(const struct ticket *ticket, EVP_PKEY *key);
/* NULL and *ticket, or what is wrong, for a person. Whether it was used before is the caller's to ask. */
const char *ticket_check(const char *text, size_t len, const struct ticket_scope *scope,
			 struct ticket *ticket);

/* Their names, a list; NULL: out of memory. */
json_t *ticket_rights_json(unsigned rights);

/* A JWK set (RFC 7517, RFC 8037) of the public half of key; NULL as ticket_sign(). */
json_t *ticket_keys_json(EVP_PKEY *key);
/* NULL and *keys, to be given to ticket_keys_clear(), or what is wrong. */
const char *ticket_keys_parse(const json_t *set, struct ticket_keys *keys);
void ticket_keys_clear(struct ticket_keys *keys);

#endif
