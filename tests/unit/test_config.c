// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnetd.conf: every setting, every wrong line with its number, and the file that we ship. */
/* LINK: userland/device/config.c userland/lib/ini.c userland/lib/log.c | -linih */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/config.h"

static struct config config;
static char said[4096];

static int parse_bytes(const char *text, size_t len)
{
	FILE *err = fmemopen(said, sizeof(said), "w");
	int result;

	memset(said, 0, sizeof(said));
	config_defaults(&config);
	result = config_parse(&config, text, len, "f", err);
	fclose(err);
	return result;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void refuse(const char *text, const char *message)
{
	assert_int_equal(parse(text), -1);
	if (!strstr(said, message))
		fail_msg("%s\nsaid: %s\nexpected: %s", text, said, message);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("# nothing\n\n; at all\n[hid]\n"), 0);
	assert_string_equal(config.capture, "/dev/kvmcap0");
	assert_string_equal(config.address, "::");
	assert_int_equal(config.first_port, 900);
	assert_int_equal(config.https_port, 443);
	assert_true(config.stock_viewers);
	assert_int_equal(config.idle_timeout_s, 0);
	assert_true(config.discovery);
	assert_true(config.discovery_broadcast);
	assert_int_equal(config.managers.count, 0);
	assert_int_equal(config.discovery_port, 3080);
	assert_int_equal(config.discovery_second_port, 3081);
}

static void test_every_setting(void **state)
{
	(void)state;
	assert_int_equal(
		parse("[device]\nstate_dir = /s\nweb_dir=/w\nlog_level = debug ; really\n"
		      "[capture]\r\n  source = unix:/run/ring\n"
		      "[hid]\nkeyboard = unix:k\npointer=/dev/hidg7\nudc = none\n"
		      "[session]\naddress = 192.0.2.1\nfirst_port = 65533\nstock_viewers = no\nidle_timeout = 604800\n"
		      "[discovery]\nenabled = no\nmode = manual\nport = 1\nsecond_port = 65535\n"
		      "managers = kvm.example , 192.0.2.9,fe80::1%eth0\nname = Rack 3, left\n"
		      "[https]\naddress = 2001:db8::1\nport = 65535"),
		0);
	assert_string_equal(config.state_dir, "/s");
	assert_string_equal(config.web_dir, "/w");
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(config.capture, "unix:/run/ring");
	assert_string_equal(config.keyboard, "unix:k");
	assert_string_equal(config.pointer, "/dev/hidg7");
	assert_string_equal(config.udc, "none");
	assert_string_equal(config.address, "192.0.2.1");
	assert_int_equal(config.first_port, 65533);
	assert_false(config.stock_viewers);
	assert_int_equal(config.idle_timeout_s, 604800);
	assert_string_equal(config.https_address, "2001:db8::1");
	assert_int_equal(config.https_port, 65535);
	assert_false(config.discovery);
	assert_false(config.discovery_broadcast);
	assert_int_equal(config.discovery_port, 1);
	assert_int_equal(config.discovery_second_port, 65535);
	assert_int_equal(config.managers.count, 3);
	assert_string_equal(config.managers.name[0], "kvm.example");
	assert_string_equal(config.managers.name[1], "192.0.2.9");
	assert_string_equal(config.managers.name[2], "fe80::1%eth0");
	assert_string_equal(config.discovery_name, "Rack 3, left");
}

