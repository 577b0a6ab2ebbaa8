// SPDX-License-Identifier: GPL-2.0-or-later
/* User Groups and Target Sets, for administrators: each is read and written as a whole. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <string.h>

#include "manager/text.h"

#define NAME_MAX_BYTES 64
#define MEMBERS_MAX 10000

/* ---- lists ---- */

static json_t *members(const char *text)
{
	return json_loads(text, 0, NULL);
}

static void add_group(const struct store_group *group, void *arg)
{
	json_array_append_new(arg, json_pack("{s:I, s:s, s:o, s:o}", "id", (json_int_t)group->id, "name",
					     group->name, "users", members(group->users), "sets",
					     members(group->sets)));
}

static void add_set(const struct store_set *set, void *arg)
{
	json_array_append_new(arg, json_pack("{s:I, s:s, s:o}", "id", (json_int_t)set->id, "name", set->name,
					     "targets", members(set->devices)));
}

static void list_groups(struct job *job)
{
	struct call *call = (struct call *)job;

	call->json = json_array();
	call->error = store_groups(call->api->stores.store, add_group, call->json);
}

static void list_sets(struct job *job)
{
	struct call *call = (struct call *)job;

	call->json = json_array();
	call->error = store_sets(call->api->stores.store, add_set, call->json);
}

static void answer_list(struct call *call, struct web_request *request, const char *name)
{
	if (request && call->error)
		web_error(request, 500, "They cannot be read: the Manager's log says why.");
	else if (request)
		web_answer(request, 200, json_pack("{s:O}", name, call->json));
}

static void groups_listed(struct call *call, struct web_request *request)
{
	answer_list(call, request, "groups");
}

static void sets_listed(struct call *call, struct web_request *request)
{
	answer_list(call, request, "sets");
}

void api_run_groups(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, list_groups, groups_listed);

	if (call)
		api_submit(api->quick, call, request);
}

void api_run_sets(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, list_sets, sets_listed);

	if (call)
		api_submit(api->quick, call, request);
}

/* ---- putting ---- */

/* It is shown to people as it is. */
static bool name_valid(const json_t *name)
{
	char clean[NAME_MAX_BYTES + 1];
	const char *text = json_string_value(name);
	size_t len = json_string_length(name);

	if (!len || len > NAME_MAX_BYTES || strlen(text) != len)
		return false;
	text_clean(text, clean, sizeof(clean));
	return !strcmp(clean, text);
}

static bool list_valid(const json_t *list, bool numbers)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > MEMBERS_MAX)
		return false;
	json_array_foreach(list, i, entry) if (numbers ? !json_is_integer(entry) :
							 !json_is_string(entry)) return false;
	return true;
}

/* The number in the path; a POST has none. false: it is none, and the request is answered. */
static bool take_number(struct call *call, struct web_request *request, const char *what)
{
	uint64_t number = 0;

	if (request->method != WEB_POST &&
	    (!body_number(request->parameter, strlen(request->parameter), INT64_MAX, &number) || !number)) {
		web_error(request, 404, what);
		return false;
	}
	call->number = (int64_t)number;
	return true;
}

static char *text_of(const json_t *object, const char *name)
{
	return json_dumps(json_object_get(object, name), JSON_COMPACT);
}

static void put_group(struct job *job)
{
	struct call *call = (struct call *)job;
	char *users = text_of(call->list, "users"), *sets = text_of(call->list, "sets");
	const struct store_group group = {
		.name = json_string_value(json_object_get(call->list, "name")),
		.users = users,
		.sets = sets,
	};

	call->error = !users || !sets ||
		      store_put_group(call->api->stores.store, &call->number, &group, &call->put);
	free(users);
	free(sets);
}

static void put_set(struct job *job)
{
	struct call *call = (struct call *)job;
	char *devices = text_of(call->list, "targets");
	const struct store_set set = {
		.name = json_string_value(json_object_get(call->list, "name")),
		.devices = devices,
	};

	call->error = !devices || store_put_set(call->api->stores.store, &call->number, &set, &call->put);
	free(devices);
}

