// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a browser says before its body: the first two bytes are method and length, then come path, query, Content-Type,
 * Host, Origin, Cookie and body, a line each. Nobody is logged in, so that nothing but a claim, a log-in or a renewal
 * is taken.
 */
/* LINK: userland/device/api.c userland/device/api_manage.c userland/device/api_ticket.c userland/lib/ticket.c
 * userland/device/api_network.c userland/device/api_own.c userland/device/log_tail.c userland/device/network_form.c userland/lib/network.c
 * userland/lib/base64.c userland/device/adoption.c userland/device/settings.c
 * userland/lib/web_request.c userland/lib/body.c userland/lib/login.c userland/lib/certificate.c userland/lib/state.c
 * userland/lib/log.c userland/lib/loop.c | -lcrypto -ljansson */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool claimed;

static void check(bool sound)
{
	if (!sound)
		abort();
}

bool account_claimed(struct account_store *store)
{
	(void)store;
	return claimed;
}

const char *account_text(enum account_result result)
{
	(void)result;
	return "no";
}

char *api_status_json(struct api *api, const struct bus_status *status, const struct web_request *request)
{
	(void)api, (void)status, (void)request;
	abort(); /* only for those who are logged in */
}

struct adoption *manager_adoption(struct manager *manager)
{
	(void)manager;
	return NULL;
}

bool manager_decides(struct manager *manager)
{
	(void)manager;
	return false;
}

X509 *identity_certificate(const struct identity *identity)
{
	(void)identity;
	abort(); /* only for those who are logged in */
}

void identity_fingerprint(const struct identity *identity, char buf[96])
{
	(void)identity, (void)buf;
	abort();
}

const char gate_unstored[] = "no";

const char *manager_text(enum manager_result result)
{
	(void)result;
	return "no";
}

void link_look(struct link *link, struct link_state *state)
{
	(void)link, (void)state;
	abort(); /* there is no Manager */
}

void link_restart(struct link *link, const struct settings *settings)
{
	(void)link, (void)settings;
	abort();
}

void link_retell(struct link *link, const struct settings *settings)
{
	(void)link, (void)settings;
	abort();
}

bool bus_ask(struct bus *bus, const struct bus_request *request)
{
	(void)bus, (void)request;
	abort(); /* likewise */
}

bool job_submit(struct job_queue *queue, const struct job *job)
{
	(void)queue;
	check(job->type == JOB_CLAIM ||
	      (claimed && (job->type == JOB_LOGIN || job->type == JOB_ADOPT || job->type == JOB_TICKET)));
	check(!job->logged_in);
	check(job->type != JOB_TICKET || strlen(job->text) < TICKET_SIZE);
	free(job->text);
	adoption_free(job->adoption);
	for (int i = 0; i < BODY_FIELDS_MAX; i++)
		check(strnlen(job->fields[i], BODY_FIELD_SIZE) < BODY_FIELD_SIZE);
	return true;
}

/* The next line, as much of it as a header may have; what follows it. */
static const char *line(const char *at, const char *end, char *field, size_t size)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));
	size_t len = (size_t)((stop ? stop : end) - at);

	snprintf(field, size, "%.*s", (int)len, at);
	return stop ? stop + 1 : end;
}

static bool of_this_origin(const struct web_caller *caller)
{
	return caller->host[0] && strlen(caller->origin) == 8 + strlen(caller->host) &&
	       !memcmp(caller->origin, "https://", 8) && !strcasecmp(caller->origin + 8, caller->host);
}

static void one(struct api *api, struct web_request *request)
{
	struct login login;
	bool taken = api_check(api, request);

	check(taken == !request->status);
	check(api_may_upgrade(api, &request->caller, 0, &login) ==
	      (of_this_origin(&request->caller) ? claimed ? 401 : 409 : 403));
	if (taken) {
		check(request->method == WEB_GET || of_this_origin(&request->caller));
		check(request->content_length <= 2 * WEB_BODY);
		check(!strcmp(request->path, "/api/v1/state") || !strcmp(request->path, "/api/v1/claim") ||
		      (claimed &&
		       (!strcmp(request->path, "/api/v1/login") || !strcmp(request->path, "/api/v1/ticket") ||
			!strcmp(request->path, "/api/v1/adoption"))));
		api_run(api, request);
	} else {
		check(request->status >= 400 && request->status < 500 && request->json);
	}
	web_forget(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct web_request request;
	static struct api api;
	const char *at = (const char *)data + 2, *end = (const char *)data + size;

	if (size < 2)
		return 0;
	if (!api.logins)
		api.logins = login_table_new();
	memset(&request, 0, sizeof(request));
	request.method = (data[0] & 7) % (WEB_OTHER + 1);
	claimed = data[0] & 8;
	request.content_length = (int8_t)data[1] * 256L;
	at = line(at, end, request.path, sizeof(request.path));
	at = line(at, end, request.query, sizeof(request.query));
	at = line(at, end, request.content_type, sizeof(request.content_type));
	at = line(at, end, request.caller.host, sizeof(request.caller.host));
	at = line(at, end, request.caller.origin, sizeof(request.caller.origin));
	at = line(at, end, request.caller.cookie, sizeof(request.caller.cookie));
	request.body_len = (size_t)(end - at) < WEB_BODY ? (size_t)(end - at) : WEB_BODY;
	request.body = malloc(request.body_len + 1);
	memcpy(request.body, at, request.body_len);
	one(&api, &request);
	return 0;
}
