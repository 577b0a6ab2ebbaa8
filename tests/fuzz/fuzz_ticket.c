// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a Ticket, and as a Ticket's header and claims that were signed: refused, or one that signs to itself. */
/* LINK: userland/lib/ticket.c userland/lib/base64.c | jansson -lcrypto */
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/ticket.h"

#define ID "5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static struct ticket_keys keys;
static struct ticket_scope scope = { .keys = &keys, .manager = ID, .device = ID, .now = 1800000000 };

static void check(int sound)
{
	if (!sound)
		abort();
}

static void open_keys(void)
{
	static const uint8_t raw[32] = { 1 };
	json_t *set;

	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
	set = ticket_keys_json(key);
	check(!ticket_keys_parse(set, &keys));
	json_decref(set);
}

static void try(const char *text, size_t len)
{
	struct ticket ticket, again;
	char *signed_text;

	if (ticket_check(text, len, &scope, &ticket))
		return;
	signed_text = ticket_sign(&ticket, key);
	check(signed_text && !ticket_check(signed_text, strlen(signed_text), &scope, &again));
	check(!memcmp(&ticket, &again, sizeof(ticket)));
	free(signed_text);
}

/* As claims behind a header that is right: what only the Manager could write. */
static void try_claims(const uint8_t *data, size_t size)
{
	char text[4096];
	uint8_t signature[64];
	size_t len = sizeof(signature), used;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	json_t *header = json_pack("{s:s, s:s, s:s}", "alg", "EdDSA", "typ", "JWT", "kid", keys.key[0].kid);
	char *plain = json_dumps(header, JSON_COMPACT);

	base64_encode((uint8_t *)plain, strlen(plain), text);
	strcat(text, ".");
	base64_encode(data, size, text + strlen(text));
	used = strlen(text);
	check(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	      EVP_DigestSign(ctx, signature, &len, (uint8_t *)text, used) == 1);
	text[used] = '.';
	base64_encode(signature, len, text + used + 1);
	try(text, strlen(text));
	EVP_MD_CTX_free(ctx);
	json_decref(header);
	free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *set;
	struct ticket_keys parsed;

	if (!key)
		open_keys();
	try((const char *)data, size);
	if (size < 2048)
		try_claims(data, size);
	set = json_loadb((const char *)data, size, 0, NULL);
	if (set && !ticket_keys_parse(set, &parsed))
		ticket_keys_clear(&parsed);
	json_decref(set);
	return 0;
}
