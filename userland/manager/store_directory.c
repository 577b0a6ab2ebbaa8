// SPDX-License-Identifier: GPL-2.0-or-later
/* The store's settings of the directory, its keeper, and what an import does to users. */
#include "manager/store_sql.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

struct texts {
	char *settings, *keeper;
};

static void take_texts(const struct sql_row *row, void *arg)
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
		      "SELECT '', ''" SQL_ONE "WHERE NOT EXISTS (SELECT 1 FROM directory)",
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

static enum sql_end put_directory(struct store *store, void *arg)
{
	static const char doing[] = "keep the directory's settings";

	if (sql_step(store, doing, NULL, NULL, "UPDATE directory SET settings = ?", "s", arg) ||
	    (!store->changed &&
	     sql_step(store, doing, NULL, NULL,
		      "INSERT INTO directory (only, settings, keeper) VALUES (1, ?, '')", "s", arg)))
		return SQL_FAILED;
	return SQL_KEEP;
}

int store_put_directory(struct store *store, const char *settings)
{
	return sql_transact(store, "keep the directory's settings", put_directory, (void *)settings);
}

int store_set_keeper(struct store *store, const char *name, bool *changed)
{
	return sql_change(
		store, "change the mode", changed,
		"UPDATE directory SET keeper = ? WHERE (keeper <> '' AND ? = '') OR (keeper = '' AND "
		"EXISTS (SELECT 1 FROM users WHERE name = ? AND type = 'administrator' AND hash <> ''))",
		"sss", name, name, name);
}

/* ---- an import ---- */

#define IMPORT "import users"

/* Within a transaction. */
static int change(struct store *store, const struct store_change *change)
{
	switch (change->what) {
	case STORE_CHANGE_ADD:
		return sql_step(store, IMPORT, NULL, NULL,
				"INSERT INTO users (name, type, hash, entry) VALUES (?, ?, '', ?)", "sss",
				change->name, change->type, change->entry);
	case STORE_CHANGE_ENTRY:
		return sql_step(store, IMPORT, NULL, NULL,
				"UPDATE users SET entry = ?, gone = 0 WHERE name = ? AND entry <> ''", "ss",
				change->entry, change->name);
	case STORE_CHANGE_GONE:
		return sql_step(store, IMPORT, NULL, NULL,
				"UPDATE users SET gone = 1 WHERE name = ? AND entry <> ''", "s",
				change->name);
	case STORE_CHANGE_JOIN:
		return sql_step(store, IMPORT, NULL, NULL,
				"INSERT INTO group_users (owner, member) VALUES (?, ?)", "is", change->group,
				change->name);
	case STORE_CHANGE_LEAVE:
		return sql_step(store, IMPORT, NULL, NULL,
				"DELETE FROM group_users WHERE owner = ? AND member = ?", "is", change->group,
				change->name);
	case STORE_CHANGE_REMOVE:
		return sql_step(store, IMPORT, NULL, NULL,
				"DELETE FROM users WHERE name = ? AND gone = 1 AND " SQL_NOT_THE_LAST, "s",
				change->name);
	}
	return -1;
}

struct import {
	const struct store_change *changes;
	size_t count;
};

static enum sql_end import_all(struct store *store, void *arg)
{
	const struct import *import = arg;

	for (size_t i = 0; i < import->count; i++)
		if (change(store, &import->changes[i]))
			return SQL_FAILED;
	return SQL_KEEP;
}

int store_import(struct store *store, const struct store_change *changes, size_t count)
{
	struct import import = { changes, count };

	return sql_transact(store, IMPORT, import_all, &import);
}
