// SPDX-License-Identifier: GPL-2.0-or-later
/* The claim code: how it may be typed, who has it, when there is another. The clock stands still. */
/* LINK: userland/lib/claim.c userland/lib/guess.c userland/lib/limit.c userland/lib/log.c userland/lib/source.c |
 * -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/claim.h"
#include "lib/loop.h"

static struct guess free_guess; /* counts against nothing */

/* In the place of loop.c's. */
uint64_t loop_now_ns(void)
{
	return 1;
}

static void test_code_has_its_form(void **state)
{
	struct claim one = { .wrong = 3 }, two = { 0 };

	(void)state;
	assert_true(claim_start(&one));
	assert_true(claim_start(&two));
	assert_int_equal(strlen(one.code), CLAIM_CODE_SIZE - 1);
	assert_int_equal(strspn(one.code, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789-"), CLAIM_CODE_SIZE - 1);
	assert_true(one.code[4] == '-' && one.code[9] == '-');
	assert_string_not_equal(one.code, two.code);
	assert_int_equal(one.wrong, 0);
}

static void test_typed_as_people_do(void **state)
{
	static const char code[CLAIM_CODE_SIZE] = "ABCD-EFGH-JK23";
	static const char *const good[] = { "ABCD-EFGH-JK23", "abcdefghjk23", " abcd efgh jk23 ",
					    "A-B-C-D-E-F-G-H-J-K-2-3" };
	static const char *const bad[] = {
		"", "ABCD-EFGH-JK2", "ABCD-EFGH-JK234", "ABCD-EFGH-JK24", "ABCD_EFGH_JK23", "ABCDEFGHJK23x"
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(claim_matches(code, good[i]));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(claim_matches(code, bad[i]));
}

static void test_one_at_a_time(void **state)
{
	struct claim claim = { 0 };
	char fresh[CLAIM_CODE_SIZE], code[CLAIM_CODE_SIZE];

	(void)state;
	assert_true(claim_start(&claim));
	strcpy(code, claim.code);
	assert_int_equal(claim_try(&claim, &free_guess, code, fresh), CLAIM_RIGHT);
	assert_int_equal(claim_try(&claim, &free_guess, code, fresh), CLAIM_LIMITED);
	claim_end(&claim, false);
	assert_int_equal(claim_try(&claim, &free_guess, code, fresh), CLAIM_RIGHT);
	claim_end(&claim, true);
	assert_int_equal(claim_try(&claim, &free_guess, code, fresh), CLAIM_LIMITED);
	assert_int_equal(claim_try(&claim, &free_guess, "", fresh), CLAIM_LIMITED);
}

static void test_limits_are_heeded(void **state)
{
	struct guess_table *table = guess_table_new();
	struct source console = { 0 };
	struct guess guess;
	struct claim claim = { 0 };
	char fresh[CLAIM_CODE_SIZE];

	(void)state;
	assert_true(claim_start(&claim));
	guess_claim(table, &guess, &console);
	for (int i = 0; i < 6; i++)
		assert_int_equal(claim_try(&claim, &guess, "", fresh), CLAIM_WRONG);
	assert_int_equal(claim_try(&claim, &guess, claim.code, fresh), CLAIM_LIMITED);
	/* A right one is no failure. */
	guess_table_free(table);
	table = guess_table_new();
	guess_claim(table, &guess, &console);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(claim_try(&claim, &guess, claim.code, fresh), CLAIM_RIGHT);
		claim_end(&claim, false);
	}
	guess_table_free(table);
}

static void test_new_code_after_many_wrong_ones(void **state)
{
	struct claim claim = { 0 };
	char before[CLAIM_CODE_SIZE], fresh[CLAIM_CODE_SIZE];

	(void)state;
	assert_true(claim_start(&claim));
	strcpy(before, claim.code);
	for (int i = 1; i < CLAIM_TRIES; i++) {
		assert_int_equal(claim_try(&claim, &free_guess, "AAAA", fresh), CLAIM_WRONG);
		assert_string_equal(fresh, "");
		assert_string_equal(claim.code, before);
	}
	assert_int_equal(claim_try(&claim, &free_guess, "AAAA", fresh), CLAIM_WRONG);
	assert_string_equal(fresh, claim.code);
	assert_string_not_equal(fresh, before);
	claim_show("Device", fresh);
	for (unsigned i = 0; i < sizeof(fresh); i++)
		assert_int_equal(fresh[i], 0);
	assert_int_equal(claim_try(&claim, &free_guess, before, fresh), CLAIM_WRONG);
	assert_string_equal(fresh, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_has_its_form),
		cmocka_unit_test(test_typed_as_people_do),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_limits_are_heeded),
		cmocka_unit_test(test_new_code_after_many_wrong_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
