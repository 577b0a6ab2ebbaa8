// SPDX-License-Identifier: GPL-2.0-or-later
/* The directory, for administrators: its settings, the import and its preview, the mode, and who is gone. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "manager/directory_plan.h"

#define NO_SETTINGS "There are no settings of a directory yet."
#define NOT_EXTERNAL "External Authentication mode is on already, or you have no password at this Manager."
#define NOT_READ "It cannot be read: the Manager's log says why."
#define NOT_STORED "It could not be stored: the Manager's log says why."

static void wipe(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

/* Also the copy that the library has. */
static void wipe_password(json_t *settings)
{
	const json_t *password = json_object_get(settings, "bind_password");

	if (json_is_string(password))
		OPENSSL_cleanse((char *)json_string_value(password), json_string_length(password));
	json_object_del(settings, "bind_password");
}

/* The settings with their password, to be wiped; NULL: there are none, or call->error. keeper: free it. */
static json_t *stored(struct call *call, char **keeper)
{
	char *text;
	json_t *json;

	*keeper = NULL;
	call->error = store_directory(call->api->stores.store, &text, keeper);
	if (call->error)
		return NULL;
	json = json_loads(text, 0, NULL);
	wipe(text);
	return json;
}

const struct directory_settings *api_directory_settings(struct call *call)
{
	const char *wrong = NULL;
	char *keeper;
	json_t *json = stored(call, &keeper);

	directory_settings_free(call->directory);
	call->directory = json ? directory_settings_new(json, &wrong) : NULL;
	if (!call->directory)
		snprintf(call->why, sizeof(call->why), "%s",
			 call->error ? NOT_READ :
			 wrong	     ? wrong :
				       NO_SETTINGS);
	wipe_password(json);
	json_decref(json);
	free(keeper);
	return call->directory;
}

/* ---- what there is ---- */

struct census {
	json_t *gone;
	json_int_t imported;
};

static void count_user(const struct store_user *user, void *arg)
{
	struct census *census = arg;

	census->imported += *user->entry != '\0';
	if (user->gone)
		json_array_append_new(census->gone, json_string(user->name));
}

static void read_directory(struct job *job)
{
	struct call *call = (struct call *)job;
	struct census census = { .gone = json_array() };
	char *keeper;
	json_t *settings = stored(call, &keeper);

	if (!call->error)
		call->error = store_users(call->api->stores.store, count_user, &census);
	if (!call->error)
		call->json = json_pack("{s:s, s:s, s:I, s:O}", "mode", *keeper ? "external" : "local",
				       "keeper", keeper, "imported", census.imported, "gone", census.gone);
	wipe_password(settings);
	if (call->json && settings)
		json_object_set(call->json, "settings", settings);
	json_decref(census.gone);
	json_decref(settings);
	free(keeper);
}

static void directory_read_done(struct call *call, struct web_request *request)
{
	if (request && !call->json)
		web_error(request, 500, NOT_READ);
	else if (request)
		web_answer(request, 200, json_incref(call->json));
}

void api_run_get_directory(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, read_directory, directory_read_done);

	if (call)
		api_submit(api->quick, call, request);
}

/* ---- its settings ---- */

/* call->list: the body. What it leaves out of the password is what is there, if that may be. */
static void put_directory(struct job *job)
{
	struct call *call = (struct call *)job;
	const char *wrong = NULL;
	char *keeper, *text = NULL;
	json_t *old = stored(call, &keeper);
	json_t *password = json_object_get(old, "bind_password");

	free(keeper);
	if (!call->error && password && !json_object_get(call->list, "bind_password") &&
	    directory_settings_may_keep(old, call->list))
		json_object_set(call->list, "bind_password", password);
	if (!call->error)
		call->directory = directory_settings_new(call->list, &wrong);
	if (call->directory)
		text = json_dumps(call->list, JSON_COMPACT);
	if (wrong)
		snprintf(call->why, sizeof(call->why), "%s", wrong);
	else if (!call->error)
		call->error = !text || store_put_directory(call->api->stores.store, text);
	wipe(text);
	wipe_password(call->list);
	wipe_password(old);
	json_decref(old);
}

static void directory_put(struct call *call, struct web_request *request)
{
	if (!call->error && !*call->why)
		api_event(call->api, call->user, "directory", NULL, call->directory->url);
	if (!request)
		return;
	if (*call->why)
		web_error(request, 400, call->why);
	else if (call->error)
		web_error(request, 500, NOT_STORED);
	else
		web_answer(request, 204, NULL);
}

void api_run_put_directory(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, put_directory, directory_put);

	if (!call)
		return;
	call->list = api_body(request);
	if (json_is_object(call->list)) {
		api_submit(api->quick, call, request);
		return;
	}
	web_error(request, 400, "The settings of the directory are a JSON object.");
	api_call_free(call);
}

