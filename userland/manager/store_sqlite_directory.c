// SPDX-License-Identifier: GPL-2.0-or-later
/* The SQLite store's settings of the directory, its keeper, and what an import does to users. */
#include "manager/store_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

struct texts {
	char *settings, *keeper;
};

static void take_texts(sqlite3_stmt *row, void *arg)
{
	struct texts *texts = arg;

	texts->settings = strdup(sql_text(row, 0));
	texts->keeper = strdup(sql_text(row, 1));
}

int store_directory(struct store *store, char **settings, char **keeper)
{
	struct texts texts = { 0 };

	if (sql_query(store, "read the directory's settings",
		      "SELECT settings, keeper FROM directory UNION ALL "
		      "SELECT '', '' WHERE NOT EXISTS (SELECT 1 FROM directory)",
		      take_texts, &texts, ""))
		return -1;
	if (texts.settings && texts.keeper) {
		*settings = texts.settings;
		*keeper = texts.keeper;
		return 0;
	}
	free(texts.settings);
	free(texts.keeper);
	log_error("store: out of memory");
	return -1;
}

int store_put_directory(struct store *store, const char *settings)
{
	return sql_change(store, "keep the directory's settings", NULL,
			  "INSERT INTO directory (only, settings, keeper) VALUES (1, ?, '') "
			  "ON CONFLICT (only) DO UPDATE SET settings = excluded.settings",
			  "s", settings);
}

int store_set_keeper(struct store *store, const char *name, bool *changed)
{
	return sql_change(
		store, "change the mode", changed,
		"UPDATE directory SET keeper = ?1 WHERE (keeper <> '' AND ?1 = '') OR (keeper = '' AND "
		"EXISTS (SELECT 1 FROM users WHERE name = ?1 AND type = 'administrator' AND hash <> ''))",
		"s", name);
}

/* ---- an import ---- */

/* Under the lock. */
static int step(struct store *store, const char *sql, const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	result = sql_run_locked(store, "import users", sql, NULL, NULL, types, args);
	va_end(args);
	return result;
}

/* Likewise, within a transaction. */
static int change(struct store *store, const struct store_change *change)
{
	switch (change->what) {
	case STORE_CHANGE_ADD:
		return step(store, "INSERT INTO users (name, type, hash, entry) VALUES (?, ?, '', ?)", "sss",
			    change->name, change->type, change->entry);
	case STORE_CHANGE_ENTRY:
		return step(store, "UPDATE users SET entry = ?, gone = 0 WHERE name = ? AND entry <> ''",
			    "ss", change->entry, change->name);
	case STORE_CHANGE_GONE:
		return step(store, "UPDATE users SET gone = 1 WHERE name = ? AND entry <> ''", "s",
			    change->name);
	case STORE_CHANGE_JOIN:
		return step(store, "INSERT INTO group_users (owner, member) VALUES (?, ?)", "is",
			    change->group, change->name);
	case STORE_CHANGE_LEAVE:
		return step(store, "DELETE FROM group_users WHERE owner = ? AND member = ?", "is",
			    change->group, change->name);
	case STORE_CHANGE_REMOVE:
		return step(store, "DELETE FROM users WHERE name = ? AND gone = 1 AND " SQL_NOT_THE_LAST, "s",
			    change->name);
	}
	return -1;
}

int store_import(struct store *store, const struct store_change *changes, size_t count)
{
	int error;

	pthread_mutex_lock(&store->lock);
	error = step(store, "BEGIN IMMEDIATE", "");
	if (!error) {
		for (size_t i = 0; i < count && !error; i++)
			error = change(store, &changes[i]);
		if (!error)
			error = step(store, "COMMIT", "");
		/* What cannot be committed must not swallow what comes after it. */
		if (error && !sqlite3_get_autocommit(store->db))
			sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	pthread_mutex_unlock(&store->lock);
	return error;
}
