// SPDX-License-Identifier: GPL-2.0-or-later
/* The keys that Tickets are checked with, their file, and one Ticket's way in. What a Ticket says is lib/ticket.c's. */
#include "device/gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/spent.h"
#include "lib/guess.h"
#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "ticket-keys"
#define FILE_MAX 4096

const char gate_unstored[] = "It could not be stored. The Device's log says why.";

struct gate {
	pthread_mutex_t mutex; /* everything below; waits for the disk */
	const char *state_dir;
	struct manager *manager;
	char device[ADOPTION_ID_SIZE]; /* our id */
	char whose[ADOPTION_ID_SIZE];  /* the Manager that the keys came from */
	struct ticket_keys keys;
	struct spent spent;
	struct guess_table *guesses;
};

/* Takes keys. */
static void hold(struct gate *gate, const struct ticket_keys *keys, const char *whose)
{
	ticket_keys_clear(&gate->keys);
	gate->keys = *keys;
	snprintf(gate->whose, sizeof(gate->whose), "%s", whose);
}

/* The file is {"manager", "keys"}: the set, and whose it is. */
static int load(struct gate *gate)
{
	size_t len;
	char *text = state_read(gate->state_dir, FILE_NAME, FILE_MAX, &len);
	json_t *root;
	const char *whose, *wrong = "it is not as it was written";
	struct ticket_keys keys;

	if (!text)
		return errno == ENOENT ? 0 : -1;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	whose = json_string_value(json_object_get(root, "manager"));
	if (whose)
		wrong = ticket_keys_parse(root, &keys);
	if (!wrong)
		hold(gate, &keys, whose);
	json_decref(root);
	free(text);
	if (wrong)
		log_error("%s/" FILE_NAME ": %s: remove it, the Manager brings it again", gate->state_dir,
			  wrong);
	return wrong ? -1 : 0;
}

struct gate *gate_open(const char *state_dir, struct manager *manager, EVP_PKEY *own)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	uint8_t id[CERTIFICATE_ID_SIZE];

	if (!gate) {
		log_error("tickets: out of memory");
		return NULL;
	}
	pthread_mutex_init(&gate->mutex, NULL);
	gate->state_dir = state_dir;
	gate->manager = manager;
	gate->guesses = guess_table_new();
	if (gate->guesses && certificate_id(own, id) && !spent_load(state_dir, &gate->spent) && !load(gate)) {
		adoption_hex(id, sizeof(id), gate->device);
		return gate;
	}
	log_error("the Tickets' state in %s cannot be opened", state_dir);
	gate_close(gate);
	return NULL;
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	ticket_keys_clear(&gate->keys);
	guess_table_free(gate->guesses);
	pthread_mutex_destroy(&gate->mutex);
	free(gate);
}

static bool manager_of(const struct gate *gate, char id[ADOPTION_ID_SIZE])
{
	uint8_t bytes[CERTIFICATE_ID_SIZE];

	if (!manager_id(gate->manager, bytes))
		return false;
	adoption_hex(bytes, sizeof(bytes), id);
	return true;
}

/* The file's text, malloc'd; NULL: out of memory, or too long. */
static char *text_of(const json_t *set, const char *whose)
{
	json_t *root = json_pack("{s:s, s:O}", "manager", whose, "keys", json_object_get(set, "keys"));
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (!text || strlen(text) <= FILE_MAX)
		return text;
	log_error("a set of keys for Tickets of more than 4 KiB is not kept");
	free(text);
	return NULL;
}

const char *gate_set_keys(struct gate *gate, const json_t *set)
{
	char whose[ADOPTION_ID_SIZE], *text;
	struct ticket_keys keys;
	const char *wrong = ticket_keys_parse(set, &keys);

	if (wrong)
		return wrong;
	if (!manager_of(gate, whose)) {
		ticket_keys_clear(&keys);
		return "This Device has no Manager.";
	}
	text = text_of(set, whose);
	pthread_mutex_lock(&gate->mutex);
	if (!text || state_write(gate->state_dir, FILE_NAME, text, strlen(text))) {
		ticket_keys_clear(&keys);
		wrong = gate_unstored;
	} else {
		hold(gate, &keys, whose);
	}
	pthread_mutex_unlock(&gate->mutex);
	free(text);
	return wrong;
}

int gate_forget_keys(struct gate *gate)
{
	int error;

	pthread_mutex_lock(&gate->mutex);
	error = state_remove(gate->state_dir, FILE_NAME);
	ticket_keys_clear(&gate->keys);
	pthread_mutex_unlock(&gate->mutex);
	return error;
}

const char *gate_revoke(struct gate *gate, int64_t issued)
{
	int error;

	/* Later ones would be refused that nobody has given yet. */
	if (issued > time(NULL) + TICKET_SKEW_S)
		return "That is in the future: the clocks of Manager and Device differ by more than 30 seconds.";
	pthread_mutex_lock(&gate->mutex);
	error = spent_revoke(&gate->spent, gate->state_dir, issued + TICKET_LONGEST_S);
	pthread_mutex_unlock(&gate->mutex);
	return error ? gate_unstored : NULL;
}

/* With the mutex held. NULL: it is good. */
static const char *check(struct gate *gate, const char *text, size_t len, int64_t now, struct ticket *ticket)
{
	static const struct ticket_keys none;
	char whose[ADOPTION_ID_SIZE];
	struct ticket_scope scope = {
		.keys = &gate->keys,
		.manager = whose,
		.device = gate->device,
		.now = now,
	};

	if (!manager_of(gate, whose))
		return "This Device has no Manager: log in with a user name and a password.";
	/* Those of a Manager that it had before. */
	if (strcmp(whose, gate->whose))
		scope.keys = &none;
	if (!scope.keys->count)
		return "The Manager has not told this Device yet how it signs Tickets: it must be connected once.";
	return ticket_check(text, len, &scope, ticket);
}

/* With the mutex held. */
static enum gate_result spend(struct gate *gate, const struct ticket *ticket, int64_t now, const char **why)
{
	switch (spent_use(&gate->spent, gate->state_dir, ticket, now)) {
	case SPENT_NOW:
		*why = NULL;
		return GATE_OPEN;
	case SPENT_BEFORE:
		*why = "The Ticket was used before or taken back: open the Target in the Manager again.";
		return GATE_REFUSED;
	case SPENT_FULL:
		*why = "Too many Tickets were used in the last two minutes. Wait a while, then try again.";
		return GATE_LIMITED;
	case SPENT_FAILED:
		break;
	}
	*why = gate_unstored;
	return GATE_FAILED;
}

enum gate_result gate_admit(struct gate *gate, const struct sockaddr *peer, const char *text, size_t len,
			    struct ticket *ticket, const char **why)
{
	enum gate_result result = GATE_LIMITED;
	int64_t now = time(NULL);
	struct source source;
	struct guess guess;

	memset(ticket, 0, sizeof(*ticket));
	*why = "Too many wrong tries. Wait a while, then try again.";
	source_of(&source, peer);
	pthread_mutex_lock(&gate->mutex);
	guess_ticket(gate->guesses, &guess, &source);
	if (guess_take(&guess)) {
		*why = check(gate, text, len, now, ticket);
		result = *why ? GATE_REFUSED : spend(gate, ticket, now, why);
		if (result == GATE_OPEN)
			guess_refund(&guess);
	}
	pthread_mutex_unlock(&gate->mutex);
	if (result != GATE_OPEN)
		memset(ticket, 0, sizeof(*ticket));
	return result;
}
