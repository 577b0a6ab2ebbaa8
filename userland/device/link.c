// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The link's thread, which tries again and again, and what it shares with others:
 * the newest status, requests and their answers, all under the mutex.
 */
#include "device/link_parts.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libwebsockets.h>
#include <openssl/rand.h>

#include "lib/log.h"

#define LONGEST_S 60
#define SECOND_NS 1000000000ULL

/* A request from its coming to its response. */
struct exchange {
	uint64_t key; /* ours, never used twice: an answer that comes after its connection finds nothing; 0: free */
	uint64_t id; /* the Manager's */
	enum { EXCHANGE_ASKED, EXCHANGE_TAKEN, EXCHANGE_ANSWERED } stage;
	struct link_message request;
	int status;
	char *json;
};

struct link {
	struct manager *manager;
	const struct link_host *host;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* stop or restart, for a thread that waits */
	struct lws_context *context;
	bool stop, restart;
	struct settings settings;
	char *status;
	bool status_new;
	uint64_t last_key;
	struct exchange exchanges[LINK_REQUESTS];
	struct link_state state;
};

/* ---- for the attempt ---- */

void link_set_state(struct link *link, enum link_phase phase, const char *why)
{
	bool changed;

	pthread_mutex_lock(&link->mutex);
	changed = link->state.phase != phase || strcmp(link->state.why, why);
	link->state.phase = phase;
	snprintf(link->state.why, sizeof(link->state.why), "%s", why);
	pthread_mutex_unlock(&link->mutex);
	manager_set_linked(link->manager, phase == LINK_UP);
	if (!changed)
		return;
	if (*why)
		log_warn("link: %s", why);
	else if (phase == LINK_UP)
		log_info("link: the Manager has taken this Device's connection");
	link->host->wake(link->host->arg);
}

/* With the mutex held. */
static bool answering(const struct link *link)
{
	for (unsigned i = 0; i < LINK_REQUESTS; i++)
		if (link->exchanges[i].key)
			return true;
	return false;
}

bool link_wanted(struct link *link)
{
	bool wanted;

	pthread_mutex_lock(&link->mutex);
	/* Who asked for what begins it anew is to have the answer. */
	wanted = !link->stop && (!link->restart || answering(link));
	pthread_mutex_unlock(&link->mutex);
	return wanted;
}

void link_publish(struct link *link, struct lws_context *context)
{
	pthread_mutex_lock(&link->mutex);
	link->context = context;
	pthread_mutex_unlock(&link->mutex);
}

const struct link_host *link_host(const struct link *link)
{
	return link->host;
}

void link_settings(struct link *link, struct settings *settings)
{
	pthread_mutex_lock(&link->mutex);
	*settings = link->settings;
	pthread_mutex_unlock(&link->mutex);
}

json_t *link_take_status(struct link *link, bool any)
{
	json_t *status = NULL;

	pthread_mutex_lock(&link->mutex);
	if (link->status && (link->status_new || any))
		status = json_loads(link->status, 0, NULL);
	link->status_new = false;
	pthread_mutex_unlock(&link->mutex);
	return status;
}

/* With the mutex held: the oldest at that stage. */
static struct exchange *oldest(struct link *link, int stage)
{
	struct exchange *found = NULL;

	for (unsigned i = 0; i < LINK_REQUESTS; i++) {
		struct exchange *exchange = &link->exchanges[i];

		if (exchange->key && (int)exchange->stage == stage && (!found || exchange->key < found->key))
			found = exchange;
	}
	return found;
}

json_t *link_take_response(struct link *link)
{
	struct exchange done = { 0 }, *exchange;
	json_t *body, *json;

	pthread_mutex_lock(&link->mutex);
	exchange = oldest(link, EXCHANGE_ANSWERED);
	if (exchange) {
		done = *exchange;
		exchange->key = 0;
	}
	pthread_mutex_unlock(&link->mutex);
	if (!exchange)
		return NULL;
	body = done.json ? json_loads(done.json, JSON_DECODE_ANY, NULL) : NULL;
	json = json_pack("{s:{s:I, s:i, s:o*}}", "response", "id", (json_int_t)done.id, "status", done.status,
			 "body", body);
	free(done.json);
	return json;
}

bool link_put_request(struct link *link, struct link_message *request)
{
	struct exchange *exchange = NULL;

	pthread_mutex_lock(&link->mutex);
	/* It begins anew, perhaps with another Manager: only what was asked before is still answered. */
	if (link->restart) {
		pthread_mutex_unlock(&link->mutex);
		free(request->body);
		return true;
	}
	for (unsigned i = 0; i < LINK_REQUESTS && !exchange; i++)
		if (!link->exchanges[i].key)
			exchange = &link->exchanges[i];
	if (exchange)
		*exchange = (struct exchange){
			.key = ++link->last_key,
			.id = request->id,
			.stage = EXCHANGE_ASKED,
			.request = *request,
		};
	else
		free(request->body);
	pthread_mutex_unlock(&link->mutex);
	if (exchange)
		link->host->wake(link->host->arg);
	return exchange;
}

/* ---- the thread ---- */

/* Of a connection that is gone: nobody waits for these. */
static void drop_exchanges(struct link *link)
{
	pthread_mutex_lock(&link->mutex);
	for (unsigned i = 0; i < LINK_REQUESTS; i++) {
		struct exchange *exchange = &link->exchanges[i];

		if (exchange->key && exchange->stage == EXCHANGE_ASKED)
			free(exchange->request.body);
		if (exchange->key && exchange->stage == EXCHANGE_ANSWERED)
			free(exchange->json);
		exchange->key = 0;
	}
	pthread_mutex_unlock(&link->mutex);
}

