// SPDX-License-Identifier: GPL-2.0-or-later
/* What the store keeps and is asked, in SQL that both databases understand: users, Devices, settings and the audit. */
#include "manager/store_sql.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

/* ---- statements ---- */

static int run(struct store *store, const char *doing, const char *text, row_fn *each, void *arg,
	       const char *types, va_list args)
{
	struct sql_statement statement = { .doing = doing, .text = text, .each = each, .arg = arg };

	for (; types[statement.count]; statement.count++) {
		struct sql_value *value = &statement.values[statement.count];

		if (types[statement.count] == 's') {
			value->text = va_arg(args, const char *);
			if (!value->text)
				value->text = "";
		} else {
			value->number = va_arg(args, int64_t);
		}
	}
	return store->driver->run(store, &statement);
}

int sql_query(struct store *store, const char *doing, const char *text, row_fn *each, void *arg,
	      const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	pthread_mutex_lock(&store->lock);
	result = run(store, doing, text, each, arg, types, args);
	pthread_mutex_unlock(&store->lock);
	va_end(args);
	return result;
}

int sql_change(struct store *store, const char *doing, bool *changed, const char *text, const char *types,
	       ...)
{
	va_list args;
	int result;

	va_start(args, types);
	pthread_mutex_lock(&store->lock);
	result = run(store, doing, text, NULL, NULL, types, args);
	if (changed)
		*changed = !result && store->changed > 0;
	pthread_mutex_unlock(&store->lock);
	va_end(args);
	return result;
}

int sql_step(struct store *store, const char *doing, row_fn *each, void *arg, const char *text,
	     const char *types, ...)
{
	va_list args;
	int result;

	va_start(args, types);
	result = run(store, doing, text, each, arg, types, args);
	va_end(args);
	return result;
}

int sql_transact(struct store *store, const char *doing, sql_body_fn *body, void *arg)
{
	int result;

	pthread_mutex_lock(&store->lock);
	result = store->driver->begin(store, doing);
	if (!result) {
		enum sql_end end = body(store, arg);

		if (end == SQL_KEEP)
			result = store->driver->commit(store, doing);
		else
			store->driver->rollback(store);
		if (end == SQL_FAILED)
			result = -1;
	}
	pthread_mutex_unlock(&store->lock);
	return result;
}

const char *sql_text(const struct sql_row *row, int column)
{
	const char *value = row->columns[column];

	return value ? value : ""; /* out of memory: the step after says so */
}

int64_t sql_number(const struct sql_row *row, int column)
{
	return strtoll(sql_text(row, column), NULL, 10);
}

const char *sql_named(const struct sql_row *row, const char *name)
{
	for (int i = 0; row->names && row->names[i]; i++)
		if (!strcmp(row->names[i], name))
			return sql_text(row, i);
	return "";
}

void sql_take_number(const struct sql_row *row, void *arg)
{
	*(int64_t *)arg = sql_number(row, 0);
}

