// SPDX-License-Identifier: GPL-2.0-or-later
/* What a person types, for the command line: addresses, keys, and which Device or Target is meant. */
/* LINK: userland/client/address.c userland/client/keys.c userland/client/pick.c | jansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/address.h"
#include "client/keys.h"
#include "client/pick.h"

static void addresses(void **state)
{
	static const struct {
		const char *text, *host, *origin, *base, *name;
		unsigned port;
	} right[] = {
		{ "Host.example", "host.example", "https://host.example", "https://host.example",
		  "[host.example]:443", 443 },
		{ "192.0.2.1:8443", "192.0.2.1", "https://192.0.2.1:8443", "https://192.0.2.1:8443",
		  "[192.0.2.1]:8443", 8443 },
		{ "::1", "::1", "https://[::1]", "https://[::1]", "[::1]:443", 443 },
		{ "[2001:DB8::1]:65535", "2001:db8::1", "https://[2001:db8::1]:65535",
		  "https://[2001:db8::1]:65535", "[2001:db8::1]:65535", 65535 },
		{ "[fe80::1%eth0]:444", "fe80::1%eth0", "https://[fe80::1]:444",
		  "https://[fe80::1%25eth0]:444", "[fe80::1%eth0]:444", 444 },
	};
	struct address address;

	(void)state;
	for (unsigned i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(address_parse(right[i].text, &address));
		assert_string_equal(address.host, right[i].host);
		assert_string_equal(address.origin, right[i].origin);
		assert_string_equal(address.base, right[i].base);
		assert_string_equal(address.name, right[i].name);
		assert_int_equal(address.port, right[i].port);
	}
}

static void no_addresses(void **state)
{
	static const char *const wrong[] = { "",       "[",    "[]",	  "[::1", "[::1]443",
					     "[::1]:", "a:",   ":443",	  "a:0",  "a:65536",
					     "a:4 ",   "a b",  "a/b",	  "a@b",  "http://a",
					     "a%eth0", "::1%", "::1%a b", "a#",	  "a?b" };
	struct address address;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(address_parse(wrong[i], &address));
}

static void keys(void **state)
{
	uint32_t keysyms[KEYS_MAX];

	(void)state;
	assert_int_equal(keys_parse("Ctrl-alt-DEL", keysyms), 3);
	assert_int_equal(keysyms[0], 0xffe3);
	assert_int_equal(keysyms[1], 0xffe9);
	assert_int_equal(keysyms[2], 0xffff);
	assert_int_equal(keys_parse("F24", keysyms), 1);
	assert_int_equal(keysyms[0], 0xffd5);
	assert_int_equal(keys_parse("Ctrl--", keysyms), 2);
	assert_int_equal(keysyms[1], '-');
	assert_int_equal(keys_parse("-", keysyms), 1);
	assert_int_equal(keys_parse("a", keysyms), 1);
	assert_int_equal(keysyms[0], 'a');
	assert_int_equal(keys_parse("a-b-c-d-e", keysyms), 5);
	for (const char *const *at = (const char *const[]){ "", "F0", "F25", "F01", "Fx", "F", "Ctrl-", "-a-",
							    "Any", "a-b-c-d-e-f", "\xc3\xbc", NULL };
	     *at; at++)
		assert_int_equal(keys_parse(*at, keysyms), strcmp(*at, "F") ? 0 : 1);
	assert_int_equal(keys_of('\n'), 0xff0d);
	assert_int_equal(keys_of('\t'), 0xff09);
	assert_int_equal(keys_of('~'), '~');
	assert_int_equal(keys_of('\x1b'), 0);
	assert_int_equal(keys_of('\x7f'), 0);
}

static json_t *list(void)
{
	static const char *const names[] = { "left", "right", "twin", "twin", "" };
	json_t *items = json_pack("[{s:s, s:s}, {}, i, {s:i}]", "id", "left", "name", "left", 1, "id", 1);
	char id[PICK_ID_DIGITS + 1];

	for (unsigned i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "abcdef%02x%056x", i / 2, i);
		/* The last one calls itself by another's id. */
		json_array_append_new(items, json_pack("{s:s, s:s}", "id", id, "name",
						       i == 4 ? "abcdef0000000000" : names[i]));
	}
	return items;
}

static void picks(void **state)
{
	static const struct {
		const char *text, *end;
		bool several;
	} cases[] = {
		{ "left", "0", false },	    { "right", "1", false },
		{ "twin", NULL, true },	    { "nobody", NULL, false },
		{ "abcdef", NULL, false },  { "abcdef02", "4", false },
		{ "abcdef00", NULL, true }, { "abcdef0000000000", NULL, true },
		{ "", NULL, false },
	};
	json_t *items = list();
	bool several;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const json_t *found = pick(items, cases[i].text, &several);

		assert_int_equal(several, cases[i].several);
		assert_int_equal(found != NULL, cases[i].end != NULL);
		if (found)
			assert_string_equal(pick_id(found) + PICK_ID_DIGITS - 1, cases[i].end);
	}
	json_decref(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(keys),
		cmocka_unit_test(picks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
