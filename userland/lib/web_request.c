// SPDX-License-Identifier: GPL-2.0-or-later
/* Which route a request takes, what is refused whatever it means, and the form of answers. */
#include "lib/web_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "lib/body.h"

void web_answer(struct web_request *request, int status, json_t *json)
{
	request->status = status;
	request->json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
}

void web_error(struct web_request *request, int status, const char *text)
{
	web_answer(request, status, json_pack("{s:s}", "error", text));
}

/* Puts what stands for "*" into parameter. */
static bool takes(const struct web_route *route, const char *path, char parameter[WEB_PATH_MAX])
{
	const char *star = strchr(route->path, '*');
	size_t len = strlen(path), before, after;

	parameter[0] = '\0';
	if (!star)
		return !strcmp(route->path, path);
	before = (size_t)(star - route->path);
	after = strlen(star + 1);
	if (len <= before + after || memcmp(path, route->path, before) ||
	    strcmp(path + len - after, star + 1))
		return false;
	len -= before + after;
	if (after && memchr(path + before, '/', len))
		return false;
	memcpy(parameter, path + before, len);
	parameter[len] = '\0';
	return true;
}

static void allow(struct web_request *request, enum web_method method)
{
	static const char *const names[] = { "GET", "POST", "PUT", "DELETE" };
	size_t len = strlen(request->allow);

	snprintf(request->allow + len, sizeof(request->allow) - len, "%s%s", len ? ", " : "", names[method]);
}

/* Every route of the path is looked at; the one with the method is taken. */
bool web_find_route(struct web_request *request, const void *routes, size_t count, size_t size)
{
	char parameter[WEB_PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct web_route *route = (const void *)((const char *)routes + i * size);

		if (!takes(route, request->path, parameter))
			continue;
		allow(request, route->method);
		if (route->method != request->method)
			continue;
		request->route = route;
		memcpy(request->parameter, parameter, sizeof(parameter));
	}
	if (!request->allow[0])
		web_error(request, 404, "There is no such resource.");
	else if (!request->route)
		web_error(request, 405, "This resource has no such method.");
	return request->route;
}

/* RFC 6454. */
bool web_same_origin(const struct web_caller *caller)
{
	static const char scheme[] = "https://";
	size_t len = sizeof(scheme) - 1;

	return caller->host[0] && !strncmp(caller->origin, scheme, len) &&
	       !strcasecmp(caller->origin + len, caller->host);
}

bool web_check_origin(struct web_request *request)
{
	bool body = request->method == WEB_POST || request->method == WEB_PUT;

	if (request->method != WEB_GET && !web_same_origin(&request->caller))
		web_error(request, 403, "The request comes from a page of another origin.");
	else if (body && request->content_length < 0)
		web_error(request, 411, "The request must tell its Content-Length.");
	return !request->status;
}

bool web_check_body(struct web_request *request)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1, max = request->route->body_max;
	char next = request->content_type[0] ? request->content_type[strnlen(request->content_type, len)] : 0;
	char text[64];

	if (!max && request->content_length > 0) {
		web_error(request, 400, "This resource takes no body.");
	} else if (max && request->content_length > (long)max) {
		snprintf(text, sizeof(text), "The body is larger than %zu KiB.", max >> 10);
		web_error(request, 413, text);
	} else if (max &&
		   (strncasecmp(request->content_type, json, len) || (next && next != ';' && next != ' '))) {
		web_error(request, 415, "The body must be application/json.");
	}
	return !request->status;
}

const char *web_cookie(const struct web_caller *caller, const char *name, size_t *len)
{
	return body_cookie(caller->cookie, strlen(caller->cookie), name, len);
}

void web_set_cookie(struct web_request *request, const char *name, const char *token)
{
	snprintf(request->set_cookie, sizeof(request->set_cookie),
		 "%s=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", name, token,
		 token[0] ? "" : "; Max-Age=0");
}

void web_forget_body(struct web_request *request)
{
	if (request->body)
		OPENSSL_cleanse(request->body, request->body_len);
	free(request->body);
	request->body = NULL;
	request->body_len = 0;
}

void web_forget(struct web_request *request)
{
	web_forget_body(request);
	OPENSSL_cleanse(request->caller.cookie, sizeof(request->caller.cookie));
	OPENSSL_cleanse(request->set_cookie, sizeof(request->set_cookie));
	free(request->json);
	request->json = NULL;
}
