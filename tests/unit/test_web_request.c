// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of a JSON API before their body: routes, origin, limits; and the form of answers. */
/* LINK: userland/lib/web_request.c userland/lib/body.c | -lcrypto -ljansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/web_request.h"

struct route {
	struct web_route web;
	int number;
};

static const struct route routes[] = {
	{ { WEB_GET, "/api/v1/things", 0 }, 1 },
	{ { WEB_PUT, "/api/v1/things/*/name", WEB_BODY_MAX }, 2 },
	{ { WEB_GET, "/api/v1/things/*/name", 0 }, 3 },
	{ { WEB_POST, "/api/v1/things/*", WEB_BODY }, 4 },
	{ { WEB_DELETE, "/api/v1/things/*", 0 }, 5 },
};

static struct web_request request;

static void start(enum web_method method, const char *path)
{
	web_forget(&request);
	memset(&request, 0, sizeof(request));
	request.method = method;
	request.content_length = -1;
	snprintf(request.path, sizeof(request.path), "%s", path);
	strcpy(request.caller.host, "kvm.example:444");
	strcpy(request.caller.origin, "https://KVM.example:444");
	strcpy(request.content_type, "application/json");
}

/* The number of the route that takes it, or the negative status of its refusal. */
static int found(enum web_method method, const char *path)
{
	start(method, path);
	if (web_find_route(&request, routes, sizeof(routes) / sizeof(routes[0]), sizeof(routes[0])))
		return ((const struct route *)request.route)->number;
	assert_non_null(strstr(request.json, "{\"error\":\""));
	return -request.status;
}

static void test_routes(void **state)
{
	(void)state;
	assert_int_equal(found(WEB_GET, "/api/v1/things"), 1);
	assert_string_equal(request.parameter, "");
	assert_int_equal(found(WEB_PUT, "/api/v1/things/12/name"), 2);
	assert_string_equal(request.parameter, "12");
	assert_int_equal(found(WEB_GET, "/api/v1/things/a/name"), 3);
	assert_string_equal(request.parameter, "a");
	assert_int_equal(found(WEB_POST, "/api/v1/things/x"), 4);
	assert_string_equal(request.parameter, "x");
	assert_int_equal(found(WEB_DELETE, "/api/v1/things/x/y"), 5);
	assert_string_equal(request.parameter, "x/y");
	/* It is also the rest of a path: the parameter is that of the route that takes it. */
	assert_int_equal(found(WEB_POST, "/api/v1/things/12/name"), 4);
	assert_string_equal(request.parameter, "12/name");
}

static void test_unknown_routes(void **state)
{
	(void)state;
	assert_int_equal(found(WEB_GET, ""), -404);
	assert_int_equal(found(WEB_GET, "/api/v1/thing"), -404);
	assert_int_equal(found(WEB_GET, "/api/v1/things/"), -404);
	assert_int_equal(found(WEB_PUT, "/api/v1/things"), -405);
	assert_string_equal(request.allow, "GET");
	assert_int_equal(found(WEB_GET, "/api/v1/things//name"), -405);
	assert_string_equal(request.allow, "POST, DELETE");
	assert_int_equal(found(WEB_GET, "/api/v1/things/1/2/name"), -405);
	assert_string_equal(request.allow, "POST, DELETE");
	assert_int_equal(found(WEB_OTHER, "/api/v1/things/1/name"), -405);
	assert_string_equal(request.allow, "PUT, GET, POST, DELETE");
}

static int origin(enum web_method method, const char *from, long length)
{
	start(method, "/");
	snprintf(request.caller.origin, sizeof(request.caller.origin), "%s", from);
	request.content_length = length;
	return web_check_origin(&request) ? 0 : request.status;
}

static void test_origin_and_length(void **state)
{
	static const char *const others[] = { "", "null", "https://kvm.example", "http://kvm.example:444",
					      "https://kvm.example:4444" };

	(void)state;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(origin(WEB_GET, others[i], -1), 0);
		assert_int_equal(origin(WEB_POST, others[i], 1), 403);
		assert_int_equal(origin(WEB_PUT, others[i], 1), 403);
		assert_int_equal(origin(WEB_DELETE, others[i], -1), 403);
	}
	assert_int_equal(origin(WEB_DELETE, "https://kvm.example:444", -1), 0);
	assert_int_equal(origin(WEB_POST, "https://kvm.example:444", -1), 411);
	assert_int_equal(origin(WEB_PUT, "https://kvm.example:444", -1), 411);
	assert_int_equal(origin(WEB_PUT, "https://kvm.example:444", 0), 0);
	start(WEB_POST, "/");
	request.caller.host[0] = request.caller.origin[8] = '\0';
	assert_false(web_same_origin(&request.caller));
}

static int body(enum web_method method, const char *path, const char *type, long length)
{
	assert_true(found(method, path) > 0);
	snprintf(request.content_type, sizeof(request.content_type), "%s", type);
	request.content_length = length;
	return web_check_body(&request) ? 0 : request.status;
}

static void test_bodies(void **state)
{
	static const char json[] = "application/json";

	(void)state;
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", json, WEB_BODY), 0);
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", json, WEB_BODY + 1), 413);
	assert_non_null(strstr(request.json, "larger than 16 KiB"));
	assert_int_equal(body(WEB_PUT, "/api/v1/things/1/name", json, WEB_BODY_MAX), 0);
	assert_int_equal(body(WEB_PUT, "/api/v1/things/1/name", json, WEB_BODY_MAX + 1), 413);
	assert_non_null(strstr(request.json, "larger than 64 KiB"));
	assert_int_equal(body(WEB_DELETE, "/api/v1/things/1", "", -1), 0);
	assert_int_equal(body(WEB_DELETE, "/api/v1/things/1", json, 0), 0);
	assert_int_equal(body(WEB_DELETE, "/api/v1/things/1", json, 1), 400);
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", "Application/JSON; charset=utf-8", 2), 0);
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", "application/jsonx", 2), 415);
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", "text/plain", 2), 415);
	assert_int_equal(body(WEB_POST, "/api/v1/things/1", "", 2), 415);
}

static void test_cookies(void **state)
{
	size_t len;
	const char *value;

	(void)state;
	start(WEB_GET, "/");
	strcpy(request.caller.cookie, "a=1; __Host-x=token; b=2");
	value = web_cookie(&request.caller, "__Host-x", &len);
	assert_int_equal(len, 5);
	assert_memory_equal(value, "token", 5);
	assert_null(web_cookie(&request.caller, "__Host-y", &len));
	web_set_cookie(&request, "__Host-x", "t");
	assert_string_equal(request.set_cookie, "__Host-x=t; Path=/; Secure; HttpOnly; SameSite=Strict");
	web_set_cookie(&request, "__Host-x", "");
	assert_string_equal(request.set_cookie,
			    "__Host-x=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
	web_forget(&request);
	assert_string_equal(request.set_cookie, "");
	assert_string_equal(request.caller.cookie, "");
}

static void test_bodies_are_wiped(void **state)
{
	(void)state;
	start(WEB_POST, "/");
	request.body = strdup("secret");
	request.body_len = 6;
	web_forget_body(&request);
	assert_null(request.body);
	assert_int_equal(request.body_len, 0);
	web_answer(&request, 204, NULL);
	assert_null(request.json);
	web_answer(&request, 200, json_pack("{s:i}", "n", 1));
	assert_string_equal(request.json, "{\"n\":1}");
	web_forget(&request);
	assert_null(request.json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_unknown_routes),
		cmocka_unit_test(test_origin_and_length),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_bodies_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