/* ---- an import, and its preview ---- */

static void ask_all(struct job *job)
{
	struct call *call = (struct call *)job;
	const struct directory_settings *settings = api_directory_settings(call);

	call->asked = DIRECTORY_FAILED;
	if (!settings)
		return;
	call->asked = directory_read(settings, call->api->stores.state_dir, &call->answer);
	if (call->asked == DIRECTORY_FAILED)
		memcpy(call->why, call->answer.why, sizeof(call->why));
}

static void gather_user(const struct store_user *user, void *arg)
{
	json_object_set_new(arg, user->name, json_pack("[s, b]", user->entry, user->gone));
}

static void gather_group(const struct store_group *group, void *arg)
{
	json_t *names = json_loads(group->users, 0, NULL), *members = json_object(), *name;
	char number[24];
	size_t i;

	json_array_foreach(names, i, name) json_object_set_new(members, json_string_value(name), json_true());
	snprintf(number, sizeof(number), "%lld", (long long)group->id);
	json_object_set_new(arg, number, members);
	json_decref(names);
}

/* On the one worker that changes the store: nobody else does so between what is read and what is written. */
static void apply(struct job *job)
{
	struct call *call = (struct call *)job;
	struct store *store = call->api->stores.store;
	json_t *users = json_object(), *groups = json_object();
	struct directory_plan plan = { 0 };
	const char *wrong = NULL;

	call->error = store_users(store, gather_user, users) || store_groups(store, gather_group, groups);
	if (!call->error)
		wrong = directory_plan_make(&plan, call->directory, &call->answer, users, groups);
	if (wrong)
		snprintf(call->why, sizeof(call->why), "%s", wrong);
	else if (!call->error && call->writes)
		call->error = store_import(store, plan.changes, plan.count);
	if (!call->error && !wrong)
		call->json = json_incref(plan.report);
	directory_plan_clear(&plan);
	json_decref(users);
	json_decref(groups);
}

static bool has_session(const struct api *api, const char *name)
{
	for (const struct fleet_device *device = api->fleet.devices; device; device = device->next) {
		const json_t *session;
		size_t i;

		json_array_foreach(json_object_get(device->status, "sessions"), i, session)
		{
			const char *user = json_string_value(json_object_get(session, "user"));

			if (user && !strcmp(user, name))
				return true;
		}
	}
	return false;
}

/* Many may go at once, of whom few are here: Devices hear of these alone. */
static void end_all_of(struct api *api, const char *name, const char *by)
{
	if (login_end_others(api->logins, name, 0) || has_session(api, name))
		api_revoke(api, name, by);
}

static void end_all(struct api *api, const json_t *names, const char *by)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) end_all_of(api, json_string_value(name), by);
}

static void note_import(struct call *call)
{
	char text[BODY_FIELD_SIZE];

	snprintf(text, sizeof(text), "%zu added, %zu changed, %zu gone%s%s",
		 json_array_size(json_object_get(call->json, "added")),
		 json_array_size(json_object_get(call->json, "changed")),
		 json_array_size(json_object_get(call->json, "gone")),
		 json_is_true(json_object_get(call->json, "partial")) ? "; partial: " : "",
		 json_string_value(json_object_get(call->json, "why")));
	api_event(call->api, call->user, "import", NULL, text);
	end_all(call->api, json_object_get(call->json, "gone"), call->user);
}

static void applied(struct call *call, struct web_request *request)
{
	if (call->json && call->writes)
		note_import(call);
	if (!request)
		return;
	if (call->json)
		web_answer(request, 200, json_incref(call->json));
	else if (*call->why)
		web_error(request, 409, call->why);
	else
		web_error(request, 500, NOT_STORED);
}

static void all_asked(struct call *call, struct web_request *request)
{
	if (call->asked == DIRECTORY_DONE) {
		api_go_on(call->api->quick, call, request, apply, applied);
		return;
	}
	if (call->writes)
		api_event(call->api, call->user, "import", NULL, call->why);
	if (request)
		web_error(request, call->directory ? 502 : 409, call->why);
}

static void read_all(struct api *api, struct web_request *request, bool writes)
{
	struct call *call = api_call(api, request, ask_all, all_asked);

	if (!call)
		return;
	call->writes = writes;
	api_submit(api->directory, call, request);
}

void api_run_preview(struct api *api, struct web_request *request)
{
	read_all(api, request, false);
}

void api_run_import(struct api *api, struct web_request *request)
{
	read_all(api, request, true);
}

/* ---- who is gone ---- */

static void list_gone(const struct store_user *user, void *arg)
{
	if (user->gone)
		json_array_append_new(arg, json_string(user->name));
}

static void drop_stayed(const struct store_user *user, void *arg)
{
	if (user->gone)
		json_object_del(arg, user->name);
}

