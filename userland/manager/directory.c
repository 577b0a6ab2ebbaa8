// SPDX-License-Identifier: GPL-2.0-or-later
/* Searches, page by page (RFC 2696), members of groups, and the check of a password by search and bind. */
#include "manager/directory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/state.h"
#include "manager/text.h"

#define CA_NAME "directory-ca.pem"
#define PAGE 500
#define SECOND_NS 1000000000ull
#define FILTER_SIZE (DIRECTORY_FILTER_SIZE + DIRECTORY_ATTRIBUTE_SIZE + USER_NAME_MAX + 16)
/* Groups of names, of names that may be used twice, and of Unix; what a server does not know it passes over. */
#define MEMBER_ATTRIBUTES "member", "uniqueMember", "memberUid"

static pthread_mutex_t ca_mutex = PTHREAD_MUTEX_INITIALIZER;

/* libldap takes authorities from a file only. */
static bool put_ca(const struct directory_settings *settings, const char *state_dir, char *path, size_t size,
		   char *why)
{
	size_t len = 0;
	char *old;
	bool done;

	pthread_mutex_lock(&ca_mutex);
	old = state_read(state_dir, CA_NAME, DIRECTORY_CA_SIZE, &len);
	done = (old && !strcmp(old, settings->ca)) ||
	       !state_write(state_dir, CA_NAME, settings->ca, strlen(settings->ca));
	pthread_mutex_unlock(&ca_mutex);
	free(old);
	done = done && snprintf(path, size, "%s/" CA_NAME, state_dir) < (int)size;
	if (!done)
		snprintf(
			why, DIRECTORY_WHY_SIZE,
			"The certificates of ca could not be kept in the state folder: the Manager's log says why.");
	return done;
}

static enum directory_result open_link(struct directory_link *link, const struct directory_settings *settings,
				       const char *state_dir)
{
	char path[4096];

	memset(link, 0, sizeof(*link));
	if (!put_ca(settings, state_dir, path, sizeof(path), link->why))
		return DIRECTORY_FAILED;
	return directory_link_open(link, settings, path);
}

