/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API's files share: api.c has the server and routes, api_people.c log-ins, api_devices.c Devices and
 * settings, api_users.c users, api_groups.c User Groups and Target Sets, api_tickets.c Targets and Tickets,
 * api_renewal.c certificates that expire, api_shell.c questions of the SSH shell, api_directory.c the directory,
 * api_replication.c who is Primary. */
#ifndef KVMNET_MANAGER_API_PARTS_H
#define KVMNET_MANAGER_API_PARTS_H

#include <pthread.h>

#include "lib/body.h"
#include "lib/ticket.h"
#include "manager/api.h"
#include "manager/directory.h"

#define API_BUSY "The Manager has too much to do at this moment: try again."

#define API_COOKIE "__Host-kvmnet-manager"
#define API_SHELL_PROTOCOL "shell" /* of the descriptor that is watched */
#define API_HEARD 256		   /* that wait to be taken; more are heard again */

struct api {
	struct link_site site; /* first: links are given this */
	struct api_stores stores;
	struct web *web;
	struct web_site web_site;
	SSL_CTX *tls;	     /* the server's, borrowed */
	int64_t renewal_due; /* not before that is the Manager's own certificate renewed again */
	struct fleet fleet;
	struct login_table *logins;
	struct job_queue *quick, *slow; /* password hashes and the store; other machines */
	struct job_queue *directory; /* what is asked there: it may be away, and log-ins of many wait for it */
	struct call *going_on;	     /* the call that is being done, once it goes on */
	char *wanted;		     /* settings, as JSON; "{}" before there are any */
	int64_t revision;
	bool followed;		 /* of a Primary: its Secondary was there when it was last asked */
	char elsewhere[192];	 /* a sentence of who is the Primary; "" here */
	uint64_t refusals_since; /* when refusals was last 0 */
	unsigned refusals;
	pthread_mutex_t mutex; /* what follows */
	struct heard {
		struct discovery_message message;
		char address[FLEET_ADDRESS_SIZE];
	} heard[API_HEARD];
	unsigned heard_count;
};

/* A request while it is worked on elsewhere. */
struct call {
	struct job job;
	struct api *api;
	uint64_t request; /* its asker's id; 0: nobody waits */
	void (*run)(struct job *job);
	void (*done)(struct call *call,
		     struct web_request *request); /* request: NULL when its asker is gone */
	bool guarded;				   /* it runs only while its asker is what he was */
	enum account_result refused;		   /* why it did not run, unless ACCOUNT_OK */
	struct sockaddr_storage peer;
	char user[USER_NAME_MAX + 1];
	char fields[BODY_FIELDS_MAX][BODY_FIELD_SIZE]; /* of its body; wiped at its end */
	enum account_type type;
	uint32_t login;
	enum account_result result;
	int error; /* of the store */
	/* of users */
	char whom[USER_NAME_MAX + 1];
	enum account_type becomes;
	struct account_try try;
	/* of the directory */
	struct directory_settings *directory;
	struct directory_answer answer;
	enum directory_result asked;
	char why[DIRECTORY_WHY_SIZE];
	bool writes; /* an import, and not its preview */
	/* of groups and sets */
	int64_t number; /* 0: a new one */
	enum store_put put;
	json_t *list;
	/* of Tickets */
	bool view_only; /* asked for less than he may */
	/* of a Device */
	char id[CA_ID_SIZE], host[FLEET_ADDRESS_SIZE], name[DISCOVERY_TEXT_SIZE];
	uint16_t port;
	int64_t starts;
	bool by_code;
	struct adopt_answer adopted;
	/* of settings */
	char *text;
	int64_t revision;
	bool changed;
	bool followed;
	json_t *json;
};

/* NULL: out of memory, and the request is answered. */
struct call *api_call(struct api *api, struct web_request *request, void (*run)(struct job *job),
		      void (*done)(struct call *call, struct web_request *request));
