// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a discovery message: refused, or within bounds, and written again they are the same but for what
 * only later versions know. */
/* LINK: userland/lib/discovery.c userland/lib/item.c | libcbor -lcrypto */
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>

#include "lib/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

static void same(const struct discovery_message *a, const struct discovery_message *b)
{
	check(a->type == b->type && a->role == b->role && a->boot == b->boot && a->sequence == b->sequence);
	check(!memcmp(a->nonce, b->nonce, sizeof(a->nonce)) && !strcmp(a->model, b->model));
	check(!strcmp(a->firmware, b->firmware) && !strcmp(a->name, b->name));
	check(a->https_port == b->https_port && a->state == b->state);
	check(!memcmp(a->manager, b->manager, sizeof(a->manager)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct discovery_message message, again;
	static uint8_t sealed[DISCOVERY_MAX];
	static EVP_PKEY *key;
	size_t len;

	if (!key)
		key = EVP_EC_gen("P-256");
	if (discovery_parse(data, size, &message))
		return 0;
	check(size <= DISCOVERY_MAX && message.payload > data && message.signature + 64 == data + size);
	discovery_verify(&message);
	len = discovery_seal(&message, key, sealed);
	check(len && !discovery_parse(sealed, len, &again) && discovery_verify(&again));
	same(&message, &again);
	return 0;
}
