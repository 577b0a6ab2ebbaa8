// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is Primary, how far the Secondary is, and the change from the one to the other. */
#include "manager/replication.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lib/log.h"
#include "lib/state.h"
#include "manager/pair.h"
#include "manager/store_sql.h"

#define APPLY_S 20 /* less than a connection waits for an answer */

int replication_open(struct replication *replication, const struct store_server *at, const char *state_dir,
		     const char *folder)
{
	const char *self, *peer;
	size_t len;
	char *text = state_read(state_dir, PAIR_FILE, 4096, &len);
	json_t *json = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	*replication = (struct replication){ .at = *at };
	if (!text && errno == ENOENT)
		return 0;
	snprintf(replication->ca, sizeof(replication->ca), "%s/" REPLICATION_CA, folder);
	snprintf(replication->certificate, sizeof(replication->certificate), "%s/" REPLICATION_CERTIFICATE,
		 folder);
	snprintf(replication->key, sizeof(replication->key), "%s/" REPLICATION_KEY, folder);
	free(text);
	if (json_unpack(json, "{s:s, s:s}", "self", &self, "peer", &peer) || !pair_address_valid(self) ||
	    !pair_address_valid(peer)) {
		log_error("%s/" PAIR_FILE " is damaged: remove it, and pair this Manager again", state_dir);
		json_decref(json);
		return -1;
	}
	strcpy(replication->self, self);
	strcpy(replication->peer, peer);
	replication->paired = true;
	json_decref(json);
	return 0;
}

struct store *replication_reach(const struct replication *replication)
{
	struct store_server there = replication->at;

	there.host = replication->peer;
	there.ca = replication->ca;
	there.certificate = replication->certificate;
	there.key = replication->key;
	there.user = REPLICATION_USER;
	return mariadb_read(&there);
}

int replication_role(const struct replication *replication, struct store *store, enum replication_role *role)
{
	int64_t read_only = 1;

	*role = REPLICATION_ALONE;
	if (!replication->paired)
		return 0;
	if (sql_query(store, "say whether it is the Primary's", "SELECT @@global.read_only", sql_take_number,
		      &read_only, ""))
		return -1;
	*role = read_only ? REPLICATION_SECONDARY : REPLICATION_PRIMARY;
	return 0;
}

/* ---- how far it is ---- */

struct follower {
	bool there; /* it has been told whom to follow */
	bool receives, applies;
	char behind[24], received[256], error[256];
};

static void take_follower(const struct sql_row *row, void *arg)
{
	struct follower *follower = arg;
	const char *error = sql_named(row, "Last_SQL_Error");

	follower->there = true;
	follower->receives = !strcmp(sql_named(row, "Slave_IO_Running"), "Yes");
	follower->applies = !strcmp(sql_named(row, "Slave_SQL_Running"), "Yes");
	snprintf(follower->behind, sizeof(follower->behind), "%s", sql_named(row, "Seconds_Behind_Master"));
	snprintf(follower->received, sizeof(follower->received), "%s", sql_named(row, "Gtid_IO_Pos"));
	snprintf(follower->error, sizeof(follower->error), "%s",
		 *error ? error : sql_named(row, "Last_IO_Error"));
}

static int read_follower(struct store *store, const char *doing, struct follower *follower)
{
	*follower = (struct follower){ 0 };
	return sql_query(store, doing, "SHOW SLAVE STATUS", take_follower, follower, "");
}

/* As the server's status counts them; -1: it is not known. */
static int64_t count_of(struct store *store, const char *what)
{
	int64_t count = -1;

	sql_query(store, "say how Replication is",
		  "SELECT variable_value = 'ON' OR variable_value + 0 FROM information_schema.global_status "
		  "WHERE variable_name = ?",
		  sql_take_number, &count, "s", what);
	return count;
}

bool replication_followed(struct store *store)
{
	return count_of(store, "rpl_semi_sync_master_clients") > 0 &&
	       count_of(store, "rpl_semi_sync_master_status") > 0;
}

static void print_primary(const struct replication *replication, struct store *store, FILE *out)
{
	fprintf(out, "Primary; the Secondary is %s.\n", replication->peer);
	if (replication_followed(store))
		fputs("The Secondary is connected; what is answered as done is there too.\n", out);
	else
		fputs("ALARM: the Secondary does not follow: what is changed now is on this machine alone.\n",
		      out);
}