static void test_wrong_lines_are_named(void **state)
{
	(void)state;
	refuse("[hid]\n[what]\nx = 1\n", "f:2: [what]: no such section");
	refuse("keyboard = /dev/x\n", "f:1: keyboard: stands before");
	refuse("[hid]\n\nmouse = /dev/x\n", "f:3: mouse: [hid] has no such setting");
	refuse("[hid]\nkeyboard\n", "f:2: is neither");
	refuse("[hid\nkeyboard = /x\n", "f:1: is neither");
	refuse("[session]\nfirst_port = 900\nfirst_port = 901\n", "f:3: first_port: is given twice");
	for (const char *const *value = (const char *const[]){ "", "0", "65534", "-1", "1x",
							       "99999999999999999999", "0x10", NULL };
	     *value; value++) {
		char text[80];

		snprintf(text, sizeof(text), "[session]\nfirst_port = %s\n", *value);
		refuse(text, "f:2: first_port: is \"");
	}
	refuse("[session]\naddress = localhost\n", "f:2: address: is \"localhost\", must be an IPv4");
	refuse("[session]\naddress = 1.2.3\n", "f:2: address:");
	refuse("[session]\nstock_viewers = true\n", "must be yes or no");
	refuse("[session]\nidle_timeout = 604801\n", "f:2: idle_timeout:");
	refuse("[device]\nstate_dir = here\n", "f:2: state_dir: is \"here\", must be an absolute path");
	refuse("[device]\nlog_level = loud\n", "must be error, warn, info or debug");
	refuse("[capture]\nsource = unix:\n", "f:2: source:");
	refuse("[discovery]\nenabled = 1\n", "f:2: enabled: is \"1\", must be yes or no");
	refuse("[discovery]\nmode = broadcast\n", "f:2: mode: is \"broadcast\", must be auto or manual");
	refuse("[discovery]\nmode = manual\n", "f:0: [discovery] mode: is manual, but managers names none");
	refuse("[discovery]\nport = 3081\n", "f:0: [discovery] second_port: is 3081 as port is");
	refuse("[discovery]\nsecond_port = 0\n", "f:2: second_port:");
	refuse("[discovery]\nmanagers = a b\n", "f:2: managers: is \"a b\", must be up to 8");
	refuse("[discovery]\nmanagers = a,\n", "f:2: managers:");
	refuse("[discovery]\nmanagers = ,a\n", "f:2: managers:");
	refuse("[discovery]\nmanagers = a,,b\n", "f:2: managers:");
	refuse("[discovery]\nmanagers = a,b,c,d,e,f,g,h,i\n", "f:2: managers:");
	refuse("[discovery]\nmanagers = a/b\n", "f:2: managers:");
	refuse("[discovery]\nname = caf\xc3\xa9\n", "f:2: name:");
	refuse("[discovery]\nname = 12345678901234567890123456789012345678901234567890123456789012345\n",
	       "f:2: name:");
	refuse("[https]\nport = 902\n[session]\nfirst_port = 900\n", "is one of the three session ports");
}

static void test_all_wrong_lines_are_named_at_once(void **state)
{
	(void)state;
	refuse("[hid]\nudc = x\n[session]\naddress = y\n[https]\nport = z\n", "f:2: udc");
	assert_non_null(strstr(said, "f:4: address"));
	assert_non_null(strstr(said, "f:6: port"));
}

static void test_hostile_bytes(void **state)
{
	char text[600];

	(void)state;
	refuse("[hid]\nudc = \033[2J\n", "\"?[2J\"");
	assert_int_equal(parse_bytes("[hid]\nu\0c = /x\n", 15), -1);
	assert_non_null(strstr(said, "f:2: holds a zero byte"));
	memset(text, 'a', sizeof(text));
	memcpy(text, "[hid]\nudc = /", 13);
	text[sizeof(text) - 1] = '\0';
	refuse(text, "f:2: is longer than");
}

static void test_missing_file(void **state)
{
	FILE *err = fmemopen(said, sizeof(said), "w");

	(void)state;
	config_defaults(&config);
	assert_int_equal(config_read(&config, "/nonexistent/kvmnetd.conf", err), -1);
	fclose(err);
	assert_non_null(strstr(said, "/nonexistent/kvmnetd.conf:0: cannot be read: No such file"));
}

/* The file that we ship names each setting with its default: with every # taken away it changes nothing. */
static void test_shipped_file_shows_the_defaults(void **state)
{
	static char text[65536], bare[65536];
	struct config defaults;
	char *line, *rest = text;
	size_t used = 0;
	FILE *in = fopen("packaging/kvmnetd.conf", "r");

	(void)state;
	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	config_defaults(&defaults);
	assert_int_equal(parse(text), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
	while ((line = strsep(&rest, "\n"))) {
		if (line[0] == '#' && line[1] != ' ')
			line++;
		used += (size_t)snprintf(bare + used, sizeof(bare) - used, "%s\n", line);
	}
	assert_int_equal(parse(bare), 0);
	assert_memory_equal(&config, &defaults, sizeof(config));
	for (const char *const *key =
		     (const char *const[]){ "state_dir", "web_dir", "log_level", "source", "keyboard",
					    "pointer", "udc", "first_port", "stock_viewers", "idle_timeout",
					    "port", "enabled", "mode", "managers", "second_port", "name",
					    NULL };
	     *key; key++) {
		char wanted[40];

		snprintf(wanted, sizeof(wanted), "\n%s =", *key);
		if (!strstr(bare, wanted))
			fail_msg("%s is not in the file that we ship", *key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_wrong_lines_are_named),
		cmocka_unit_test(test_all_wrong_lines_are_named_at_once),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_shipped_file_shows_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