void store_close(struct store *store)
{
	if (store)
		store->driver->close(store);
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

static void give_user(const struct sql_row *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_user user = { sql_text(row, 0), sql_text(row, 1), sql_text(row, 2),
					 sql_text(row, 3), sql_number(row, 4) };

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
	return sql_change(store, "add a user", added,
			  "INSERT INTO users (name, type, hash) SELECT ?, ?, ?" SQL_ONE
			  "WHERE NOT EXISTS (SELECT 1 FROM users)",
			  "sss", user->name, user->type, user->hash);
}

int store_add_user(struct store *store, const struct store_user *user, bool *added)
{
	return sql_change(store, "add a user", added,
			  "INSERT INTO users (name, type, hash) SELECT ?, ?, ?" SQL_ONE
			  "WHERE NOT EXISTS (SELECT 1 FROM users WHERE name = ?)",
			  "ssss", user->name, user->type, user->hash, user->name);
}

int store_set_user_type(struct store *store, const char *name, const char *type, bool *changed)
{
	return sql_change(
		store, "change a user", changed,
		"UPDATE users SET type = ? WHERE name = ? AND (? = 'administrator' OR (" SQL_NOT_THE_LAST
		"))",
		"sss", type, name, type);
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

static void give_device(const struct sql_row *row, void *arg)
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
		.port = sql_number(row, 9),
		.starts = sql_number(row, 10),
		.ends = sql_number(row, 11),
		.settings_revision = sql_number(row, 12),
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

/* What is there is changed: replaced, it would leave its Target Sets. */
static enum sql_end put_device(struct store *store, void *arg)
{
	static const char *const ways[] = {
		"UPDATE devices SET name = ?, address = ?, model = ?, firmware = ?, state = ?, serial = ?, "
		"adopted_at = ?, adopted_by = ?, port = ?, starts = ?, ends = ?, settings_revision = ? "
		"WHERE id = ?",
		"INSERT INTO devices (name, address, model, firmware, state, serial, adopted_at, adopted_by, "
		"port, starts, ends, settings_revision, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	};
	const struct store_device *device = arg;

	for (unsigned i = 0; i < 2; i++) {
		if (sql_step(store, "keep a Device", NULL, NULL, ways[i], "ssssssssiiiis", device->name,
			     device->address, device->model, device->firmware, device->state, device->serial,
			     device->adopted_at, device->adopted_by, device->port, device->starts,
			     device->ends, device->settings_revision, device->id))
			return SQL_FAILED;
		if (store->changed)
			break;
	}
	return SQL_KEEP;
}

int store_put_device(struct store *store, const struct store_device *device)
{
	return sql_transact(store, "keep a Device", put_device, (void *)device);
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

static void take_settings(const struct sql_row *row, void *arg)
{
	struct settings *settings = arg;

	settings->wanted = strdup(sql_text(row, 0));
	settings->revision = sql_number(row, 1);
}

int store_settings(struct store *store, char **wanted, int64_t *revision)
{
	struct settings settings = { 0 };

	/* The second row is the one that holds before the first change. */
	if (sql_query(store, "read the settings",
		      "SELECT wanted, revision FROM settings UNION ALL "
		      "SELECT '{}', 0" SQL_ONE "WHERE NOT EXISTS (SELECT 1 FROM settings)",
		      take_settings, &settings, ""))
		return -1;
	*wanted = settings.wanted;
	*revision = settings.revision;
	if (settings.wanted)
		return 0;
	log_error("store: out of memory");
	return -1;
}

static enum sql_end put_settings(struct store *store, void *arg)
{
	static const char doing[] = "keep the settings";
	struct settings *settings = arg;

	if (sql_step(store, doing, NULL, NULL, "UPDATE settings SET wanted = ?, revision = revision + 1", "s",
		     settings->wanted) ||
	    (!store->changed && sql_step(store, doing, NULL, NULL,
					 "INSERT INTO settings (only, wanted, revision) VALUES (1, ?, 1)",
					 "s", settings->wanted)) ||
	    sql_step(store, doing, sql_take_number, &settings->revision, "SELECT revision FROM settings", ""))
		return SQL_FAILED;
	return SQL_KEEP;
}

int store_put_settings(struct store *store, const char *wanted, int64_t *revision)
{
	struct settings settings = { .wanted = (char *)wanted };

	if (sql_transact(store, "keep the settings", put_settings, &settings))
		return -1;
	*revision = settings.revision;
	return 0;
}

/* ---- audit ---- */

static enum sql_end add_event(struct store *store, void *arg)
{
	static const char doing[] = "keep an event";
	const struct store_event *event = arg;

	if (sql_step(store, doing, NULL, NULL,
		     "INSERT INTO audit (time, who, what, device, text) VALUES (?, ?, ?, ?, ?)", "sssss",
		     event->time, event->who, event->what, event->device, event->text) ||
	    sql_step(store, doing, NULL, NULL,
		     "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?", "i",
		     (int64_t)STORE_EVENTS_MAX))
		return SQL_FAILED;
	return SQL_KEEP;
}

int store_add_event(struct store *store, const char *who, const char *what, const char *device,
		    const char *text)
{
	char now[32];
	struct tm tm;
	time_t seconds = time(NULL);
	struct store_event event = { .time = now, .who = who, .what = what, .device = device, .text = text };

	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	return sql_transact(store, "keep an event", add_event, &event);
}

static void give_event(const struct sql_row *row, void *arg)
{
	const struct caller *caller = arg;
	const struct store_event event = {
		sql_number(row, 0), sql_text(row, 1), sql_text(row, 2),
		sql_text(row, 3),   sql_text(row, 4), sql_text(row, 5),
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
