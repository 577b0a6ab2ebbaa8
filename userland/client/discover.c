// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes each second, on both ports in turn, and prints each Device's first
 * answer. The messages are lib/discovery.c's; nothing is adopted or trusted here.
 */
#include "client/discover.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/rand.h>

#include "lib/discovery_gate.h"
#include "lib/discovery_socket.h"
#include "lib/log.h"
#include "lib/loop.h"

#define SECOND_NS 1000000000ULL
#define DEVICES_MAX 4096
#define SHORT_ID 16 /* digits that tell Devices apart for a person */

enum { FOUR, SIX, SOCKETS };

struct options {
	unsigned port, second_port, seconds, count; /* count 0: all */
	bool json;
	char **addresses;
	int address_count;
};

struct search {
	const struct options *options;
	EVP_PKEY *key; /* made for this search alone: who asks is nobody's business */
	struct discovery_gate *gate;
	int fd[SOCKETS];
	struct discovery_paths to;
	uint8_t nonce[DISCOVERY_NONCE_SIZE];
	uint64_t sequence;
	unsigned found;
	uint8_t ids[DEVICES_MAX][DISCOVERY_ID_SIZE];
};

static const char usage[] =
	"Usage: kvmnet discover [OPTION]... [ADDRESS]...\n"
	"Lists the Devices that answer on this machine's networks, and at each ADDRESS.\n\n"
	"  -n, --count N        stop after N Devices\n"
	"  -s, --seconds N      how long to listen (default 3)\n"
	"  -j, --json           print each Device as one line of JSON\n"
	"  -p, --port N         the UDP port of discovery (default 3080)\n"
	"  -q, --second-port N  the one to ask on where the first is blocked (default 3081)\n"
	"  -h, --help           this text\n\n"
	"Exit status: 0 a Device answered, 1 none did, 2 wrong usage.\n";

/* ---- options ---- */

static bool number(const char *text, unsigned max, unsigned *to)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*to = (unsigned)value;
	return *text >= '0' && *text <= '9' && !*end && value >= 1 && value <= max;
}

static int wrong(const char *what)
{
	fprintf(stderr, "kvmnet discover: %s; see --help\n", what);
	return 2;
}

/* -1: go on; else exit with that. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "port", required_argument, NULL, 'p' },
		{ "second-port", required_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:s:jp:q:h", names, NULL)) != -1) {
		if (c == 'n' && !number(optarg, DEVICES_MAX, &options->count))
			return wrong("--count is a number from 1 to 4096");
		if (c == 's' && !number(optarg, 3600, &options->seconds))
			return wrong("--seconds is a number from 1 to 3600");
		if (c == 'p' && !number(optarg, UINT16_MAX, &options->port))
			return wrong("--port is a number from 1 to 65535");
		if (c == 'q' && !number(optarg, UINT16_MAX, &options->second_port))
			return wrong("--second-port is a number from 1 to 65535");
		if (c == 'j')
			options->json = true;
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c == '?')
			return 2;
	}
	options->addresses = argv + optind;
	options->address_count = argc - optind;
	return -1;
}

/* ---- printing ---- */

static const char *state_text(enum discovery_state state)
{
	return state == DISCOVERY_UNCLAIMED ? "unclaimed" :
	       state == DISCOVERY_MANAGED   ? "managed" :
					      "stand-alone";
}

static void hex(const uint8_t id[DISCOVERY_ID_SIZE], char text[2 * DISCOVERY_ID_SIZE + 1])
{
	for (unsigned i = 0; i < DISCOVERY_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

static void print_json(const struct discovery_message *device, const char *address)
{
	char id[2 * DISCOVERY_ID_SIZE + 1], manager[2 * DISCOVERY_ID_SIZE + 1];
	json_t *line;

	hex(device->id, id);
	hex(device->manager, manager);
	line = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s*, s:s}", "name", device->name, "address",
			 address, "https_port", device->https_port, "model", device->model, "firmware",
			 device->firmware, "state", state_text(device->state), "manager",
			 device->state == DISCOVERY_MANAGED ? manager : NULL, "id", id);
	/* In ASCII: a name is a stranger's, and this may be a terminal. */
	json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(line);
	putchar('\n');
}

