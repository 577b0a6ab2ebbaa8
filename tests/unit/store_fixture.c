// SPDX-License-Identifier: GPL-2.0-or-later
/* A new store for each test, in whichever database, and what comes out of it as text. */
#include "tests/unit/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mysql.h>
#include <sqlite3.h>

char path[96], seen[4096];
struct store *store;
struct store_server server = { .host = "", .database = "kvmnet" };

static char dir[64];

void find_server(void)
{
	server.socket = getenv("STORE_SOCKET");
	server.user = getenv("STORE_USER");
}

struct store *open_store(void)
{
	return server.socket ? store_connect(&server) : store_open(dir);
}

/* What somebody else does to the database, who knows it. */
void meddle(const char *sql)
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
const char *at(void)
{
	return server.socket ? "kvmnet." : "";
}

int set_up(void **state)
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

int tear_down(void **state)
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

void again(void)
{
	store_close(store);
	store = open_store();
}

void see(const char *fmt, ...)
{
	size_t len = strlen(seen);
	va_list args;

	va_start(args, fmt);
	vsnprintf(seen + len, sizeof(seen) - len, fmt, args);
	va_end(args);
}

void see_user(const struct store_user *user, void *arg)
{
	(void)arg;
	see("%s %s %s;", user->name, user->type, user->hash);
}

void see_device(const struct store_device *device, void *arg)
{
	(void)arg;
	see("%.2s %s %s %s %s %s %s %s %s %d %d %d %d;", device->id, device->name, device->address,
	    device->model, device->firmware, device->state, device->serial, device->adopted_at,
	    device->adopted_by, (int)device->port, (int)device->starts, (int)device->ends,
	    (int)device->settings_revision);
}

void see_event(const struct store_event *event, void *arg)
{
	(void)arg;
	see("%d %s %s %s %s;", (int)event->number, event->who, event->what, event->device, event->text);
	assert_int_equal(strlen(event->time), strlen("2026-01-01T00:00:00Z"));
	assert_int_equal(event->time[19], 'Z');
}

void expect(const char *what)
{
	assert_string_equal(seen, what);
	seen[0] = '\0';
}

void see_group(const struct store_group *group, void *arg)
{
	(void)arg;
	see("%d %s %s %s;", (int)group->id, group->name, group->users, group->sets);
}

enum store_put put_group(int64_t *id, const char *name, const char *users, const char *members)
{
	const struct store_group group = { 0, name, users, members };
	enum store_put put;

	assert_int_equal(store_put_group(store, id, &group, &put), 0);
	return put;
}
