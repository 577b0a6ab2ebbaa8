// SPDX-License-Identifier: GPL-2.0-or-later
/* The store in one SQLite file: how it is opened, brought to this version and asked. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/log.h"
#include "lib/state.h"
#include "manager/store_sql.h"

#define FILE_NAME "manager.db"
#define BUSY_MS 5000 /* somebody makes a backup */

struct file {
	struct store store; /* first */
	sqlite3 *db;
	char path[PATH_MAX];
};

static struct file *file_of(struct store *store)
{
	return (struct file *)store;
}

/* ---- one statement ---- */

static void log_failure(const struct file *file, const char *doing)
{
	int code = sqlite3_errcode(file->db) & 0xff;

	log_error(
		"%s: cannot %s: %s%s", file->path, doing, sqlite3_errmsg(file->db),
		code == SQLITE_CORRUPT || code == SQLITE_NOTADB ?
			": put it back from a backup; without one, move it away, and every Device has to be "
			"adopted again" :
			"");
}

static bool bind(sqlite3_stmt *prepared, const struct sql_statement *statement)
{
	for (unsigned i = 0; i < statement->count; i++) {
		const struct sql_value *value = &statement->values[i];
		int result = value->text ?
				     sqlite3_bind_text(prepared, (int)i + 1, value->text, -1, SQLITE_STATIC) :
				     sqlite3_bind_int64(prepared, (int)i + 1, value->number);

		if (result != SQLITE_OK)
			return false;
	}
	return true;
}

static void give(sqlite3_stmt *prepared, const struct sql_statement *statement)
{
	struct sql_row row = { 0 };
	int columns = sqlite3_column_count(prepared);

	for (int i = 0; i < columns && i < SQL_COLUMNS_MAX; i++)
		row.columns[i] = (const char *)sqlite3_column_text(prepared, i);
	statement->each(&row, statement->arg);
}

static int run(struct store *store, const struct sql_statement *statement)
{
	struct file *file = file_of(store);
	sqlite3_stmt *prepared = NULL;
	int result = sqlite3_prepare_v2(file->db, statement->text, -1, &prepared, NULL);

	if (result == SQLITE_OK && !bind(prepared, statement))
		result = SQLITE_ERROR;
	if (result == SQLITE_OK)
		while ((result = sqlite3_step(prepared)) == SQLITE_ROW)
			if (statement->each)
				give(prepared, statement);
	store->changed = result == SQLITE_DONE ? sqlite3_changes(file->db) : 0;
	if (result != SQLITE_DONE)
		log_failure(file, statement->doing);
	sqlite3_finalize(prepared);
	return result == SQLITE_DONE ? 0 : -1;
}

/* ---- transactions ---- */

static void roll_back(struct store *store)
{
	/* Some failures have ended it already. */
	if (!sqlite3_get_autocommit(file_of(store)->db))
		sqlite3_exec(file_of(store)->db, "ROLLBACK", NULL, NULL, NULL);
}

static int begin(struct store *store, const char *doing)
{
	const struct sql_statement statement = { .doing = doing, .text = "BEGIN IMMEDIATE" };

	return run(store, &statement);
}

/* What cannot be committed must not swallow what comes after it. */
static int commit(struct store *store, const char *doing)
{
	const struct sql_statement statement = { .doing = doing, .text = "COMMIT" };
	int error = run(store, &statement);

	if (error)
		roll_back(store);
	return error;
}

static void close_file(struct store *store)
{
	sqlite3_close(file_of(store)->db);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

static const struct sql_driver driver = {
	.dialect = SQL_SQLITE,
	.run = run,
	.begin = begin,
	.commit = commit,
	.rollback = roll_back,
	.close = close_file,
};

/* ---- opening ---- */

/* SQLite would make it with the umask's mode; its further files get the mode of this one. */
static bool make_file(const struct file *file)
{
	int fd = open(file->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		log_error("%s: %s", file->path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static void take_text(const struct sql_row *row, void *arg)
{
	snprintf(arg, 64, "%s", sql_text(row, 0));
}

static bool ask(struct file *file, const char *sql, char answer[64])
{
	answer[0] = '\0';
	return !sql_query(&file->store, "be opened", sql, take_text, answer, "");
}

static bool check_whole(struct file *file)
{
	char answer[64];

	if (!ask(file, "PRAGMA quick_check(1)", answer))
		return false;
	if (!strcmp(answer, "ok"))
		return true;
	log_error(
		"%s is damaged (%s): put it back from a backup; without one, move it away, and every Device has to "
		"be adopted again",
		file->path, answer);
	return false;
}

/* FULL: what was answered as done is on the disk, whatever happens to the power. */
static bool set_up(struct file *file)
{
	char answer[64];

	sqlite3_busy_timeout(file->db, BUSY_MS);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return ask(file, "PRAGMA journal_mode = WAL", answer) && check_whole(file) &&
	       ask(file, "PRAGMA synchronous = FULL", answer) &&
	       ask(file, "PRAGMA foreign_keys = ON", answer);
}

/* All of a step or nothing: its version is written within its transaction. */
static bool migrate(struct file *file)
{
	char answer[64];
	int version;

	if (!ask(file, "PRAGMA user_version", answer))
		return false;
	version = atoi(answer);
	if (!schema_known(file->path, version))
		return false;
	for (; version < schema_version; version++) {
		if (sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(file->db, schema_migrations[version][SQL_SQLITE], NULL, NULL, NULL) ==
			    SQLITE_OK &&
		    sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			continue;
		log_failure(file, "be brought to this version");
		return false;
	}
	return true;
}

struct store *store_open(const char *state_dir)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file) {
		log_error("store: out of memory");
		return NULL;
	}
	file->store.driver = &driver;
	pthread_mutex_init(&file->store.lock, NULL);
	if (snprintf(file->path, sizeof(file->path), "%s/" FILE_NAME, state_dir) >= (int)sizeof(file->path)) {
		log_error("%s: is too long a name", state_dir);
	} else if (!state_prepare(state_dir) && make_file(file)) {
		if (sqlite3_open_v2(file->path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				    NULL) != SQLITE_OK)
			log_failure(file, "be opened");
		else if (set_up(file) && migrate(file))
			return &file->store;
	}
	store_close(&file->store);
	return NULL;
}
