// SPDX-License-Identifier: GPL-2.0-or-later
/* The commands of Replication: certificates and settings for two servers, and the first copy. */
#include "manager/pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/certificate.h"
#include "lib/log.h"
#include "lib/state.h"
#include "manager/replication.h"
#include "manager/store_sql.h"

#define YEARS_S (3650 * CERTIFICATE_DAY_S) /* of certificates that only these two servers show each other */
#define BUNDLE_MAX 65536
#define TEXT_MAX 16384

/* What makes the second Manager the same one for Devices and browsers. */
static const char *const shared[] = { "ca.key", "ca.crt", "ticket.key" };
#define SHARED (sizeof(shared) / sizeof(shared[0]))
/* Of the server, in its folder. */
static const char *const of_server[] = { REPLICATION_CA, REPLICATION_CERTIFICATE, REPLICATION_KEY };
#define OF_SERVER (sizeof(of_server) / sizeof(of_server[0]))

bool pair_address_valid(const char *address)
{
	size_t len = strlen(address);

	return len && len < REPLICATION_ADDRESS_SIZE && address[0] != '-' &&
	       strspn(address, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.:-") == len;
}

/* ---- certificates ---- */

/* Of the two servers alone, so that no Device's certificate opens a database. Its key is forgotten once both have theirs:
 * nobody can make a third. */
struct authority {
	EVP_PKEY *key;
	X509 *certificate;
};

static X509 *issue(const struct authority *authority, EVP_PKEY *key, const char *address)
{
	char names[3 * REPLICATION_ADDRESS_SIZE];
	unsigned char ip[16];
	const struct certificate_extension certifies[] = CERTIFICATE_OF_AUTHORITY;
	const struct certificate_extension serves[] = CERTIFICATE_OF_BOTH_ENDS(names);
	time_t from = certificate_now() - CERTIFICATE_DAY_S;
	const struct certificate_form form = {
		.common_name = address ? address : "KVMnet Replication",
		.key = key,
		.from = from,
		.until = from + YEARS_S,
		.extensions = address ? serves : certifies,
		.issuer = authority->certificate,
		.issuer_key = authority->key,
	};

	if (address && (inet_pton(AF_INET, address, ip) == 1 || inet_pton(AF_INET6, address, ip) == 1))
		snprintf(names, sizeof(names), "IP:%s", address);
	else if (address)
		snprintf(names, sizeof(names), "DNS:%s", address);
	return certificate_new(&form);
}

static char *key_text(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data, *text = NULL;
	long len;

	if (bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
		len = BIO_get_mem_data(bio, &data);
		text = strndup(data, (size_t)len);
	}
	BIO_free(bio);
	return text;
}

/* The three files of the server at address, as JSON. */
static json_t *server_files(const struct authority *authority, const char *address)
{
	EVP_PKEY *key = certificate_new_key();
	X509 *certificate = key ? issue(authority, key, address) : NULL;
	char *texts[] = {
		certificate_text(authority->certificate),
		certificate ? certificate_text(certificate) : NULL,
		key ? key_text(key) : NULL,
	};
	json_t *files = NULL;

	if (texts[0] && texts[1] && texts[2])
		files = json_pack("{s:s, s:s, s:s}", of_server[0], texts[0], of_server[1], texts[1],
				  of_server[2], texts[2]);
	if (texts[2])
		OPENSSL_cleanse(texts[2], strlen(texts[2]));
	for (unsigned i = 0; i < OF_SERVER; i++)
		free(texts[i]);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return files;
}

/* ---- the server's folder ---- */

static const char cnf[] =
	"# Of kvmnet-manager's pair: MariaDB reads this by an !include of its own settings. Only what is promoted takes writes.\n"
	"[mariadbd]\n"
	"bind-address = *\n"
	"server-id = %u\n"
	"gtid-domain-id = 0\n"
	"gtid-strict-mode = 1\n"
	"log-bin = kvmnet-bin\n"
	"relay-log = kvmnet-relay\n"
	"relay-log-recovery = 1\n"
	"log-slave-updates = 1\n"
	"binlog-format = ROW\n"
	"binlog-expire-logs-seconds = 604800\n"
	"sync-binlog = 1\n"
	"sync-relay-log = 10000\n"
	"innodb-flush-log-at-trx-commit = 1\n"
	"read-only = 1\n"
	"init-rpl-role = SLAVE\n"
	"rpl-semi-sync-slave-enabled = 1\n"
	"rpl-semi-sync-master-wait-point = AFTER_SYNC\n"
	"rpl-semi-sync-master-timeout = 10000\n"
	"slave-net-timeout = 10\n"
	"require-secure-transport = 1\n"
	"tls-version = TLSv1.3\n"
	"ssl-ca = %s/" REPLICATION_CA "\n"
	"ssl-cert = %s/" REPLICATION_CERTIFICATE "\n"
	"ssl-key = %s/" REPLICATION_KEY "\n";

/* Whose folder it is reads what is in it: the server runs as somebody else than we. Only what we wrote is given away, and
 * no other name of another file, should the owner have put one there. */
static int give_away(const char *dir, const char *name)
{
	struct stat folder, file;
	char path[PATH_MAX];
	int fd = -1, error = ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path)) {
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		error = fd < 0 || fstat(fd, &file) || stat(dir, &folder) ? errno : 0;
	}
	if (!error && folder.st_uid != geteuid()) {
		if (!S_ISREG(file.st_mode) || file.st_nlink != 1 || file.st_uid != geteuid())
			error = EPERM;
		else if (fchown(fd, folder.st_uid, folder.st_gid))
			error = errno;
	}
	if (fd >= 0)
		close(fd);
	if (error)
		log_error("%s/%s: cannot be given to the owner of its folder: %s", dir, name,
			  strerror(error));
	return error ? -1 : 0;
}

