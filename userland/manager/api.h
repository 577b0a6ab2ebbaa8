/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Manager's JSON API and its links, on the web thread: openapi.yaml has what each request means. */
#ifndef KVMNET_MANAGER_API_H
#define KVMNET_MANAGER_API_H

#include "lib/identity.h"
#include "lib/login.h"
#include "lib/web.h"
#include "manager/account.h"
#include "manager/adopt.h"
#include "manager/fleet.h"
#include "manager/job.h"
#include "manager/link.h"
#include "manager/replication.h"
#include "manager/shell.h"
#include "manager/signer.h"
#include "manager/store.h"

/* What it works on: borrowed, and outlives api_close(). */
struct api_stores {
	struct store *store;
	struct account_table *accounts;
	const struct ca *ca;
	const struct signer *signer;
	struct identity *identity; /* from api_start() on, all but its key is the web thread's */
	struct shell *shell;	   /* NULL: there is none */
	const struct replication *replication;
	enum replication_role role; /* when it started; SIGHUP is sent to the process when it becomes another */
	const char *name;	    /* the Manager's */
	const char *state_dir;
	uint16_t port; /* where Devices connect to */
};

struct api;

/* Binds before it returns: privileges may be dropped after. NULL after logging. */
struct api *api_open(const struct api_stores *stores, const struct web_settings *settings);
int api_start(struct api *api); /* 0, or -1 after logging */
void api_close(struct api *api);

/* From the thread of discovery: what a Device said of itself, and from where (numeric). */
void api_heard(struct api *api, const struct discovery_message *message, const char *address);

#endif
