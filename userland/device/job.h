/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes long, for the page thread: a password hash takes 50 ms, a disk perhaps more, and no page, picture or key may
 * wait for either. */
#ifndef KVMNET_DEVICE_JOB_H
#define KVMNET_DEVICE_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "device/account.h"
#include "device/gate.h"
#include "device/manager.h"
#include "device/network_form.h"
#include "device/settings.h"
#include "lib/body.h"
#include "lib/user.h"

#define JOBS_MAX 16

enum job_type {
	JOB_CLAIM,
	JOB_LOGIN,
	JOB_PASSWORD,
	JOB_RESET,
	JOB_TICKET,
	JOB_TICKET_KEYS,
	JOB_REVOKE,
	JOB_ADOPT,
	JOB_RELEASE,
	JOB_SETTINGS,
	/* Of the network: they may wait for the helper, or for who does not answer, and go to a queue of their own. */
	JOB_NETWORK,
	JOB_NETWORK_TRY,
	JOB_NETWORK_KEEP,
	JOB_NETWORK_RETURN,
	JOB_REACH,
};

struct job {
	uint64_t id; /* the asker's own */
	enum job_type type;
	struct sockaddr_storage peer;
	char user[USER_NAME_MAX +
		  1]; /* JOB_PASSWORD, JOB_RESET: who is logged in; else who it was about, after */
	char fields[BODY_FIELDS_MAX][BODY_FIELD_SIZE]; /* as the request gives them; wiped once done */
	enum account_result result;
	char *text;	/* JOB_TICKET: it, JOB_TICKET_KEYS: them, as JSON; malloc'd; passes ownership */
	int64_t issued; /* JOB_REVOKE: of user's Tickets */
	/* JOB_TICKET */
	struct ticket ticket;
	enum gate_result admitted;
	/* JOB_ADOPT */
	struct adoption *adoption; /* malloc'd; passes ownership */
	bool logged_in;
	enum manager_result adopted;
	const char *why; /* also of Tickets and their keys: NULL, or what is wrong, more than adopted says */
	/* JOB_RELEASE */
	bool disown; /* a Manager's own account asks: with no adoption there is no owner either */
	/* JOB_SETTINGS, JOB_REACH; JOB_RESET: after */
	struct settings settings;
	/* JOB_NETWORK_TRY */
	struct network_form network;
	/* JOB_NETWORK and what follows it: an HTTP status, with why unless it is good, and the answer: a new reference */
	int status;
	json_t *answer;
};

/* What jobs work on: borrowed. */
struct job_stores {
	struct account_store *accounts;
	struct manager *manager;
	struct gate *gate;
	const struct config *config;
	EVP_PKEY *own; /* this Device's key */
};

struct job_queue;

/* wake: called on the worker after each job that is done. NULL with errno. */
struct job_queue *job_queue_new(const struct job_stores *stores, void (*wake)(void *arg), void *arg);
/* Waits for the job that runs; forgets the others. */
void job_queue_free(struct job_queue *queue);
/* Copies job; false: JOBS_MAX are waiting or not yet taken. */
bool job_submit(struct job_queue *queue, const struct job *job);
/* The next one that is done, in the order of submits. */
bool job_take(struct job_queue *queue, struct job *job);

#endif
