// SPDX-License-Identifier: GPL-2.0-or-later
/* What the Manager keeps is there after a start, and nothing that it cannot read right is used. With STORE_SOCKET and
 * STORE_USER in its environment it asks that MariaDB server, which native/mariadb_store starts for it. */
/* LINK: userland/manager/store.c userland/manager/store_groups.c userland/manager/store_directory.c
 * userland/manager/store_schema.c userland/manager/store_sqlite.c userland/manager/store_mariadb.c
 * userland/lib/state.c userland/lib/log.c | sqlite3 libmariadb -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>
#include <mysql.h>
#include <sqlite3.h>

#include "manager/store.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define THREADS 4
#define EACH 40

static char dir[64], path[96], seen[4096];
static struct store *store;
static pthread_barrier_t barrier;

static struct store_server server = { .host = "", .database = "kvmnet" };

static struct store *open_store(void)
{
	return server.socket ? store_connect(&server) : store_open(dir);
}

/* What somebody else does to the database, who knows it. */
static void meddle(const char *sql)
{
	if (server.socket) {
		MYSQL *link = mysql_init(NULL);

		assert_non_null(mysql_real_connect(link, NULL, server.user, NULL, NULL, 0, server.socket, 0));
		if (mysql_query(link, sql))
			fail_msg("%s: %s", sql, mysql_error(link));
		mysql_close(link);
	} else {
		sqlite3 *db;

		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
	}
}

/* In both, where a table is: the connection above has chosen no database. */
static const char *at(void)
{
	return server.socket ? "kvmnet." : "";
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/kvmnet-store-XXXXXX");
	*state = mkdtemp(dir);
	snprintf(path, sizeof(path), "%s/manager.db", dir);
	if (server.socket)
		meddle("BEGIN NOT ATOMIC DROP DATABASE IF EXISTS kvmnet; CREATE DATABASE kvmnet; END");
	store = open_store();
	seen[0] = '\0';
	return store ? 0 : -1;
}

static int tear_down(void **state)
{
	char extra[128];

	(void)state;
	store_close(store);
	snprintf(extra, sizeof(extra), "%s-wal", path);
	unlink(extra);
	snprintf(extra, sizeof(extra), "%s-shm", path);
	unlink(extra);
	unlink(path);
	return rmdir(dir);
}

static void again(void)
{
	store_close(store);
	store = open_store();
}

__attribute__((format(printf, 1, 2))) static void see(const char *fmt, ...)
{
	size_t len = strlen(seen);
	va_list args;

	va_start(args, fmt);
	vsnprintf(seen + len, sizeof(seen) - len, fmt, args);
	va_end(args);
}

static void see_user(const struct store_user *user, void *arg)
{
	(void)arg;
	see("%s %s %s;", user->name, user->type, user->hash);
}

static void see_device(const struct store_device *device, void *arg)
{
	(void)arg;
	see("%.2s %s %s %s %s %s %s %s %s %d %d %d %d;", device->id, device->name, device->address,
	    device->model, device->firmware, device->state, device->serial, device->adopted_at,
	    device->adopted_by, (int)device->port, (int)device->starts, (int)device->ends,
	    (int)device->settings_revision);
}

static void see_event(const struct store_event *event, void *arg)
{
	(void)arg;
	see("%d %s %s %s %s;", (int)event->number, event->who, event->what, event->device, event->text);
	assert_int_equal(strlen(event->time), strlen("2026-01-01T00:00:00Z"));
	assert_int_equal(event->time[19], 'Z');
}

static void expect(const char *what)
{
	assert_string_equal(seen, what);
	seen[0] = '\0';
}

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

static void see_group(const struct store_group *group, void *arg)
{
	(void)arg;
	see("%d %s %s %s;", (int)group->id, group->name, group->users, group->sets);
}

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

static enum store_put put_group(int64_t *id, const char *name, const char *users, const char *members)
{
	const struct store_group group = { 0, name, users, members };
	enum store_put put;

