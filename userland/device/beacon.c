// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Announcements at the start, at growing intervals and after changes;
 * answers to probes. Sockets, messages and their limits are lib/discovery*.c's.
 */
#include "device/beacon.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "device/resolve.h"
#include "lib/discovery_node.h"
#include "lib/log.h"
#include "lib/version.h"

#define LONGEST_S 60 /* between announcements */
#define MODEL "KVMnet"

struct beacon {
	struct server *server;
	const struct config *config;
	EVP_PKEY *key;
	struct discovery_user user;
	struct discovery_node *node;
	struct resolver *resolver; /* NULL: no Managers are named */
	struct loop_timer announce;
	uint64_t sequence, answered, unanswered;
	unsigned interval_s;
	uint8_t announcement[DISCOVERY_MAX]; /* the last one, for Managers whose names are still looked up */
	size_t announcement_len;
};

static size_t seal(struct beacon *beacon, enum discovery_type type, const uint8_t nonce[DISCOVERY_NONCE_SIZE],
		   uint8_t data[DISCOVERY_MAX])
{
	struct server *server = beacon->server;
	const char *name = *server->settings.name ? server->settings.name : server->host;
	struct discovery_message message = {
		.type = type,
		.role = DISCOVERY_DEVICE,
		.boot = server->boot,
		.sequence = ++beacon->sequence,
		.model = MODEL,
		.firmware = KVMNET_VERSION,
		.https_port = beacon->config->https_port,
		.state = account_claimed(server->accounts) ? DISCOVERY_STANDALONE : DISCOVERY_UNCLAIMED,
	};

	if (manager_id(server->manager, message.manager))
		message.state = DISCOVERY_MANAGED;
	log_clean(message.name, sizeof(message.name), name);
	memcpy(message.nonce, nonce, sizeof(message.nonce));
	return discovery_seal(&message, beacon->key, data);
}

/* ---- announcing ---- */

static void manager_found(void *arg, const struct sockaddr_storage *address)
{
	const struct discovery_path path = { .peer = *address };
	struct beacon *beacon = arg;

	discovery_node_send(beacon->node, beacon->announcement, beacon->announcement_len, &path);
}

static void log_counts(const struct beacon *beacon)
{
	const struct discovery_counts *counts = discovery_node_counts(beacon->node);

	log_debug("discovery: %" PRIu64 " answered, %" PRIu64 " not; dropped: %" PRIu64 " malformed, %" PRIu64
		  " not for us, %" PRIu64 " replayed, %" PRIu64 " over the limits, %" PRIu64 " forged",
		  beacon->answered, beacon->unanswered, counts->malformed, counts->unwanted, counts->replayed,
		  counts->limited, counts->forged);
}

static void announce(struct beacon *beacon)
{
	uint8_t nonce[DISCOVERY_NONCE_SIZE];
	bool sealed;

	screen_look_host(beacon->server);
	sealed = RAND_bytes(nonce, sizeof(nonce)) == 1 &&
		 (beacon->announcement_len = seal(beacon, DISCOVERY_ANNOUNCE, nonce, beacon->announcement));
	if (sealed && beacon->config->discovery_broadcast)
		discovery_node_send_all(beacon->node, beacon->announcement, beacon->announcement_len,
					beacon->config->discovery_port);
	if (sealed && beacon->resolver)
		resolve_start(beacon->resolver);
	log_counts(beacon);
	loop_timer_arm(beacon->server->loop, &beacon->announce, discovery_with_jitter(beacon->interval_s));
	beacon->interval_s = beacon->interval_s * 2 < LONGEST_S ? beacon->interval_s * 2 : LONGEST_S;
}

static void announce_due(struct loop_timer *timer)
{
	announce((struct beacon *)((char *)timer - offsetof(struct beacon, announce)));
}

void beacon_changed(struct beacon *beacon)
{
	if (!beacon)
		return;
	beacon->interval_s = 1;
	announce(beacon);
}

static void moved(void *arg)
{
	beacon_changed(arg);
}

/* ---- answering ---- */

static bool wants(void *arg, const struct discovery_message *message)
{
	(void)arg;
	return message->type == DISCOVERY_PROBE;
}

static void heard(void *arg, const struct discovery_message *probe, size_t probe_len,
		  struct discovery_path *from)
{
	struct beacon *beacon = arg;
	uint8_t data[DISCOVERY_MAX];
	size_t len = seal(beacon, DISCOVERY_ANSWER, probe->nonce, data);

	discovery_set_port(from, beacon->config->discovery_port);
	if (len && len <= probe_len && !discovery_node_send(beacon->node, data, len, from))
		beacon->answered++;
	else
		beacon->unanswered++;
}

/* ---- opening and closing ---- */

static int set_up(struct beacon *beacon)
{
	const struct config *config = beacon->config;

	if (!beacon->server->boot)
		return -1;
	beacon->user = (struct discovery_user){ beacon, wants, heard, moved };
	beacon->node = discovery_node_open(beacon->server->loop, config->discovery_port,
					   config->discovery_second_port, &beacon->user);
	if (!beacon->node)
		return -1;
	if (config->managers.count)
		beacon->resolver = resolve_open(beacon->server->loop, &config->managers,
						config->discovery_port, manager_found, beacon);
	return config->managers.count && !beacon->resolver ? -1 : 0;
}

struct beacon *beacon_open(struct server *server, const struct identity *identity)
{
	struct beacon *beacon;

	if (!server->config->discovery)
		return NULL;
	beacon = calloc(1, sizeof(*beacon));
	if (!beacon) {
		log_error("discovery: out of memory");
		return NULL;
	}
	beacon->server = server;
	beacon->config = server->config;
	beacon->key = identity_key(identity);
	beacon->announce.expired = announce_due;
	beacon->interval_s = 1;
	if (set_up(beacon)) {
		beacon_close(beacon);
		log_error("discovery: this Device will not be found by itself");
		return NULL;
	}
	announce(beacon);
	return beacon;
}

void beacon_close(struct beacon *beacon)
{
	if (!beacon)
		return;
	if (beacon->node)
		log_counts(beacon);
	loop_timer_cancel(beacon->server->loop, &beacon->announce);
	resolve_close(beacon->resolver);
	discovery_node_close(beacon->node);
	free(beacon);
}
