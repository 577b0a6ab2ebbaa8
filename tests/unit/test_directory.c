// SPDX-License-Identifier: GPL-2.0-or-later
/* The directory's settings, and what an import makes of an answer. */
/* LINK: userland/manager/directory_settings.c userland/manager/directory_plan.c userland/manager/text.c
 *	 userland/lib/body.c | ldap jansson -lcrypto */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "manager/directory_plan.h"

/* Made for this test by openssl req -x509 -newkey ed25519 -nodes -days 36500 -subj /CN=x; nobody has its key. */
#define CA \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBLjCB4aADAgECAhQNXEZUCcRreui6BareSeqI+o0NXTAFBgMrZXAwDDEKMAgG\n" \
	"A1UEAwwBeDAgFw0yNjEyMDEwMDI3MDhaGA8yMTI2MTEwNzAwMjcwOFowDDEKMAgG\n" \
	"A1UEAwwBeDAqMAUGAytlcAMhACrjxyenhLMkb3yJJfjsYWcSygEE34pTeuTwOTCF\n" \
	"zjApo1MwUTAdBgNVHQ4EFgQUh8tUpHvfae2e071RYlOLFDMOZT8wHwYDVR0jBBgw\n" \
	"FoAUh8tUpHvfae2e071RYlOLFDMOZT8wDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXAD\n" \
	"QQCPaKz/63XgMOEWqIHGjSn97CBBha7hEsj4ibOrq7RWX9pt6exZe0dBpfz08XLJ\n" \
	"FAT8VCnX9wXkq/u1OmtB+BIF\n" \
	"-----END CERTIFICATE-----\n"

/* Nothing is asked for a password, for which a daemon's only worker would wait. */
#define ENCRYPTED \
	"-----BEGIN CERTIFICATE-----\n" \
	"Proc-Type: 4,ENCRYPTED\n" \
	"DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n" \
	"\n" \
	"MIIBLjCB4aADAgECAhQNXEZUCcRreui6BareSeqI+o0NXTAFBgMrZXAwDDEKMAgG\n" \
	"-----END CERTIFICATE-----\n"

static json_t *sound(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:i}]}", "url",
			 "ldap://ldap.example.org:1389", "ca", CA, "bind_dn", "cn=reader,dc=x",
			 "bind_password", "secret", "base", "ou=people,dc=x", "filter", "(&(a=b)(c=\\28d))",
			 "group", "", "name_attribute", "uid", "type", "user", "groups", "directory",
			 "cn=g,dc=x", "group", 7);
}

/* Whether they are taken with this member instead; takes value. */
static bool good(const char *name, json_t *value)
{
	json_t *json = sound();
	struct directory_settings *settings;
	const char *wrong;

	json_object_set_new(json, name, value);
	settings = directory_settings_new(json, &wrong);
	assert_true(!settings == !!wrong);
	directory_settings_free(settings);
	json_decref(json);
	return !wrong;
}

static bool text(const char *name, const char *value)
{
	return good(name, json_string(value));
}

