// SPDX-License-Identifier: GPL-2.0-or-later
/* Names are strangers' and may be anything, also another's id: an id goes first. */
#include "client/pick.h"

#include <string.h>

const char *pick_id(const json_t *item)
{
	const char *id = json_string_value(json_object_get(item, "id"));

	return id && strlen(id) == PICK_ID_DIGITS && strspn(id, "0123456789abcdef") == PICK_ID_DIGITS ? id :
													NULL;
}

static bool by_id(const json_t *item, const char *text)
{
	size_t len = strlen(text);

	return len >= PICK_SHORT && !strncmp(pick_id(item), text, len);
}

static bool by_name(const json_t *item, const char *text)
{
	const char *name = json_string_value(json_object_get(item, "name"));

	return name && !strcmp(name, text);
}

static const json_t *search(const json_t *list, const char *text,
			    bool (*fits)(const json_t *item, const char *text), bool *several)
{
	const json_t *item, *found = NULL;
	size_t i;

	*several = false;
	json_array_foreach(list, i, item)
	{
		if (!pick_id(item) || !fits(item, text))
			continue;
		*several = found != NULL;
		if (*several)
			return NULL;
		found = item;
	}
	return found;
}

const json_t *pick(const json_t *list, const char *text, bool *several)
{
	const json_t *found = search(list, text, by_id, several);

	return found || *several ? found : search(list, text, by_name, several);
}
