// SPDX-License-Identifier: GPL-2.0-or-later
/* The store in a MariaDB server: the connection, made again when it is lost, the tables' version, and statements. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mysql.h>
#include <mysqld_error.h>
#include <errmsg.h>

#include "lib/log.h"
#include "manager/store_sql.h"

#define CONNECT_S 5u
#define ANSWER_S 30u
#define OLDEST 100600ul /* 10.6: JSON_TABLE, and tables that are made whole or not at all */

struct server {
	struct store store; /* first */
	struct store_server at;
	char name[512]; /* for messages */
	MYSQL *link;	/* NULL: lost, and to be made again */
	bool in;	/* a transaction, which goes with the connection */
	bool administers;
};

static struct server *server_of(struct store *store)
{
	return (struct server *)store;
}

/* ---- what fails ---- */

static bool is_loss(unsigned code)
{
	switch (code) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
	case ER_NET_READ_ERROR:
	case ER_NET_READ_INTERRUPTED:
	case ER_NET_ERROR_ON_WRITE:
	case ER_NET_WRITE_INTERRUPTED:
		return true;
	default:
		return false;
	}
}

static const char *advice(unsigned code)
{
	switch (code) {
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_UNKNOWN_HOST:
		return ": does MariaDB run there? See [database] in kvmnet-manager.conf(5)";
	case CR_SSL_CONNECTION_ERROR:
		return ": are [database] ca, certificate and key those of that server, and is its certificate "
		       "for the host as it is written there?";
	case ER_ACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_BAD_DB_ERROR:
	case ER_INVALID_ROLE:
	case ER_SPECIFIC_ACCESS_DENIED_ERROR:
		return ": make the database and its user as kvmnet-manager.conf(5) shows under [database]";
	case ER_OPTION_PREVENTS_STATEMENT:
	case ER_READ_ONLY_MODE:
		return ": this is a Secondary, and changes are made at the Primary";
	case ER_DISK_FULL:
	case ER_RECORD_FILE_FULL:
		return ": make room on the server's disk";
	default:
		return is_loss(code) ? ": nobody knows whether it was done; it is tried to connect again" :
				       "";
	}
}

/* The connection too, if that is what has failed. */
static int failed(struct server *server, const char *doing, unsigned code, const char *text)
{
	log_error("%s: cannot %s: %s%s", server->name, doing, text, advice(code));
	if (is_loss(code)) {
		mysql_close(server->link);
		server->link = NULL;
	}
	return -1;
}

/* ---- the connection ---- */