static void test_sound_settings(void **state)
{
	json_t *json = sound();
	struct directory_settings *settings;
	const char *wrong;

	(void)state;
	settings = directory_settings_new(json, &wrong);
	assert_null(wrong);
	assert_string_equal(settings->host, "ldap.example.org");
	assert_false(settings->ldaps);
	assert_int_equal(settings->type, ACCOUNT_USER);
	assert_int_equal(settings->group_count, 1);
	assert_int_equal(settings->groups[0].group, 7);
	directory_settings_free(settings);
	json_object_set_new(json, "url", json_string("ldaps://[2001:db8::1]:636"));
	settings = directory_settings_new(json, &wrong);
	assert_string_equal(settings->host, "2001:db8::1");
	assert_true(settings->ldaps);
	directory_settings_free(settings);
	for (const char *name; (name = json_object_iter_key(json_object_iter(json)));) {
		json_object_del(json, name);
		assert_null(directory_settings_new(json, &wrong));
		assert_non_null(wrong);
	}
	json_decref(json);
	assert_null(directory_settings_new(NULL, &wrong));
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = {
		"",
		"x",
		"ldap:",
		"ldap://",
		"http://x",
		"LDAP://x",
		"ldapi:///x",
		"ldap://x/",
		"ldap://x/dc=x",
		"ldap://x?a",
		"ldap://x ldap://y",
		"ldap://x:",
		"ldap://x:0",
		"ldap://x:07",
		"ldap://x:65536",
		"ldap://x:-1",
		"ldap://u@x",
		"ldap://[::1",
		"ldap://::1",
		"ldap://[]",
		"ldap://[::1]x",
		"ldap://[x]",
		"ldap://x%2f",
		"ldaps://x:1:2",
		"ldap://localhost",
		"ldaps://LocalHost:636",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(text("url", wrong[i]));
	assert_true(text("url", "ldap://x") && text("url", "ldaps://10.0.0.1:65535") &&
		    text("url", "ldap://[::1]"));
}

static void test_filters_are_one(void **state)
{
	static const char *const wrong[] = { "",	   "a=b",	    "(a=b",    "(a=b))",
					     "(a=b)(c=d)", "(a=b))(|(c=d)", ")(a=b)(", " (a=b)",
					     "(a=b) ",	   "((a=b)" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(text("filter", wrong[i]));
	assert_true(text("filter", "(|(a=b)(c=d))"));
}

static void test_other_members(void **state)
{
	char longest[1100];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	assert_true(text("bind_password", longest));
	assert_false(text("bind_password", "") || text("bind_password", strcat(longest, "x")));
	assert_false(good("bind_password", json_stringn("a\0b", 3)));
	assert_false(text("bind_dn", "") || text("bind_dn", "x") || text("base", "") || text("base", "dc"));
	assert_true(text("group", "") && text("group", "cn=x"));
	assert_false(text("group", "x"));
	assert_true(text("name_attribute", "sAMAccountName"));
	assert_false(text("name_attribute", "") || text("name_attribute", "1a") ||
		     text("name_attribute", "a=b") || text("name_attribute", "a)") ||
		     text("name_attribute", "a;b"));
	assert_true(text("type", "viewonly"));
	assert_false(text("type", "administrator") || text("type", "") || good("type", json_true()));
	assert_true(text("ca", CA CA));
	assert_false(text("ca", "") || text("ca", "x") ||
		     text("ca", CA "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
	assert_true(good("groups", json_array()));
	assert_false(
		good("groups", json_object()) || good("groups", json_pack("[s]", "x")) ||
		good("groups", json_pack("[{s:s, s:i}]", "directory", "cn=x", "group", 0)) ||
		good("groups", json_pack("[{s:s, s:i, s:i}]", "directory", "cn=x", "group", 1, "x", 1)) ||
		good("groups", json_pack("[{s:s, s:i}]", "directory", "", "group", 1)));
	assert_false(good("more", json_true()));
}

static void test_nobody_is_asked_for_a_password(void **state)
{
	int ends[2];
	char first;

	(void)state;
	/* Without a terminal libcrypto asks its input. */
	assert_true(setsid() >= 0 || errno == EPERM);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "pass\n", 5), 5);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[1]);
	assert_false(text("ca", ENCRYPTED));
	assert_int_equal(read(ends[0], &first, 1), 1);
	close(ends[0]);
}

static void test_password_is_for_one_directory(void **state)
{
	static const char *const names[] = { "url", "ca", "bind_dn" };
	json_t *old = sound(), *fresh = sound();

	(void)state;
	json_object_set_new(fresh, "filter", json_string("(x=y)"));
	assert_true(directory_settings_may_keep(old, fresh));
	for (int i = 0; i < 3; i++) {
		json_t *other = json_copy(fresh);

		json_object_set_new(other, names[i], json_string("x"));
		assert_false(directory_settings_may_keep(old, other));
		json_object_del(other, names[i]);
		assert_false(directory_settings_may_keep(old, other));
		json_decref(other);
	}
	assert_false(directory_settings_may_keep(NULL, NULL));
	json_decref(old);
	json_decref(fresh);
}

/* ---- the plan ---- */

static struct directory_settings settings = {
	.type = ACCOUNT_VIEWONLY,
	.group_count = 2,
	.groups = { { "cn=a", 1 }, { "cn=b", 1 } },
};
static char dns[][16] = { "cn=ann", "cn=bob", "cn=new", "cn=own", "cn=two", "cn=TWO", "cn=odd" };
static struct directory_entry entries[] = {
	{ .name = "ann", .dn = dns[0], .groups = 2 },
	{ .name = "bob", .dn = dns[1] },
	{ .name = "new", .dn = dns[2], .groups = 1 },
	{ .name = "own", .dn = dns[3], .groups = 1 },
	{ .name = "two", .dn = dns[4], .twice = true },
	{ .name = "TWO", .dn = dns[5], .twice = true },
	{ .name = "", .dn = dns[6] },
};

/* "WHAT NAME;" of each change, and the lists of the report; wiped by the caller. */
static char *plan(const struct directory_answer *answer, const char *groups_text)
{
	static const char letters[] = "+=-<>x";
	json_t *users = json_pack("{s:[s,b], s:[s,b], s:[s,b], s:[s,b], s:[s,b], s:[s,b]}", "ann", "cn=ann",
				  0, "bob", "cn=robert", 1, "own", "", 0, "two", "cn=two", 0, "left",
				  "cn=left", 0, "before", "cn=before", 1);
	json_t *groups = json_loads(groups_text, 0, NULL);
	struct directory_plan made;
	char *seen = calloc(1, 1024);
	const char *wrong = directory_plan_make(&made, &settings, answer, users, groups);

	for (size_t i = 0; !wrong && i < made.count; i++) {
		const char what[] = { letters[made.changes[i].what], '\0' };

		strcat(strcat(strcat(seen, what), made.changes[i].name), " ");
	}
	if (wrong)
		strcpy(seen, wrong);
	directory_plan_clear(&made);
	json_decref(users);
	json_decref(groups);
	return seen;
}

static void expect(const struct directory_answer *answer, const char *groups, const char *wanted)
{
	char *seen = plan(answer, groups);

	assert_string_equal(seen, wanted);
	free(seen);
}

static void test_plan(void **state)
{
	struct directory_answer answer = { .entries = entries, .count = 7 };
	const char *groups = "{\"1\": {\"bob\": true, \"own\": true, \"left\": true}}";

	(void)state;
	/* ann joins by the second group, bob is back under another name and leaves, own is the Manager's own. */
	expect(&answer, groups, "<ann =bob >bob +new <new -left ");
	answer.partial = true;
	expect(&answer, groups, "<ann =bob +new <new ");
	answer.partial = false;
	answer.count = 0;
	expect(&answer, groups, "");
	answer.count = 7;
	expect(&answer, "{\"2\": {}}",
	       "A User Group that the directory's settings name does not exist any more: correct groups.");
}

/* Whose entry is there under a name that cannot be taken is not gone; what is no text is nobody's entry. */
static void test_odd_entries(void **state)
{
	static char dn_left[] = "cn=left", dn_bad[] = "cn=\xff", dn_long[5000];
	struct directory_entry odd[] = {
		{ .name = "", .dn = dn_left },
		{ .name = "bad", .dn = dn_bad },
		{ .name = "long", .dn = memset(dn_long, 'x', sizeof(dn_long) - 1) },
	};
	struct directory_answer answer = { .entries = odd, .count = 3 };

	(void)state;
	expect(&answer, "{\"1\": {}}", "-ann -two ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_settings),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_filters_are_one),
		cmocka_unit_test(test_other_members),
		cmocka_unit_test(test_nobody_is_asked_for_a_password),
		cmocka_unit_test(test_password_is_for_one_directory),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_odd_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
