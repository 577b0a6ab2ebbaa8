// SPDX-License-Identifier: GPL-2.0-or-later
/* What the Manager keeps is there after a start. What else may happen to a database is test_store_database.c's. */
/* LINK: tests/unit/store_fixture.c userland/manager/store.c userland/manager/store_groups.c
 * userland/manager/store_directory.c userland/manager/store_schema.c userland/manager/store_sqlite.c
 * userland/manager/store_mariadb.c userland/lib/state.c userland/lib/log.c | sqlite3 libmariadb -lcrypto */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/store_fixture.h"

static void test_users(void **state)
{
	const struct store_user ann = { .name = "ann", .type = "administrator", .hash = "h1" },
				bob = { .name = "bob'; --", .type = "viewonly", .hash = "h2" };
	const struct store_user odd = { .name = "odd", .type = "king", .hash = "h" };
	bool done;

	(void)state;
	assert_int_equal(store_add_first_user(store, &ann, &done), 0);
	assert_true(done);
	assert_int_equal(store_add_first_user(store, &bob, &done), 0);
	assert_false(done);
	assert_int_equal(store_add_user(store, &bob, &done), 0);
	assert_true(done);
	assert_int_equal(store_add_user(store, &bob, &done), 0);
	assert_false(done);
	assert_int_equal(store_add_user(store, &odd, &done), -1);
	assert_int_equal(store_set_user_hash(store, "ann", "h3", &done), 0);
	assert_true(done);
	assert_int_equal(store_set_user_hash(store, "nobody", "h3", &done), 0);
	assert_false(done);
	again();
	assert_int_equal(store_users(store, see_user, NULL), 0);
	expect("ann administrator h3;bob'; -- viewonly h2;");
	assert_int_equal(store_user(store, "bob'; --", see_user, NULL), 0);
	expect("bob'; -- viewonly h2;");
	assert_int_equal(store_user(store, "nobody", see_user, NULL), 0);
	expect("");
	/* The last administrator stays, as one. */
	assert_int_equal(store_remove_user(store, "ann", &done), 0);
	assert_false(done);
	assert_int_equal(store_set_user_type(store, "ann", "user", &done), 0);
	assert_false(done);
	assert_int_equal(store_set_user_type(store, "ann", "administrator", &done), 0);
	assert_true(done);
	assert_int_equal(store_set_user_type(store, "bob'; --", "administrator", &done), 0);
	assert_true(done);
	assert_int_equal(store_set_user_type(store, "bob'; --", "king", &done), -1);
	assert_int_equal(store_set_user_type(store, "ann", "viewonly", &done), 0);
	assert_true(done);
	assert_int_equal(store_set_user_type(store, "nobody", "user", &done), 0);
	assert_false(done);
	assert_int_equal(store_remove_user(store, "bob'; --", &done), 0);
	assert_false(done);
	assert_int_equal(store_remove_user(store, "ann", &done), 0);
	assert_true(done);
	assert_int_equal(store_remove_user(store, "ann", &done), 0);
	assert_false(done);
}

/* ---- groups and sets ---- */

static void see_set(const struct store_set *set, void *arg)
{
	(void)arg;
	see("%d %s %s;", (int)set->id, set->name, set->devices);
}

static void see_permitted(const char *device, void *arg)
{
	(void)arg;
	see("%.2s;", device);
}

static void add_people_and_devices(void)
{
	static const char *const names[] = { "ann", "bob", "eve" };
	struct store_device device = {
		.name = "",
		.address = "",
		.model = "",
		.firmware = "",
		.state = "",
		.serial = "",
		.adopted_at = "",
		.adopted_by = "",
		.port = 443,
	};
	bool done;

	for (int i = 0; i < 3; i++) {
		const struct store_user user = { .name = names[i], .type = "user", .hash = "h" };

		assert_int_equal(store_add_user(store, &user, &done), 0);
	}
	device.id = ID_A;
	assert_int_equal(store_put_device(store, &device), 0);
	device.id = ID_B;
	assert_int_equal(store_put_device(store, &device), 0);
}

static enum store_put put_set(int64_t *id, const char *name, const char *devices)
{
	const struct store_set set = { 0, name, devices };
	enum store_put put;

	assert_int_equal(store_put_set(store, id, &set, &put), 0);
	return put;
}