/* No password ever goes there: a UNIX socket tells the server who asks, and over TCP a certificate does. */
static bool set_options(MYSQL *link, const struct store_server *at)
{
	const unsigned connect_s = CONNECT_S, answer_s = ANSWER_S, no_files = 0;
	const unsigned protocol = *at->host ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
	const my_bool yes = 1;
	bool ok = !mysql_options(link, MYSQL_OPT_PROTOCOL, &protocol) &&
		  !mysql_options(link, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) &&
		  !mysql_options(link, MYSQL_OPT_READ_TIMEOUT, &answer_s) &&
		  !mysql_options(link, MYSQL_OPT_WRITE_TIMEOUT, &answer_s) &&
		  !mysql_options(link, MYSQL_OPT_LOCAL_INFILE, &no_files) &&
		  !mysql_options(link, MYSQL_SET_CHARSET_NAME, "utf8mb4");

	if (!ok || !*at->host)
		return ok;
	return !mysql_options(link, MYSQL_OPT_SSL_CA, at->ca) &&
	       !mysql_options(link, MYSQL_OPT_SSL_CERT, at->certificate) &&
	       !mysql_options(link, MYSQL_OPT_SSL_KEY, at->key) &&
	       !mysql_options(link, MARIADB_OPT_TLS_VERSION, "TLSv1.3") &&
	       !mysql_options(link, MYSQL_OPT_SSL_ENFORCE, &yes) &&
	       !mysql_options(link, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

/* Of this connection: texts differ by every byte, and what does not fit is refused, not cut. */
static const char *const habits[] = {
	"SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin",
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, innodb_lock_wait_timeout = 5,"
	" group_concat_max_len = 16777216",
};

/* Of one that administers: nothing of it is replicated. */
static const char unlogged[] = "SET SESSION sql_log_bin = 0";

/* The system's root is the server's, as Debian has it, and may have no need of the role. */
static bool take_role(MYSQL *link)
{
	static const char role[] = "SET ROLE kvmnet_replication";

	return !mysql_real_query(link, role, strlen(role)) ||
	       (!geteuid() && mysql_errno(link) == ER_INVALID_ROLE);
}

static const char *who(const struct server *server)
{
	return server->administers && !*server->at.host && !geteuid() ? "root" : server->at.user;
}

static int link_up(struct server *server, const char *doing)
{
	const struct store_server *at = &server->at;
	MYSQL *link = mysql_init(NULL);
	bool ok = link && set_options(link, at);

	if (!ok) {
		log_error("%s: cannot %s: out of memory", server->name, doing);
		mysql_close(link);
		return -1;
	}
	ok = mysql_real_connect(link, *at->host ? at->host : NULL, who(server), NULL, at->database, at->port,
				*at->host ? NULL : at->socket, CLIENT_FOUND_ROWS);
	for (unsigned i = 0; ok && i < sizeof(habits) / sizeof(habits[0]); i++)
		ok = !mysql_real_query(link, habits[i], strlen(habits[i]));
	if (ok && server->administers)
		ok = take_role(link) && !mysql_real_query(link, unlogged, strlen(unlogged));
	if (!ok) {
		unsigned code = mysql_errno(link);

		/* A server that does not take a certificate may just hang up (RFC 8446 section 4.4.2.4). */
		if (is_loss(code))
			code = *at->host ? CR_SSL_CONNECTION_ERROR : CR_CONNECTION_ERROR;
		failed(server, doing, code, mysql_error(link));
	} else if (mysql_get_server_version(link) < OLDEST) {
		log_error("%s: is MariaDB %s, and must be 10.6 or later", server->name,
			  mysql_get_server_info(link));
		ok = false;
	}
	if (!ok) {
		mysql_close(link);
		return -1;
	}
	server->link = link;
	return 0;
}

/* ---- one statement ---- */

/* This changes nothing yet: a connection that was lost meanwhile is made again, once. */
static MYSQL_STMT *prepare(struct server *server, const struct sql_statement *statement)
{
	for (bool again = true;; again = false) {
		MYSQL_STMT *prepared;
		unsigned code;

		if (!server->link && (server->in || link_up(server, statement->doing)))
			return NULL;
		prepared = mysql_stmt_init(server->link);
		if (!prepared) {
			log_error("%s: cannot %s: out of memory", server->name, statement->doing);
			return NULL;
		}
		if (!mysql_stmt_prepare(prepared, statement->text, strlen(statement->text)))
			return prepared;
		code = mysql_stmt_errno(prepared);
		if (!again || server->in || !is_loss(code)) {
			failed(server, statement->doing, code, mysql_stmt_error(prepared));
			mysql_stmt_close(prepared);
			return NULL;
		}
		mysql_stmt_close(prepared);
		mysql_close(server->link);
		server->link = NULL;
	}
}

static bool bind_values(MYSQL_STMT *prepared, const struct sql_statement *statement)
{
	MYSQL_BIND binds[SQL_VALUES_MAX] = { 0 };

	for (unsigned i = 0; i < statement->count; i++) {
		const struct sql_value *value = &statement->values[i];

		binds[i].buffer_type = value->text ? MYSQL_TYPE_STRING : MYSQL_TYPE_LONGLONG;
		binds[i].buffer = value->text ? (void *)value->text : (void *)&value->number;
		binds[i].buffer_length = value->text ? strlen(value->text) : 0;
	}
	return mysql_stmt_param_count(prepared) == statement->count &&
	       !mysql_stmt_bind_param(prepared, binds);
}

/* Text of every column, each as long as the longest that came. */
static char *bind_columns(MYSQL_STMT *prepared, MYSQL_RES *result, struct sql_row *row,
			  my_bool empty[SQL_COLUMNS_MAX])
{
	MYSQL_BIND binds[SQL_COLUMNS_MAX] = { 0 };
	unsigned columns = mysql_num_fields(result);
	size_t size = 0;
	char *buffer, *at;

	for (unsigned i = 0; i < columns; i++) {
		binds[i].buffer_type = MYSQL_TYPE_STRING;
		binds[i].buffer_length = mysql_fetch_field_direct(result, i)->max_length + 1;
		binds[i].is_null = &empty[i];
		size += binds[i].buffer_length;
	}
	buffer = at = calloc(1, size);
	if (!buffer)
		return NULL;
	for (unsigned i = 0; i < columns; i++) {
		row->columns[i] = binds[i].buffer = at;
		at += binds[i].buffer_length;
	}
	if (!mysql_stmt_bind_result(prepared, binds))
		return buffer;
	free(buffer);
	return NULL;
}

static bool give_each(MYSQL_STMT *prepared, MYSQL_RES *head, const struct sql_statement *statement)
{
	unsigned columns = mysql_num_fields(head);
	const char *names[SQL_COLUMNS_MAX + 1] = { NULL };
	my_bool empty[SQL_COLUMNS_MAX] = { 0 };
	struct sql_row row = { .names = names };
	char *buffer = bind_columns(prepared, head, &row, empty);
	int result;

	if (!buffer)
		return false;
	for (unsigned i = 0; i < columns; i++)
		names[i] = mysql_fetch_field_direct(head, i)->name;
	while (!(result = mysql_stmt_fetch(prepared))) {
		struct sql_row seen = row;

		for (unsigned i = 0; i < columns; i++)
			if (empty[i])
				seen.columns[i] = NULL;
		if (statement->each)
			statement->each(&seen, statement->arg);
	}
	free(buffer);
	return result == MYSQL_NO_DATA;
}

/* false: mysql_stmt_errno() says why, or it is memory. */
static bool give_rows(MYSQL_STMT *prepared, const struct sql_statement *statement)
{
	unsigned columns = mysql_stmt_field_count(prepared);
	my_bool wide = 1;
	MYSQL_RES *head;
	bool ok;

	if (!columns)
		return true;
	if (columns > SQL_COLUMNS_MAX || mysql_stmt_attr_set(prepared, STMT_ATTR_UPDATE_MAX_LENGTH, &wide) ||
	    mysql_stmt_store_result(prepared))
		return false;
	head = mysql_stmt_result_metadata(prepared);
	ok = head && give_each(prepared, head, statement);
	mysql_free_result(head);
	return ok;
}

static int run(struct store *store, const struct sql_statement *statement)
{
	struct server *server = server_of(store);
	MYSQL_STMT *prepared = prepare(server, statement);
	bool ok;

	store->changed = 0;
	if (!prepared)
		return -1;
	ok = bind_values(prepared, statement) && !mysql_stmt_execute(prepared) &&
	     give_rows(prepared, statement);
	if (ok)
		store->changed = (int64_t)mysql_stmt_affected_rows(prepared);
	else
		failed(server, statement->doing, mysql_stmt_errno(prepared),
		       mysql_stmt_errno(prepared) ? mysql_stmt_error(prepared) : "out of memory");
	mysql_stmt_close(prepared);
	return ok ? 0 : -1;
}

/* ---- transactions ---- */

static int begin(struct store *store, const char *doing)
{
	const struct sql_statement statement = { .doing = doing,
						 .text = "START TRANSACTION WITH CONSISTENT SNAPSHOT" };
	int error = run(store, &statement);

	server_of(store)->in = !error;
	return error;
}

static void roll_back(struct store *store)
{
	struct server *server = server_of(store);

	server->in = false;
	/* What cannot be rolled back must not be committed with what comes after it: it goes with the connection. */
	if (server->link && mysql_rollback(server->link)) {
		mysql_close(server->link);
		server->link = NULL;
	}
}

static int commit(struct store *store, const char *doing)
{
	struct server *server = server_of(store);
	const struct sql_statement statement = { .doing = doing, .text = "COMMIT" };
	int error = run(store, &statement);

	if (error)
		roll_back(store);
	server->in = false;
	return error;
}

static void close_link(struct store *store)
{
	mysql_close(server_of(store)->link);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

static const struct sql_driver driver = {
	.dialect = SQL_MARIADB,
	.run = run,
	.begin = begin,
	.commit = commit,
	.rollback = roll_back,
	.close = close_link,
};

/* ---- opening ---- */

static int read_version(struct store *store, int64_t *version)
{
	int64_t tables = 0;

	*version = 0;
	if (sql_query(store, "be opened",
		      "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND "
		      "table_name = 'version'",
		      sql_take_number, &tables, ""))
		return -1;
	return tables ? sql_query(store, "be opened", "SELECT number FROM version", sql_take_number, version,
				  "") :
			0;
}

/* Of a step's statements, each. They are constants of ours. */
static int run_step(struct server *server, const char *text)
{
	static const char doing[] = "be brought to this version";

	for (const char *end; (end = strchr(text, ';')); text = end + 1)
		if (mysql_real_query(server->link, text, (unsigned long)(end - text)))
			return failed(server, doing, mysql_errno(server->link), mysql_error(server->link));
	return 0;
}

/* Tables are no part of a transaction here: a step that was cut short is run again as a whole. */
static int migrate(struct server *server)
{
	int64_t version;

	if (read_version(&server->store, &version))
		return -1;
	if (!schema_known(server->name, (int)version))
		return -1;
	if (!version &&
	    run_step(server, "CREATE TABLE IF NOT EXISTS version (only INT PRIMARY KEY NOT NULL CHECK "
			     "(only = 1), number INT NOT NULL) ENGINE = InnoDB;"))
		return -1;
	for (; version < schema_version; version++)
		if (run_step(server, schema_migrations[version][SQL_MARIADB]) ||
		    sql_change(&server->store, "be brought to this version", NULL,
			       "REPLACE INTO version (only, number) VALUES (1, ?)", "i", version + 1))
			return -1;
	return 0;
}

static struct store *attach(const struct store_server *at, bool administers, bool tables)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server) {
		log_error("store: out of memory");
		return NULL;
	}
	server->store.driver = &driver;
	server->at = *at;
	server->administers = administers;
	pthread_mutex_init(&server->store.lock, NULL);
	if (*at->host)
		snprintf(server->name, sizeof(server->name), "MariaDB's %s at %s port %u", at->database,
			 at->host, at->port);
	else
		snprintf(server->name, sizeof(server->name), "MariaDB's %s at %s", at->database, at->socket);
	if (!link_up(server, "be opened") && (!tables || !migrate(server)))
		return &server->store;
	store_close(&server->store);
	return NULL;
}

struct store *store_connect(const struct store_server *at)
{
	return attach(at, false, true);
}

struct store *mariadb_administer(const struct store_server *at)
{
	return attach(at, true, true);
}

struct store *mariadb_read(const struct store_server *at)
{
	return attach(at, false, false);
}
