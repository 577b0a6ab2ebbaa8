// SPDX-License-Identifier: GPL-2.0-or-later
/* Log lines: levels, one line a call, priorities under the journal, nothing unprintable from outside. */
/* LINK: userland/lib/log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

static int saved, captured[2];

static void capture_start(void)
{
	assert_int_equal(pipe(captured), 0);
	saved = dup(STDERR_FILENO);
	dup2(captured[1], STDERR_FILENO);
}

static size_t capture_end(char *buf, size_t size)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(captured[1]);
	n = read(captured[0], buf, size - 1);
	close(captured[0]);
	assert_true(n >= 0);
	buf[n] = '\0';
	return (size_t)n;
}

static void levels_below_the_threshold_are_silent(void **state)
{
	char buf[256];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_set_level(LOG_LEVEL_WARN);
	capture_start();
	log_info("not this");
	log_warn("port %d", 900);
	capture_end(buf, sizeof(buf));
	assert_string_equal(buf, "warn: port 900\n");
}

static void the_journal_gets_priorities(void **state)
{
	char buf[256];

	(void)state;
	setenv("JOURNAL_STREAM", "1:2", 1);
	capture_start();
	log_error("x");
	capture_end(buf, sizeof(buf));
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(buf, "<3>x\n");
}

static void one_call_is_one_line_however_long(void **state)
{
	char buf[4096], big[3000];
	size_t n;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	big[5] = '\n';
	capture_start();
	log_error("%s", big);
	n = capture_end(buf, sizeof(buf));
	assert_true(n <= 1024);
	assert_ptr_equal(strchr(buf, '\n'), buf + n - 1);
}

static void names_of_levels(void **state)
{
	enum log_level level;

	(void)state;
	assert_true(log_parse_level("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_false(log_parse_level("loud", &level));
}

static void foreign_text_is_cleaned(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(log_clean(buf, sizeof(buf), "a\033[1m\nb\xc3\xa4"), "a?[1m?b");
	assert_string_equal(log_clean(buf, sizeof(buf), ""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_below_the_threshold_are_silent),
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(one_call_is_one_line_however_long),
		cmocka_unit_test(names_of_levels),
		cmocka_unit_test(foreign_text_is_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
