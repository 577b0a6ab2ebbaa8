// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings: their form, their file, and that they lie over kvmnetd.conf. */
/* LINK: userland/device/settings.c userland/device/adoption.c userland/lib/certificate.c userland/lib/state.c
 *	 userland/lib/log.c | jansson -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char dir[] = "/tmp/kvmnet-settings-XXXXXX";

static int open_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const char *parse(const char *text, struct settings *settings)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	const char *wrong;

	assert_non_null(json);
	wrong = settings_parse(json, settings);
	json_decref(json);
	return wrong;
}

static void test_right(void **state)
{
	struct settings settings;

	(void)state;
	assert_null(
		parse("{\"revision\":9007199254740993,\"session_timeout_s\":604800,\"name\":\"rack 3, left\","
		      "\"managers\":[\"10.0.0.1\",\"[2001:db8::1]:8443\"]}",
		      &settings));
	assert_true(settings.revision == 9007199254740993);
	assert_int_equal(settings.session_timeout_s, 604800);
	assert_string_equal(settings.name, "rack 3, left");
	assert_int_equal(settings.manager_count, 2);
	assert_string_equal(settings.managers[1].host, "2001:db8::1");
	assert_int_equal(settings.managers[1].port, 8443);
	assert_null(
		parse("{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":[]}", &settings));
	assert_int_equal(settings.manager_count, 0);
}

#define REST ",\"session_timeout_s\":0,\"name\":\"\",\"managers\":[]}"

static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"7",
		"[]",
		"{}",
		"{\"revision\":-1" REST,
		"{\"revision\":0.5" REST,
		"{\"revision\":\"0\"" REST,
		"{\"revisions\":0" REST,
		"{\"revision\":0,\"session_timeout_s\":604801,\"name\":\"\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":-1,\"name\":\"\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":true,\"name\":\"\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":null,\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"a\\u0000\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"m\303\274ller\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"managers\":[]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":{}}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":[7]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":[\"a b\"]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":[\"a\\u0000b\"]}",
		"{\"revision\":0,\"session_timeout_s\":0,\"name\":\"\",\"managers\":[\"a\",\"a\",\"a\",\"a\",\"a\","
		"\"a\",\"a\",\"a\",\"a\"]}",
		"{\"revision\":0,\"more\":1" REST,
	};
	struct settings settings;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_non_null(parse(wrong[i], &settings));
}

static void test_file(void **state)
{
	struct config config = { .idle_timeout_s = 60, .discovery_name = "left" };
	struct settings settings, before;
	char path[64];
	FILE *out;

	(void)state;
	settings_defaults(&settings, &config);
	assert_int_equal(settings.session_timeout_s, 60);
	assert_string_equal(settings.name, "left");
	before = settings;
	assert_int_equal(settings_load(dir, &settings), 0);
	assert_memory_equal(&settings, &before, sizeof(settings));
	assert_null(
		parse("{\"revision\":5,\"session_timeout_s\":7,\"name\":\"right\",\"managers\":[\"::1\"]}",
		      &settings));
	assert_int_equal(settings_store(dir, &settings), 0);
	memset(&before, 0, sizeof(before));
	assert_int_equal(settings_load(dir, &before), 0);
	assert_memory_equal(&settings, &before, sizeof(settings));
	snprintf(path, sizeof(path), "%s/settings", dir);
	out = fopen(path, "w");
	fputs("{\"revision\":5}", out);
	fclose(out);
	assert_int_equal(settings_load(dir, &before), -1);
	assert_memory_equal(&settings, &before, sizeof(settings));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
