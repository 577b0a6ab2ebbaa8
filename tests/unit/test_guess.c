// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits on guesses: what counts together, who is held up by whom. The clock is the test's. */
/* LINK: userland/lib/guess.c userland/lib/limit.c userland/lib/source.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "lib/guess.h"
#include "lib/loop.h"

#define SECOND 1000000000ULL

static uint64_t now = 1000 * SECOND;

/* In the place of loop.c's. */
uint64_t loop_now_ns(void)
{
	return now;
}

static int open_table(void **state)
{
	*state = guess_table_new();
	return !*state;
}

static int close_table(void **state)
{
	guess_table_free(*state);
	return 0;
}

static struct source from(unsigned number)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc6120000 + number) };
	struct source source;

	source_of(&source, (struct sockaddr *)&address);
	return source;
}

static bool try(struct guess_table *table, unsigned number, const char *name, bool right)
{
	struct source source = from(number);
	struct guess guess;

	guess_login(table, &guess, &source, name);
	if (!guess_take(&guess))
		return false;
	if (right) {
		guess_refund(&guess);
		guess_befriend(table, &source, name);
	}
	return true;
}

static bool try_code(struct guess_table *table, unsigned number)
{
	struct source source = from(number);
	struct guess guess;

	guess_claim(table, &guess, &source);
	return guess_take(&guess);
}

static void test_delay_doubles_and_is_forgiven(void **state)
{
	for (int i = 0; i < 6; i++)
		assert_true(try(*state, 1, "ann", false));
	for (unsigned delay = 1; delay <= 4; delay *= 2) {
		now += delay * SECOND - 1;
		assert_false(try(*state, 1, "ann", false));
		now += 1;
		assert_true(try(*state, 1, "ann", false));
	}
	/* One failure is forgotten in each quarter of an hour. */
	now += 10 * 900 * SECOND;
	for (int i = 0; i < 6; i++)
		assert_true(try(*state, 1, "ann", false));
	assert_false(try(*state, 1, "ann", false));
}

static void test_looking_changes_nothing(void **state)
{
	struct source source = from(1);
	struct guess guess;

	guess_login(*state, &guess, &source, "ann");
	for (int i = 0; i < 100; i++)
		assert_true(guess_open(&guess));
	for (int i = 0; i < 6; i++)
		assert_true(guess_take(&guess));
	assert_false(guess_open(&guess));
}

static void test_right_ones_are_free(void **state)
{
	for (int i = 0; i < 300; i++)
		assert_true(try(*state, (unsigned)i % 3, "ann", true));
}

static void test_friend_is_not_held_up(void **state)
{
	assert_true(try(*state, 1, "ann", true));
	for (unsigned i = 0; i < 11; i++)
		assert_true(try(*state, 100 + i, "ann", false));
	assert_false(try(*state, 2, "ann", true));
	assert_true(try(*state, 1, "ann", true));
	/* Only where he is known as himself. */
	assert_true(try(*state, 1, "bob", false));
	assert_false(try(*state, 2, "ann", true));
	/* His own errors hold him up all the same, there alone. */
	for (int i = 0; i < 6; i++)
		assert_true(try(*state, 1, "ann", false));
	assert_false(try(*state, 1, "ann", true));
}

static void test_friends_are_bounded(void **state)
{
	for (unsigned i = 0; i <= 64; i++) {
		assert_true(try(*state, 1000, "bob", true)); /* used again and again: stays */
		assert_true(try(*state, i, "ann", true));
	}
	for (unsigned i = 0; i < 11; i++)
		assert_true(try(*state, 100 + i, "ann", false));
	assert_false(try(*state, 0, "ann", true));
	assert_true(try(*state, 64, "ann", true));
	for (unsigned i = 0; i < 11; i++)
		assert_true(try(*state, 200 + i, "bob", false));
	assert_true(try(*state, 1000, "bob", true));
}

static void test_claims_are_counted_apart(void **state)
{
	for (int i = 0; i < 6; i++)
		assert_true(try_code(*state, 1));
	assert_false(try_code(*state, 1));
	assert_true(try(*state, 1, "ann", false));
	for (unsigned i = 0; i < 5; i++)
		assert_true(try_code(*state, 100 + i));
	/* Eleven in all: now also those wait who never tried. */
	assert_false(try_code(*state, 2));
	now += SECOND;
	assert_true(try_code(*state, 2));
}

static void test_all_together_are_limited(void **state)
{
	char name[16];

	for (unsigned i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		assert_true(try(*state, i, name, false));
	}
	assert_false(try(*state, 1000, "ann", true));
	now += SECOND;
	assert_true(try(*state, 1000, "ann", true));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_delay_doubles_and_is_forgiven), CASE(test_looking_changes_nothing),
		CASE(test_right_ones_are_free),		  CASE(test_friend_is_not_held_up),
		CASE(test_friends_are_bounded),		  CASE(test_claims_are_counted_apart),
		CASE(test_all_together_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
