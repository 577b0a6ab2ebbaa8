// SPDX-License-Identifier: GPL-2.0-or-later
/* Logins of the pages: tokens, expiry, a full table. The clock is the test's. */
/* LINK: userland/lib/login.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/login.h"
#include "lib/loop.h"

#define SECOND 1000000000ULL

static uint64_t now = SECOND;

/* In the place of loop.c's. */
uint64_t loop_now_ns(void)
{
	return now;
}

static int open_table(void **state)
{
	*state = login_table_new();
	return !*state;
}

static int close_table(void **state)
{
	login_table_free(*state);
	return 0;
}

static const struct login *find(struct login_table *table, const char *token)
{
	return login_find(table, token, strlen(token));
}

static void test_token_finds_its_login(void **state)
{
	char one[LOGIN_TOKEN_SIZE], two[LOGIN_TOKEN_SIZE];

	assert_true(login_begin(*state, "ann", 0, one));
	assert_true(login_begin(*state, "bob", 0, two));
	assert_int_equal(strlen(one), 64);
	assert_string_not_equal(one, two);
	assert_string_equal(find(*state, one)->user, "ann");
	assert_string_equal(find(*state, two)->user, "bob");
	one[63] ^= 1;
	assert_null(find(*state, one));
	assert_null(find(*state, ""));
	assert_null(login_find(*state, two, 63));
	login_end(*state, find(*state, two)->id);
	assert_null(find(*state, two));
}

static void test_idle_and_old_logins_expire(void **state)
{
	char idle[LOGIN_TOKEN_SIZE], used[LOGIN_TOKEN_SIZE];
	uint64_t start = now;
	uint32_t id;

	assert_true(login_begin(*state, "ann", 0, idle));
	assert_true(login_begin(*state, "ann", 0, used));
	id = find(*state, used)->id;
	now += LOGIN_IDLE_S * SECOND - 1;
	assert_non_null(find(*state, used));
	now += 1;
	assert_null(find(*state, idle));
	while (now < start + LOGIN_LONGEST_S * SECOND) {
		assert_true(login_alive(*state, id));
		now += LOGIN_IDLE_S * SECOND / 2;
	}
	assert_false(login_alive(*state, id));
	assert_null(find(*state, used));
}

static void test_full_table_drops_the_one_that_rested_longest(void **state)
{
	char first[LOGIN_TOKEN_SIZE], second[LOGIN_TOKEN_SIZE], more[LOGIN_TOKEN_SIZE], user[16];

	assert_true(login_begin(*state, "ann", 0, first));
	now += SECOND;
	assert_true(login_begin(*state, "bob", 0, second));
	for (int i = 0; i < 62; i++) {
		now += SECOND;
		snprintf(user, sizeof(user), "eve%d", i);
		assert_true(login_begin(*state, user, 0, more));
	}
	assert_non_null(find(*state, first));
	now += SECOND;
	assert_true(login_begin(*state, "eve", 0, more));
	assert_null(find(*state, second));
	assert_non_null(find(*state, first));
}

/* Otherwise anybody with a password could log everybody else out. */
static void test_who_fills_the_table_drops_his_own(void **state)
{
	char ann[LOGIN_TOKEN_SIZE], bob[LOGIN_TOKEN_SIZE], more[LOGIN_TOKEN_SIZE];

	assert_true(login_begin(*state, "ann", 0, ann));
	assert_true(login_begin(*state, "bob", 0, bob));
	for (int i = 0; i < 200; i++) {
		now += SECOND;
		assert_true(login_begin(*state, "eve", 0, more));
	}
	assert_non_null(find(*state, ann));
	assert_non_null(find(*state, bob));
	assert_non_null(find(*state, more));
}

static void test_ids_are_never_used_twice(void **state)
{
	char token[LOGIN_TOKEN_SIZE];
	uint32_t before = 0;

	for (int i = 0; i < 200; i++) {
		const struct login *login;

		assert_true(login_begin(*state, "ann", 0, token));
		login = find(*state, token);
		assert_true(login->id > before);
		before = login->id;
		login_end(*state, before);
		assert_false(login_alive(*state, before));
	}
}

static void test_all_but_one_end(void **state)
{
	char tokens[4][LOGIN_TOKEN_SIZE];

	for (int i = 0; i < 4; i++)
		assert_true(login_begin(*state, i < 3 ? "ann" : "bob", 0, tokens[i]));
	login_end_others(*state, "ann", find(*state, tokens[1])->id);
	assert_null(find(*state, tokens[0]));
	assert_non_null(find(*state, tokens[1]));
	assert_null(find(*state, tokens[2]));
	assert_non_null(find(*state, tokens[3]));
}

static void test_those_without_a_right_end(void **state)
{
	char tokens[3][LOGIN_TOKEN_SIZE];

	for (unsigned i = 0; i < 3; i++)
		assert_true(login_begin(*state, "ann", i + 1, tokens[i]));
	assert_int_equal(find(*state, tokens[1])->rights, 2);
	login_end_without(*state, "bob", 2);
	assert_non_null(find(*state, tokens[0]));
	login_end_without(*state, "ann", 2);
	assert_null(find(*state, tokens[0]));
	assert_non_null(find(*state, tokens[1]));
	assert_non_null(find(*state, tokens[2]));
	login_end_without(*state, NULL, 3);
	assert_null(find(*state, tokens[1]));
	assert_non_null(find(*state, tokens[2]));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_token_finds_its_login),
		CASE(test_idle_and_old_logins_expire),
		CASE(test_full_table_drops_the_one_that_rested_longest),
		CASE(test_who_fills_the_table_drops_his_own),
		CASE(test_ids_are_never_used_twice),
		CASE(test_all_but_one_end),
		CASE(test_those_without_a_right_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
