// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tries the way to each of the Manager's addresses as the link would go it, and says in words where it ends.
 * Nothing that it finds is kept.
 */
#include "device/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device/link.h"
#include "device/resolve.h"
#include "lib/loop.h"
#include "lib/ping.h"

#define LONGEST_MS 8000
#define PING_MS 1000
#define TLS_MS 3000
#define MS_NS 1000000ULL
#define TEXT_SIZE 400

struct reach {
	const struct adoption *adoption; /* NULL: TLS cannot be tried */
	EVP_PKEY *own;
	const struct adoption_address *address;
	uint64_t end_ns; /* of all of it */
	json_t *steps;
	char text[TEXT_SIZE];
};

static int left_ms(const struct reach *reach, int most)
{
	uint64_t now = loop_now_ns();
	uint64_t left = reach->end_ns > now ? (reach->end_ns - now) / MS_NS : 0;

	return left < (uint64_t)most ? (int)left : most;
}

static void say(struct reach *reach, const char *step, bool good)
{
	json_array_append_new(reach->steps,
			      json_pack("{s:s, s:b, s:s}", "step", step, "good", good, "text", reach->text));
}

static void name_of(const struct addrinfo *at, char name[INET6_ADDRSTRLEN])
{
	const void *address =
		at->ai_family == AF_INET6 ?
			(const void *)&((const struct sockaddr_in6 *)(const void *)at->ai_addr)->sin6_addr :
			(const void *)&((const struct sockaddr_in *)(const void *)at->ai_addr)->sin_addr;

	inet_ntop(at->ai_family, address, name, INET6_ADDRSTRLEN);
}

/* ---- DNS ---- */

static void list_names(struct reach *reach, const struct addrinfo *list)
{
	size_t len = (size_t)snprintf(reach->text, TEXT_SIZE, "%.100s is", reach->address->host);
	char name[INET6_ADDRSTRLEN];

	for (const struct addrinfo *at = list; at && len < TEXT_SIZE - INET6_ADDRSTRLEN - 8;
	     at = at->ai_next) {
		name_of(at, name);
		len += (size_t)snprintf(reach->text + len, TEXT_SIZE - len, "%s %s", at == list ? "" : ",",
					name);
	}
	snprintf(reach->text + len, TEXT_SIZE - len, ".");
}

/* Its addresses, to be freed; NULL: said why. */
static struct addrinfo *look_up(struct reach *reach)
{
	const struct adoption_address *address = reach->address;
	struct addrinfo *list = NULL;
	char port[8];
	int error;

	snprintf(port, sizeof(port), "%u", address->port);
	if (!resolve_name(address->host, port, AI_NUMERICHOST, &list)) {
		snprintf(reach->text, TEXT_SIZE, "It is an address: no name server is asked.");
		say(reach, "dns", true);
		return list;
	}
	error = resolve_name(address->host, port, 0, &list);
	if (!error)
		list_names(reach, list);
	else if (error == EAI_AGAIN)
		snprintf(
			reach->text, TEXT_SIZE,
			"No DNS server answers for %.100s: check the DNS servers, the gateway and the cable.",
			address->host);
	else
		snprintf(reach->text, TEXT_SIZE,
			 "The name %.100s is not known (%s): check how it is written, and the DNS servers.",
			 address->host, gai_strerror(error));
	say(reach, "dns", !error);
	return error ? NULL : list;
}

/* ---- ping ---- */

static int64_t ping_one(const struct reach *reach, const struct addrinfo *at)
{
	int fd = ping_open(at->ai_addr, at->ai_addrlen), error;
	int64_t took = fd < 0 ? -1 : ping_exchange(fd, at->ai_family, 1, left_ms(reach, PING_MS));

	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return took;
}

static void ping_all(struct reach *reach, const struct addrinfo *list)
{
	char name[INET6_ADDRSTRLEN];
	int64_t took = -1;
	int error = 0;

	for (const struct addrinfo *at = list; at && took < 0; at = at->ai_next) {
		name_of(at, name);
		took = ping_one(reach, at);
		error = errno;
	}
	if (took >= 0)
		snprintf(reach->text, TEXT_SIZE, "%s answers after %.2f ms.", name, (double)took / 1000);
	else if (error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL)
		snprintf(reach->text, TEXT_SIZE,
			 "There is no way to %s: check this Device's address, gateway and cable.", name);
	else if (error == EACCES || error == EPERM)
		snprintf(reach->text, TEXT_SIZE,
			 "This Device may not ping: net.ipv4.ping_group_range leaves its group out.");
	else
		snprintf(reach->text, TEXT_SIZE,
			 "%s does not answer (%s). It may be off, or a firewall keeps pings away.", name,
			 strerror(error));
	say(reach, "ping", took >= 0);
}

/* ---- TLS ---- */