/* Two names of one entry are mostly alike in all but the case of letters and blanks. */
static char *key_of(const char *dn)
{
	LDAPDN parsed = NULL;
	char *text = NULL, *key;

	if (ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS)
		ldap_dn2str(parsed, &text, LDAP_DN_FORMAT_LDAPV3);
	ldap_dnfree(parsed);
	key = strdup(text ? text : dn);
	ldap_memfree(text);
	for (char *at = key; at && *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return key;
}

/* ---- entries ---- */

struct reading {
	struct directory_link link;
	const struct directory_settings *settings;
	struct directory_answer *answer;
	uint64_t end_ns;
};

static void partial(struct directory_answer *answer, const char *why)
{
	if (!answer->partial)
		snprintf(answer->why, sizeof(answer->why), "%s", why);
	answer->partial = true;
}

/* Several names are one too many: which of them he logs in with nobody knows. */
static void take_name(LDAP *ldap, LDAPMessage *message, const char *attribute, char name[USER_NAME_MAX + 1])
{
	struct berval **values = ldap_get_values_len(ldap, message, attribute);

	name[0] = '\0';
	if (values && values[0] && !values[1] && values[0]->bv_len <= USER_NAME_MAX &&
	    strlen(values[0]->bv_val) == values[0]->bv_len && user_name_valid(values[0]->bv_val))
		strcpy(name, values[0]->bv_val);
	ldap_value_free_len(values);
}

static bool add_entry(struct reading *reading, LDAPMessage *message)
{
	struct directory_answer *answer = reading->answer;
	LDAP *ldap = reading->link.ldap;
	struct directory_entry *entry;
	char *dn;

	if (answer->count == answer->room) {
		size_t room = answer->room ? 2 * answer->room : PAGE;
		void *more = realloc(answer->entries, room * sizeof(*entry));

		if (!more)
			return false;
		answer->entries = more;
		answer->room = room;
	}
	dn = ldap_get_dn(ldap, message);
	entry = &answer->entries[answer->count];
	memset(entry, 0, sizeof(*entry));
	entry->dn = dn ? strdup(dn) : NULL;
	entry->key = dn ? key_of(dn) : NULL;
	ldap_memfree(dn);
	answer->count++;
	if (!entry->dn || !entry->key)
		return false;
	take_name(ldap, message, reading->settings->name_attribute, entry->name);
	return true;
}

/* Of a search's end: what is there may be less than there is. false: there is nothing. */
static bool judge_end(struct reading *reading, int code)
{
	switch (code) {
	case LDAP_SUCCESS:
		return true;
	case LDAP_SIZELIMIT_EXCEEDED:
	case LDAP_ADMINLIMIT_EXCEEDED:
		partial(reading->answer,
			"The directory stopped at its size limit: raise it for bind_dn, or narrow base or filter.");
		return true;
	case LDAP_TIMELIMIT_EXCEEDED:
		partial(reading->answer,
			"The directory stopped at its time limit: raise it for bind_dn, or narrow base or filter.");
		return true;
	case LDAP_NO_SUCH_OBJECT:
		directory_link_fail(&reading->link,
				    "there is no such base, or bind_dn may not see it: correct base", code);
		return false;
	case LDAP_REFERRAL:
		directory_link_fail(&reading->link,
				    "it sends us to another server for this base: write that one into url",
				    code);
		return false;
	case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
		directory_link_fail(&reading->link, "it gives no answer in pages (RFC 2696)", code);
		return false;
	default:
		directory_link_fail(&reading->link, "the search failed", code);
		return false;
	}
}

/* A page's last message. *cookie: where the next one begins; empty: this was the last. */
static bool end_page(struct reading *reading, LDAPMessage *message, struct berval *cookie)
{
	LDAPControl **controls = NULL, *page = NULL;
	int code = LDAP_OTHER, error;
	ber_int_t estimate;
	bool good;

	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0 };
	error = ldap_parse_result(reading->link.ldap, message, &code, NULL, NULL, NULL, &controls, 0);
	if (controls)
		page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
	if (!error && page)
		error = ldap_parse_pageresponse_control(reading->link.ldap, page, &estimate, cookie);
	ldap_controls_free(controls);
	good = judge_end(reading, error ? error : code);
	if (good && !code && !page)
		partial(reading->answer, "The directory did not say whether there is more.");
	return good;
}

/* Also of a server that gives empty pages without end, or all it has in one. */
static bool is_too_much(struct reading *reading)
{
	if (loop_now_ns() > reading->end_ns)
		partial(reading->answer,
			"The directory did not come to an end within a minute: narrow base or filter.");
	else if (reading->answer->count > DIRECTORY_ENTRIES_MAX)
		partial(reading->answer,
			"There are more people than this Manager takes: narrow base or filter.");
	else
		return false;
	return true;
}

/* Entries until the page's last message. */
static bool read_page(struct reading *reading, int number, struct berval *cookie)
{
	LDAP *ldap = reading->link.ldap;
	LDAPMessage *message;
	bool good = true, more = true;

	while (good && more) {
		message = directory_link_await(&reading->link, "it does not answer the search", 0, number);
		if (!message)
			return false;
		switch (ldap_msgtype(message)) {
		case LDAP_RES_SEARCH_ENTRY:
			good = add_entry(reading, message);
			if (!good)
				directory_link_fail(&reading->link, "its answer is too large",
						    LDAP_NO_MEMORY);
			break;
		case LDAP_RES_SEARCH_REFERENCE:
			partial(reading->answer,
				"The directory has part of this base on another server: choose a base, such as a "
				"folder of people, that it has all of.");
			break;
		case LDAP_RES_SEARCH_RESULT:
			more = false;
			good = end_page(reading, message, cookie);
			break;
		default:
			break;
		}
		ldap_msgfree(message);
		if (good && more && is_too_much(reading)) {
			ldap_abandon_ext(ldap, number, NULL, NULL);
			return true;
		}
	}
	return good;
}