static void print_row(const struct discovery_message *device, const char *address, bool first)
{
	char id[2 * DISCOVERY_ID_SIZE + 1], name[DISCOVERY_TEXT_SIZE], model[DISCOVERY_TEXT_SIZE];
	char firmware[DISCOVERY_TEXT_SIZE];

	if (first)
		printf("%-20s %-26s %5s  %-12s %-9s %-11s  %s\n", "NAME", "ADDRESS", "PORT", "MODEL",
		       "VERSION", "STATE", "ID");
	hex(device->id, id);
	printf("%-20s %-26s %5u  %-12s %-9s %-11s  %.*s\n", log_clean(name, sizeof(name), device->name),
	       address, device->https_port, log_clean(model, sizeof(model), device->model),
	       log_clean(firmware, sizeof(firmware), device->firmware), state_text(device->state), SHORT_ID,
	       id);
}

static void print(struct search *search, const struct discovery_message *device,
		  const struct discovery_path *from)
{
	char address[NI_MAXHOST];
	const struct sockaddr *peer = (const struct sockaddr *)&from->peer;

	if (getnameinfo(peer, sizeof(from->peer), address, sizeof(address), NULL, 0, NI_NUMERICHOST))
		strcpy(address, "?");
	if (search->options->json)
		print_json(device, address);
	else
		print_row(device, address, !search->found);
	fflush(stdout);
}

/* ---- asking ---- */

static bool add_address(struct search *search, const char *name)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list;
	int result = getaddrinfo(name, NULL, &hints, &list);

	if (result) {
		fprintf(stderr, "kvmnet: %s: %s\n", name, gai_strerror(result));
		return false;
	}
	for (const struct addrinfo *at = list; at; at = at->ai_next) {
		struct discovery_path *path = &search->to.path[search->to.count];

		if (search->to.count == DISCOVERY_PATHS ||
		    (at->ai_family != AF_INET && at->ai_family != AF_INET6))
			continue;
		memset(path, 0, sizeof(*path));
		memcpy(&path->peer, at->ai_addr, at->ai_addrlen);
		search->to.count++;
	}
	freeaddrinfo(list);
	return true;
}

/* How many were asked. */
static unsigned ask(struct search *search, uint16_t port)
{
	struct discovery_message probe = {
		.type = DISCOVERY_PROBE,
		.role = DISCOVERY_CLIENT,
		.boot = 1,
		.sequence = ++search->sequence,
	};
	uint8_t data[DISCOVERY_MAX];
	unsigned asked = 0;
	size_t len;

	memcpy(probe.nonce, search->nonce, sizeof(probe.nonce));
	len = discovery_seal(&probe, search->key, data);
	for (unsigned i = 0; len && i < search->to.count; i++) {
		struct discovery_path *path = &search->to.path[i];
		int fd = search->fd[path->peer.ss_family == AF_INET ? FOUR : SIX];

		discovery_set_port(path, port);
		asked += fd >= 0 && !discovery_send(fd, data, len, path);
	}
	return asked;
}

static bool known(const struct search *search, const uint8_t id[DISCOVERY_ID_SIZE])
{
	for (unsigned i = 0; i < search->found; i++)
		if (!memcmp(search->ids[i], id, DISCOVERY_ID_SIZE))
			return true;
	return false;
}