static json_t *keys_of(const json_t *object)
{
	json_t *keys = json_array(), *value;
	const char *name;

	json_object_foreach((json_t *)object, name, value) json_array_append_new(keys, json_string(name));
	return keys;
}

/* Those who stay, such as the last administrator with a password, are not told as removed. */
static void remove_gone(struct job *job)
{
	struct call *call = (struct call *)job;
	struct store *store = call->api->stores.store;
	json_t *gone = json_array(), *removed = json_object(), *name;
	struct store_change *changes = NULL;
	size_t i;

	call->error = store_users(store, list_gone, gone);
	if (!call->error)
		changes = calloc(json_array_size(gone) + 1, sizeof(*changes));
	json_array_foreach(gone, i, name)
	{
		if (changes)
			changes[i] = (struct store_change){ .what = STORE_CHANGE_REMOVE,
							    .name = json_string_value(name) };
		json_object_set_new(removed, json_string_value(name), json_true());
	}
	call->error = !changes || store_import(store, changes, json_array_size(gone)) ||
		      store_users(store, drop_stayed, removed);
	if (!call->error)
		call->json = keys_of(removed);
	free(changes);
	json_decref(gone);
	json_decref(removed);
}

static void gone_removed(struct call *call, struct web_request *request)
{
	char text[BODY_FIELD_SIZE];

	if (call->json) {
		snprintf(text, sizeof(text), "%zu removed", json_array_size(call->json));
		api_event(call->api, call->user, "remove gone users", NULL, text);
		end_all(call->api, call->json, call->user);
	}
	if (request && !call->json)
		web_error(request, 500, NOT_STORED);
	else if (request)
		web_answer(request, 200, json_pack("{s:O}", "removed", call->json));
}

void api_run_remove_gone(struct api *api, struct web_request *request)
{
	struct call *call = api_call(api, request, remove_gone, gone_removed);

	if (call)
		api_submit(api->quick, call, request);
}

/* ---- the mode ---- */

/* Whoever cannot log in any more, and the keeper, who opens no Targets. */
struct parting {
	json_t *names;
	const char *keeper;
};

static void list_parting(const struct store_user *user, void *arg)
{
	const struct parting *parting = arg;
	enum account_type standing = account_standing(user, parting->keeper);

	if (!standing || standing == ACCOUNT_KEEPER)
		json_array_append_new(parting->names, json_string(user->name));
}

/* call->whom: the keeper that there is to be. */
static void set_mode(struct job *job)
{
	struct call *call = (struct call *)job;
	struct parting parting = { .keeper = call->whom };

	call->error = store_set_keeper(call->api->stores.store, call->whom, &call->changed);
	if (call->error || !call->changed)
		return;
	parting.names = call->json = json_array();
	store_users(call->api->stores.store, list_parting, &parting);
}

static void mode_set(struct call *call, struct web_request *request)
{
	if (call->changed) {
		api_event(call->api, call->user, "mode", NULL, *call->whom ? "external" : "local");
		end_all(call->api, call->json, call->user);
		/* Whoever stays is another than he was when he logged in. */
		login_end_others(call->api->logins, NULL, 0);
	}
	if (!request)
		return;
	request->logins_changed = true;
	if (call->error)
		web_error(request, 500, NOT_STORED);
	else if (!call->changed)
		web_error(request, 409, *call->whom ? NOT_EXTERNAL : "Local mode is on already.");
	else
		web_answer(request, 204, NULL);
}

/* Before everybody depends on it. */
static void probe(struct job *job)
{
	struct call *call = (struct call *)job;
	const struct directory_settings *settings = api_directory_settings(call);

	call->asked = settings ? directory_probe(settings, call->api->stores.state_dir, call->why) :
				 DIRECTORY_FAILED;
}

static void probed(struct call *call, struct web_request *request)
{
	if (call->asked == DIRECTORY_DONE)
		api_go_on(call->api->quick, call, request, set_mode, mode_set);
	else if (request)
		web_error(request, call->directory ? 502 : 409, call->why);
}

void api_run_mode(struct api *api, struct web_request *request)
{
	static const char *const names[] = { "mode" };
	struct call *call = api_call(api, request, set_mode, mode_set);
	bool external;

	if (!call || !api_fields(call, request, names, 1))
		return;
	external = !strcmp(call->fields[0], "external");
	if (!external && strcmp(call->fields[0], "local")) {
		web_error(request, 400, "The mode is local or external.");
	} else if (external && call->type != ACCOUNT_ADMINISTRATOR) {
		web_error(request, 409, NOT_EXTERNAL);
	} else if (external) {
		memcpy(call->whom, call->user, sizeof(call->whom));
		call->run = probe;
		call->done = probed;
		api_submit(api->directory, call, request);
		return;
	} else {
		api_submit(api->quick, call, request);
		return;
	}
	api_call_free(call);
}
