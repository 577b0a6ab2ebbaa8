// SPDX-License-Identifier: GPL-2.0-or-later
/* Replays, rates by source and in all, and what is remembered. The clock is the test's. */
/* LINK: userland/lib/discovery.c userland/lib/discovery_gate.c userland/lib/item.c
 * userland/lib/source.c | libcbor -lcrypto */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>

#include "lib/discovery_gate.h"

#define SECOND_NS 1000000000ULL

static struct discovery_gate *gate;
static EVP_PKEY *key;
static uint64_t now;

static int make_gate(void **state)
{
	(void)state;
	now = 1000 * SECOND_NS;
	gate = discovery_gate_new();
	key = EVP_EC_gen("P-256");
	return !gate || !key;
}

static int free_gate(void **state)
{
	(void)state;
	discovery_gate_free(gate);
	EVP_PKEY_free(key);
	return 0;
}

struct datagram {
	uint8_t data[DISCOVERY_MAX];
	size_t len;
};

static struct datagram sealed(EVP_PKEY *by, uint64_t boot, uint64_t sequence)
{
	struct discovery_message message = {
		.type = DISCOVERY_PROBE, .role = DISCOVERY_CLIENT, .boot = boot, .sequence = sequence
	};
	struct datagram datagram;

	datagram.len = discovery_seal(&message, by, datagram.data);
	assert_int_not_equal(datagram.len, 0);
	return datagram;
}

static enum discovery_verdict pass(const struct datagram *datagram, const char *from)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct discovery_message message;

	assert_null(discovery_parse(datagram->data, datagram->len, &message));
	if (inet_pton(AF_INET, from, &four.sin_addr) == 1)
		return discovery_gate_pass(gate, (struct sockaddr *)&four, &message, now);
	assert_int_equal(inet_pton(AF_INET6, from, &six.sin6_addr), 1);
	return discovery_gate_pass(gate, (struct sockaddr *)&six, &message, now);
}

static enum discovery_verdict say(EVP_PKEY *by, uint64_t boot, uint64_t sequence, const char *from)
{
	struct datagram datagram = sealed(by, boot, sequence);

	return pass(&datagram, from);
}

static struct datagram forged(void)
{
	struct datagram datagram = sealed(key, 1, 1000);

	datagram.data[datagram.len - 1] ^= 1;
	return datagram;
}

/* The i-th source of a kind: each in a /64 of its own. */
static const char *far(unsigned i)
{
	static char text[64];

	snprintf(text, sizeof(text), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
	return text;
}

static void test_counters_must_grow(void **state)
{
	(void)state;
	assert_int_equal(say(key, 5, 10, "192.0.2.1"), DISCOVERY_GOOD);
	assert_int_equal(say(key, 5, 10, "192.0.2.1"), DISCOVERY_REPLAYED);
	assert_int_equal(say(key, 5, 9, "192.0.2.1"), DISCOVERY_REPLAYED);
	assert_int_equal(say(key, 4, 99, "192.0.2.2"), DISCOVERY_REPLAYED);
	assert_int_equal(say(key, 5, 11, "192.0.2.1"), DISCOVERY_GOOD);
	assert_int_equal(say(key, 6, 1, "192.0.2.1"), DISCOVERY_GOOD);
	assert_int_equal(say(key, 5, 12, "192.0.2.1"), DISCOVERY_REPLAYED);
	assert_int_equal(say(key, UINT64_MAX, UINT64_MAX, "192.0.2.1"), DISCOVERY_GOOD);
	assert_int_equal(say(key, UINT64_MAX, UINT64_MAX, "192.0.2.1"), DISCOVERY_REPLAYED);
}

/* Nobody can say another one's counter forward. */
static void test_forged_changes_nothing(void **state)
{
	struct datagram datagram = sealed(key, 9, 9);

	(void)state;
	assert_int_equal(say(key, 1, 1, "192.0.2.1"), DISCOVERY_GOOD);
	datagram.data[datagram.len - 1] ^= 1;
	assert_int_equal(pass(&datagram, "192.0.2.2"), DISCOVERY_FORGED);
	assert_int_equal(say(key, 1, 2, "192.0.2.1"), DISCOVERY_GOOD);
}

/* One of these sources at least shares its bucket with no other. */
static void assert_others_pass(const char *format)
{
	struct datagram bad = forged();
	unsigned passed = 0;
	char from[64];

	for (unsigned i = 1; i <= 10; i++) {
		snprintf(from, sizeof(from), format, i);
		passed += pass(&bad, from) == DISCOVERY_FORGED;
	}
	assert_int_not_equal(passed, 0);
}

static void test_each_source_has_its_share(void **state)
{
	struct datagram bad = forged();

	(void)state;
	for (unsigned i = 0; i < DISCOVERY_SOURCE_BURST; i++)
		assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_FORGED);
	assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_LIMITED);
	/* The same address as IPv6 has it. */
	assert_int_equal(pass(&bad, "::ffff:192.0.2.1"), DISCOVERY_LIMITED);
	assert_int_equal(say(key, 1, 1, "192.0.2.1"), DISCOVERY_LIMITED);
	assert_others_pass("198.51.100.%u");
	now += SECOND_NS / 2 - 1;
	assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_LIMITED);
	now += 1;
	assert_int_equal(say(key, 1, 2, "192.0.2.1"), DISCOVERY_GOOD);
	assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_LIMITED);
	/* Not more than one burst, however long it was quiet. */
	now += 3600 * SECOND_NS;
	for (unsigned i = 0; i < DISCOVERY_SOURCE_BURST; i++)
		assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_FORGED);
	assert_int_equal(pass(&bad, "192.0.2.1"), DISCOVERY_LIMITED);
}

