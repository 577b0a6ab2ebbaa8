// SPDX-License-Identifier: GPL-2.0-or-later
/* A pair of Managers, as people and Devices meet it: who is Primary, and that it becomes this one. */
#include "manager/api_parts.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"

void api_tell_elsewhere(struct api *api)
{
	if (api->stores.role == REPLICATION_SECONDARY)
		snprintf(
			api->elsewhere, sizeof(api->elsewhere),
			"This is the Secondary of %s: go there. If that one is gone, promote this one first.",
			api->stores.replication->peer);
}

/* ---- the role ---- */

static void ask(struct job *job)
{
	struct call *call = (struct call *)job;
	enum replication_role role;

	struct store *store = call->api->stores.store;

	call->changed = !replication_role(call->api->stores.replication, store, &role) &&
			role != call->api->stores.role;
	call->followed = call->api->stores.role == REPLICATION_PRIMARY && replication_followed(store);
}

/* MariaDB goes on alone without a word when its Secondary is gone for too long. */
static void watch(struct api *api, bool followed)
{
	static const char *const texts[] = {
		"The Secondary does not follow: what is changed now is on this machine alone.",
		"The Secondary follows: what is answered as done is there too.",
	};

	if (api->stores.role != REPLICATION_PRIMARY || followed == api->followed)
		return;
	api->followed = followed;
	if (followed)
		log_info("%s", texts[followed]);
	else
		log_warn("%s", texts[followed]);
	api_event(api, "", "replication", NULL, texts[followed]);
}

static void asked(struct call *call, struct web_request *request)
{
	(void)request;
	watch(call->api, call->followed);
	if (call->changed)
		kill(getpid(), SIGHUP);
}

void api_ask_role(struct api *api)
{
	struct call *call = api->stores.role == REPLICATION_ALONE ? NULL : api_call(api, NULL, ask, asked);

	if (call)
		api_submit(api->quick, call, NULL);
}

/* ---- promotion ---- */

static void promote(struct job *job)
{
	struct call *call = (struct call *)job;

	call->error = replication_promote(call->api->stores.replication);
}

static void promoted(struct call *call, struct web_request *request)
{
	if (request && call->error)
		web_error(request, 500, "This one cannot be made the Primary: the Manager's log says why.");
	else if (request)
		web_answer(request, 204, NULL);
	if (!call->error)
		api_ask_role(call->api);
}

void api_run_promote(struct api *api, struct web_request *request)
{
	struct call *call;

	if (api->stores.role != REPLICATION_SECONDARY) {
		web_error(request, 409, "This Manager is no Secondary.");
		return;
	}
	call = api_call(api, request, promote, promoted);
	if (call)
		api_submit(api->slow, call, request);
}
