// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the Manager's messages. What a request may do is api.c's. */
#include "device/link_message.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#define ID_MAX ((1LL << 53) - 1) /* what every JSON library can hold */

static bool take(const json_t *request, const char *name, char *to, size_t size)
{
	const json_t *value = json_object_get(request, name);
	size_t len = json_string_length(value);

	if (!len || len >= size)
		return false;
	memcpy(to, json_string_value(value), len + 1);
	return true;
}

static const char *take_request(const json_t *request, struct link_message *message)
{
	const json_t *id = json_object_get(request, "id"), *body = json_object_get(request, "body"),
		     *by = json_object_get(request, "by");

	message->type = LINK_REQUEST;
	if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > ID_MAX)
		return "A request's id is a number from 0 to 2^53 - 1.";
	message->id = (uint64_t)json_integer_value(id);
	if (!take(request, "method", message->method, sizeof(message->method)) ||
	    !take(request, "path", message->path, sizeof(message->path)))
		return "A request's method and path are short strings.";
	if (by && !take(request, "by", message->by, sizeof(message->by)))
		return "Who asks for a request is a short string.";
	if (json_object_size(request) != 3u + !!body + !!by)
		return "A request has id, method, path, by and body, and nothing else.";
	if (!body)
		return NULL;
	message->body = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
	return message->body ? NULL : "The Device is out of memory.";
}

const char *link_message_parse(const char *text, size_t len, struct link_message *message)
{
	const char *wrong = "A message is an object with one member: welcome or request.";
	json_t *root = len <= LINK_MESSAGE_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const json_t *request = json_object_get(root, "request");

	memset(message, 0, sizeof(*message));
	if (json_object_size(root) == 1 && json_is_object(request)) {
		wrong = take_request(request, message);
	} else if (json_object_size(root) == 1 && json_is_object(json_object_get(root, "welcome"))) {
		message->type = LINK_WELCOME;
		wrong = NULL;
	}
	json_decref(root);
	return wrong;
}