static bool try_once(struct link *link, const struct adoption *adoption, unsigned turn)
{
	struct adoption_address address;
	struct settings settings;
	bool taken;

	link_settings(link, &settings);
	if (settings.manager_count)
		address = settings.managers[turn % settings.manager_count];
	else
		address = adoption->address[turn % adoption->address_count];
	taken = link_attempt(link, adoption, &address);
	/* Also when it ended by our own doing: nobody is there now who decides. */
	manager_set_linked(link->manager, false);
	drop_exchanges(link);
	return taken;
}

/* Up to limit_s, at random: Devices that lost their Manager together do not come back together. */
static void rest(struct link *link, unsigned limit_s)
{
	struct timespec until;
	uint32_t random = 0;
	uint64_t ns;

	RAND_bytes((unsigned char *)&random, sizeof(random));
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = (uint64_t)until.tv_nsec + limit_s * SECOND_NS / UINT16_MAX * (random >> 16);
	until.tv_sec += (time_t)(ns / SECOND_NS);
	until.tv_nsec = (long)(ns % SECOND_NS);
	pthread_mutex_lock(&link->mutex);
	while (!link->stop && !link->restart)
		if (pthread_cond_timedwait(&link->changed, &link->mutex, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&link->mutex);
}

/* false: the link stops. */
static bool begin(struct link *link)
{
	bool go_on;

	pthread_mutex_lock(&link->mutex);
	link->restart = false;
	go_on = !link->stop;
	pthread_mutex_unlock(&link->mutex);
	return go_on;
}

static void wait_for_manager(struct link *link)
{
	link_set_state(link, LINK_NONE, "");
	pthread_mutex_lock(&link->mutex);
	while (!link->stop && !link->restart)
		pthread_cond_wait(&link->changed, &link->mutex);
	pthread_mutex_unlock(&link->mutex);
}

static void *work(void *arg)
{
	struct link *link = arg;
	unsigned limit_s = 1, turn = 0;

	while (begin(link)) {
		struct adoption *adoption = manager_adoption(link->manager);

		if (!adoption) {
			wait_for_manager(link);
			limit_s = 1;
			continue;
		}
		if (try_once(link, adoption, turn))
			limit_s = 1;
		else
			turn++;
		adoption_free(adoption);
		if (link_wanted(link)) {
			rest(link, limit_s);
			limit_s = limit_s * 2 < LONGEST_S ? limit_s * 2 : LONGEST_S;
		} else {
			limit_s = 1;
		}
	}
	return NULL;
}

/* ---- for others ---- */

static void set_up(struct link *link)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&link->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&link->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void destroy(struct link *link)
{
	drop_exchanges(link);
	pthread_cond_destroy(&link->changed);
	pthread_mutex_destroy(&link->mutex);
	free(link->status);
	free(link);
}

struct link *link_start(struct manager *manager, const struct settings *settings,
			const struct link_host *host)
{
	struct link *link = calloc(1, sizeof(*link));
	sigset_t all, old;
	int error;

	if (!link) {
		log_error("link: out of memory");
		return NULL;
	}
	link->manager = manager;
	link->settings = *settings;
	link->host = host;
	set_up(link);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(&link->thread, NULL, work, link);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return link;
	log_error("link: no thread: %s", strerror(error));
	destroy(link);
	return NULL;
}

/* With the mutex held. */
static void rouse(struct link *link)
{
	pthread_cond_signal(&link->changed);
	if (link->context)
		lws_cancel_service(link->context);
}

void link_stop(struct link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&link->mutex);
	link->stop = true;
	rouse(link);
	pthread_mutex_unlock(&link->mutex);
	pthread_join(link->thread, NULL);
	destroy(link);
}

void link_restart(struct link *link, const struct settings *settings)
{
	pthread_mutex_lock(&link->mutex);
	link->settings = *settings;
	link->restart = true;
	rouse(link);
	pthread_mutex_unlock(&link->mutex);
}

void link_retell(struct link *link, const struct settings *settings)
{
	pthread_mutex_lock(&link->mutex);
	link->settings = *settings;
	pthread_mutex_unlock(&link->mutex);
}

void link_tell(struct link *link, const char *status)
{
	char *copy = strdup(status);

	if (!copy)
		return; /* the next one is as good */
	pthread_mutex_lock(&link->mutex);
	free(link->status);
	link->status = copy;
	link->status_new = true;
	rouse(link);
	pthread_mutex_unlock(&link->mutex);
}

bool link_take(struct link *link, uint64_t *key, struct link_message *request)
{
	struct exchange *exchange;

	pthread_mutex_lock(&link->mutex);
	exchange = oldest(link, EXCHANGE_ASKED);
	if (exchange) {
		exchange->stage = EXCHANGE_TAKEN;
		*key = exchange->key;
		*request = exchange->request;
	}
	pthread_mutex_unlock(&link->mutex);
	return exchange;
}

void link_answer(struct link *link, uint64_t key, int status, const char *json)
{
	pthread_mutex_lock(&link->mutex);
	for (unsigned i = 0; i < LINK_REQUESTS; i++) {
		struct exchange *exchange = &link->exchanges[i];

		if (exchange->key != key || exchange->stage != EXCHANGE_TAKEN)
			continue;
		exchange->stage = EXCHANGE_ANSWERED;
		exchange->status = status;
		exchange->json = json ? strdup(json) : NULL;
		rouse(link);
	}
	pthread_mutex_unlock(&link->mutex);
}

void link_look(struct link *link, struct link_state *state)
{
	pthread_mutex_lock(&link->mutex);
	*state = link->state;
	pthread_mutex_unlock(&link->mutex);
}
