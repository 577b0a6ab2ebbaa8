// SPDX-License-Identifier: GPL-2.0-or-later
/* What may happen to the store's database: other versions, threads, a process that ends, damage, a lost connection.
 * Nothing that it cannot read right is used. */
/* LINK: tests/unit/store_fixture.c userland/manager/store.c userland/manager/store_groups.c
 * userland/manager/store_directory.c userland/manager/store_schema.c userland/manager/store_sqlite.c
 * userland/manager/store_mariadb.c userland/lib/state.c userland/lib/log.c | sqlite3 libmariadb -lcrypto */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/store_fixture.h"

#define THREADS 4
#define EACH 40

static pthread_barrier_t barrier;

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

#define BOTH \
	CASE(test_first_version), CASE(test_events_are_bounded), CASE(test_threads), CASE(test_killed), \
		CASE(test_newer)

int main(void)
{
	const struct CMUnitTest of_sqlite[] = { BOTH, CASE(test_private), CASE(test_damaged) };
	const struct CMUnitTest of_mariadb[] = { BOTH, CASE(test_reconnects), CASE(test_lost_within),
						 CASE(test_spaces_and_case) };

	find_server();
	return server.socket ? cmocka_run_group_tests(of_mariadb, NULL, NULL) :
			       cmocka_run_group_tests(of_sqlite, NULL, NULL);
}
