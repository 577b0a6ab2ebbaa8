/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store in one SQLite file: the file, its tables, users, Devices, settings and the audit. */
#include "manager/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "manager.db"
#define BUSY_MS 5000 /* somebody makes a backup */

/* From each version to the next one. Never change one that was released: add another. */
static const char *const migrations[] = {
	"CREATE TABLE users (name TEXT PRIMARY KEY NOT NULL,"
	" type TEXT NOT NULL CHECK (type IN ('administrator', 'user', 'viewonly')), hash TEXT NOT NULL) STRICT;"
	"CREATE TABLE devices (id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 64), name TEXT NOT NULL,"
	" address TEXT NOT NULL, port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535), model TEXT NOT NULL,"
	" firmware TEXT NOT NULL, state TEXT NOT NULL, serial TEXT NOT NULL, starts INTEGER NOT NULL,"
	" ends INTEGER NOT NULL, adopted_at TEXT NOT NULL, adopted_by TEXT NOT NULL,"
	" settings_revision INTEGER NOT NULL) STRICT;"
	"CREATE TABLE settings (only INTEGER PRIMARY KEY CHECK (only = 1), wanted TEXT NOT NULL,"
	" revision INTEGER NOT NULL) STRICT;"
	"CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, who TEXT NOT NULL,"
	" what TEXT NOT NULL, device TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
	"PRAGMA user_version = 1;",
	"CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE sets (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE group_users (owner INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,"
	" member TEXT NOT NULL REFERENCES users ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
	"CREATE TABLE group_sets (owner INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,"
	" member INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
	"CREATE TABLE set_devices (owner INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,"
	" member TEXT NOT NULL REFERENCES devices ON DELETE CASCADE, PRIMARY KEY (owner, member)) STRICT;"
	"PRAGMA user_version = 2;",
	"ALTER TABLE users ADD COLUMN entry TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE users ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1));"
	"CREATE TABLE directory (only INTEGER PRIMARY KEY CHECK (only = 1), settings TEXT NOT NULL,"
	" keeper TEXT NOT NULL) STRICT;"
	"PRAGMA user_version = 3;",
};
#define VERSION (int)(sizeof(migrations) / sizeof(*migrations))

/* ---- one statement ---- */

static void log_failure(const struct store *store, const char *doing)
{
	int code = sqlite3_errcode(store->db) & 0xff;

	log_error(
		"%s: cannot %s: %s%s", store->path, doing, sqlite3_errmsg(store->db),
		code == SQLITE_CORRUPT || code == SQLITE_NOTADB ?
			": put it back from a backup; without one, move it away, and every Device has to be "
			"adopted again" :
			"");
}

static bool bind(sqlite3_stmt *statement, const char *types, va_list args)
{
	for (int i = 0; types[i]; i++) {
		int result;

		if (types[i] == 's') {
			const char *text = va_arg(args, const char *);

			result = sqlite3_bind_text(statement, i + 1, text ? text : "", -1, SQLITE_TRANSIENT);
		} else {
			result = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
		}
		if (result != SQLITE_OK)
			return false;
	}
	return true;
}

int sql_run_locked(struct store *store, const char *doing, const char *sql, row_fn *each, void *arg,
		   const char *types, va_list args)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

	if (result == SQLITE_OK && !bind(statement, types, args))
		result = SQLITE_ERROR;
	if (result == SQLITE_OK)
		while ((result = sqlite3_step(statement)) == SQLITE_ROW)
			if (each)
				each(statement, arg);
	if (result != SQLITE_DONE)
		log_failure(store, doing);
	sqlite3_finalize(statement);
	return result == SQLITE_DONE ? 0 : -1;
}

int sql_query(struct store *store, const char *doing, const char *sql, row_fn *each, void *arg,
	      const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	pthread_mutex_lock(&store->lock);
	result = sql_run_locked(store, doing, sql, each, arg, types, args);
	pthread_mutex_unlock(&store->lock);
	va_end(args);
	return result;
}

int sql_change(struct store *store, const char *doing, bool *changed, const char *sql, const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	pthread_mutex_lock(&store->lock);
	result = sql_run_locked(store, doing, sql, NULL, NULL, types, args);
	if (changed)
		*changed = !result && sqlite3_changes(store->db) > 0;
	pthread_mutex_unlock(&store->lock);
	va_end(args);
	return result;
}

const char *sql_text(sqlite3_stmt *row, int column)
{
	const unsigned char *value = sqlite3_column_text(row, column);

	return value ? (const char *)value : ""; /* out of memory: the step after says so */
}

void sql_take_number(sqlite3_stmt *row, void *arg)
{
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
}

/* ---- opening ---- */