static void test_groups_and_sets(void **state)
{
	int64_t racks = 0, labs = 0, night = 0, day = 0, wrong = 99;
	const struct store_group broken = { 0, "broken", "[", "[]" };
	enum store_put put;
	bool done;

	(void)state;
	add_people_and_devices();
	assert_int_equal(put_set(&racks, "racks", "[\"" ID_A "\", \"" ID_B "\"]"), STORE_PUT);
	assert_int_equal(put_set(&labs, "labs", "[\"" ID_B "\", \"" ID_B "\"]"), STORE_PUT);
	assert_int_equal(put_group(&night, "night", "[\"ann\", \"bob\"]", "[1]"), STORE_PUT);
	assert_int_equal(put_group(&day, "day", "[\"bob\", \"eve\"]", "[2]"), STORE_PUT);
	/* Nothing of what is refused is kept. */
	assert_int_equal(put_set(&wrong, "x", "[]"), STORE_MISSING);
	wrong = 0;
	assert_int_equal(put_set(&wrong, "racks", "[]"), STORE_TAKEN);
	assert_int_equal(put_set(&wrong, "x", "[\"nothing\"]"), STORE_UNKNOWN);
	assert_int_equal(put_group(&night, "night", "[\"nobody\"]", "[1]"), STORE_UNKNOWN);
	assert_int_equal(put_group(&night, "night", "[]", "[3]"), STORE_UNKNOWN);
	assert_int_equal(put_group(&night, "day", "[]", "[]"), STORE_TAKEN);
	assert_int_equal(store_put_group(store, &wrong, &broken, &put), -1);
	assert_int_equal(wrong, 0);
	again();
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("2 day [\"bob\",\"eve\"] [2];1 night [\"ann\",\"bob\"] [1];");
	assert_int_equal(store_sets(store, see_set, NULL), 0);
	expect("2 labs [\"" ID_B "\"];1 racks [\"" ID_A "\",\"" ID_B "\"];");
	/* Who may open what: once each, also by two ways. */
	assert_int_equal(store_permitted(store, "ann", see_permitted, NULL), 0);
	expect("aa;bb;");
	assert_int_equal(store_permitted(store, "eve", see_permitted, NULL), 0);
	expect("bb;");
	assert_int_equal(store_permitted(store, "bob", see_permitted, NULL), 0);
	expect("aa;bb;");
	assert_int_equal(store_permitted(store, "nobody", see_permitted, NULL), 0);
	expect("");
	/* What goes is in none any more. */
	assert_int_equal(store_remove_user(store, "bob", &done), 0);
	assert_int_equal(store_remove_device(store, ID_B, &done), 0);
	assert_int_equal(store_remove_set(store, labs, &done), 0);
	assert_true(done);
	assert_int_equal(store_remove_set(store, labs, &done), 0);
	assert_false(done);
	assert_int_equal(put_group(&night, "nights", "[\"ann\"]", "[1]"), STORE_PUT);
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("2 day [\"eve\"] [];1 nights [\"ann\"] [1];");
	assert_int_equal(store_sets(store, see_set, NULL), 0);
	expect("1 racks [\"" ID_A "\"];");
	assert_int_equal(store_remove_group(store, night, &done), 0);
	assert_true(done);
	assert_int_equal(store_permitted(store, "ann", see_permitted, NULL), 0);
	expect("");
	/* An id that was somebody's is nobody's again. */
	labs = 0;
	assert_int_equal(put_set(&labs, "labs", "[]"), STORE_PUT);
	assert_int_equal(labs, 3);
}

/* ---- the directory ---- */

static void see_entry(const struct store_user *user, void *arg)
{
	(void)arg;
	see("%s %s %s%s;", user->name, user->type, *user->entry ? user->entry : "-",
	    user->gone ? " gone" : "");
}

static void expect_directory(const char *wanted_settings, const char *wanted_keeper)
{
	char *settings, *keeper;

	assert_int_equal(store_directory(store, &settings, &keeper), 0);
	assert_string_equal(settings, wanted_settings);
	assert_string_equal(keeper, wanted_keeper);
	free(settings);
	free(keeper);
}

