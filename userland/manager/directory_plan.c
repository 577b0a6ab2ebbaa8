// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is new, who has changed, who is gone, and whose name cannot be taken. */
#include "manager/directory_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/text.h"

#define DN_SHOWN 200
#define DN_MAX 4096 /* bytes */

struct planning {
	struct directory_plan *plan;
	const struct directory_settings *settings;
	const struct directory_answer *answer;
	const json_t *users, *groups;
	json_t *seen,
		*odd; /* names that the answer has, and entries whose names nobody can take, as objects */
	bool partial, failed;
};

static void add_change(struct planning *planning, const struct store_change *change)
{
	struct directory_plan *plan = planning->plan;

	if (plan->count == plan->room) {
		size_t room = plan->room ? 2 * plan->room : 256;
		void *more = realloc(plan->changes, room * sizeof(*change));

		if (!more) {
			planning->failed = true;
			return;
		}
		plan->changes = more;
		plan->room = room;
	}
	plan->changes[plan->count++] = *change;
}

static void tell(struct planning *planning, const char *list, const char *name)
{
	if (json_array_append_new(json_object_get(planning->plan->report, list), json_string(name)))
		planning->failed = true;
}

/* Several groups of the directory may lead to one User Group: it is his if one of them has him. */
static bool belongs(const struct planning *planning, const struct directory_entry *entry, int64_t group)
{
	for (unsigned i = 0; i < planning->settings->group_count; i++)
		if (planning->settings->groups[i].group == group && entry->groups & 1ull << i)
			return true;
	return false;
}

static bool first_of_its_group(const struct directory_settings *settings, unsigned index)
{
	for (unsigned i = 0; i < index; i++)
		if (settings->groups[i].group == settings->groups[index].group)
			return false;
	return true;
}

static const json_t *members_of(const struct planning *planning, int64_t group)
{
	char number[24];

	snprintf(number, sizeof(number), "%lld", (long long)group);
	return json_object_get(planning->groups, number);
}

/* Whether something changes. */
static bool plan_groups(struct planning *planning, const struct directory_entry *entry)
{
	const struct directory_settings *settings = planning->settings;
	bool changes = false;

	for (unsigned i = 0; i < settings->group_count; i++) {
		int64_t group = settings->groups[i].group;
		struct store_change change = { .name = entry->name, .group = group };
		bool should, is;

		if (!first_of_its_group(settings, i))
			continue;
		should = belongs(planning, entry, group);
		is = json_object_get(members_of(planning, group), entry->name);
		if (should == is || (is && planning->partial))
			continue;
		change.what = should ? STORE_CHANGE_JOIN : STORE_CHANGE_LEAVE;
		add_change(planning, &change);
		changes = true;
	}
	return changes;
}

static void plan_entry(struct planning *planning, const struct directory_entry *entry)
{
	const json_t *user = json_object_get(planning->users, entry->name);
	const char *known = json_string_value(json_array_get(user, 0));
	struct store_change change = {
		.what = user ? STORE_CHANGE_ENTRY : STORE_CHANGE_ADD,
		.name = entry->name,
		.type = planning->settings->type == ACCOUNT_USER ? "user" : "viewonly",
		.entry = entry->dn,
	};
	bool changes = !user || strcmp(known, entry->dn) || json_is_true(json_array_get(user, 1));

	/* One who is checked here must not become one whom the directory lets in. */
	if (user && !*known) {
		tell(planning, "taken", entry->name);
		return;
	}
	if (changes)
		add_change(planning, &change);
	if (plan_groups(planning, entry) || changes)
		tell(planning, user ? "changed" : "added", entry->name);
}

/* Whether the store, and what reads it, can have it. */
static bool is_text(const char *dn)
{
	json_t *text = json_string(dn);

	json_decref(text);
	return text && strlen(dn) <= DN_MAX;
}

static void plan_odd(struct planning *planning, const struct directory_entry *entry)
{
	char shown[DN_SHOWN];

	text_clean(entry->dn, shown, sizeof(shown));
	tell(planning, "odd", shown);
	/* One that is no text is nobody's of before. */
	if (is_text(entry->dn) && json_object_set_new(planning->odd, entry->dn, json_true()))
		planning->failed = true;
}

/* An entry that has several names by now, or one that cannot be a user's, is there all the same. */
static void plan_gone(struct planning *planning)
{
	const char *name;
	json_t *user;

	json_object_foreach((json_t *)planning->users, name, user)
	{
		struct store_change change = { .what = STORE_CHANGE_GONE, .name = name };
		const char *known = json_string_value(json_array_get(user, 0));

		if (!*known || json_is_true(json_array_get(user, 1)) ||
		    json_object_get(planning->seen, name) || json_object_get(planning->odd, known))
			continue;
		add_change(planning, &change);
		tell(planning, "gone", name);
	}
}

static void plan_all(struct planning *planning)
{
	const struct directory_answer *answer = planning->answer;

	for (size_t i = 0; i < answer->count; i++) {
		const struct directory_entry *entry = &answer->entries[i];

		if (*entry->name && json_object_set_new(planning->seen, entry->name, json_true()))
			planning->failed = true;
		if (!*entry->name || entry->twice || !is_text(entry->dn))
			plan_odd(planning, entry);
		else
			plan_entry(planning, entry);
	}
	if (!planning->partial)
		plan_gone(planning);
}

static const char *missing_group(const struct planning *planning)
{
	for (unsigned i = 0; i < planning->settings->group_count; i++)
		if (!members_of(planning, planning->settings->groups[i].group))
			return "A User Group that the directory's settings name does not exist any more: correct groups.";
	return NULL;
}

const char *directory_plan_make(struct directory_plan *plan, const struct directory_settings *settings,
				const struct directory_answer *answer, const json_t *users,
				const json_t *groups)
{
	struct planning planning = {
		.plan = plan,
		.settings = settings,
		.answer = answer,
		.users = users,
		.groups = groups,
		.partial = answer->partial || !answer->count,
		.seen = json_object(),
		.odd = json_object(),
	};
	const char *why = answer->partial ? answer->why :
			  answer->count	  ? "" :
					    "The directory has nobody like that: check base, filter and group.";
	const char *wrong = missing_group(&planning);

	*plan = (struct directory_plan){ 0 };
	plan->report = json_pack("{s:I, s:b, s:s, s:[], s:[], s:[], s:[], s:[]}", "found",
				 (json_int_t)answer->count, "partial", planning.partial, "why", why, "added",
				 "changed", "gone", "taken", "odd");
	if (!wrong && plan->report && planning.seen && planning.odd)
		plan_all(&planning);
	if (!wrong && (!plan->report || !planning.seen || !planning.odd || planning.failed))
		wrong = "The Manager is out of memory.";
	json_decref(planning.seen);
	json_decref(planning.odd);
	return wrong;
}

void directory_plan_clear(struct directory_plan *plan)
{
	free(plan->changes);
	json_decref(plan->report);
	*plan = (struct directory_plan){ 0 };
}
