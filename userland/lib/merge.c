// SPDX-License-Identifier: GPL-2.0-or-later
/* Members that are objects on both sides are looked into; arrays and all else are replaced as a whole. */
#include "lib/merge.h"

/* Puts what a member needs into patch; 0 or -1. */
static int diff_member(json_t *patch, const char *name, const json_t *before, json_t *after)
{
	json_t *inner;

	if (json_equal(before, after))
		return 0;
	if (!json_is_object(before) || !json_is_object(after))
		return json_object_set(patch, name, after);
	inner = merge_diff(before, after);
	return inner ? json_object_set_new(patch, name, inner) : -1;
}

json_t *merge_diff(const json_t *from, const json_t *to)
{
	json_t *patch = json_object(), *value;
	const char *name;
	int error = patch ? 0 : -1;

	/* jansson's loops take no const objects, and change none. */
	json_object_foreach((json_t *)from, name, value) if (!error && !json_object_get(to, name)) error =
		json_object_set_new(patch, name, json_null());
	json_object_foreach((json_t *)to, name, value) if (!error) error =
		diff_member(patch, name, json_object_get(from, name), value);
	if (!error)
		return patch;
	json_decref(patch);
	return NULL;
}

static int apply_member(json_t *target, const char *name, json_t *value)
{
	json_t *inner = json_object_get(target, name);

	if (json_is_null(value)) {
		json_object_del(target, name);
		return 0;
	}
	if (!json_is_object(value))
		return json_object_set_new(target, name, json_deep_copy(value));
	/* Whatever stood there: an object, and without the nulls of the patch (RFC 7396 section 2). */
	if (!json_is_object(inner) && json_object_set_new(target, name, json_object()))
		return -1;
	return merge_apply(json_object_get(target, name), value);
}

int merge_apply(json_t *target, const json_t *patch)
{
	const char *name;
	json_t *value;
	int error = 0;

	json_object_foreach((json_t *)patch, name, value) if (!error) error =
		apply_member(target, name, value);
	return error;
}