/* Waits for events; false: too long. */
static bool await(const struct reach *reach, int fd, short events)
{
	struct pollfd wait = { fd, events, 0 };

	return poll(&wait, 1, left_ms(reach, TLS_MS)) == 1;
}

/* A connection, or -1 with errno. */
static int connect_to(const struct reach *reach, const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -1;
	if (connect(fd, at->ai_addr, at->ai_addrlen))
		error = errno;
	if (error == EINPROGRESS) {
		error = ETIMEDOUT;
		if (await(reach, fd, POLLOUT) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
			error = errno;
	}
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

static bool shake_hands(const struct reach *reach, SSL *ssl, int fd)
{
	for (;;) {
		int result = SSL_connect(ssl);

		if (result == 1)
			return true;
		result = SSL_get_error(ssl, result);
		if ((result != SSL_ERROR_WANT_READ && result != SSL_ERROR_WANT_WRITE) ||
		    !await(reach, fd, result == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT))
			return false;
	}
}

/* On a connection. */
static bool is_manager(struct reach *reach, int fd, const char *name)
{
	SSL_CTX *tls = link_tls(reach->adoption, reach->own);
	SSL *ssl = tls ? SSL_new(tls) : NULL;
	bool good = ssl && SSL_set_tlsext_host_name(ssl, ADOPTION_MANAGER) && SSL_set_fd(ssl, fd) &&
		    shake_hands(reach, ssl, fd);
	long refused = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (good)
		snprintf(reach->text, TEXT_SIZE, "%s port %u is this Device's Manager.", name,
			 reach->address->port);
	else if (refused != X509_V_OK)
		link_refusal_text(reach->text, TEXT_SIZE, reach->address, (int)refused);
	else
		snprintf(
			reach->text, TEXT_SIZE,
			"%s port %u is open, but TLS 1.3 fails: is that the Manager's HTTPS port, and nothing in between?",
			name, reach->address->port);
	SSL_free(ssl);
	SSL_CTX_free(tls);
	return good;
}

static bool try_tls(struct reach *reach, const struct addrinfo *at)
{
	char name[INET6_ADDRSTRLEN];
	int fd = connect_to(reach, at), error = errno;
	bool good;

	name_of(at, name);
	if (fd >= 0) {
		good = is_manager(reach, fd, name);
		close(fd);
		return good;
	}
	if (error == ECONNREFUSED)
		snprintf(reach->text, TEXT_SIZE,
			 "%s is there, but nothing listens at port %u: does the Manager run?", name,
			 reach->address->port);
	else
		snprintf(reach->text, TEXT_SIZE,
			 "No connection to %s port %u: %s. Check firewalls, and that port.", name,
			 reach->address->port, strerror(error));
	return false;
}

/* ---- all of it ---- */

static json_t *go(struct reach *reach)
{
	json_t *address = adoption_addresses_json(reach->address, 1), *json;
	struct addrinfo *list;
	bool good = false;

	reach->steps = json_array();
	json = json_pack("{s:O, s:o}", "address", json_array_get(address, 0), "steps", reach->steps);
	json_decref(address);
	list = json && left_ms(reach, 1) ? look_up(reach) : NULL;
	if (!list)
		return json;
	ping_all(reach, list);
	for (const struct addrinfo *at = list; at && !good && reach->adoption; at = at->ai_next)
		good = try_tls(reach, at);
	if (reach->adoption)
		say(reach, "tls", good);
	freeaddrinfo(list);
	return json;
}

static json_t *go_all(struct reach *reach, const struct adoption_address *addresses, unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++) {
		reach->address = &addresses[i];
		json_array_append_new(list, go(reach));
	}
	return json_pack("{s:o}", "addresses", list);
}

/* Those that are named for discovery, as addresses; how many. */
static unsigned named(const struct config_managers *managers, struct adoption_address *addresses)
{
	unsigned count = 0;

	for (unsigned i = 0; i < managers->count && count < ADOPTION_ADDRESSES; i++)
		if (adoption_parse_address(managers->name[i], &addresses[count]))
			count++;
	return count;
}

void reach_run(const struct job_stores *stores, struct job *job)
{
	struct adoption *adoption = manager_adoption(stores->manager);
	struct reach reach = { .adoption = adoption,
			       .own = stores->own,
			       .end_ns = loop_now_ns() + LONGEST_MS * MS_NS };
	struct adoption_address addresses[ADOPTION_ADDRESSES];

	if (!adoption)
		job->answer = go_all(&reach, addresses, named(&stores->config->managers, addresses));
	else if (job->settings.manager_count)
		job->answer = go_all(&reach, job->settings.managers, job->settings.manager_count);
	else
		job->answer = go_all(&reach, adoption->address, adoption->address_count);
	adoption_free(adoption);
	job->status = job->answer ? 200 : 503;
	job->why = job->answer ? NULL : "The Device is out of memory.";
}
