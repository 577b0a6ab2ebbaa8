/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the API's files share: api.c has the routes, api_manage.c what a Manager and its owner set up, api_ticket.c
 * Tickets, api_network.c the network, api_own.c what this Device says of itself. */
#ifndef KVMNET_DEVICE_API_PARTS_H
#define KVMNET_DEVICE_API_PARTS_H

#include "device/api.h"

/* What a login with those rights may do at this moment. */
unsigned api_session_rights(struct api *api, unsigned rights);
/* Whoever job is about is logged in: the answer, with its cookie. */
void api_begin_login(struct api *api, struct web_request *request, const struct job *job, unsigned rights);
/* Hands job to its thread; false: the request is answered, there are too many. */
bool api_submit(struct api *api, struct web_request *request, struct job *job);

void api_run_ticket(struct api *api, struct web_request *request);
void api_run_ticket_keys(struct api *api, struct web_request *request);
void api_run_revoke(struct api *api, struct web_request *request);
/* Of JOB_TICKET, JOB_TICKET_KEYS and JOB_REVOKE. */
void api_ticket_effects(struct api *api, const struct job *job);
void api_ticket_done(struct api *api, struct web_request *request, const struct job *job);

void api_run_adopt(struct api *api, struct web_request *request);
void api_run_certificate(struct api *api, struct web_request *request);
void api_run_release(struct api *api, struct web_request *request);
void api_run_get_settings(struct api *api, struct web_request *request);
void api_run_put_settings(struct api *api, struct web_request *request);
/* Of JOB_ADOPT, JOB_RELEASE and JOB_SETTINGS; effects: also of JOB_RESET. */
void api_manage_effects(struct api *api, const struct job *job);
void api_manage_done(struct api *api, struct web_request *request, const struct job *job);
void api_run_identity(struct api *api, struct web_request *request);
void api_run_log(struct api *api, struct web_request *request);

void api_run_network(struct api *api, struct web_request *request);
void api_run_network_try(struct api *api, struct web_request *request);
void api_run_network_keep(struct api *api, struct web_request *request);
void api_run_network_return(struct api *api, struct web_request *request);
void api_run_reach(struct api *api, struct web_request *request);
void api_network_done(struct api *api, struct web_request *request, const struct job *job);
/* {"id", "name"} of the Manager, and of the link to it with link; NULL: there is none. */
json_t *api_manager_json(struct api *api, bool link);
json_t *api_body(const struct web_request *request); /* NULL: none, or it is not JSON */
/* Ends the sessions of user that an earlier password opened. */
void api_end_sessions(struct api *api, const char *user);
/* A full queue: the next announcement that is due says it. */
void api_tell_owner(struct api *api);

#endif
