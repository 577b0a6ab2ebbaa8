/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Device's JSON API, /api/v1: what each request means and may do. Knows no
 * HTTP library; runs on the page thread alone and never waits.
 */
#ifndef KVMNET_DEVICE_API_H
#define KVMNET_DEVICE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "device/account.h"
#include "device/bus.h"
#include "device/job.h"
#include "device/link.h"
#include "lib/identity.h"
#include "lib/login.h"
#include "lib/web_request.h"

#define API_WAIT_S 10 /* the longest that a status waits for a Frame */

struct api {
	struct account_store *accounts;
	struct login_table *logins;
	struct job_queue *jobs;
	struct job_queue *network_jobs; /* no log-in waits for these */
	struct bus *bus;
	struct manager *manager;
	struct link *link;
	const struct identity *identity;
	struct settings settings; /* as they hold */
};

/* Everything that can be judged before the body. true: go on. */
bool api_check(struct api *api, struct web_request *request);
/* Likewise of a request that came over the link to the Manager of that id. */
bool api_check_manager(struct api *api, struct web_request *request, const char *manager);
/* Answers, or leaves status 0: api_job_done(), api_status() or api_expire() then answers. */
void api_run(struct api *api, struct web_request *request);
/* What a job changes for others than who asked for it, whose login (0: none) stays. Then the answer. */
void api_job_effects(struct api *api, const struct job *job, uint32_t login);
void api_job_done(struct api *api, struct web_request *request, const struct job *job);
void api_status(struct api *api, struct web_request *request, const struct bus_status *status);
void api_expire(struct api *api, struct web_request *request);

/* May this caller open a WebSocket that needs right (0: none)? 0 and *login, with what it may at this moment; else the
 * HTTP status to refuse with. */
int api_may_upgrade(struct api *api, const struct web_caller *caller, unsigned right, struct login *login);
/* The status as JSON, malloc'd; NULL: out of memory. request: who reads it; NULL: everybody who watches. */
char *api_status_json(struct api *api, const struct bus_status *status, const struct web_request *request);

#endif
