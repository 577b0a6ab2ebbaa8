// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adoption, release, settings and reset: from a request to its job, and what a job that
 * is done changes. What is sound is adoption.c's and settings.c's to say.
 */
#include "device/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/rights.h"
#include "lib/log.h"

/* The account that a Manager makes for itself, when it claims a Device that had no owner: with the start of its id. */
#define ACCOUNT "manager-"
#define ACCOUNT_ID 8

/* ---- adoption ---- */

static bool owned_by_manager(const char *user)
{
	const char *id = user + strlen(ACCOUNT);

	return !strncmp(user, ACCOUNT, strlen(ACCOUNT)) && strlen(id) == ACCOUNT_ID &&
	       strspn(id, "0123456789abcdef") == ACCOUNT_ID;
}

static bool owned_by(const char *user, const struct adoption *adoption)
{
	return owned_by_manager(user) && !strncmp(user + strlen(ACCOUNT), adoption->id, ACCOUNT_ID);
}

void api_run_adopt(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_ADOPT };
	json_t *body = api_body(request);
	const char *wrong = adoption_parse(body, &job.adoption);

	json_decref(body);
	if (wrong) {
		web_error(request, 400, wrong);
		return;
	}
	job.logged_in = request->rights & RIGHT_OWNER;
	job.adoption->sole_owner = owned_by(request->user, job.adoption);
	if (!api_submit(api, request, &job))
		adoption_free(job.adoption);
}

/* The adoption that there is, with another certificate. NULL: the request is answered. */
static struct adoption *renewal(struct api *api, struct web_request *request)
{
	json_t *body = api_body(request);
	const json_t *text = json_object_get(body, "certificate");
	X509 *certificate = json_object_size(body) == 1 && json_is_string(text) ?
				    certificate_parse(json_string_value(text), json_string_length(text)) :
				    NULL;
	struct adoption *adoption = certificate ? manager_adoption(api->manager) : NULL;

	json_decref(body);
	if (!certificate) {
		web_error(request, 400, "The body must be {\"certificate\": PEM}.");
	} else if (!adoption) {
		X509_free(certificate);
		web_error(request, 409, "This Device has no Manager, or no memory.");
	} else {
		X509_free(adoption->certificate);
		adoption->certificate = certificate;
	}
	return adoption;
}

void api_run_certificate(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_ADOPT, .adoption = renewal(api, request) };

	if (job.adoption && !api_submit(api, request, &job))
		adoption_free(job.adoption);
}

void api_run_release(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_RELEASE };

	/* A Manager whose adoption failed behind its claim gives the Device back. */
	job.disown = request->login && owned_by_manager(request->user);
	api_submit(api, request, &job);
}

json_t *api_manager_json(struct api *api, bool link)
{
	static const char *const phases[] = {
		[LINK_NONE] = "connecting", /* it has not looked yet */
		[LINK_CONNECTING] = "connecting",
		[LINK_UP] = "up",
		[LINK_REFUSED] = "refused",
	};
	struct adoption *adoption = manager_adoption(api->manager);
	struct link_state state;
	json_t *json;

	if (!adoption)
		return NULL;
	json = json_pack("{s:s, s:s}", "id", adoption->id, "name", adoption->name);
	adoption_free(adoption);
	if (!link || !json)
		return json;
	link_look(api->link, &state);
	json_object_set_new(json, "link", json_string(phases[state.phase]));
	json_object_set_new(json, "why", json_string(state.why));
	return json;
}

static void adopted(struct api *api, struct web_request *request, const struct job *job)
{
	static const int statuses[] = {
		[MANAGER_OK] = 200,	  [MANAGER_INVALID] = 400, [MANAGER_OTHER] = 409,
		[MANAGER_STRANGER] = 401, [MANAGER_FAILED] = 500,
	};
	json_t *manager = api_manager_json(api, false);
	char text[256];

	if (job->adopted == MANAGER_OK) {
		web_answer(request, 200, json_pack("{s:o}", "manager", manager));
		return;
	}
	snprintf(text, sizeof(text), "%s", job->why ? job->why : manager_text(job->adopted));
	if (job->adopted == MANAGER_OTHER && manager)
		snprintf(text, sizeof(text),
			 "This Device belongs to the Manager \"%s\": it must be released there first.",
			 json_string_value(json_object_get(manager, "name")));
	json_decref(manager);
	/* Nobody can log in over the link. */
	if (job->adopted == MANAGER_STRANGER && request->rights & RIGHT_OWNER)
		web_error(request, 409, "This certificate is not newer than the one that the Device has.");
	else
		web_error(request, statuses[job->adopted], text);
}

/* ---- settings ---- */

void api_run_get_settings(struct api *api, struct web_request *request)
{
	web_answer(request, 200, settings_json(&api->settings));
}

void api_run_put_settings(struct api *api, struct web_request *request)
{
	struct job job = { .id = request->id, .type = JOB_SETTINGS };
	json_t *body = api_body(request);
	const char *wrong = settings_parse(body, &job.settings);

	json_decref(body);
	if (wrong)
		web_error(request, 400, wrong);
	else
		api_submit(api, request, &job);
}

/* In all places at once; should the session thread be too busy, at the next start. */
static void apply(struct api *api, const struct settings *settings)
{
	struct bus_request ask = { .type = BUS_SETTINGS, .fd = -1, .settings = malloc(sizeof(*settings)) };
	bool moved = settings->manager_count != api->settings.manager_count ||
		     memcmp(settings->managers, api->settings.managers, sizeof(settings->managers));

	api->settings = *settings;
	if (ask.settings)
		*ask.settings = *settings;
	if (!ask.settings || !bus_ask(api->bus, &ask)) {
		log_error("settings: the Device is busy: sessions and discovery take them at the next start");
		free(ask.settings);
	}
	if (moved)
		link_restart(api->link, settings);
	else
		link_retell(api->link, settings);
}

/* ---- jobs that are done ---- */

static void released(struct api *api)
{
	struct bus_request ask = { .type = BUS_GUESTS, .fd = -1 };

	if (!account_claimed(api->accounts))
		login_end_others(api->logins, NULL, 0);
	login_end_without(api->logins, NULL, RIGHT_OWNER);
	if (!bus_ask(api->bus, &ask))
		log_error("api: sessions by Ticket go on, the Device is busy: disconnect them");
	api_tell_owner(api);
	link_restart(api->link, &api->settings);
}

void api_manage_effects(struct api *api, const struct job *job)
{
	if (job->type == JOB_ADOPT && job->adopted == MANAGER_OK) {
		api_tell_owner(api);
		link_restart(api->link, &api->settings);
	} else if (job->type == JOB_RELEASE && job->result == ACCOUNT_OK) {
		released(api);
	} else if (job->type == JOB_SETTINGS && job->result == ACCOUNT_OK) {
		apply(api, &job->settings);
	} else if (job->type == JOB_RESET && job->result == ACCOUNT_OK) {
		apply(api, &job->settings);
		released(api);
	}
}

void api_manage_done(struct api *api, struct web_request *request, const struct job *job)
{
	request->logins_changed = job->type == JOB_RELEASE;
	if (job->result == ACCOUNT_UNCLAIMED)
		web_error(request, 409, account_text(job->result));
	else if (job->type == JOB_ADOPT)
		adopted(api, request, job);
	else if (job->result != ACCOUNT_OK)
		web_error(request, 500, account_text(job->result));
	else if (job->type == JOB_SETTINGS)
		web_answer(request, 200, settings_json(&api->settings));
	else
		web_answer(request, 204, NULL);
}