static void answer_put(struct call *call, struct web_request *request, const char *what)
{
	static const struct {
		int status;
		const char *text;
	} refusals[] = {
		[STORE_MISSING] = { 404, "There is none of that number." },
		[STORE_TAKEN] = { 409, "There is one of that name already." },
		[STORE_UNKNOWN] = { 409, "One of its members does not exist, or not any more." },
	};

	if (!call->error && call->put == STORE_PUT)
		api_event(call->api, call->user, what, NULL,
			  json_string_value(json_object_get(call->list, "name")));
	if (!request)
		return;
	if (call->error)
		web_error(request, 500, "It could not be stored: the Manager's log says why.");
	else if (call->put != STORE_PUT)
		web_error(request, refusals[call->put].status, refusals[call->put].text);
	else
		web_answer(request, 200, json_pack("{s:I}", "id", (json_int_t)call->number));
}

static void group_put(struct call *call, struct web_request *request)
{
	answer_put(call, request, "user group");
}

static void set_put(struct call *call, struct web_request *request)
{
	answer_put(call, request, "target set");
}

/* Takes body. */
static void submit(struct api *api, struct web_request *request, struct call *call, json_t *body,
		   const char *wrong)
{
	if (call && wrong)
		web_error(request, 400, wrong);
	if (call && !wrong && take_number(call, request, "There is none of that number.")) {
		call->list = body;
		api_submit(api->quick, call, request);
		return;
	}
	json_decref(body);
	if (call)
		api_call_free(call);
}

void api_run_put_group(struct api *api, struct web_request *request)
{
	json_t *body = api_body(request);
	const char *wrong = NULL;

	if (json_object_size(body) != 3 || !name_valid(json_object_get(body, "name")) ||
	    !list_valid(json_object_get(body, "users"), false) ||
	    !list_valid(json_object_get(body, "sets"), true))
		wrong = "A User Group has a name of 1 to 64 bytes that can be shown, a list users of names and a list sets of numbers.";
	submit(api, request, api_call(api, request, put_group, group_put), body, wrong);
}

void api_run_put_set(struct api *api, struct web_request *request)
{
	json_t *body = api_body(request);
	const char *wrong = NULL;

	if (json_object_size(body) != 2 || !name_valid(json_object_get(body, "name")) ||
	    !list_valid(json_object_get(body, "targets"), false))
		wrong = "A Target Set has a name of 1 to 64 bytes that can be shown, and a list targets of ids.";
	submit(api, request, api_call(api, request, put_set, set_put), body, wrong);
}

/* ---- removing ---- */

static void remove_group(struct job *job)
{
	struct call *call = (struct call *)job;

	call->error = store_remove_group(call->api->stores.store, call->number, &call->changed);
}

static void remove_set(struct job *job)
{
	struct call *call = (struct call *)job;

	call->error = store_remove_set(call->api->stores.store, call->number, &call->changed);
}

static void answer_removal(struct call *call, struct web_request *request, const char *what)
{
	char text[32];

	snprintf(text, sizeof(text), "Number %lld.", (long long)call->number);
	if (call->changed)
		api_event(call->api, call->user, what, NULL, text);
	if (!request)
		return;
	if (call->error)
		web_error(request, 500, "It could not be stored: the Manager's log says why.");
	else if (!call->changed)
		web_error(request, 404, "There is none of that number.");
	else
		web_answer(request, 204, NULL);
}

static void group_removed(struct call *call, struct web_request *request)
{
	answer_removal(call, request, "remove user group");
}

static void set_removed(struct call *call, struct web_request *request)
{
	answer_removal(call, request, "remove target set");
}

void api_run_remove_group(struct api *api, struct web_request *request)
{
	submit(api, request, api_call(api, request, remove_group, group_removed), NULL, NULL);
}

void api_run_remove_set(struct api *api, struct web_request *request)
{
	submit(api, request, api_call(api, request, remove_set, set_removed), NULL, NULL);
}
