/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Discovery's messages, as DISCOVERY.md says: read, checked, written. Pure: no
 * sockets, no clock, no memory of earlier messages (discovery_gate.h has that).
 */
#ifndef KVMNET_LIB_DISCOVERY_H
#define KVMNET_LIB_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#define DISCOVERY_PORT 3080
#define DISCOVERY_SECOND_PORT 3081
#define DISCOVERY_MAX \
	1232 /* bytes of UDP that pass everywhere in one piece: RFC 8200 section 5, less the headers */
#define DISCOVERY_PROBE_SIZE 512 /* a probe has at least so many bytes: no answer of today is larger */

#define DISCOVERY_NONCE_SIZE 16
#define DISCOVERY_KEY_SIZE 65 /* a P-256 point, uncompressed: SEC 1 section 2.3.3 */
#define DISCOVERY_ID_SIZE 32
#define DISCOVERY_TEXT_SIZE 65 /* up to 64 bytes of UTF-8 and NUL */

/* The numbers are those of the wire. */
enum discovery_type { DISCOVERY_ANNOUNCE = 1, DISCOVERY_PROBE, DISCOVERY_ANSWER };
enum discovery_role { DISCOVERY_DEVICE = 1, DISCOVERY_MANAGER, DISCOVERY_CLIENT };
enum discovery_state { DISCOVERY_UNCLAIMED = 1, DISCOVERY_STANDALONE, DISCOVERY_MANAGED }; /* 0: not said */

struct discovery_message {
	enum discovery_type type;
	enum discovery_role role;
	uint8_t nonce[DISCOVERY_NONCE_SIZE];
	uint8_t key[DISCOVERY_KEY_SIZE]; /* the sender's */
	uint8_t id[DISCOVERY_ID_SIZE]; /* SHA-256 of key's SubjectPublicKeyInfo: what its TLS certificate is pinned by */
	uint64_t boot, sequence;
	/* Empty or 0: not said. Text has no control characters. */
	char model[DISCOVERY_TEXT_SIZE], firmware[DISCOVERY_TEXT_SIZE], name[DISCOVERY_TEXT_SIZE];
	uint16_t https_port;
	enum discovery_state state;
	uint8_t manager[DISCOVERY_ID_SIZE]; /* DISCOVERY_MANAGED: its id */

	/* What discovery_verify() looks at: inside the bytes that were parsed. */
	const uint8_t *payload, *signature;
	size_t payload_len;
};

/* Bounds and form only. NULL, or what is wrong, to follow "a datagram that "; message is then not to be used. */
const char *discovery_parse(const uint8_t *data, size_t len, struct discovery_message *message);
/* Whether the holder of message->key signed it: a parsed message whose bytes are still there. */
bool discovery_verify(const struct discovery_message *message);
/* Writes and signs a message; key, id and the signature are those of own, whatever message says. A probe is padded.
 * Its length, or 0: memory, text that discovery_parse() would not take, or own is no P-256 key. */
size_t discovery_seal(const struct discovery_message *message, EVP_PKEY *own, uint8_t data[DISCOVERY_MAX]);

#endif