static void test_keeper(void **state)
{
	const struct store_user ann = { .name = "ann", .type = "administrator", .hash = "h" },
				bob = { .name = "bob", .type = "administrator", .hash = "" },
				own = { .name = "own", .type = "administrator", .hash = "h" };
	bool done;

	(void)state;
	assert_int_equal(store_add_user(store, &ann, &done), 0);
	assert_int_equal(store_add_user(store, &bob, &done), 0);
	expect_directory("", "");
	assert_int_equal(store_set_keeper(store, "ann", &done), 0);
	assert_false(done);
	assert_int_equal(store_put_directory(store, "{}"), 0);
	assert_int_equal(store_set_keeper(store, "bob", &done), 0);
	assert_false(done);
	assert_int_equal(store_set_keeper(store, "ann", &done), 0);
	assert_true(done);
	assert_int_equal(store_put_directory(store, "{\"a\": 1}"), 0);
	again();
	expect_directory("{\"a\": 1}", "ann");
	/* The other one with a password makes her not the last: but she is the keeper. */
	assert_int_equal(store_add_user(store, &own, &done), 0);
	assert_int_equal(store_set_keeper(store, "own", &done), 0);
	assert_false(done);
	assert_int_equal(store_remove_user(store, "ann", &done), 0);
	assert_false(done);
	assert_int_equal(store_set_user_type(store, "ann", "user", &done), 0);
	assert_false(done);
	assert_int_equal(store_set_keeper(store, "", &done), 0);
	assert_true(done);
	assert_int_equal(store_set_keeper(store, "", &done), 0);
	assert_false(done);
	assert_int_equal(store_remove_user(store, "ann", &done), 0);
	assert_true(done);
	/* Whom the directory alone could let in is no other administrator. */
	assert_int_equal(store_remove_user(store, "own", &done), 0);
	assert_false(done);
	assert_int_equal(store_remove_user(store, "bob", &done), 0);
	assert_true(done);
}

static void test_import(void **state)
{
	const struct store_user ann = { .name = "ann", .type = "administrator", .hash = "h" };
	const struct store_change first[] = {
		{ .what = STORE_CHANGE_ADD, .name = "bob", .type = "user", .entry = "cn=bob" },
		{ .what = STORE_CHANGE_ADD, .name = "eve", .type = "viewonly", .entry = "cn=eve" },
		{ .what = STORE_CHANGE_JOIN, .name = "bob", .group = 1 },
	};
	const struct store_change second[] = {
		{ .what = STORE_CHANGE_LEAVE, .name = "bob", .group = 1 },
		{ .what = STORE_CHANGE_ENTRY, .name = "bob", .entry = "cn=robert" },
		{ .what = STORE_CHANGE_GONE, .name = "eve" },
		/* Who was not imported stays what he is. */
		{ .what = STORE_CHANGE_GONE, .name = "ann" },
		{ .what = STORE_CHANGE_ENTRY, .name = "ann", .entry = "cn=ann" },
	};
	const struct store_change broken[] = {
		{ .what = STORE_CHANGE_GONE, .name = "bob" },
		{ .what = STORE_CHANGE_JOIN, .name = "bob", .group = 99 },
	};
	const struct store_change last[] = {
		{ .what = STORE_CHANGE_REMOVE, .name = "bob" },
		{ .what = STORE_CHANGE_REMOVE, .name = "eve" },
		{ .what = STORE_CHANGE_REMOVE, .name = "ann" },
	};
	int64_t night = 0;
	bool done;

	(void)state;
	assert_int_equal(store_add_user(store, &ann, &done), 0);
	assert_int_equal(put_group(&night, "night", "[]", "[]"), STORE_PUT);
	assert_int_equal(store_import(store, first, 3), 0);
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("1 night [\"bob\"] [];");
	assert_int_equal(store_import(store, second, 5), 0);
	/* All or nothing, and what comes after is kept. */
	assert_int_equal(store_import(store, broken, 2), -1);
	assert_int_equal(store_import(store, first, 1), -1);
	assert_int_equal(store_import(store, NULL, 0), 0);
	again();
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("1 night [] [];");
	assert_int_equal(store_users(store, see_entry, NULL), 0);
	expect("ann administrator -;bob user cn=robert;eve viewonly cn=eve gone;");
	assert_int_equal(store_import(store, last, 3), 0);
	assert_int_equal(store_users(store, see_entry, NULL), 0);
	expect("ann administrator -;bob user cn=robert;");
}