void api_call_free(struct call *call); /* one that was not submitted */
/* Takes call; a full queue answers the request. */
void api_submit(struct job_queue *queue, struct call *call, struct web_request *request);
/* From its done(): it is not at its end, and runs once more, on queue. A full one answers the request. */
void api_go_on(struct job_queue *queue, struct call *call, struct web_request *request,
	       void (*run)(struct job *job), void (*done)(struct call *call, struct web_request *request));
/* The body's members into call->fields; false: it is answered. */
bool api_fields(struct call *call, struct web_request *request, const char *const names[], unsigned count);
/* Whether one more refusal of a stranger goes into the audit: strangers write no book of their own. The log has them all. */
bool api_may_note_refusal(struct api *api);
/* Stores an event for the audit; nobody waits for it. */
void api_event(struct api *api, const char *who, const char *what, const char *device, const char *text);
json_t *api_body(const struct web_request *request);

void api_run_claim(struct api *api, struct web_request *request);
void api_run_login(struct api *api, struct web_request *request);
void api_run_account(struct api *api, struct web_request *request);
void api_run_password(struct api *api, struct web_request *request);
void api_run_logout(struct api *api, struct web_request *request);
void api_run_audit(struct api *api, struct web_request *request);

/* The one that the path names; NULL: it is answered. */
struct fleet_device *api_device_of(struct api *api, struct web_request *request);
void api_run_users(struct api *api, struct web_request *request);
void api_run_add_user(struct api *api, struct web_request *request);
void api_run_user_type(struct api *api, struct web_request *request);
void api_run_user_password(struct api *api, struct web_request *request);
void api_run_remove_user(struct api *api, struct web_request *request);
/* Of each call about an account: the HTTP status of its result. */
int api_account_status(enum account_result result, bool login);

/* On a worker: the directory's settings; NULL, and call->result or call->why. Freed with the call. */
const struct directory_settings *api_directory_settings(struct call *call);
void api_run_get_directory(struct api *api, struct web_request *request);
void api_run_put_directory(struct api *api, struct web_request *request);
void api_run_preview(struct api *api, struct web_request *request);
void api_run_import(struct api *api, struct web_request *request);
void api_run_remove_gone(struct api *api, struct web_request *request);
void api_run_mode(struct api *api, struct web_request *request);

void api_run_groups(struct api *api, struct web_request *request);
void api_run_put_group(struct api *api, struct web_request *request);
void api_run_remove_group(struct api *api, struct web_request *request);
void api_run_sets(struct api *api, struct web_request *request);
void api_run_put_set(struct api *api, struct web_request *request);
void api_run_remove_set(struct api *api, struct web_request *request);

int api_load_devices(struct api *api); /* 0, or -1 after logging */
void api_run_devices(struct api *api, struct web_request *request);
void api_run_adopt(struct api *api, struct web_request *request);
void api_run_release(struct api *api, struct web_request *request);
void api_run_get_settings(struct api *api, struct web_request *request);
void api_run_put_settings(struct api *api, struct web_request *request);
void api_run_targets(struct api *api, struct web_request *request);
void api_run_ticket(struct api *api, struct web_request *request);
void api_run_end_sessions(struct api *api, struct web_request *request);
/* Ends what user's Tickets opened on the Devices that are linked, and takes back those that are not used. by: who asks. */
void api_revoke(struct api *api, const char *user, const char *by);
void api_tell_elsewhere(struct api *api); /* fills elsewhere */
void api_run_promote(struct api *api, struct web_request *request);
/* Whether it has become another one: then the process is to start again. */
void api_ask_role(struct api *api);
int api_shell_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);
bool api_watch_shell(struct api *api); /* also when there is none; false after logging */
/* The Manager's own certificate, when it is about to expire: who connects from then on is shown the new one. */
void api_renew_own(struct api *api);
/* Of all Devices that are linked: those whose certificate is about to expire get another. */
void api_renew_due(struct api *api);
/* Tells a Device that is linked which keys are good. */
void api_push_keys(struct api *api, struct fleet_device *device);
void api_link_up(struct link_site *site, struct fleet_device *device);

#endif
