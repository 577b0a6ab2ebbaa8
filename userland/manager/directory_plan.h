/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an import would change: the directory's answer beside the users that there are. Pure; writes nothing. */
#ifndef KVMNET_MANAGER_DIRECTORY_PLAN_H
#define KVMNET_MANAGER_DIRECTORY_PLAN_H

#include <jansson.h>

#include "manager/directory.h"
#include "manager/store.h"

struct directory_plan {
	struct store_change *changes; /* their texts are the answer's and users' */
	size_t count, room;
	json_t *report; /* openapi.yaml's Import */
};

/*
 * users: an object, by name, of [entry, gone]. groups: an object, by number, of objects by their users' names.
 * The answer is taken for what it is: of a partial one, or an empty one, nobody is gone and no User Group is left.
 * NULL, or what is wrong, for a person. plan: to be cleared in either case.
 */
const char *directory_plan_make(struct directory_plan *plan, const struct directory_settings *settings,
				const struct directory_answer *answer, const json_t *users,
				const json_t *groups);
void directory_plan_clear(struct directory_plan *plan);

#endif
