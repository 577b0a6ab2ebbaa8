// SPDX-License-Identifier: GPL-2.0-or-later
/* A bounded list and its file, which is written before a Ticket opens anything. */
#include "device/spent.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "tickets"
#define FILE_MAX 65536

static bool load_ticket(struct spent *spent, const json_t *entry)
{
	struct spent_ticket *ticket = &spent->tickets[spent->count];
	const json_t *id = json_array_get(entry, 0), *expires = json_array_get(entry, 1);
	size_t len;

	if (!json_is_string(id) || !json_is_integer(expires) || spent->count == SPENT_MAX ||
	    !base64_decode(json_string_value(id), json_string_length(id), ticket->id, TICKET_ID_BYTES,
			   &len) ||
	    len != TICKET_ID_BYTES)
		return false;
	ticket->expires = json_integer_value(expires);
	spent->count++;
	return true;
}

static bool load(struct spent *spent, const json_t *root)
{
	const json_t *horizon = json_object_get(root, "horizon"), *used = json_object_get(root, "used");
	const json_t *entry;
	size_t i;

	spent->horizon = json_integer_value(horizon);
	if (!json_is_integer(horizon) || !json_is_array(used))
		return false;
	json_array_foreach(used, i, entry) if (!load_ticket(spent, entry)) return false;
	return true;
}

int spent_load(const char *state_dir, struct spent *spent)
{
	size_t len;
	char *text = state_read(state_dir, FILE_NAME, FILE_MAX, &len);
	json_t *root;
	bool ok;

	memset(spent, 0, sizeof(*spent));
	if (!text)
		return errno == ENOENT ? 0 : -1;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	ok = load(spent, root);
	json_decref(root);
	free(text);
	if (!ok)
		log_error("%s/" FILE_NAME " is damaged: remove it two minutes after the last Ticket was used",
			  state_dir);
	return ok ? 0 : -1;
}

static int store(const struct spent *spent, const char *state_dir)
{
	json_t *used = json_array(),
	       *root = json_pack("{s:I, s:o}", "horizon", (json_int_t)spent->horizon, "used", used);
	char id[BASE64_LENGTH(TICKET_ID_BYTES) + 1], *text;
	bool ok = root;

	for (unsigned i = 0; ok && i < spent->count; i++) {
		base64_encode(spent->tickets[i].id, TICKET_ID_BYTES, id);
		ok = !json_array_append_new(used,
					    json_pack("[s, I]", id, (json_int_t)spent->tickets[i].expires));
	}
	text = ok ? json_dumps(root, JSON_COMPACT) : NULL;
	ok = text && !state_write(state_dir, FILE_NAME, text, strlen(text));
	free(text);
	json_decref(root);
	return ok ? 0 : -1;
}

/* Those that their time alone refuses. */
static void forget(struct spent *spent, int64_t now)
{
	for (unsigned i = 0; i < spent->count;) {
		if (spent->tickets[i].expires + TICKET_SKEW_S > now) {
			i++;
			continue;
		}
		if (spent->tickets[i].expires > spent->horizon)
			spent->horizon = spent->tickets[i].expires;
		spent->tickets[i] = spent->tickets[--spent->count];
	}
}

int spent_revoke(struct spent *spent, const char *state_dir, int64_t expires)
{
	if (expires > spent->horizon)
		spent->horizon = expires;
	return store(spent, state_dir);
}

enum spent_result spent_use(struct spent *spent, const char *state_dir, const struct ticket *ticket,
			    int64_t now)
{
	struct spent_ticket *mine;

	for (unsigned i = 0; i < spent->count; i++)
		if (!memcmp(spent->tickets[i].id, ticket->id, TICKET_ID_BYTES))
			return SPENT_BEFORE;
	if (ticket->expires <= spent->horizon)
		return SPENT_BEFORE;
	forget(spent, now);
	if (spent->count == SPENT_MAX)
		return SPENT_FULL;
	mine = &spent->tickets[spent->count++];
	memcpy(mine->id, ticket->id, TICKET_ID_BYTES);
	mine->expires = ticket->expires;
	/* Kept also when it could not be stored: whether it can be read again is not known. */
	return store(spent, state_dir) ? SPENT_FAILED : SPENT_NOW;
}
