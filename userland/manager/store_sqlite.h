/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the SQLite store, where all SQL of the Manager is. Every value is bound, never written into a
 * statement; what fails is logged here, and the caller gets -1.
 */
#ifndef MANAGER_STORE_SQLITE_H
#define MANAGER_STORE_SQLITE_H

#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

#include <sqlite3.h>

#include "manager/store.h"

struct store {
	pthread_mutex_t lock;
	sqlite3 *db;
	char path[PATH_MAX];
};

typedef void row_fn(sqlite3_stmt *row, void *arg);

/*
 * One statement. doing: to follow "cannot". each: called for every row, under the lock; may be NULL.
 * types: a letter an argument, 's' text (NULL: empty), 'i' int64_t.
 */
int sql_query(struct store *store, const char *doing, const char *sql, row_fn *each, void *arg,
	      const char *types, ...);

/* Likewise, of one that gives no rows. *changed: whether a row was; may be NULL. */
int sql_change(struct store *store, const char *doing, bool *changed, const char *sql, const char *types,
	       ...);

/* What both do, for a caller that holds the lock. */
int sql_run_locked(struct store *store, const char *doing, const char *sql, row_fn *each, void *arg,
		   const char *types, va_list args);

/* Of a user that may go, or be less: neither the last administrator with a password, nor the keeper. */
#define SQL_NOT_THE_LAST \
	"(type <> 'administrator' OR EXISTS (SELECT 1 FROM users AS other WHERE other.type = 'administrator'" \
	" AND other.hash <> '' AND other.name <> users.name))" \
	" AND NOT EXISTS (SELECT 1 FROM directory WHERE keeper = users.name)"

/* Of a column; lives until the row's next step. Never NULL. */
const char *sql_text(sqlite3_stmt *row, int column);

/* For each, above: the row's first column into the int64_t that arg points to. */
void sql_take_number(sqlite3_stmt *row, void *arg);

#endif