/* A Device that is adopted again stays where it was. */
static void test_put_device_keeps_its_sets(void **state)
{
	struct store_device device = {
		.id = ID_A,
		.name = "again",
		.address = "",
		.model = "",
		.firmware = "",
		.state = "",
		.serial = "",
		.adopted_at = "",
		.adopted_by = "",
		.port = 443,
	};
	int64_t racks = 0;

	(void)state;
	add_people_and_devices();
	assert_int_equal(put_set(&racks, "racks", "[\"" ID_A "\"]"), STORE_PUT);
	assert_int_equal(store_put_device(store, &device), 0);
	assert_int_equal(store_sets(store, see_set, NULL), 0);
	expect("1 racks [\"" ID_A "\"];");
}

static void test_devices(void **state)
{
	struct store_device a = {
		.id = ID_A,
		.name = "x",
		.address = "h",
		.model = "m",
		.firmware = "1",
		.state = "adopted",
		.serial = "0a",
		.adopted_at = "t",
		.adopted_by = "ann",
		.port = 443,
		.starts = 5,
		.ends = 6,
	};
	struct store_device b = a;
	bool done;

	(void)state;
	b.id = ID_B;
	b.name = "w";
	b.model = NULL;
	assert_int_equal(store_put_device(store, &a), 0);
	assert_int_equal(store_put_device(store, &b), 0);
	a.address = "other";
	assert_int_equal(store_put_device(store, &a), 0);
	assert_int_equal(store_set_device_revision(store, ID_A, 7, &done), 0);
	assert_true(done);
	assert_int_equal(store_set_device_certificate(store, ID_A, "0b", 7, 8, &done), 0);
	assert_true(done);
	assert_int_equal(store_set_device_certificate(store, "nothing", "0b", 7, 8, &done), 0);
	assert_false(done);
	again();
	assert_int_equal(store_devices(store, see_device, NULL), 0);
	expect("bb w h  1 adopted 0a t ann 443 5 6 0;aa x other m 1 adopted 0b t ann 443 7 8 7;");
	assert_int_equal(store_remove_device(store, ID_A, &done), 0);
	assert_true(done);
	assert_int_equal(store_device(store, ID_A, see_device, NULL), 0);
	expect("");
	assert_int_equal(store_device(store, ID_B, see_device, NULL), 0);
	expect("bb w h  1 adopted 0a t ann 443 5 6 0;");
	assert_int_equal(store_set_device_revision(store, ID_A, 8, &done), 0);
	assert_false(done);
	a.port = 70000;
	assert_int_equal(store_put_device(store, &a), -1);
	a.port = 443;
	a.id = "short";
	assert_int_equal(store_put_device(store, &a), -1);
}

static void test_settings(void **state)
{
	char *wanted;
	int64_t revision;

	(void)state;
	assert_int_equal(store_settings(store, &wanted, &revision), 0);
	assert_string_equal(wanted, "{}");
	assert_int_equal(revision, 0);
	free(wanted);
	assert_int_equal(store_put_settings(store, "{\"a\":1}", &revision), 0);
	assert_int_equal(revision, 1);
	assert_int_equal(store_put_settings(store, "{\"a\":2}", &revision), 0);
	assert_int_equal(revision, 2);
	again();
	assert_int_equal(store_settings(store, &wanted, &revision), 0);
	assert_string_equal(wanted, "{\"a\":2}");
	assert_int_equal(revision, 2);
	free(wanted);
}

static void test_audit(void **state)
{
	(void)state;
	assert_int_equal(store_add_event(store, "ann", "adopt", ID_A, "one"), 0);
	assert_int_equal(store_add_event(store, "ann", "login", NULL, "two"), 0);
	assert_int_equal(store_add_event(store, "bob", "login", NULL, "three"), 0);
	again();
	assert_int_equal(store_events(store, 0, 2, see_event, NULL), 0);
	expect("3 bob login  three;2 ann login  two;");
	assert_int_equal(store_events(store, 2, 2, see_event, NULL), 0);
	expect("1 ann adopt " ID_A " one;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_users),
		CASE(test_groups_and_sets),
		CASE(test_keeper),
		CASE(test_import),
		CASE(test_put_device_keeps_its_sets),
		CASE(test_devices),
		CASE(test_settings),
		CASE(test_audit),
	};

	find_server();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