static int write_server(const char *dir, unsigned number, const json_t *files)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), cnf, number, dir, dir, dir);

	if (len >= (int)sizeof(text) || state_prepare(dir) ||
	    state_write(dir, "mariadb.cnf", text, (size_t)len) || give_away(dir, "mariadb.cnf"))
		return -1;
	for (unsigned i = 0; i < OF_SERVER; i++) {
		const char *file = json_string_value(json_object_get(files, of_server[i]));

		if (!file || state_write(dir, of_server[i], file, strlen(file)) ||
		    give_away(dir, of_server[i]))
			return -1;
	}
	return 0;
}

static int write_pair(const char *state_dir, const char *self, const char *peer)
{
	char text[256];
	int len = snprintf(text, sizeof(text), "{\"self\": \"%s\", \"peer\": \"%s\"}\n", self, peer);

	return state_write(state_dir, PAIR_FILE, text, (size_t)len) || give_away(state_dir, PAIR_FILE) ? -1 :
													 0;
}

static void say_restart(const char *dir, const char *next)
{
	printf("Now have MariaDB read %s/mariadb.cnf and start it again, for instance with\n"
	       "  echo '!include %s/mariadb.cnf' >/etc/mysql/mariadb.conf.d/90-kvmnet.cnf\n"
	       "  systemctl restart mariadb\n"
	       "and then: %s\n",
	       dir, dir, next);
}

/* ---- pair ---- */

static json_t *shared_files(const char *state_dir)
{
	json_t *files = json_object();

	for (unsigned i = 0; i < SHARED && files; i++) {
		size_t len;
		char *text = state_read(state_dir, shared[i], TEXT_MAX, &len);

		if (!text || json_object_set_new(files, shared[i], json_string(text))) {
			log_error("%s/%s cannot be read: let the Manager start once", state_dir, shared[i]);
			json_decref(files);
			files = NULL;
		}
		if (text)
			OPENSSL_cleanse(text, len);
		free(text);
	}
	return files;
}

