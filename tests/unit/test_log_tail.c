// SPDX-License-Identifier: GPL-2.0-or-later
/* The newest lines of the log: in order, no more than there is room for, and nothing but text. */
/* LINK: userland/device/log_tail.c userland/lib/log.c | jansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device/log_tail.h"
#include "lib/log.h"

static const char *member(const json_t *list, size_t index, const char *name)
{
	return json_string_value(json_object_get(json_array_get(list, index), name));
}

static void test_newest_lines(void **state)
{
	json_t *list;

	(void)state;
	log_warn("before it is kept");
	log_tail_open();
	list = log_tail_json();
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	log_warn("strange: \x80\xff\033[2J");
	log_debug("not logged at all");
	list = log_tail_json();
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(member(list, 0, "text"), "strange: ???[2J");
	assert_string_equal(member(list, 0, "level"), "warn");
	assert_int_equal(strlen(member(list, 0, "time")), strlen("2026-12-01T00:00:00Z"));
	json_decref(list);
	for (int i = 0; i < 2 * LOG_TAIL_LINES; i++)
		log_info("line %d %0150d", i, 0);
	list = log_tail_json();
	assert_int_equal(json_array_size(list), LOG_TAIL_LINES);
	assert_true(!strncmp(member(list, 0, "text"), "line 256 000", 12));
	assert_true(!strncmp(member(list, LOG_TAIL_LINES - 1, "text"), "line 511 000", 12));
	json_decref(list);
	log_info("%0500d", 0);
	list = log_tail_json();
	assert_int_equal(strlen(member(list, json_array_size(list) - 1, "text")), 239);
	json_decref(list);
}

/* Also when each character takes two: the Manager's link would break. */
static void test_size(void **state)
{
	char text[240];
	json_t *list;
	size_t size, count;

	(void)state;
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < LOG_TAIL_LINES; i++)
		log_warn("%s", text);
	log_warn("the newest");
	list = log_tail_json();
	size = json_dumpb(list, NULL, 0, JSON_COMPACT);
	count = json_array_size(list);
	assert_in_range(size, LOG_TAIL_BYTES - 600, LOG_TAIL_BYTES + 1);
	assert_string_equal(member(list, count - 1, "text"), "the newest");
	assert_string_equal(member(list, 0, "text"), text);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_newest_lines),
					    cmocka_unit_test(test_size) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
