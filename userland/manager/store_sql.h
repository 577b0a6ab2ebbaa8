/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the store, where all SQL of the Manager is: store.c, store_groups.c and store_directory.c say what is asked,
 * store_schema.c has the tables, store_sqlite.c and store_mariadb.c each serve one database. Every value is bound, never
 * written into a statement; what fails is logged by who serves, and the caller gets -1.
 */
#ifndef KVMNET_MANAGER_STORE_SQL_H
#define KVMNET_MANAGER_STORE_SQL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "manager/store.h"

#define SQL_VALUES_MAX 16
#define SQL_COLUMNS_MAX 64 /* SHOW SLAVE STATUS has 58 */

/* Statements are the same text for both, but for the few that are an array with one for each. */
enum sql_dialect { SQL_SQLITE, SQL_MARIADB, SQL_DIALECTS };

struct sql_value {
	const char *text; /* NULL: it is the number */
	int64_t number;
};

struct sql_row {
	const char *columns[SQL_COLUMNS_MAX]; /* numbers too, in decimal; live until the row's next */
	const char *const *names;	      /* of columns, by MariaDB alone; NULL after the last */
};

typedef void row_fn(const struct sql_row *row, void *arg);

struct sql_statement {
	const char *doing; /* to follow "cannot" */
	const char *text;
	struct sql_value values[SQL_VALUES_MAX];
	unsigned count;
	row_fn *each; /* for every row; may be NULL */
	void *arg;
};

/* One database. All under the store's lock; 0, or -1 after logging. */
struct sql_driver {
	enum sql_dialect dialect;
	/* Tells in store->changed how many rows it inserted, deleted or found to update. */
	int (*run)(struct store *store, const struct sql_statement *statement);
	int (*begin)(struct store *store, const char *doing);
	int (*commit)(struct store *store, const char *doing); /* -1: perhaps it was, and it has ended */
	void (*rollback)(struct store *store);
	void (*close)(struct store *store); /* and frees it */
};

/* Its first part; what the driver needs follows. */
struct store {
	const struct sql_driver *driver;
	pthread_mutex_t lock;
	int64_t changed;
};

/* types: a letter an argument, 's' text (NULL: empty), 'i' int64_t. */
int sql_query(struct store *store, const char *doing, const char *text, row_fn *each, void *arg,
	      const char *types, ...);
/* Likewise, of one that gives no rows. *changed: whether a row was; may be NULL. */
int sql_change(struct store *store, const char *doing, bool *changed, const char *text, const char *types,
	       ...);

enum sql_end { SQL_FAILED = -1, SQL_KEEP, SQL_LEAVE };
/* Several statements, all of them or none. body gives SQL_FAILED after logging, SQL_LEAVE when nothing is to be
 * changed after all: that is no error. Its statements are sql_step()'s. */
typedef enum sql_end sql_body_fn(struct store *store, void *arg);
int sql_transact(struct store *store, const char *doing, sql_body_fn *body, void *arg);
/* One of them; its count is in store->changed. */
int sql_step(struct store *store, const char *doing, row_fn *each, void *arg, const char *text,
	     const char *types, ...);

/* Of a user that may go, or be less: neither the last administrator with a password, nor the keeper. */
#define SQL_NOT_THE_LAST \
	"(type <> 'administrator' OR EXISTS (SELECT 1 FROM users AS other WHERE other.type = 'administrator'" \
	" AND other.hash <> '' AND other.name <> users.name))" \
	" AND NOT EXISTS (SELECT 1 FROM directory WHERE keeper = users.name)"
/* A table of one row, for a WHERE without one: MariaDB needs that. */
#define SQL_ONE " FROM (SELECT 1) AS one "

/* Of a column. Never NULL. */
const char *sql_text(const struct sql_row *row, int column);
int64_t sql_number(const struct sql_row *row, int column);
/* Of the column of that name; "" where there is none. */
const char *sql_named(const struct sql_row *row, const char *name);
/* For each, above: the row's first column into the int64_t that arg points to. */
void sql_take_number(const struct sql_row *row, void *arg);

/* All that one holds is the other's as well afterwards, or nothing has changed; both are of this version. also is called
 * within the transaction that reads. 0, or -1 after logging. */
int store_copy(struct store *from, struct store *to, int (*also)(struct store *from, void *arg), void *arg);

/* As store_connect(): by the system's root as the server's, else with the rights of the role kvmnet_replication; nothing
 * that it does is replicated. */
struct store *mariadb_administer(const struct store_server *at);
/* Likewise with the user's own rights, and no table is made. */
struct store *mariadb_read(const struct store_server *at);

/* What leads from a version to the next: of SQLite one text, which also writes the version; of MariaDB statements
 * with a semicolon after each, good to be run again when a server ended between them. */
extern const char *const schema_migrations[][SQL_DIALECTS];
extern const int schema_version; /* how many there are */
/* Whether this program can serve that one; false after logging. name: what the database is called. */
bool schema_known(const char *name, int version);

#endif