static bool ask_page(struct reading *reading, const char *filter, struct berval *cookie, int *number)
{
	char *attributes[] = { (char *)reading->settings->name_attribute, NULL };
	LDAPControl *page = NULL, *controls[2] = { NULL };
	int error = ldap_create_page_control(reading->link.ldap, PAGE, cookie, 'T', &page);

	controls[0] = page;
	if (!error)
		error = ldap_search_ext(reading->link.ldap, reading->settings->base, LDAP_SCOPE_SUBTREE,
					filter, attributes, 0, controls, NULL, NULL, 0, number);
	ldap_control_free(page);
	if (error)
		directory_link_fail(&reading->link,
				    error == LDAP_FILTER_ERROR ? "filter is no LDAP filter" :
								 "it cannot be searched",
				    error);
	return !error;
}

static bool read_entries(struct reading *reading)
{
	struct directory_answer *answer = reading->answer;
	struct berval cookie = { 0 };
	char filter[FILTER_SIZE];
	bool good;
	int number;

	snprintf(filter, sizeof(filter), "(&%s(%s=*))", reading->settings->filter,
		 reading->settings->name_attribute);
	do {
		good = ask_page(reading, filter, &cookie, &number) && read_page(reading, number, &cookie);
	} while (good && !answer->partial && cookie.bv_len && !is_too_much(reading));
	ber_memfree(cookie.bv_val);
	return good;
}

/* ---- groups ---- */

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct directory_entry *)a)->key, ((const struct directory_entry *)b)->key);
}

static void mark(struct directory_entry *entry, int group)
{
	if (group < 0)
		entry->member = true;
	else
		entry->groups |= 1ull << group;
}

static void mark_dn(struct directory_answer *answer, const char *dn, int group)
{
	struct directory_entry wanted = { .key = key_of(dn) }, *entry = NULL;

	if (wanted.key && answer->count)
		entry = bsearch(&wanted, answer->entries, answer->count, sizeof(wanted), by_key);
	free(wanted.key);
	if (entry)
		mark(entry, group);
}

/* Of Unix groups, which are small: by name. */
static void mark_name(struct directory_answer *answer, const char *name, int group)
{
	for (size_t i = 0; i < answer->count; i++)
		if (!strcmp(answer->entries[i].name, name))
			mark(&answer->entries[i], group);
}

static void mark_values(struct reading *reading, LDAPMessage *entry, const char *attribute, int group)
{
	struct berval **values = ldap_get_values_len(reading->link.ldap, entry, attribute);

	for (int i = 0; values && values[i]; i++) {
		if (strlen(values[i]->bv_val) != values[i]->bv_len)
			continue;
		if (strcasecmp(attribute, "memberUid"))
			mark_dn(reading->answer, values[i]->bv_val, group);
		else
			mark_name(reading->answer, values[i]->bv_val, group);
	}
	ldap_value_free_len(values);
}

/* group: -1 for settings->group. A missing group is no empty one: by it everybody would lose what he may. */
static bool read_group(struct reading *reading, const char *dn, int group)
{
	char *attributes[] = { MEMBER_ATTRIBUTES, NULL }, doing[DIRECTORY_WHY_SIZE], clean[300];
	struct timeval wait = { .tv_sec = DIRECTORY_WAIT_S };
	LDAP *ldap = reading->link.ldap;
	LDAPMessage *answer = NULL, *entry;
	BerElement *at = NULL;
	int error = ldap_search_ext_s(ldap, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0, NULL, NULL,
				      &wait, 0, &answer);

	entry = error ? NULL : ldap_first_entry(ldap, answer);
	if (!entry) {
		text_clean(dn, clean, sizeof(clean));
		snprintf(doing, sizeof(doing), "the group %s cannot be read: correct it, or take it out",
			 clean);
		directory_link_fail(&reading->link, doing, error ? error : LDAP_NO_SUCH_OBJECT);
		ldap_msgfree(answer);
		return false;
	}
	for (char *name = ldap_first_attribute(ldap, entry, &at); name;
	     name = ldap_next_attribute(ldap, entry, at)) {
		/* Active Directory's way to say that there are more. */
		if (strchr(name, ';'))
			partial(reading->answer,
				"The directory does not tell all members of a group at once: write "
				"(memberOf=DN OF THE GROUP) into filter instead.");
		mark_values(reading, entry, name, group);
		ldap_memfree(name);
	}
	ber_free(at, 0);
	ldap_msgfree(answer);
	return true;
}