static void hear(struct search *search, int fd)
{
	uint8_t data[DISCOVERY_MAX + 1];
	struct discovery_path from;
	struct discovery_message answer;
	ssize_t len = discovery_receive(fd, data, &from);

	if (len < 0 || discovery_parse(data, (size_t)len, &answer) || answer.type != DISCOVERY_ANSWER ||
	    answer.role != DISCOVERY_DEVICE || memcmp(answer.nonce, search->nonce, sizeof(answer.nonce)))
		return;
	/* A Device answers on each way that it was asked. What the gate has no time for is answered again. */
	if (known(search, answer.id) || discovery_gate_pass(search->gate, (const struct sockaddr *)&from.peer,
							    &answer, loop_now_ns()) != DISCOVERY_GOOD)
		return;
	print(search, &answer, &from);
	memcpy(search->ids[search->found++], answer.id, DISCOVERY_ID_SIZE);
}

static bool enough(const struct search *search)
{
	return search->found == (search->options->count ? search->options->count : DEVICES_MAX);
}

static void wait_until(struct search *search, uint64_t end_ns)
{
	struct pollfd fds[SOCKETS] = { { search->fd[FOUR], POLLIN, 0 }, { search->fd[SIX], POLLIN, 0 } };
	uint64_t now;

	while (!enough(search) && (now = loop_now_ns()) < end_ns) {
		if (poll(fds, SOCKETS, (int)((end_ns - now + 999999) / 1000000)) < 0)
			continue;
		for (unsigned i = 0; i < SOCKETS && !enough(search); i++)
			if (fds[i].revents)
				hear(search, fds[i].fd);
	}
}

static int run(struct search *search)
{
	const struct options *options = search->options;
	uint64_t start_ns = loop_now_ns();

	for (unsigned second = 0; second < options->seconds && !enough(search); second++) {
		unsigned asked = ask(search, (uint16_t)(second % 2 ? options->second_port : options->port));

		if (!asked && !second) {
			fprintf(stderr, "kvmnet: nobody can be asked: is there a network?\n");
			return 1;
		}
		wait_until(search, start_ns + (second + 1) * SECOND_NS);
	}
	if (search->found)
		return 0;
	fprintf(stderr, "kvmnet: no Device answered within %u s\n", options->seconds);
	return 1;
}

/* ---- opening and closing ---- */

static int open_socket(struct search *search, int which, int family)
{
	unsigned port = search->options->port;
	int fd = discovery_socket(family, (uint16_t)port);

	search->fd[which] = fd;
	if (fd >= 0 || (fd == -EAFNOSUPPORT && family == AF_INET6))
		return 0;
	fprintf(stderr, "kvmnet: UDP port %u, where answers come to: %s%s\n", port, strerror(-fd),
		fd == -EADDRINUSE ? "; does kvmnetd or another kvmnet run here?" : "");
	return -1;
}

static int set_up(struct search *search)
{
	const struct options *options = search->options;
	int err;

	if (open_socket(search, FOUR, AF_INET) || open_socket(search, SIX, AF_INET6))
		return -1;
	search->key = EVP_EC_gen("P-256");
	search->gate = discovery_gate_new();
	if (!search->key || !search->gate || RAND_bytes(search->nonce, sizeof(search->nonce)) != 1) {
		fprintf(stderr, "kvmnet: out of memory or random numbers\n");
		return -1;
	}
	err = discovery_everyone(&search->to, (uint16_t)options->port);
	if (err) {
		fprintf(stderr, "kvmnet: the interfaces cannot be listed: %s\n", strerror(-err));
		return -1;
	}
	for (int i = 0; i < options->address_count; i++)
		if (!add_address(search, options->addresses[i]))
			return -1;
	return 0;
}

int discover(int argc, char **argv)
{
	static struct search search; /* too large for a stack */
	struct options options = { .port = DISCOVERY_PORT,
				   .second_port = DISCOVERY_SECOND_PORT,
				   .seconds = 3 };
	int result = parse_options(argc, argv, &options);

	if (result >= 0)
		return result;
	search.options = &options;
	result = set_up(&search) ? 1 : run(&search);
	discovery_gate_free(search.gate);
	EVP_PKEY_free(search.key);
	return result;
}
