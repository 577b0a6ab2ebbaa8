/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts failures and tells delays. Which failures share a record, and by which rule, account.c decides. */
#include "device/limit.h"

#include <netinet/in.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SECOND_NS 1000000000ULL

static void forgive(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	uint64_t regain_ns = rule->regain_s * SECOND_NS, steps;

	if (!limit->failures || now_ns < limit->since_ns) {
		limit->since_ns = now_ns;
		return;
	}
	steps = (now_ns - limit->since_ns) / regain_ns;
	limit->failures -= steps < limit->failures ? (uint32_t)steps : limit->failures;
	limit->since_ns += steps * regain_ns;
}

bool limit_open(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	forgive(limit, rule, now_ns);
	return now_ns >= limit->until_ns;
}

void limit_charge(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	uint32_t over;
	uint64_t delay_s;

	forgive(limit, rule, now_ns);
	if (limit->failures < UINT32_MAX)
		limit->failures++;
	if (limit->failures <= rule->free)
		return;
	over = limit->failures - rule->free - 1;
	delay_s = over < 32 ? 1ULL << over : rule->max_delay_s;
	if (delay_s > rule->max_delay_s)
		delay_s = rule->max_delay_s;
	limit->until_ns = now_ns + delay_s * SECOND_NS;
}

void limit_refund(struct limit *limit)
{
	if (limit->failures)
		limit->failures--;
	limit->until_ns = 0;
}

void limit_source_of(struct limit_source *source, const struct sockaddr *peer)
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

uint32_t limit_bucket(const uint8_t key[LIMIT_KEY_SIZE], const void *data, size_t len, uint32_t count)
{
	unsigned char mac[EVP_MAX_MD_SIZE] = { 0 };
	uint32_t value;

	HMAC(EVP_sha256(), key, LIMIT_KEY_SIZE, data, len, mac, NULL);
	memcpy(&value, mac, sizeof(value));
	return value % count;
}
