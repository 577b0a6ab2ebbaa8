/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SQLite store's User Groups and Target Sets, and whom they let open what. */
#include "manager/store_sqlite.h"

#include <stddef.h>
#include <stdint.h>

struct caller {
	union {
		store_group_fn *group;
		store_set_fn *set;
		store_permitted_fn *permitted;
	};
	void *arg;
};

/* Members of a list, as JSON. */
#define MEMBERS(table, of) \
	"(SELECT json_group_array(member) FROM (SELECT member FROM " table " WHERE owner = " of \
	".id ORDER BY member))"

static void give_group(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_group group = { sqlite3_column_int64(row, 0), sql_text(row, 1), sql_text(row, 2),
					   sql_text(row, 3) };

	caller->group(&group, caller->arg);
}

int store_groups(struct store *store, store_group_fn *each, void *arg)
{
	struct caller caller = { .group = each, .arg = arg };

	return sql_query(store, "list User Groups",
			 "SELECT id, name, " MEMBERS("group_users", "groups") ", " MEMBERS(
				 "group_sets", "groups") " FROM groups ORDER BY name",
			 give_group, &caller, "");
}

static void give_set(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_set set = { sqlite3_column_int64(row, 0), sql_text(row, 1), sql_text(row, 2) };

	caller->set(&set, caller->arg);
}

int store_sets(struct store *store, store_set_fn *each, void *arg)
{
	struct caller caller = { .set = each, .arg = arg };

	return sql_query(store, "list Target Sets",
			 "SELECT id, name, " MEMBERS("set_devices", "sets") " FROM sets ORDER BY name",
			 give_set, &caller, "");
}

/* Under the lock. number: of the only row, when there is one; may be NULL. */
static int step(struct store *store, int64_t *number, const char *sql, const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	result = sql_run_locked(store, "keep a group or set", sql, number ? sql_take_number : NULL, number,
				types, args);
	va_end(args);
	return result;
}

/* How one of the two is kept. Its members: what is unknown of them, how they go, how they come. */
struct kind {
	const char *exists, *taken, *insert, *rename;
	struct {
		const char *unknown, *clear, *add;
	} members[2];
};

static const struct kind groups = {
	"SELECT count(*) FROM groups WHERE id = ?",
	"SELECT count(*) FROM groups WHERE name = ? AND id <> ?",
	"INSERT INTO groups (name) VALUES (?) RETURNING id",
	"UPDATE groups SET name = ? WHERE id = ?",
	{
		{ "SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT name FROM users)",
		  "DELETE FROM group_users WHERE owner = ?",
		  "INSERT OR IGNORE INTO group_users SELECT ?, value FROM json_each(?)" },
		{ "SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT id FROM sets)",
		  "DELETE FROM group_sets WHERE owner = ?",
		  "INSERT OR IGNORE INTO group_sets SELECT ?, value FROM json_each(?)" },
	},
};

static const struct kind sets = {
	"SELECT count(*) FROM sets WHERE id = ?",
	"SELECT count(*) FROM sets WHERE name = ? AND id <> ?",
	"INSERT INTO sets (name) VALUES (?) RETURNING id",
	"UPDATE sets SET name = ? WHERE id = ?",
	{
		{ "SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT id FROM devices)",
		  "DELETE FROM set_devices WHERE owner = ?",
		  "INSERT OR IGNORE INTO set_devices SELECT ?, value FROM json_each(?)" },
	},
};

/* Under the lock, within a transaction. */
static int judge_put(struct store *store, const struct kind *kind, int64_t id, const char *name,
		     const char *const members[], enum store_put *put)
{
	int64_t exists = 1, taken = 0, unknown = 0;

	*put = STORE_PUT;
	if ((id && step(store, &exists, kind->exists, "i", id)) ||
	    step(store, &taken, kind->taken, "si", name, id))
		return -1;
	for (int i = 0; i < 2 && kind->members[i].unknown && !unknown; i++)
		if (step(store, &unknown, kind->members[i].unknown, "s", members[i]))
			return -1;
	if (!exists)
		*put = STORE_MISSING;
	else if (taken)
		*put = STORE_TAKEN;
	else if (unknown)
		*put = STORE_UNKNOWN;
	return 0;
}

/* Likewise. */
static int put_all(struct store *store, const struct kind *kind, int64_t *id, const char *name,
		   const char *const members[])
{
	if (*id ? step(store, NULL, kind->rename, "si", name, *id) : step(store, id, kind->insert, "s", name))
		return -1;
	for (int i = 0; i < 2 && kind->members[i].add; i++)
		if (step(store, NULL, kind->members[i].clear, "i", *id) ||
		    step(store, NULL, kind->members[i].add, "is", *id, members[i]))
			return -1;
	return 0;
}

static int put_kind(struct store *store, const struct kind *kind, int64_t *id, const char *name,
		    const char *const members[], enum store_put *put)
{
	int64_t before = *id;
	int error;

	pthread_mutex_lock(&store->lock);
	error = step(store, NULL, "BEGIN IMMEDIATE", "");
	if (!error) {
		error = judge_put(store, kind, *id, name, members, put);
		if (!error && *put == STORE_PUT)
			error = put_all(store, kind, id, name, members);
		if (error || *put != STORE_PUT)
			step(store, NULL, "ROLLBACK", "");
		else
			error = step(store, NULL, "COMMIT", "");
		/* What cannot be committed must not swallow what comes after it. */
		if (error && !sqlite3_get_autocommit(store->db))
			sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	}
	if (error)
		*id = before;
	pthread_mutex_unlock(&store->lock);
	return error;
}

int store_put_group(struct store *store, int64_t *id, const struct store_group *group, enum store_put *put)
{
	const char *const members[] = { group->users, group->sets };

	return put_kind(store, &groups, id, group->name, members, put);
}

int store_put_set(struct store *store, int64_t *id, const struct store_set *set, enum store_put *put)
{
	const char *const members[] = { set->devices, NULL };

	return put_kind(store, &sets, id, set->name, members, put);
}

int store_remove_group(struct store *store, int64_t id, bool *removed)
{
	return sql_change(store, "remove a User Group", removed, "DELETE FROM groups WHERE id = ?", "i", id);
}

int store_remove_set(struct store *store, int64_t id, bool *removed)
{
	return sql_change(store, "remove a Target Set", removed, "DELETE FROM sets WHERE id = ?", "i", id);
}

static void give_permitted(sqlite3_stmt *row, void *arg)
{
	const struct caller *caller = arg;

	caller->permitted(sql_text(row, 0), caller->arg);
}

int store_permitted(struct store *store, const char *user, store_permitted_fn *each, void *arg)
{
	struct caller caller = { .permitted = each, .arg = arg };

	return sql_query(
		store, "find who may open what",
		"SELECT DISTINCT set_devices.member FROM group_users JOIN group_sets USING (owner) "
		"JOIN set_devices ON set_devices.owner = group_sets.member WHERE group_users.member = ?",
		give_permitted, &caller, "s", user);
}