static bool read_groups(struct reading *reading)
{
	const struct directory_settings *settings = reading->settings;
	bool good = !*settings->group || read_group(reading, settings->group, -1);

	for (unsigned i = 0; good && i < settings->group_count; i++) {
		good = loop_now_ns() < reading->end_ns + DIRECTORY_READ_S * SECOND_NS;
		if (good)
			good = read_group(reading, settings->groups[i].dn, (int)i);
		else
			directory_link_fail(&reading->link, "its groups were not read within two minutes",
					    LDAP_TIMEOUT);
	}
	return good;
}

/* ---- all of it ---- */

static int by_name(const void *a, const void *b)
{
	return strcasecmp((*(struct directory_entry *const *)a)->name,
			  (*(struct directory_entry *const *)b)->name);
}

/* The directory does not tell apart what differs in case alone, and neither can a log-in. */
static bool find_twice(struct directory_answer *answer)
{
	struct directory_entry **order = calloc(answer->count + 1, sizeof(*order));

	if (!order)
		return false;
	for (size_t i = 0; i < answer->count; i++)
		order[i] = &answer->entries[i];
	qsort(order, answer->count, sizeof(*order), by_name);
	for (size_t i = 1; i < answer->count; i++)
		if (*order[i]->name && !strcasecmp(order[i]->name, order[i - 1]->name))
			order[i]->twice = order[i - 1]->twice = true;
	free(order);
	return true;
}

static void leave_others(struct directory_answer *answer)
{
	size_t kept = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (answer->entries[i].member) {
			answer->entries[kept++] = answer->entries[i];
			continue;
		}
		free(answer->entries[i].dn);
		free(answer->entries[i].key);
	}
	answer->count = kept;
}

static bool read_all(struct reading *reading)
{
	struct directory_answer *answer = reading->answer;

	if (!read_entries(reading))
		return false;
	if (answer->count)
		qsort(answer->entries, answer->count, sizeof(*answer->entries), by_key);
	if (!read_groups(reading))
		return false;
	if (!find_twice(answer))
		return false;
	if (*reading->settings->group)
		leave_others(answer);
	return true;
}

enum directory_result directory_read(const struct directory_settings *settings, const char *state_dir,
				     struct directory_answer *answer)
{
	struct reading reading = {
		.settings = settings,
		.answer = answer,
		.end_ns = loop_now_ns() + DIRECTORY_READ_S * SECOND_NS,
	};
	enum directory_result result = open_link(&reading.link, settings, state_dir);

	memset(answer, 0, sizeof(*answer));
	if (result == DIRECTORY_DONE && !read_all(&reading))
		result = DIRECTORY_FAILED;
	if (result != DIRECTORY_DONE)
		memcpy(answer->why, reading.link.why, sizeof(answer->why));
	directory_link_close(&reading.link);
	return result;
}

void directory_answer_clear(struct directory_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		free(answer->entries[i].dn);
		free(answer->entries[i].key);
	}
	free(answer->entries);
	memset(answer, 0, sizeof(*answer));
}

/* ---- one person ---- */

/* The only entry that a search finds; NULL: none, or several, or *result is DIRECTORY_FAILED. */
static char *find_only(struct directory_link *link, const char *base, int scope, const char *filter,
		       enum directory_result *result)
{
	char *attributes[] = { LDAP_NO_ATTRS, NULL }, *dn = NULL;
	struct timeval wait = { .tv_sec = DIRECTORY_WAIT_S };
	LDAPMessage *answer = NULL;
	int error = ldap_search_ext_s(link->ldap, base, scope, filter, attributes, 0, NULL, NULL, &wait, 2,
				      &answer);

