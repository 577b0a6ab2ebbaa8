// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines of the SSH shell, its questions on the wire, and who a key is. */
/* LINK: userland/lib/shell_command.c userland/lib/shell_query.c userland/manager-shell/administrator.c
 * userland/lib/log.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/shell_command.h"
#include "lib/shell_query.h"
#include "manager-shell/administrator.h"

static struct shell_command command;

static bool good(const char *line)
{
	return !shell_command_parse(line, strlen(line), &command);
}

static void test_commands_are_words_between_blanks(void **state)
{
	(void)state;
	assert_true(good("status") && command.verb == SHELL_STATUS);
	assert_true(good(" \tdevices  ") && command.verb == SHELL_DEVICES);
	assert_true(good("replication") && command.verb == SHELL_REPLICATION);
	assert_true(good("help") && command.verb == SHELL_HELP);
	assert_true(good("exit") && command.verb == SHELL_EXIT);
	assert_true(good("") && command.verb == SHELL_NOTHING);
	assert_true(good("  ") && command.verb == SHELL_NOTHING);
}

static void test_nothing_joins_or_hides_commands(void **state)
{
	static const char *const lines[] = {
		"status; id", "status;id",   "status\nid", "status\r",	     "$(id)",
		"`id`",	      "status | sh", "stat us",	   "STATUS",	     "statusx",
		"status id",  "help help",   "exit 0",	   "\"status\"",     "'status'",
		"st\\atus",   "status\v",    "status &",   "\xc2\xa0status",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(good(lines[i]));
	assert_non_null(shell_command_parse("status\0", 7, &command));
	assert_non_null(shell_command_parse("\0status", 7, &command));
}

static void test_lines_of_the_log_are_counted(void **state)
{
	(void)state;
	assert_true(good("logs") && command.lines == SHELL_LOGS_DEFAULT);
	assert_true(good("logs 1") && command.lines == 1);
	assert_true(good("logs 1000") && command.lines == 1000);
	assert_false(good("logs 0") || good("logs 1001") || good("logs -1") || good("logs 1x") ||
		     good("logs 1 1"));
	assert_false(good("logs 4294967297") || good("logs 18446744073709551617"));
}

static void test_hosts_have_letters_of_hosts(void **state)
{
	char line[SHELL_LINE_MAX + 2] = "ping ";

	(void)state;
	assert_true(good("ping fe80::1%eth0") && command.verb == SHELL_PING);
	assert_string_equal(command.host, "fe80::1%eth0");
	assert_true(good("ping a_b-c.example"));
	assert_false(good("ping") || good("ping -c1") || good("ping a;b") || good("ping a b") ||
		     good("ping ../x"));
	memset(line + 5, 'h', SHELL_HOST_SIZE - 1);
	assert_true(good(line));
	assert_int_equal(strlen(command.host), SHELL_HOST_SIZE - 1);
	line[5 + SHELL_HOST_SIZE - 1] = 'h';
	assert_false(good(line));
}

static void test_long_lines_are_refused(void **state)
{
	char line[SHELL_LINE_MAX + 2];

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "status", 6);
	assert_null(shell_command_parse(line, SHELL_LINE_MAX, &command));
	assert_non_null(shell_command_parse(line, SHELL_LINE_MAX + 1, &command));
}

static void test_questions_come_over_whole(void **state)
{
	struct shell_query query = { 0 }, read;
	char data[SHELL_QUERY_MAX];
	size_t len;

	(void)state;
	memset(query.who, 'w', sizeof(query.who) - 1);
	memset(query.key, 'k', sizeof(query.key) - 1);
	memset(query.line, 'l', sizeof(query.line) - 1);
	len = shell_query_write(&query, data);
	assert_true(len < sizeof(data) && shell_query_read(data, len, &read));
	assert_memory_equal(&query, &read, sizeof(query));
}

static void test_what_is_no_question_is_refused(void **state)
{
	struct shell_query query;
	char data[SHELL_QUERY_MAX + 1];

	(void)state;
	assert_true(shell_query_read("\n\n", 2, &query));
	assert_false(shell_query_read("", 0, &query) || shell_query_read("a\nb", 3, &query));
	assert_false(shell_query_read("a\nb\nc\nd", 7, &query) || shell_query_read("a\nb\nc\0", 6, &query));
	assert_false(shell_query_read("\x1b\nb\nc", 5, &query) || shell_query_read("a\nb\n\xff", 5, &query));
	memset(data, 'a', sizeof(data));
	data[SHELL_WHO_SIZE] = data[SHELL_WHO_SIZE + 1] = '\n';
	assert_false(shell_query_read(data, SHELL_WHO_SIZE + 2, &query));
}

/* ssh-keygen -l says the same of it. */
#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void test_keys_have_the_name_in_the_list(void **state)
{
	static const char auth[] = "publickey ssh-ed25519 " KEY "\n";
	struct shell_query query;

	(void)state;
	administrator_parse(
		auth, "# ssh-ed25519 " KEY " old\nssh-ed25519 AAAA x\nssh-ed25519 " KEY " Ann, office\r\n",
		&query);
	assert_string_equal(query.who, "Ann, office");
	assert_int_equal(strlen(query.key), 50);
	assert_memory_equal(query.key, "SHA256:", 7);
	administrator_parse(auth,
			    "from=\"10.0.0.0/8\",no-pty ssh-ed25519 " KEY " b\x1b\xff"
			    "b",
			    &query);
	assert_string_equal(query.who, "b??b");
	administrator_parse(auth, "\r\n \r x\r\n\nssh-ed25519 " KEY " ann", &query);
	assert_string_equal(query.who, "ann");
	administrator_parse(auth, "ssh-ed25519 " KEY "\nssh-rsa AAAA eve", &query);
	assert_string_equal(query.who, query.key);
	administrator_parse(auth, "", &query);
	assert_string_equal(query.who, query.key);
}

static void test_other_ways_in_are_unknown(void **state)
{
	struct shell_query query;

	(void)state;
	administrator_parse("", "", &query);
	assert_string_equal(query.who, "unknown");
	administrator_parse("password\n", "x", &query);
	assert_string_equal(query.who, "unknown");
	administrator_parse("publickey ssh-rsa ====\n", "ssh-rsa ==== eve", &query);
	assert_string_equal(query.who, "unknown");
	administrator_parse("publickey ", "", &query);
	assert_string_equal(query.key, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_words_between_blanks),
		cmocka_unit_test(test_nothing_joins_or_hides_commands),
		cmocka_unit_test(test_lines_of_the_log_are_counted),
		cmocka_unit_test(test_hosts_have_letters_of_hosts),
		cmocka_unit_test(test_long_lines_are_refused),
		cmocka_unit_test(test_questions_come_over_whole),
		cmocka_unit_test(test_what_is_no_question_is_refused),
		cmocka_unit_test(test_keys_have_the_name_in_the_list),
		cmocka_unit_test(test_other_ways_in_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