static void print_secondary(const struct replication *replication, struct store *store, FILE *out)
{
	struct follower follower;

	fprintf(out, "Secondary; the Primary is %s.\n", replication->peer);
	if (read_follower(store, "say how Replication is", &follower))
		fputs("ALARM: its database does not answer: the log says why.\n", out);
	else if (!follower.there)
		fputs("ALARM: it follows nobody: run kvmnet-manager join here, or kvmnet-manager promote if this is to "
		      "be the Primary.\n",
		      out);
	else if (follower.receives && follower.applies)
		fprintf(out, "It follows, %s s behind.\n", *follower.behind ? follower.behind : "?");
	else
		fprintf(out, "ALARM: it does not follow: %s\n",
			*follower.error ? follower.error : "it has lost the Primary, and tries again.");
}

void replication_print(const struct replication *replication, struct store *store, FILE *out)
{
	enum replication_role role;

	if (replication_role(replication, store, &role))
		fputs("ALARM: its database does not answer: the log says why.\n", out);
	else if (role == REPLICATION_PRIMARY)
		print_primary(replication, store, out);
	else if (role == REPLICATION_SECONDARY)
		print_secondary(replication, store, out);
	else
		fputs("This Manager is not in Replication mode.\n", out);
}

/* ---- promotion ---- */

static const char doing_promote[] = "be made the Primary's";

/* No more comes in; what did come is applied before anything of ours follows it. */
static int finish_following(struct store *store)
{
	struct follower follower;
	int64_t result = -1;

	if (read_follower(store, doing_promote, &follower))
		return -1;
	if (!follower.there)
		return 0;
	if (!follower.applies) {
		log_error("this database has stopped to apply what it received, and is no Primary's: %s",
			  follower.error);
		return -1;
	}
	if (sql_change(store, doing_promote, NULL, "STOP SLAVE IO_THREAD", "") ||
	    read_follower(store, doing_promote, &follower))
		return -1;
	if (*follower.received &&
	    sql_query(store, doing_promote, "SELECT MASTER_GTID_WAIT(?, ?)", sql_take_number, &result, "si",
		      follower.received, (int64_t)APPLY_S))
		return -1;
	if (!*follower.received || !result)
		return 0;
	log_error("this database has not applied what it received within %d s: try again", APPLY_S);
	return -1;
}

static int promote(struct store *store)
{
	static const char *const steps[] = {
		"STOP SLAVE",
		"RESET SLAVE ALL",
		/* Who joins turns it on; after this one has started again, a Secondary follows it already. */
		"SET GLOBAL rpl_semi_sync_master_enabled = (SELECT variable_value > 0 FROM "
		"information_schema.global_status WHERE variable_name = 'slaves_connected')",
		"SET GLOBAL read_only = 0",
	};

	if (finish_following(store))
		return -1;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (sql_change(store, doing_promote, NULL, steps[i], ""))
			return -1;
	return 0;
}

/* Of its last change, in the one domain that both count in (a GTID is DOMAIN-SERVER-NUMBER). */
static int read_number(struct store *store, int64_t *number)
{
	return sql_query(store, "say how much it has",
			 "SELECT SUBSTRING_INDEX(@@global.gtid_current_pos, '-', -1) + 0", sql_take_number,
			 number, "");
}

/* Two Primaries would be two Managers that differ; and a server that ended suddenly may have forgotten the last changes
 * that were answered as done, when the other one has them. */
static bool peer_gives_way(const struct replication *replication, struct store *here, struct store *there)
{
	enum replication_role role;
	int64_t ours = 0, theirs = 0;

	if (replication_role(replication, there, &role) || read_number(there, &theirs) ||
	    read_number(here, &ours)) {
		log_error("%s answers, and does not say what it is: stop its MariaDB first",
			  replication->peer);
		return false;
	}
	if (role == REPLICATION_PRIMARY) {
		log_error("%s is the Primary, and answers: stop its MariaDB first, or use that one",
			  replication->peer);
		return false;
	}
	if (theirs > ours) {
		log_error(
			"%s has changes that this one does not have: promote that one, or stop its MariaDB first, and they "
			"are lost",
			replication->peer);
		return false;
	}
	return true;
}

static bool may_promote(const struct replication *replication, struct store *here)
{
	struct store *there = replication_reach(replication);
	bool may = !there || peer_gives_way(replication, here, there);

	if (!there)
		log_info("%s does not answer, and is taken to be gone", replication->peer);
	store_close(there);
	return may;
}

int replication_promote(const struct replication *replication)
{
	enum replication_role role;
	struct store *store;
	int error;

	if (!replication->paired) {
		log_error("this Manager is not in Replication mode: see kvmnet-manager(8), Replication");
		return -1;
	}
	store = mariadb_administer(&replication->at);
	if (!store)
		return -1;
	error = replication_role(replication, store, &role);
	if (!error && role == REPLICATION_SECONDARY)
		error = may_promote(replication, store) ? promote(store) : -1;
	store_close(store);
	return error;
}