	*result = DIRECTORY_DONE;
	if (error && error != LDAP_SIZELIMIT_EXCEEDED)
		*result = directory_link_fail(link, "it cannot be searched for a person", error);
	else if (!error && ldap_count_entries(link->ldap, answer) == 1)
		dn = ldap_get_dn(link->ldap, ldap_first_entry(link->ldap, answer));
	ldap_msgfree(answer);
	return dn;
}

static bool is_member(struct directory_link *link, const char *dn, const char *name,
		      enum directory_result *result)
{
	char filter[4 * DIRECTORY_DN_SIZE * 3], *found;
	struct berval plain = { .bv_len = strlen(dn), .bv_val = (char *)dn }, escaped = { 0 };

	if (ldap_bv2escaped_filter_value(&plain, &escaped))
		return false;
	if (snprintf(filter, sizeof(filter), "(|(member=%s)(uniqueMember=%s)(memberUid=%s))", escaped.bv_val,
		     escaped.bv_val, name) >= (int)sizeof(filter)) {
		ber_memfree(escaped.bv_val);
		return false;
	}
	ber_memfree(escaped.bv_val);
	found = find_only(link, link->settings->group, LDAP_SCOPE_BASE, filter, result);
	ldap_memfree(found);
	return found;
}

/* A name that there is not is asked about like one that there is, and its password sent for an entry that there is not. */
static enum directory_result verify(struct directory_link *link, const char *name, const char *password)
{
	const struct directory_settings *settings = link->settings;
	enum directory_result result;
	char filter[FILTER_SIZE], nobody[DIRECTORY_DN_SIZE + 128], *dn;
	bool known;

	snprintf(filter, sizeof(filter), "(&%s(%s=%s))", settings->filter, settings->name_attribute, name);
	dn = find_only(link, settings->base, LDAP_SCOPE_SUBTREE, filter, &result);
	known = dn;
	if (result == DIRECTORY_DONE && *settings->group)
		known = is_member(link, dn ? dn : settings->base, name, &result) && dn;
	if (result == DIRECTORY_DONE) {
		snprintf(nobody, sizeof(nobody), "%s=kvmnet-nobody,%s", settings->name_attribute,
			 settings->base);
		result = directory_link_bind(link, known ? dn : nobody, password);
	}
	ldap_memfree(dn);
	return result == DIRECTORY_DONE && !known ? DIRECTORY_WRONG : result;
}

enum directory_result directory_verify(const struct directory_settings *settings, const char *state_dir,
				       const char *name, const char *password, char why[DIRECTORY_WHY_SIZE])
{
	struct directory_link link;
	enum directory_result result;

	if (!*password)
		return DIRECTORY_WRONG;
	result = open_link(&link, settings, state_dir);
	/* What cannot be a name is looked for as one that nobody has: a name becomes part of a filter. */
	if (result == DIRECTORY_DONE)
		result = verify(&link, user_name_valid(name) ? name : "kvmnet-nobody", password);
	if (result == DIRECTORY_FAILED)
		memcpy(why, link.why, sizeof(link.why));
	directory_link_close(&link);
	return result;
}

enum directory_result directory_probe(const struct directory_settings *settings, const char *state_dir,
				      char why[DIRECTORY_WHY_SIZE])
{
	struct directory_link link;
	enum directory_result result = open_link(&link, settings, state_dir);

	/* Whether anybody is found is not the question. */
	if (result == DIRECTORY_DONE)
		ldap_memfree(find_only(&link, settings->base, LDAP_SCOPE_BASE, "(objectClass=*)", &result));
	if (result == DIRECTORY_FAILED)
		memcpy(why, link.why, sizeof(link.why));
	directory_link_close(&link);
	return result;
}