static void test_a_line_of_ipv6_is_one_source(void **state)
{
	struct datagram bad = forged();
	char from[64];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(from, sizeof(from), "2001:db8::%x", i + 1);
		assert_int_equal(pass(&bad, from),
				 i < DISCOVERY_SOURCE_BURST ? DISCOVERY_FORGED : DISCOVERY_LIMITED);
	}
	assert_others_pass("2001:db8:0:%x::1");
}

/* They all have one /64. */
static void test_each_on_the_link_is_a_source(void **state)
{
	struct datagram bad = forged();

	(void)state;
	for (unsigned i = 0; i < DISCOVERY_SOURCE_BURST; i++)
		assert_int_equal(pass(&bad, "fe80::ffff:1"), DISCOVERY_FORGED);
	assert_int_equal(pass(&bad, "fe80::ffff:1"), DISCOVERY_LIMITED);
	assert_others_pass("fe80::%x");
}

static void test_fifty_checks_a_second_in_all(void **state)
{
	struct datagram bad = forged();
	unsigned checked = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		checked += pass(&bad, far(i)) == DISCOVERY_FORGED;
	assert_int_equal(checked, DISCOVERY_CHECKS);
	checked = 0;
	for (unsigned i = 0; i < 1000; i++) {
		now += SECOND_NS / 1000;
		checked += pass(&bad, far(i)) == DISCOVERY_FORGED;
	}
	assert_int_equal(checked, DISCOVERY_CHECKS);
}

/* So that a recording played back leaves everybody else's share alone. */
static void test_replays_cost_no_checks(void **state)
{
	struct datagram old = sealed(key, 1, 1);

	(void)state;
	assert_int_equal(pass(&old, "192.0.2.1"), DISCOVERY_GOOD);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(pass(&old, "192.0.2.1"), DISCOVERY_REPLAYED);
	for (uint64_t i = 2; i <= DISCOVERY_SOURCE_BURST; i++)
		assert_int_equal(say(key, 1, i, "192.0.2.1"), DISCOVERY_GOOD);
}

static void test_longest_unheard_makes_room(void **state)
{
	static EVP_PKEY *keys[DISCOVERY_SENDERS + 1];

	(void)state;
	for (unsigned i = 0; i < DISCOVERY_SENDERS + 1; i++) {
		keys[i] = EVP_EC_gen("P-256");
		now += SECOND_NS;
		if (i == DISCOVERY_SENDERS)
			assert_int_equal(say(keys[0], 1, 2, far(0)), DISCOVERY_GOOD);
		assert_int_equal(say(keys[i], 1, 1, far(i)), DISCOVERY_GOOD);
	}
	/* The first one was heard again, so the second one went. */
	now += SECOND_NS;
	assert_int_equal(say(keys[0], 1, 2, far(0)), DISCOVERY_REPLAYED);
	assert_int_equal(say(keys[2], 1, 1, far(2)), DISCOVERY_REPLAYED);
	assert_int_equal(say(keys[DISCOVERY_SENDERS], 1, 1, far(3)), DISCOVERY_REPLAYED);
	assert_int_equal(say(keys[1], 1, 1, far(1)), DISCOVERY_GOOD);
	for (unsigned i = 0; i < DISCOVERY_SENDERS + 1; i++)
		EVP_PKEY_free(keys[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_gate, free_gate)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_counters_must_grow),		 CASE(test_forged_changes_nothing),
		CASE(test_each_source_has_its_share),	 CASE(test_a_line_of_ipv6_is_one_source),
		CASE(test_each_on_the_link_is_a_source), CASE(test_fifty_checks_a_second_in_all),
		CASE(test_replays_cost_no_checks),	 CASE(test_longest_unheard_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