	assert_int_equal(store_put_group(store, id, &group, &put), 0);
	return put;
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

static void set_version(int version)
{
	char sql[64];

	snprintf(sql, sizeof(sql),
		 server.socket ? "UPDATE kvmnet.version SET number = %d" : "PRAGMA user_version = %d",
		 version);
	meddle(sql);
}

/* One of the first version, as it was then. */
static void test_first_version(void **state)
{
	static const struct {
		const char *before, *after;
	} gone[] = {
		{ "DROP TABLE ", "group_users" },
		{ "DROP TABLE ", "group_sets" },
		{ "DROP TABLE ", "set_devices" },
		{ "DROP TABLE ", "groups" },
		{ "DROP TABLE ", "sets" },
		{ "DROP TABLE ", "directory" },
		{ "ALTER TABLE ", "users DROP COLUMN entry" },
		{ "ALTER TABLE ", "users DROP COLUMN gone" },
	};
	const struct store_user ann = { .name = "ann", .type = "administrator", .hash = "h" };
	int64_t night = 0;
	char sql[96];
	bool done;

	(void)state;
	assert_int_equal(store_add_user(store, &ann, &done), 0);
	store_close(store);
	for (unsigned i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		snprintf(sql, sizeof(sql), "%s%s%s", gone[i].before, at(), gone[i].after);
		meddle(sql);
	}
	set_version(1);
	store = open_store();
	assert_non_null(store);
	assert_int_equal(put_group(&night, "night", "[\"ann\"]", "[]"), STORE_PUT);
	assert_int_equal(store_users(store, see_user, NULL), 0);
	expect("ann administrator h;");
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

/* The latest are kept, and no more. */
static void test_events_are_bounded(void **state)
{
	char sql[160];

	(void)state;
	assert_int_equal(store_add_event(store, "ann", "adopt", NULL, "one"), 0);
	store_close(store);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO %saudit VALUES (%d, '2026-01-01T00:00:00Z', 'ann', 'login', '', 'late')", at(),
		 STORE_EVENTS_MAX);
	meddle(sql);
	store = open_store();
	assert_int_equal(store_add_event(store, "bob", "login", NULL, "next"), 0);
	assert_int_equal(store_events(store, 0, 9, see_event, NULL), 0);
	expect("100001 bob login  next;100000 ann login  late;");
}

/* Each with a user of its own: what another thread does must not show in what a call says. */
static void *add_and_remove(void *arg)
{
	const struct store_user user = { .name = arg, .type = "user", .hash = "h" };
	bool first, second;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < EACH; i++)
		if (store_add_user(store, &user, &first) || store_remove_user(store, user.name, &first) ||
		    store_remove_user(store, user.name, &second) || !first || second ||
		    store_add_event(store, user.name, "t", NULL, "t"))
			return store;
	return NULL;
}

static void count_event(const struct store_event *event, void *arg)
{
	(void)event;
	++*(unsigned *)arg;
}

static void test_threads(void **state)
{
	static char names[THREADS][2];
	pthread_t threads[THREADS];
	unsigned count = 0;
	void *failed[THREADS];

	(void)state;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		names[i][0] = (char)('a' + i);
		assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, names[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], &failed[i]);
	pthread_barrier_destroy(&barrier);
	for (unsigned i = 0; i < THREADS; i++)
		assert_null(failed[i]);
	assert_int_equal(store_events(store, 0, 1000, count_event, &count), 0);
	assert_int_equal(count, THREADS * EACH);
}

