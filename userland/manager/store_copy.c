// SPDX-License-Identifier: GPL-2.0-or-later
/* One store's rows into another, of whichever database either is: for who moves to MariaDB, and for a Secondary. */
#include "manager/store_sql.h"

#define DOING "copy the store"

struct table {
	const char *clear, *read, *write;
	unsigned columns;
};

#define TABLE(name, columns, marks, count) \
	{ \
		"DELETE FROM " name, "SELECT " columns " FROM " name, \
			"INSERT INTO " name " (" columns ") VALUES (" marks ")", count \
	}

/* Whom others name comes first. Each column of store_schema.c is here. */
static const struct table tables[] = {
	TABLE("users", "name, type, hash, entry, gone", "?, ?, ?, ?, ?", 5),
	TABLE("devices",
	      "id, name, address, port, model, firmware, state, serial, starts, ends, adopted_at, adopted_by, "
	      "settings_revision",
	      "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", 13),
	TABLE("settings", "only, wanted, revision", "?, ?, ?", 3),
	TABLE("directory", "only, settings, keeper", "?, ?, ?", 3),
	TABLE("audit", "number, time, who, what, device, text", "?, ?, ?, ?, ?, ?", 6),
	TABLE("groups", "id, name", "?, ?", 2),
	TABLE("sets", "id, name", "?, ?", 2),
	TABLE("group_users", "owner, member", "?, ?", 2),
	TABLE("group_sets", "owner, member", "?, ?", 2),
	TABLE("set_devices", "owner, member", "?, ?", 2),
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

struct copy {
	struct store *from, *to;
	const struct table *table;
	int (*also)(struct store *from, void *arg);
	void *arg;
	bool failed;
};

/* Numbers as text: both databases make of it what the column is. */
static void write_row(const struct sql_row *row, void *arg)
{
	struct copy *copy = arg;
	struct sql_statement statement = {
		.doing = DOING,
		.text = copy->table->write,
		.count = copy->table->columns,
	};

	if (copy->failed)
		return;
	for (unsigned i = 0; i < statement.count; i++)
		statement.values[i].text = sql_text(row, (int)i);
	copy->failed = copy->to->driver->run(copy->to, &statement);
}

static enum sql_end read_all(struct store *from, void *arg)
{
	struct copy *copy = arg;

	for (unsigned i = 0; i < TABLES; i++) {
		copy->table = &tables[i];
		if (sql_step(from, DOING, write_row, copy, tables[i].read, "") || copy->failed)
			return SQL_FAILED;
	}
	return copy->also && copy->also(from, copy->arg) ? SQL_FAILED : SQL_LEAVE;
}

static enum sql_end write_all(struct store *to, void *arg)
{
	struct copy *copy = arg;

	for (unsigned i = TABLES; i-- > 0;)
		if (sql_step(to, DOING, NULL, NULL, tables[i].clear, ""))
			return SQL_FAILED;
	return sql_transact(copy->from, DOING, read_all, copy) ? SQL_FAILED : SQL_KEEP;
}

int store_copy(struct store *from, struct store *to, int (*also)(struct store *from, void *arg), void *arg)
{
	struct copy copy = { .from = from, .to = to, .also = also, .arg = arg };

	return sql_transact(to, DOING, write_all, &copy);
}