/* SQLite would make it with the umask's mode; its further files get the mode of this one. */
static bool make_file(const struct store *store)
{
	int fd = open(store->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		log_error("%s: %s", store->path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static void take_text(sqlite3_stmt *row, void *arg)
{
	snprintf(arg, 64, "%s", sql_text(row, 0));
}

static bool ask(struct store *store, const char *sql, char answer[64])
{
	answer[0] = '\0';
	return !sql_query(store, "be opened", sql, take_text, answer, "");
}

static bool check_whole(struct store *store)
{
	char answer[64];

	if (!ask(store, "PRAGMA quick_check(1)", answer))
		return false;
	if (!strcmp(answer, "ok"))
		return true;
	log_error(
		"%s is damaged (%s): put it back from a backup; without one, move it away, and every Device has to "
		"be adopted again",
		store->path, answer);
	return false;
}

/* FULL: what was answered as done is on the disk, whatever happens to the power. */
static bool set_up(struct store *store)
{
	char answer[64];

	sqlite3_busy_timeout(store->db, BUSY_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (!ask(store, "PRAGMA journal_mode = WAL", answer) || !check_whole(store) ||
	    !ask(store, "PRAGMA synchronous = FULL", answer) ||
	    !ask(store, "PRAGMA foreign_keys = ON", answer))
		return false;
	return true;
}

/* All of a step or nothing: its version is written within its transaction. */
static bool migrate(struct store *store)
{
	char answer[64];
	int version;

	if (!ask(store, "PRAGMA user_version", answer))
		return false;
	version = atoi(answer);
	if (version < 0 || version > VERSION) {
		log_error(
			"%s is of version %d, from a newer kvmnet-manager; this one knows up to %d: install the "
			"newer one again, or put the file back from a backup of before",
			store->path, version, VERSION);
		return false;
	}
	for (; version < VERSION; version++) {
		if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(store->db, migrations[version], NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			continue;
		log_failure(store, "be brought to this version");
		return false;
	}
	return true;
}

struct store *store_open(const char *state_dir)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store) {
		log_error("store: out of memory");
		return NULL;
	}
	pthread_mutex_init(&store->lock, NULL);
	if (snprintf(store->path, sizeof(store->path), "%s/" FILE_NAME, state_dir) >=
	    (int)sizeof(store->path)) {
		log_error("%s: is too long a name", state_dir);
	} else if (!state_prepare(state_dir) && make_file(store)) {
		if (sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				    NULL) != SQLITE_OK)
			log_failure(store, "be opened");
		else if (set_up(store) && migrate(store))
			return store;
	}
	store_close(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	sqlite3_close(store->db);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* ---- users ---- */

struct caller {
	union {
		store_user_fn *user;
		store_device_fn *device;
		store_event_fn *event;
	};
	void *arg;
};

#define USER_COLUMNS "name, type, hash, entry, gone"

static void give_user(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_user user = { sql_text(row, 0), sql_text(row, 1), sql_text(row, 2),
					 sql_text(row, 3), sqlite3_column_int(row, 4) };

	caller->user(&user, caller->arg);
}

int store_users(struct store *store, store_user_fn *each, void *arg)
{
	struct caller caller = { .user = each, .arg = arg };

	return sql_query(store, "list users", "SELECT " USER_COLUMNS " FROM users ORDER BY name", give_user,
			 &caller, "");
}

int store_user(struct store *store, const char *name, store_user_fn *each, void *arg)
{
	struct caller caller = { .user = each, .arg = arg };

	return sql_query(store, "find a user", "SELECT " USER_COLUMNS " FROM users WHERE name = ?", give_user,
			 &caller, "s", name);
}

int store_add_first_user(struct store *store, const struct store_user *user, bool *added)
{
	return sql_change(
		store, "add a user", added,
		"INSERT INTO users (name, type, hash) SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users)",
		"sss", user->name, user->type, user->hash);
}

int store_add_user(struct store *store, const struct store_user *user, bool *added)
{
	return sql_change(store, "add a user", added,
			  "INSERT INTO users (name, type, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			  "sss", user->name, user->type, user->hash);
}

int store_set_user_type(struct store *store, const char *name, const char *type, bool *changed)
{
	return sql_change(
		store, "change a user", changed,
		"UPDATE users SET type = ?1 WHERE name = ?2 AND (?1 = 'administrator' OR (" SQL_NOT_THE_LAST
		"))",
		"ss", type, name);
}

int store_remove_user(struct store *store, const char *name, bool *removed)
{
	return sql_change(store, "remove a user", removed,
			  "DELETE FROM users WHERE name = ? AND " SQL_NOT_THE_LAST, "s", name);
}

int store_set_user_hash(struct store *store, const char *name, const char *hash, bool *changed)
{
	return sql_change(store, "keep a password", changed, "UPDATE users SET hash = ? WHERE name = ?", "ss",
			  hash, name);
}

/* ---- Devices ---- */

#define DEVICE_COLUMNS \
	"id, name, address, model, firmware, state, serial, adopted_at, adopted_by, port, starts, ends, settings_revision"

static void give_device(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_device device = {
		.id = sql_text(row, 0),
		.name = sql_text(row, 1),
		.address = sql_text(row, 2),
		.model = sql_text(row, 3),
		.firmware = sql_text(row, 4),
		.state = sql_text(row, 5),
		.serial = sql_text(row, 6),
		.adopted_at = sql_text(row, 7),
		.adopted_by = sql_text(row, 8),
		.port = sqlite3_column_int64(row, 9),
		.starts = sqlite3_column_int64(row, 10),
		.ends = sqlite3_column_int64(row, 11),
		.settings_revision = sqlite3_column_int64(row, 12),
	};

	caller->device(&device, caller->arg);
}

int store_devices(struct store *store, store_device_fn *each, void *arg)
{
	struct caller caller = { .device = each, .arg = arg };

	return sql_query(store, "list Devices", "SELECT " DEVICE_COLUMNS " FROM devices ORDER BY name, id",
			 give_device, &caller, "");
}

int store_device(struct store *store, const char *id, store_device_fn *each, void *arg)
{
	struct caller caller = { .device = each, .arg = arg };

	return sql_query(store, "find a Device", "SELECT " DEVICE_COLUMNS " FROM devices WHERE id = ?",
			 give_device, &caller, "s", id);
}

int store_put_device(struct store *store, const struct store_device *device)
{
	return sql_change(store, "keep a Device", NULL,
			  "INSERT INTO devices (" DEVICE_COLUMNS
			  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
			  "name = excluded.name, address = excluded.address, model = excluded.model, "
			  "firmware = excluded.firmware, state = excluded.state, serial = excluded.serial, "
			  "adopted_at = excluded.adopted_at, adopted_by = excluded.adopted_by, "
			  "port = excluded.port, starts = excluded.starts, ends = excluded.ends, "
			  "settings_revision = excluded.settings_revision",
			  "sssssssssiiii", device->id, device->name, device->address, device->model,
			  device->firmware, device->state, device->serial, device->adopted_at,
			  device->adopted_by, device->port, device->starts, device->ends,
			  device->settings_revision);
}

int store_set_device_revision(struct store *store, const char *id, int64_t revision, bool *changed)
{
	return sql_change(store, "keep a Device's settings revision", changed,
			  "UPDATE devices SET settings_revision = ? WHERE id = ?", "is", revision, id);
}

int store_set_device_certificate(struct store *store, const char *id, const char *serial, int64_t starts,
				 int64_t ends, bool *changed)
{
	return sql_change(store, "keep a Device's certificate", changed,
			  "UPDATE devices SET serial = ?, starts = ?, ends = ? WHERE id = ?", "siis", serial,
			  starts, ends, id);
}

int store_remove_device(struct store *store, const char *id, bool *removed)
{
	return sql_change(store, "remove a Device", removed, "DELETE FROM devices WHERE id = ?", "s", id);
}

/* ---- settings ---- */

struct settings {
	char *wanted;
	int64_t revision;
};

static void take_settings(sqlite3_stmt *row, void *arg)
{
	struct settings *settings = arg;

	settings->wanted = strdup(sql_text(row, 0));
	settings->revision = sqlite3_column_int64(row, 1);
}

int store_settings(struct store *store, char **wanted, int64_t *revision)
{
	struct settings settings = { 0 };

	/* The second row is the one that holds before the first change. */
	if (sql_query(store, "read the settings",
		      "SELECT wanted, revision FROM settings UNION ALL "
		      "SELECT '{}', 0 WHERE NOT EXISTS (SELECT 1 FROM settings)",
		      take_settings, &settings, ""))
		return -1;
	*wanted = settings.wanted;
	*revision = settings.revision;
	if (settings.wanted)
		return 0;
	log_error("store: out of memory");
	return -1;
}

int store_put_settings(struct store *store, const char *wanted, int64_t *revision)
{
	return sql_query(
		store, "keep the settings",
		"INSERT INTO settings (only, wanted, revision) VALUES (1, ?, 1) ON CONFLICT (only) DO UPDATE "
		"SET wanted = excluded.wanted, revision = revision + 1 RETURNING revision",
		sql_take_number, revision, "s", wanted);
}

/* ---- audit ---- */

int store_add_event(struct store *store, const char *who, const char *what, const char *device,
		    const char *text)
{
	char now[32];
	struct tm tm;
	time_t seconds = time(NULL);

	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	if (sql_change(store, "keep an event", NULL,
		       "INSERT INTO audit (time, who, what, device, text) VALUES (?, ?, ?, ?, ?)", "sssss",
		       now, who, what, device, text))
		return -1;
	return sql_change(store, "forget the oldest events", NULL,
			  "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?", "i",
			  (int64_t)STORE_EVENTS_MAX);
}

static void give_event(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_event event = {
		sqlite3_column_int64(row, 0),
		sql_text(row, 1),
		sql_text(row, 2),
		sql_text(row, 3),
		sql_text(row, 4),
		sql_text(row, 5),
	};

	caller->event(&event, caller->arg);
}

int store_events(struct store *store, int64_t before, unsigned limit, store_event_fn *each, void *arg)
{
	struct caller caller = { .event = each, .arg = arg };

	return sql_query(store, "list events",
			 "SELECT number, time, who, what, device, text FROM audit WHERE number < ? "
			 "ORDER BY number DESC LIMIT ?",
			 give_event, &caller, "ii", before > 0 ? before : INT64_MAX, (int64_t)limit);
}
