// SPDX-License-Identifier: GPL-2.0-or-later
/* The store's User Groups and Target Sets, and whom they let open what. */
#include "manager/store_sql.h"

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

/* The members of a list, as JSON; and what a list in JSON has. Each database has its own words for these two. */
#define SQLITE_MEMBERS(table, of) \
	"(SELECT json_group_array(member) FROM (SELECT member FROM " table " WHERE owner = " of \
	".id ORDER BY member))"
#define MARIADB_MEMBERS(table, of) \
	"(SELECT COALESCE(JSON_ARRAYAGG(member ORDER BY member), '[]') FROM " table " WHERE owner = " of \
	".id)"
#define SQLITE_GIVEN(type) "json_each(?)"
#define MARIADB_GIVEN(type) \
	"JSON_TABLE(?, '$[*]' COLUMNS (value " type " PATH '$' ERROR ON EMPTY ERROR ON ERROR)) AS given"

#define LIST_GROUPS(MEMBERS) \
	"SELECT id, name, " MEMBERS("group_users", "groups") ", " MEMBERS( \
		"group_sets", "groups") " FROM groups ORDER BY name"
#define LIST_SETS(MEMBERS) "SELECT id, name, " MEMBERS("set_devices", "sets") " FROM sets ORDER BY name"

static void give_group(const struct sql_row *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_group group = { sql_number(row, 0), sql_text(row, 1), sql_text(row, 2),
					   sql_text(row, 3) };

	caller->group(&group, caller->arg);
}

int store_groups(struct store *store, store_group_fn *each, void *arg)
{
	static const char *const texts[] = { LIST_GROUPS(SQLITE_MEMBERS), LIST_GROUPS(MARIADB_MEMBERS) };
	struct caller caller = { .group = each, .arg = arg };

	return sql_query(store, "list User Groups", texts[store->driver->dialect], give_group, &caller, "");
}

static void give_set(const struct sql_row *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_set set = { sql_number(row, 0), sql_text(row, 1), sql_text(row, 2) };

	caller->set(&set, caller->arg);
}

int store_sets(struct store *store, store_set_fn *each, void *arg)
{
	static const char *const texts[] = { LIST_SETS(SQLITE_MEMBERS), LIST_SETS(MARIADB_MEMBERS) };
	struct caller caller = { .set = each, .arg = arg };

	return sql_query(store, "list Target Sets", texts[store->driver->dialect], give_set, &caller, "");
}

#define DOING "keep a group or set"

/* How one of the two is kept. Its members: what is unknown of them, how they go, how they come. */
struct kind {
	const char *exists, *taken, *insert, *rename;
	struct {
		const char *unknown, *clear, *add;
	} members[2];
};

#define KIND(table) \
	"SELECT count(*) FROM " table " WHERE id = ?", \
		"SELECT count(*) FROM " table " WHERE name = ? AND id <> ?", \
		"INSERT INTO " table " (name) VALUES (?) RETURNING id", \
		"UPDATE " table " SET name = ? WHERE id = ?"
#define LIST(given, table, known) \
	{ \
		"SELECT count(*) FROM " given " WHERE value NOT IN (SELECT " known ")", \
			"DELETE FROM " table " WHERE owner = ?", \
			"INSERT INTO " table " (owner, member) SELECT DISTINCT ?, value FROM " given \
	}
#define GROUPS(GIVEN) \
	{ \
		KIND("groups"), \
		{ \
			LIST(GIVEN("VARCHAR(255)"), "group_users", "name FROM users"), \
				LIST(GIVEN("BIGINT"), "group_sets", "id FROM sets") \
		} \
	}
#define SETS(GIVEN) \
	{ \
		KIND("sets"), \
		{ \
			LIST(GIVEN("VARCHAR(64)"), "set_devices", "id FROM devices") \
		} \
	}

static const struct kind groups[] = { GROUPS(SQLITE_GIVEN), GROUPS(MARIADB_GIVEN) };
static const struct kind sets[] = { SETS(SQLITE_GIVEN), SETS(MARIADB_GIVEN) };

struct put {
	const struct kind *kind;
	int64_t id;
	const char *name;
	const char *members[2];
	enum store_put result;
};

static enum sql_end judge_put(struct store *store, struct put *put)
{
	int64_t exists = 1, taken = 0, unknown = 0;

	if ((put->id && sql_step(store, DOING, sql_take_number, &exists, put->kind->exists, "i", put->id)) ||
	    sql_step(store, DOING, sql_take_number, &taken, put->kind->taken, "si", put->name, put->id))
		return SQL_FAILED;
	for (int i = 0; i < 2 && put->kind->members[i].unknown && !unknown; i++)
		if (sql_step(store, DOING, sql_take_number, &unknown, put->kind->members[i].unknown, "s",
			     put->members[i]))
			return SQL_FAILED;
	put->result = !exists ? STORE_MISSING : taken ? STORE_TAKEN : unknown ? STORE_UNKNOWN : STORE_PUT;
	return put->result == STORE_PUT ? SQL_KEEP : SQL_LEAVE;
}

static enum sql_end put_all(struct store *store, void *arg)
{
	struct put *put = arg;
	enum sql_end end = judge_put(store, put);
	int error;

	if (end != SQL_KEEP)
		return end;
	if (put->id)
		error = sql_step(store, DOING, NULL, NULL, put->kind->rename, "si", put->name, put->id);
	else
		error = sql_step(store, DOING, sql_take_number, &put->id, put->kind->insert, "s", put->name);
	for (int i = 0; i < 2 && put->kind->members[i].add && !error; i++)
		error = sql_step(store, DOING, NULL, NULL, put->kind->members[i].clear, "i", put->id) ||
			sql_step(store, DOING, NULL, NULL, put->kind->members[i].add, "is", put->id,
				 put->members[i]);
	return error ? SQL_FAILED : SQL_KEEP;
}

static int put_kind(struct store *store, const struct kind kinds[], int64_t *id, struct put *put,
		    enum store_put *result)
{
	put->kind = &kinds[store->driver->dialect];
	put->id = *id;
	if (sql_transact(store, DOING, put_all, put))
		return -1;
	*id = put->id;
	*result = put->result;
	return 0;
}

int store_put_group(struct store *store, int64_t *id, const struct store_group *group, enum store_put *put)
{
	struct put all = { .name = group->name, .members = { group->users, group->sets } };

	return put_kind(store, groups, id, &all, put);
}

int store_put_set(struct store *store, int64_t *id, const struct store_set *set, enum store_put *put)
{
	struct put all = { .name = set->name, .members = { set->devices } };

	return put_kind(store, sets, id, &all, put);
}

int store_remove_group(struct store *store, int64_t id, bool *removed)
{
	return sql_change(store, "remove a User Group", removed, "DELETE FROM groups WHERE id = ?", "i", id);
}

int store_remove_set(struct store *store, int64_t id, bool *removed)
{
	return sql_change(store, "remove a Target Set", removed, "DELETE FROM sets WHERE id = ?", "i", id);
}

static void give_permitted(const struct sql_row *row, void *arg)
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
		"JOIN set_devices ON set_devices.owner = group_sets.member WHERE group_users.member = ? "
		"ORDER BY set_devices.member",
		give_permitted, &caller, "s", user);
}
