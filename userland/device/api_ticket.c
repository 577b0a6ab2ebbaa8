// SPDX-License-Identifier: GPL-2.0-or-later
/* Log-ins with a Ticket, and the keys that Tickets are checked with. What makes one good is gate.c's. */
#include "device/api_parts.h"

#include <stdlib.h>
#include <string.h>

#include "device/rights.h"
#include "lib/log.h"

void api_run_ticket(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_TICKET, .peer = request->caller.peer };
	json_t *body = api_body(request);
	const json_t *text = json_object_get(body, "ticket");

	if (json_object_size(body) != 1 || !json_is_string(text) || json_string_length(text) >= TICKET_SIZE)
		web_error(request, 400, "The body must be {\"ticket\": TICKET}, of at most 1024 characters.");
	else if (!(job.text = strdup(json_string_value(text))))
		web_error(request, 503, "The Device is out of memory.");
	else if (!api_submit(api, request, &job))
		free(job.text);
	json_decref(body);
}

void api_run_ticket_keys(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_TICKET_KEYS };

	job.text = strndup(request->body ? request->body : "", request->body_len);
	if (!job.text)
		web_error(request, 503, "The Device is out of memory.");
	else if (!api_submit(api, request, &job))
		free(job.text);
}

void api_run_revoke(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_REVOKE };
	size_t len = strlen(request->parameter);
	uint64_t issued;

	if (!body_query(request->query, strlen(request->query), "issued", &issued) || !issued ||
	    issued > INT64_MAX - TICKET_LONGEST_S) {
		web_error(request, 400, "The parameter issued is a time in seconds since 1970.");
		return;
	}
	if (len > USER_NAME_MAX) {
		web_error(request, 404, "Nobody has such a name.");
		return;
	}
	memcpy(job.user, request->parameter, len + 1);
	job.issued = (int64_t)issued;
	api_submit(api, request, &job);
}

/* Also when it could not be stored: whoever is in is to be out. */
void api_ticket_effects(struct api *api, const struct job *job)
{
	struct bus_request ask = { .type = BUS_GUESTS, .fd = -1 };

	if (job->type != JOB_REVOKE)
		return;
	memcpy(ask.user, job->user, sizeof(ask.user));
	login_end_without(api->logins, job->user, RIGHT_OWNER);
	if (!bus_ask(api->bus, &ask))
		log_error("api: the sessions of %s go on, the Device is busy: disconnect them", job->user);
}

void api_ticket_done(struct api *api, struct web_request *request, const struct job *job)
{
	static const int statuses[] = {
		[GATE_OPEN] = 200,
		[GATE_REFUSED] = 403,
		[GATE_LIMITED] = 429,
		[GATE_FAILED] = 500,
	};

	if (job->type == JOB_TICKET && job->admitted == GATE_OPEN)
		api_begin_login(api, request, job, job->ticket.rights);
	else if (job->type == JOB_TICKET)
		web_error(request, statuses[job->admitted], job->why);
	else if (job->why)
		web_error(request, job->why == gate_unstored ? 500 : 400, job->why);
	else
		web_answer(request, 204, NULL);
	request->logins_changed |= job->type == JOB_REVOKE;
}
