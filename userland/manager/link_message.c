// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads Devices' messages. What they mean is link.c's. */
#include "manager/link_message.h"

#include <stdbool.h>
#include <string.h>

#include "lib/log.h"

static bool take_text(const json_t *object, const char *name, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text || !*text || strlen(text) >= size)
		return false;
	log_clean(to, size, text);
	return true;
}

static const char *take_hello(const json_t *hello, struct link_message *message)
{
	const json_t *revision = json_object_get(hello, "settings_revision");

	message->type = LINK_HELLO;
	message->hello.settings_revision = json_integer_value(revision);
	if (take_text(hello, "id", message->hello.id, sizeof(message->hello.id)) &&
	    take_text(hello, "name", message->hello.name, sizeof(message->hello.name)) &&
	    take_text(hello, "version", message->hello.version, sizeof(message->hello.version)) &&
	    json_is_integer(revision) && message->hello.settings_revision >= 0)
		return NULL;
	return "A hello has id, name, version and settings_revision.";
}

static const char *take_response(const json_t *response, struct link_message *message)
{
	const json_t *id = json_object_get(response, "id"), *status = json_object_get(response, "status");

	message->type = LINK_RESPONSE;
	message->id = (uint64_t)json_integer_value(id);
	message->status = (int)json_integer_value(status);
	message->body = json_incref(json_object_get(response, "body"));
	if (json_is_integer(id) && json_integer_value(id) > 0 && json_is_integer(status) &&
	    json_integer_value(status) >= 100 && json_integer_value(status) <= 599)
		return NULL;
	return "A response has the id of its request and an HTTP status.";
}

const char *link_message_parse(const char *text, size_t len, struct link_message *message)
{
	json_t *root = len <= LINK_MESSAGE_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *hello = json_object_get(root, "hello"), *status = json_object_get(root, "status");
	json_t *delta = json_object_get(root, "delta"), *response = json_object_get(root, "response");
	const char *wrong = "A message is an object with one member: hello, status, delta or response.";

	memset(message, 0, sizeof(*message));
	if (json_object_size(root) != 1) {
		json_decref(root);
		return wrong;
	}
	if (json_is_object(hello)) {
		wrong = take_hello(hello, message);
	} else if (json_is_object(response)) {
		wrong = take_response(response, message);
	} else if (json_is_object(status) || json_is_object(delta)) {
		message->type = status ? LINK_STATUS : LINK_DELTA;
		message->body = json_incref(status ? status : delta);
		wrong = NULL;
	}
	json_decref(root);
	return wrong;
}

void link_message_clear(struct link_message *message)
{
	json_decref(message->body);
	message->body = NULL;
}