/* What was answered as done outlives a process that ends without a word. */
static void test_killed(void **state)
{
	pid_t child;
	int status;

	(void)state;
	store_close(store);
	child = fork();
	if (!child) {
		store = open_store();
		_exit(store_add_event(store, "ann", "adopt", NULL, "kept") ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store = open_store();
	assert_non_null(store);
	assert_int_equal(store_events(store, 0, 9, see_event, NULL), 0);
	expect("1 ann adopt  kept;");
}

static void test_private(void **state)
{
	char extra[128];
	struct stat st;

	(void)state;
	assert_int_equal(store_add_event(store, "a", "b", NULL, "c"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(extra, sizeof(extra), "%s-wal", path);
	assert_int_equal(stat(extra, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Standard error of opening, in seen. */
static void open_logged(void)
{
	int pipes[2], saved = dup(2);
	ssize_t len;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], 2);
	close(pipes[1]);
	store = open_store();
	dup2(saved, 2);
	close(saved);
	len = read(pipes[0], seen, sizeof(seen) - 1);
	seen[len > 0 ? len : 0] = '\0';
	close(pipes[0]);
}

static void test_newer(void **state)
{
	(void)state;
	store_close(store);
	set_version(99);
	open_logged();
	assert_null(store);
	assert_non_null(strstr(seen, "from a newer kvmnet-manager"));
	assert_non_null(strstr(seen, "install the newer one again"));
}

static void damage(long from, size_t len)
{
	FILE *file = fopen(path, "r+");
	char junk[8192];

	assert_non_null(file);
	memset(junk, 0x5a, sizeof(junk));
	assert_int_equal(fseek(file, from, SEEK_SET), 0);
	assert_int_equal(fwrite(junk, 1, len, file), len);
	fclose(file);
}

static void test_damaged(void **state)
{
	(void)state;
	/* A page inside, then its head. */
	for (int head = 0; head < 2; head++) {
		store_close(store);
		store = NULL;
		damage(head ? 0 : 4096, head ? 100 : 8192);
		open_logged();
		assert_null(store);
		assert_non_null(strstr(seen, "put it back from a backup"));
	}
}

/* ---- of MariaDB alone ---- */

/* The server ends our connection, as it does when it is started again. */
static void hang_up(void)
{
	meddle("BEGIN NOT ATOMIC FOR seen IN (SELECT id FROM information_schema.processlist WHERE db = 'kvmnet') "
	       "DO KILL seen.id; END FOR; END");
}

static void test_reconnects(void **state)
{
	const struct store_user ann = { .name = "ann", .type = "administrator", .hash = "h" };
	int64_t revision, night = 0;
	bool done;

	(void)state;
	hang_up();
	assert_int_equal(store_add_user(store, &ann, &done), 0);
	assert_true(done);
	hang_up();
	assert_int_equal(store_put_settings(store, "{}", &revision), 0);
	hang_up();
	assert_int_equal(store_users(store, see_user, NULL), 0);
	expect("ann administrator h;");
	hang_up();
	assert_int_equal(put_group(&night, "night", "[\"ann\"]", "[]"), STORE_PUT);
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("1 night [\"ann\"] [];");
}

/* Once its INSERT is at work. */
static void *hang_up_asleep(void *arg)
{
	(void)arg;
	meddle("BEGIN NOT ATOMIC DECLARE asleep INT DEFAULT 0; WHILE asleep = 0 DO SELECT count(*) INTO asleep FROM "
	       "information_schema.processlist WHERE state = 'User sleep'; END WHILE; END");
	hang_up();
	return NULL;
}

/* What was begun on a connection that is lost is not gone on with on another, and nothing of it is kept. */
static void test_lost_within(void **state)
{
	int64_t id = 0;
	pthread_t thread;

	(void)state;
	meddle("CREATE TRIGGER kvmnet.slow BEFORE INSERT ON kvmnet.groups FOR EACH ROW SET @slept = sleep(30)");
	assert_int_equal(pthread_create(&thread, NULL, hang_up_asleep, NULL), 0);
	assert_int_equal(store_put_group(store, &id, &(struct store_group){ 0, "night", "[]", "[]" },
					 &(enum store_put){ 0 }),
			 -1);
	pthread_join(thread, NULL);
	assert_int_equal(id, 0);
	meddle("DROP TRIGGER kvmnet.slow");
	assert_int_equal(store_groups(store, see_group, NULL), 0);
	expect("");
	assert_int_equal(put_group(&id, "night", "[]", "[]"), STORE_PUT);
}

/* As in SQLite: names that differ by that are two. */
static void test_spaces_and_case(void **state)
{
	static const char *const names[] = { "ann", "Ann", "ann ", "\xc3\xa4nn" };
	bool done;

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct store_user user = { .name = names[i], .type = "user", .hash = "h" };

		assert_int_equal(store_add_user(store, &user, &done), 0);
		assert_true(done);
	}
	assert_int_equal(store_users(store, see_user, NULL), 0);
	expect("Ann user h;ann user h;ann  user h;\xc3\xa4nn user h;");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define BOTH \
	CASE(test_users), CASE(test_groups_and_sets), CASE(test_keeper), CASE(test_import), \
		CASE(test_put_device_keeps_its_sets), CASE(test_first_version), CASE(test_devices), \
		CASE(test_settings), CASE(test_audit), CASE(test_events_are_bounded), CASE(test_threads), \
		CASE(test_killed), CASE(test_newer)

int main(void)
{
	const struct CMUnitTest of_sqlite[] = { BOTH, CASE(test_private), CASE(test_damaged) };
	const struct CMUnitTest of_mariadb[] = { BOTH, CASE(test_reconnects), CASE(test_lost_within),
						 CASE(test_spaces_and_case) };

	server.socket = getenv("STORE_SOCKET");
	server.user = getenv("STORE_USER");
	return server.socket ? cmocka_run_group_tests(of_mariadb, NULL, NULL) :
			       cmocka_run_group_tests(of_sqlite, NULL, NULL);
}
