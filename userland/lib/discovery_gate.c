// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cheap questions before the expensive one: heard before, too many from
 * there, too many at all. What a message says is the caller's to judge.
 */
#include "lib/discovery_gate.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "lib/source.h"

#define SECOND_NS 1000000000ULL
#define SOURCES 1024 /* two in one bucket share what one may send */

static const struct rate {
	uint64_t interval_ns, burst;
} of_source = { SECOND_NS / 2, DISCOVERY_SOURCE_BURST },
  of_all = { SECOND_NS / DISCOVERY_CHECKS, DISCOVERY_CHECKS };

struct sender {
	uint8_t id[DISCOVERY_ID_SIZE];
	uint64_t boot, sequence; /* of its last message */
	uint64_t heard;		 /* 0: free; else grows with each message */
};

struct discovery_gate {
	uint8_t key[SOURCE_KEY_SIZE];
	uint64_t sources[SOURCES], all; /* when each has its full allowance again */
	struct sender senders[DISCOVERY_SENDERS];
	uint64_t heard;
};

struct discovery_gate *discovery_gate_new(void)
{
	struct discovery_gate *gate = calloc(1, sizeof(*gate));

	if (gate && RAND_bytes(gate->key, sizeof(gate->key)) == 1)
		return gate;
	free(gate);
	return NULL;
}

void discovery_gate_free(struct discovery_gate *gate)
{
	free(gate);
}

/* A token bucket whose level is a time: each message moves it one interval on, and time passes. */
static bool take(uint64_t *full_ns, const struct rate *rate, uint64_t now_ns)
{
	uint64_t full = *full_ns > now_ns ? *full_ns : now_ns;

	if (full - now_ns > rate->interval_ns * (rate->burst - 1))
		return false;
	*full_ns = full + rate->interval_ns;
	return true;
}

/* On one link all share a /64; there each address counts for itself. */
static void link_source_of(struct source *source, const struct sockaddr *from)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

	source_of(source, from);
	if (from->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr)) {
		source->bytes[0] = 0xfe;
		memcpy(source->bytes + 1, six->sin6_addr.s6_addr + 8, 8);
	}
}

static struct sender *find(struct discovery_gate *gate, const uint8_t id[DISCOVERY_ID_SIZE])
{
	for (unsigned i = 0; i < DISCOVERY_SENDERS; i++)
		if (gate->senders[i].heard && !memcmp(gate->senders[i].id, id, DISCOVERY_ID_SIZE))
			return &gate->senders[i];
	return NULL;
}

static bool newer(const struct discovery_message *message, const struct sender *sender)
{
	return message->boot != sender->boot ? message->boot > sender->boot :
					       message->sequence > sender->sequence;
}

static struct sender *oldest(struct discovery_gate *gate)
{
	struct sender *oldest = &gate->senders[0];

	for (unsigned i = 1; i < DISCOVERY_SENDERS; i++)
		if (gate->senders[i].heard < oldest->heard)
			oldest = &gate->senders[i];
	return oldest;
}

enum discovery_verdict discovery_gate_pass(struct discovery_gate *gate, const struct sockaddr *from,
					   const struct discovery_message *message, uint64_t now_ns)
{
	struct sender *sender = find(gate, message->id);
	struct source source;
	uint64_t *bucket;

	if (sender && !newer(message, sender))
		return DISCOVERY_REPLAYED;
	link_source_of(&source, from);
	bucket = &gate->sources[source_bucket(gate->key, source.bytes, sizeof(source.bytes), SOURCES)];
	if (!take(bucket, &of_source, now_ns) || !take(&gate->all, &of_all, now_ns))
		return DISCOVERY_LIMITED;
	if (!discovery_verify(message))
		return DISCOVERY_FORGED;
	if (!sender)
		sender = oldest(gate);
	memcpy(sender->id, message->id, DISCOVERY_ID_SIZE);
	sender->boot = message->boot;
	sender->sequence = message->sequence;
	sender->heard = ++gate->heard;
	return DISCOVERY_GOOD;
}
