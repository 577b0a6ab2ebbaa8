/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of what browsers send to an API. What it means is known there. */
#include "lib/body.h"

#include <string.h>

#include <jansson.h>

const char *body_strings(const char *text, size_t len, const char *const names[], unsigned count,
			 char fields[][BODY_FIELD_SIZE])
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = NULL;

	if (!json_is_object(root))
		wrong = "The body must be one JSON object.";
	else if (json_object_size(root) != count)
		wrong = "The object has too many or too few members.";
	for (unsigned i = 0; !wrong && i < count; i++) {
		const json_t *value = json_object_get(root, names[i]);
		size_t size = json_string_length(value);

		if (!json_is_string(value))
			wrong = "A member that is needed is missing, or is not a string.";
		else if (size >= BODY_FIELD_SIZE)
			wrong = "A member is too long.";
		else
			memcpy(fields[i], json_string_value(value), size + 1);
	}
	json_decref(root);
	return wrong;
}

bool body_number(const char *text, size_t len, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (!len || len > 19 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*number = value;
	return value <= max;
}

bool body_query(const char *query, size_t len, const char *name, uint64_t *number)
{
	size_t skip = strlen(name) + 1;

	*number = 0;
	if (!len)
		return true;
	return len > skip && !memcmp(query, name, skip - 1) && query[skip - 1] == '=' &&
	       body_number(query + skip, len - skip, INT64_MAX, number);
}

const char *body_cookie(const char *header, size_t len, const char *name, size_t *value_len)
{
	const char *end = header + len;
	size_t name_len = strlen(name);

	while (header < end) {
		const char *stop = memchr(header, ';', (size_t)(end - header));
		size_t size;

		while (header < end && *header == ' ')
			header++;
		stop = stop ? stop : end;
		size = (size_t)(stop - header);
		if (header <= stop && size > name_len && !memcmp(header, name, name_len) &&
		    header[name_len] == '=') {
			*value_len = size - name_len - 1;
			return header + name_len + 1;
		}
		header = stop < end ? stop + 1 : end;
	}
	return NULL;
}
