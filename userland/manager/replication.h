/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How this Manager and another one keep in step: each has a MariaDB server of its own, and that of the Secondary follows
 * the Primary's by GTID, over TLS, semi-synchronously. Who is which is what the servers themselves say: a server starts
 * as one that refuses writes, and only promotion makes it take them. Where it is decided by whoever has the say there is
 * replication_promote(); a fail-over by itself would ask the same of it.
 */
#ifndef KVMNET_MANAGER_REPLICATION_H
#define KVMNET_MANAGER_REPLICATION_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "manager/store.h"

#define REPLICATION_ADDRESS_SIZE 65
#define REPLICATION_USER \
	"kvmnet-replication" /* of the other one's server; its certificate is all that it shows */

#define REPLICATION_PATH_SIZE (PATH_MAX + 16)

/* In the folder of the server's files. */
#define REPLICATION_CA "authority.crt"
#define REPLICATION_CERTIFICATE "server.crt"
#define REPLICATION_KEY "server.key"

enum replication_role {
	REPLICATION_ALONE, /* it is not in Replication mode */
	REPLICATION_PRIMARY,
	REPLICATION_SECONDARY,
};

struct replication {
	struct store_server at; /* our server's */
	bool paired;
	char ca[REPLICATION_PATH_SIZE], certificate[REPLICATION_PATH_SIZE], key[REPLICATION_PATH_SIZE];
	char self[REPLICATION_ADDRESS_SIZE], peer[REPLICATION_ADDRESS_SIZE];
};

/* Reads STATE_DIR/pair. 0, or -1 after logging. */
int replication_open(struct replication *replication, const struct store_server *at, const char *state_dir,
		     const char *folder);
/* The other one's database, to be read and closed before replication goes; NULL after logging. */
struct store *replication_reach(const struct replication *replication);
/* Asks the server: store is the one that it has. 0, or -1 after logging. */
int replication_role(const struct replication *replication, struct store *store, enum replication_role *role);
/* Makes our server the Primary's: all that it received is applied first. It is one already: nothing is done. The other
 * one's must not answer as the Primary's, nor as one that has more than ours. 0, or -1 after logging why. */
int replication_promote(const struct replication *replication);
/* Of the Primary: whether what is answered as done is at the Secondary too. false too when the server does not say. */
bool replication_followed(struct store *store);
/* Lines for an administrator. */
void replication_print(const struct replication *replication, struct store *store, FILE *out);

#endif