static int write_bundle(const char *path, json_t *bundle)
{
	char *text = bundle ? json_dumps(bundle, JSON_INDENT(1)) : NULL;
	size_t len = text ? strlen(text) : 0;
	int fd = text ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len && !fsync(fd);

	if (!ok)
		log_error("%s: cannot be written: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !ok)
		unlink(path); /* half a bundle would be in the way of the next one */
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
	return ok ? 0 : -1;
}

static void count(const struct store_user *user, void *arg)
{
	(void)user;
	++*(unsigned *)arg;
}

/* From manager.db, unless somebody uses MariaDB already. */
static int move(const char *state_dir, struct store *to)
{
	char path[PATH_MAX];
	unsigned users = 0;
	struct store *from;
	int error;

	if (store_users(to, count, &users))
		return -1;
	if (users || snprintf(path, sizeof(path), "%s/manager.db", state_dir) >= (int)sizeof(path) ||
	    access(path, F_OK))
		return 0;
	from = store_open(state_dir);
	error = from ? store_copy(from, to, NULL, NULL) : -1;
	store_close(from);
	return error;
}

/* For the other one's server, which shows one of the two certificates. */
static int make_user(struct store *store, const char *database)
{
	static const char doing[] = "make the user of Replication";
	static const char *const steps[] = {
		"CREATE OR REPLACE USER '" REPLICATION_USER "'@'%' REQUIRE X509",
		"GRANT REPLICATION SLAVE, REPLICATION MASTER ADMIN, BINLOG MONITOR ON *.* TO '" REPLICATION_USER
		"'@'%'",
	};
	char grant[128];

	snprintf(grant, sizeof(grant), "GRANT SELECT ON %s.* TO '" REPLICATION_USER "'@'%%'", database);

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (sql_change(store, doing, NULL, steps[i], ""))
			return -1;
	return sql_change(store, doing, NULL, grant, "");
}

static int make_files(const struct config *config, const char *self, const char *peer, const char *file)
{
	struct authority authority = { .key = certificate_new_key() };
	json_t *ours = NULL, *theirs = NULL, *bundle = NULL;
	int error = -1;

	authority.certificate = authority.key ? issue(&authority, authority.key, NULL) : NULL;
	if (authority.certificate) {
		ours = server_files(&authority, self);
		theirs = server_files(&authority, peer);
	}
	if (ours && theirs)
		bundle = json_pack("{s:s, s:s, s:o, s:O}", "self", peer, "peer", self, "manager",
				   shared_files(config->state_dir), "server", theirs);
	if (bundle && !write_bundle(file, bundle) && !write_server(config->database_folder, 1, ours) &&
	    !write_pair(config->state_dir, self, peer))
		error = 0;
	json_decref(bundle);
	json_decref(theirs);
	json_decref(ours);
	X509_free(authority.certificate);
	EVP_PKEY_free(authority.key);
	return error;
}

int pair_make(const struct config *config, const struct store_server *at, const char *self, const char *peer,
	      const char *file)
{
	struct store *store;
	int error;

	if (!pair_address_valid(self) || !pair_address_valid(peer) || !strcmp(self, peer)) {
		log_error(
			"SELF and PEER are two names or addresses, of letters, digits, dots, colons and hyphens");
		return -1;
	}
	store = mariadb_administer(at);
	error = store ? move(config->state_dir, store) || make_user(store, at->database) : -1;
	store_close(store);
	if (error || make_files(config, self, peer, file))
		return -1;
	say_restart(config->database_folder, "kvmnet-manager promote");
	printf("Take %s to %s, where kvmnet-manager join FILE reads it, and remove it here: whoever has it can pass for this "
	       "Manager.\n",
	       file, peer);
	return 0;
}

/* ---- join ---- */

static json_t *read_bundle(const char *path)
{
	FILE *in = fopen(path, "re");
	char *text = in ? calloc(1, BUNDLE_MAX + 1) : NULL;
	size_t len = text ? fread(text, 1, BUNDLE_MAX + 1, in) : 0;
	json_t *bundle =
		text && len <= BUNDLE_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *self, *peer;
	json_t *manager, *server;

	if (!in) {
		log_error("%s: %s", path, strerror(errno));
		return NULL;
	}
	fclose(in);
	if (text)
		OPENSSL_cleanse(text, BUNDLE_MAX + 1);
	free(text);
	if (!json_unpack_ex(bundle, NULL, JSON_STRICT, "{s:s, s:s, s:o, s:o}", "self", &self, "peer", &peer,
			    "manager", &manager, "server", &server) &&
	    pair_address_valid(self) && pair_address_valid(peer)) {
		bool whole = true;

		for (unsigned i = 0; i < SHARED; i++)
			whole = whole && json_is_string(json_object_get(manager, shared[i]));
		for (unsigned i = 0; i < OF_SERVER; i++)
			whole = whole && json_is_string(json_object_get(server, of_server[i]));
		if (whole)
			return bundle;
	}
	log_error("%s: is not what kvmnet-manager pair writes: make it again there", path);
	json_decref(bundle);
	return NULL;
}

int pair_take(const struct config *config, const char *file)
{
	json_t *bundle = read_bundle(file), *manager = json_object_get(bundle, "manager");
	char path[PATH_MAX + 16];
	int error = bundle ? state_prepare(config->state_dir) : -1;

	snprintf(path, sizeof(path), "%s/ca.key", config->state_dir);
	if (!error && !access(path, F_OK)) {
		log_error(
			"%s is there: this is a Manager of its own already; use a new state_dir, or move this one away",
			path);
		error = -1;
	}
	/* The key of the authority last: until it is there, this can be done again. */
	error = error || write_server(config->database_folder, 2, json_object_get(bundle, "server")) ||
		write_pair(config->state_dir, json_string_value(json_object_get(bundle, "self")),
			   json_string_value(json_object_get(bundle, "peer")));
	for (unsigned i = SHARED; i-- > 0 && !error;) {
		const char *text = json_string_value(json_object_get(manager, shared[i]));

		error = state_write(config->state_dir, shared[i], text, strlen(text)) ||
			give_away(config->state_dir, shared[i]);
	}
	json_decref(bundle);
	if (error)
		return -1;
	say_restart(config->database_folder, "kvmnet-manager join");
	return 0;
}

static void take_position(const struct sql_row *row, void *arg)
{
	snprintf(arg, 256, "%s", sql_text(row, 0));
}

/* Where in the Primary's log the copy stands. */
static int read_position(struct store *from, void *arg)
{
	return sql_step(
		from, "be copied", take_position, arg,
		"SELECT BINLOG_GTID_POS((SELECT variable_value FROM information_schema.session_status WHERE "
		"variable_name = 'binlog_snapshot_file'), (SELECT variable_value FROM "
		"information_schema.session_status WHERE variable_name = 'binlog_snapshot_position'))",
		"");
}

static int follow(struct store *to, const struct config *config, const char *peer, const char *position)
{
	static const char doing[] = "follow the Primary";
	const char *dir = config->database_folder;
	char text[4 * PATH_MAX];

	/* MariaDB takes no values in this one: the address and the folder have been judged. */
	snprintf(text, sizeof(text),
		 "CHANGE MASTER TO MASTER_HOST = '%s', MASTER_PORT = %u, MASTER_USER = '" REPLICATION_USER
		 "', "
		 "MASTER_PASSWORD = '', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, "
		 "MASTER_HEARTBEAT_PERIOD = 2, MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 1, "
		 "MASTER_SSL_CA = '%s/" REPLICATION_CA "', MASTER_SSL_CERT = '%s/" REPLICATION_CERTIFICATE
		 "', "
		 "MASTER_SSL_KEY = '%s/" REPLICATION_KEY "'",
		 peer, config->database_port, dir, dir, dir);
	return sql_change(to, doing, NULL, "RESET MASTER", "") ||
			       sql_change(to, doing, NULL, "SET GLOBAL gtid_slave_pos = ?", "s", position) ||
			       sql_change(to, doing, NULL, text, "") ||
			       sql_change(to, doing, NULL, "START SLAVE", "") ?
		       -1 :
		       0;
}

static int copy_and_follow(const struct config *config, const struct replication *replication,
			   struct store *from, struct store *to)
{
	static const char *const before[] = { "SET GLOBAL read_only = 1", "STOP SLAVE", "RESET SLAVE ALL" };
	char position[256] = "";
	int64_t read_only = 1;

	if (sql_query(from, "say whether it is the Primary's", "SELECT @@global.read_only", sql_take_number,
		      &read_only, ""))
		return -1;
	if (read_only) {
		log_error("%s is no Primary: run kvmnet-manager promote there, or here", replication->peer);
		return -1;
	}
	for (unsigned i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (sql_change(to, "become a Secondary's", NULL, before[i], ""))
			return -1;
	if (store_copy(from, to, read_position, position) || make_user(to, config->database_name) ||
	    follow(to, config, replication->peer, position))
		return -1;
	return sql_change(from, "wait for its Secondary", NULL, "SET GLOBAL rpl_semi_sync_master_enabled = 1",
			  "");
}

int pair_join(const struct config *config, const struct store_server *at)
{
	struct replication replication;
	struct store *from, *to;
	int error;

	if (replication_open(&replication, at, config->state_dir, config->database_folder))
		return -1;
	if (!replication.paired) {
		log_error(
			"this Manager is not in Replication mode: kvmnet-manager join FILE, with a file of pair's");
		return -1;
	}
	to = mariadb_administer(at);
	from = to ? replication_reach(&replication) : NULL;
	error = from ? copy_and_follow(config, &replication, from, to) : -1;
	store_close(from);
	store_close(to);
	if (!error)
		printf("This is the Secondary of %s now.\n", replication.peer);
	return error;
}
