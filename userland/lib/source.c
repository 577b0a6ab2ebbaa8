// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses to what limits count by, and keyed hashes of it. */
#include "lib/source.h"

#include <netinet/in.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

void source_of(struct source *source, const struct sockaddr *peer)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;

	memset(source, 0, sizeof(*source));
	if (!peer)
		return;
	source->bytes[0] = 4;
	if (peer->sa_family == AF_INET)
		memcpy(source->bytes + 1, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		memcpy(source->bytes + 1, six->sin6_addr.s6_addr + 12, 4);
	else if (peer->sa_family == AF_INET6) {
		source->bytes[0] = 6;
		memcpy(source->bytes + 1, six->sin6_addr.s6_addr, 8);
	}
}

uint32_t source_bucket(const uint8_t key[SOURCE_KEY_SIZE], const void *data, size_t len, uint32_t count)
{
	unsigned char mac[EVP_MAX_MD_SIZE] = { 0 };
	uint32_t value;

	HMAC(EVP_sha256(), key, SOURCE_KEY_SIZE, data, len, mac, NULL);
	memcpy(&value, mac, sizeof(value));
	return value % count;
}
