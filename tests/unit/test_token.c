// SPDX-License-Identifier: GPL-2.0-or-later
/* One-time tokens: good once, for ten seconds, and never one that was not issued. */
/* LINK: userland/device/token.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/token.h"

static void test_once(void **state)
{
	struct token token = { 0 };
	uint8_t bytes[TOKEN_SIZE], other[TOKEN_SIZE];

	(void)state;
	assert_true(token_issue(&token, 5));
	memcpy(bytes, token.bytes, TOKEN_SIZE);
	memcpy(other, bytes, TOKEN_SIZE);
	other[TOKEN_SIZE - 1] ^= 1;
	assert_false(token_take(&token, other, 5));
	assert_true(token_take(&token, bytes, 5));
	assert_false(token_take(&token, bytes, 5));
}

static void test_too_late(void **state)
{
	struct token token = { 0 };
	uint8_t bytes[TOKEN_SIZE];

	(void)state;
	assert_true(token_issue(&token, 5));
	memcpy(bytes, token.bytes, TOKEN_SIZE);
	assert_false(token_take(&token, bytes, 5 + TOKEN_LIFE_NS));
	/* It is gone: a clock that goes back would not help. */
	assert_false(token_take(&token, bytes, 5));
	assert_true(token_issue(&token, 5));
	memcpy(bytes, token.bytes, TOKEN_SIZE);
	assert_true(token_take(&token, bytes, 4 + TOKEN_LIFE_NS));
}

/* Memory that was never a token, or is none any more, is all zero: so might a guess be. */
static void test_none(void **state)
{
	const uint8_t zero[TOKEN_SIZE] = { 0 };
	struct token token = { 0 };
	uint8_t first[TOKEN_SIZE];

	(void)state;
	assert_false(token_take(&token, zero, 0));
	assert_true(token_issue(&token, 5));
	memcpy(first, token.bytes, TOKEN_SIZE);
	assert_true(token_issue(&token, 6));
	assert_memory_not_equal(first, token.bytes, TOKEN_SIZE);
	assert_false(token_take(&token, first, 6));
	memcpy(first, token.bytes, TOKEN_SIZE);
	assert_true(token_take(&token, first, 6));
	assert_false(token_take(&token, zero, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
