// SPDX-License-Identifier: GPL-2.0-or-later
/* The boot counter: it grows with each start, and never begins again by itself. */
/* LINK: userland/lib/boot.c userland/lib/state.c userland/lib/log.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/boot.h"

static char dir[64], path[96];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/kvmnet-boot-XXXXXX");
	*state = mkdtemp(dir);
	snprintf(path, sizeof(path), "%s/boots", dir);
	return !*state;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir); /* fails when a temporary file was left */
}

static void write_file(const char *text, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	fclose(out);
}

static void test_each_start_is_counted(void **state)
{
	uint64_t count;

	(void)state;
	for (uint64_t start = 1; start <= 12; start++) {
		assert_int_equal(boot_count(dir, &count), 0);
		assert_true(count == start);
	}
	write_file("4294967296\n", 11);
	assert_int_equal(boot_count(dir, &count), 0);
	assert_true(count == 4294967297);
}

static void test_broken_file_is_kept(void **state)
{
	static const char *const texts[] = { "",      "7",    "\n",    "-7\n",
					     "7\n\n", " 7\n", "0x7\n", "9999999999999999999\n" };
	char after[32] = "";
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *in;

		write_file(texts[i], strlen(texts[i]));
		assert_int_equal(boot_count(dir, &count), -1);
		in = fopen(path, "r");
		after[fread(after, 1, sizeof(after) - 1, in)] = '\0';
		fclose(in);
		assert_string_equal(after, texts[i]);
	}
	write_file("7\0\n", 3);
	assert_int_equal(boot_count(dir, &count), -1);
}

static void test_count_that_is_not_stored_is_not_used(void **state)
{
	uint64_t count;

	(void)state;
	assert_int_equal(boot_count("/nonexistent", &count), -1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_each_start_is_counted),
		CASE(test_broken_file_is_kept),
		CASE(test_count_that_is_not_stored_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
