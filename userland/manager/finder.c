// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rounds of an announcement and a probe, at the start, at growing intervals and when
 * addresses change. Sockets, messages and their limits are lib/discovery*.c's.
 */
#include "manager/finder.h"

#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "lib/discovery_node.h"
#include "lib/log.h"
#include "lib/version.h"
#include "manager/fleet.h"

#define SECOND_NS 1000000000ULL
#define LONGEST_S 60 /* between rounds */

struct finder {
	struct loop *loop;
	const struct config *config;
	EVP_PKEY *key;
	const struct finder_user *user;
	struct discovery_user node_user;
	struct discovery_node *node;
	struct loop_timer round, second;
	uint64_t boot, sequence;
	unsigned interval_s;
};

static size_t seal(struct finder *finder, enum discovery_type type, const uint8_t nonce[DISCOVERY_NONCE_SIZE],
		   uint8_t data[DISCOVERY_MAX])
{
	struct discovery_message message = {
		.type = type,
		.role = DISCOVERY_MANAGER,
		.boot = finder->boot,
		.sequence = ++finder->sequence,
		.https_port = finder->config->https_port,
	};
	char host[DISCOVERY_TEXT_SIZE] = "";

	gethostname(host, sizeof(host) - 1);
	log_clean(message.name, sizeof(message.name), *finder->config->name ? finder->config->name : host);
	memcpy(message.nonce, nonce, sizeof(message.nonce));
	return discovery_seal(&message, finder->key, data);
}

static void send_all(struct finder *finder, enum discovery_type type, uint16_t port)
{
	uint8_t nonce[DISCOVERY_NONCE_SIZE], data[DISCOVERY_MAX];
	size_t len = RAND_bytes(nonce, sizeof(nonce)) == 1 ? seal(finder, type, nonce, data) : 0;

	if (len)
		discovery_node_send_all(finder->node, data, len, port);
}

/* Whoever is not reached on the first port may be on the second; it answers to the first. */
static void second_due(struct loop_timer *timer)
{
	struct finder *finder = (struct finder *)((char *)timer - offsetof(struct finder, second));

	send_all(finder, DISCOVERY_PROBE, finder->config->discovery_second_port);
}

static void begin_round(struct finder *finder)
{
	send_all(finder, DISCOVERY_ANNOUNCE, finder->config->discovery_port);
	send_all(finder, DISCOVERY_PROBE, finder->config->discovery_port);
	loop_timer_arm(finder->loop, &finder->second, SECOND_NS);
	loop_timer_arm(finder->loop, &finder->round, discovery_with_jitter(finder->interval_s));
	finder->interval_s = finder->interval_s * 2 < LONGEST_S ? finder->interval_s * 2 : LONGEST_S;
}

static void round_due(struct loop_timer *timer)
{
	begin_round((struct finder *)((char *)timer - offsetof(struct finder, round)));
}

static void moved(void *arg)
{
	struct finder *finder = arg;

	finder->interval_s = 2;
	begin_round(finder);
}

static bool wants(void *arg, const struct discovery_message *message)
{
	(void)arg;
	return message->type == DISCOVERY_PROBE ? message->role != DISCOVERY_MANAGER :
						  message->role == DISCOVERY_DEVICE;
}

static void answer(struct finder *finder, const struct discovery_message *probe, size_t probe_len,
		   struct discovery_path *from)
{
	uint8_t data[DISCOVERY_MAX];
	size_t len = seal(finder, DISCOVERY_ANSWER, probe->nonce, data);

	discovery_set_port(from, finder->config->discovery_port);
	if (len && len <= probe_len)
		discovery_node_send(finder->node, data, len, from);
}

static void heard(void *arg, const struct discovery_message *message, size_t size,
		  struct discovery_path *from)
{
	struct finder *finder = arg;
	char address[NI_MAXHOST];

	if (message->type == DISCOVERY_PROBE)
		answer(finder, message, size, from);
	else if (!getnameinfo((struct sockaddr *)&from->peer, sizeof(from->peer), address, sizeof(address),
			      NULL, 0, NI_NUMERICHOST) &&
		 strlen(address) < FLEET_ADDRESS_SIZE)
		finder->user->found(finder->user->arg, message, address);
}

struct finder *finder_open(struct loop *loop, const struct config *config, EVP_PKEY *key, uint64_t boot,
			   const struct finder_user *user)
{
	struct finder *finder = calloc(1, sizeof(*finder));

	if (!finder) {
		log_error("discovery: out of memory");
		return NULL;
	}
	*finder = (struct finder){
		.loop = loop,
		.config = config,
		.key = key,
		.user = user,
		.node_user = { finder, wants, heard, moved },
		.round = { .expired = round_due },
		.second = { .expired = second_due },
		.boot = boot,
		.interval_s = 2,
	};
	finder->node = discovery_node_open(loop, config->discovery_port, 0, &finder->node_user);
	if (!finder->node) {
		free(finder);
		return NULL;
	}
	begin_round(finder);
	return finder;
}

void finder_close(struct finder *finder)
{
	if (!finder)
		return;
	loop_timer_cancel(finder->loop, &finder->round);
	loop_timer_cancel(finder->loop, &finder->second);
	discovery_node_close(finder->node);
	free(finder);
}
