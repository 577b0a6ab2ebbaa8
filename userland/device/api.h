/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Device's JSON API, /api/v1: what each request means and may do. Knows no
 * HTTP library; runs on the page thread alone and never waits.
 */
#ifndef KVMNET_DEVICE_API_H
#define KVMNET_DEVICE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "device/account.h"
#include "device/bus.h"
#include "device/job.h"
#include "lib/login.h"

#define API_BODY_MAX 16384
#define API_WAIT_S 10 /* the longest that a status waits for a Frame */

enum api_method { API_GET, API_POST, API_DELETE, API_OTHER };

struct api {
	struct account_store *accounts;
	struct login_table *logins;
	struct job_queue *jobs;
	struct bus *bus;
};

/* What a browser says about itself; strings are "" where a header is missing. */
struct api_caller {
	struct sockaddr_storage peer;
	char peer_text[BUS_PEER_MAX];
	char host[256], origin[264], cookie[2048];
};

struct api_route;

struct api_request {
	struct api_caller caller;
	enum api_method method;
	char path[128], query[64];
	char content_type[64];
	long content_length; /* -1: not told */
	uint64_t id;	     /* the page's own, never used twice */
	const struct api_route *route;
	uint32_t login; /* whose it is; 0: nobody's */
	char user[USER_NAME_MAX + 1];
	size_t body_len;
	char body[API_BODY_MAX];

	int status; /* of the answer; 0: not answered yet */
	char *json; /* its body, malloc'd, or NULL */
	char set_cookie[LOGIN_TOKEN_SIZE + 96];
	bool waits_for_frame; /* ends with api_expire() after API_WAIT_S */
	bool logins_changed;  /* connections of logins that ended are to be closed */
};

/* Everything that can be judged before the body. true: go on, with the body if api_has_body(). */
bool api_check(struct api *api, struct api_request *request);
bool api_has_body(const struct api_request *request);
/* Answers, or leaves status 0: api_job_done(), api_status() or api_expire() then answers. */
void api_run(struct api *api, struct api_request *request);
/* What a job changes for others than who asked for it, whose login (0: none) stays. Then the answer. */
void api_job_effects(struct api *api, const struct job *job, uint32_t login);
void api_job_done(struct api *api, struct api_request *request, const struct job *job);
void api_status(struct api_request *request, const struct bus_status *status);
void api_expire(struct api *api, struct api_request *request);
/* An answer {"error": text}. */
void api_error(struct api_request *request, int status, const char *text);
/* Wipes what the request brought, frees its answer. */
void api_forget(struct api_request *request);

/* May this caller open a WebSocket? 0 and *login, user (may be NULL); else the HTTP status to refuse with. */
int api_may_upgrade(struct api *api, const struct api_caller *caller, uint32_t *login, char *user);
/* The status as JSON, malloc'd; NULL: out of memory. user: who reads it. */
char *api_status_json(const struct bus_status *status, const char *user);

#endif
