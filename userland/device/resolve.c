// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * getaddrinfo() for each Manager. When to look, and what the addresses are for,
 * is beacon.c's.
 */
#include "device/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/work.h"

#define ADDRESSES 4 /* of one name */

struct lookup {
	struct work_job job; /* first: the jobs' functions find us by it */
	struct resolver *resolver;
	const char *name;
	bool numeric;
	bool running;
	bool failing; /* and logged */
	/* The job's while it runs. */
	int result; /* of getaddrinfo() */
	struct sockaddr_storage address[ADDRESSES];
	unsigned count;
};

struct resolver {
	struct work_pool *pool;
	char port[8];
	void (*found)(void *arg, const struct sockaddr_storage *address);
	void *arg;
	atomic_bool stopping;
	struct lookup lookups[CONFIG_MANAGERS];
	unsigned count;
};

static void run(struct work_job *job)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM };
	struct lookup *lookup = (struct lookup *)job;
	struct addrinfo *list = NULL;

	if (atomic_load(&lookup->resolver->stopping))
		return;
	/* Read again each time: DHCP may have changed the servers. Then little patience, so that a stop is not held up. */
	res_init();
	_res.retrans = 2;
	_res.retry = 1;
	lookup->count = 0;
	lookup->result = getaddrinfo(lookup->name, lookup->resolver->port, &hints, &list);
	for (const struct addrinfo *at = lookup->result ? NULL : list; at && lookup->count < ADDRESSES;
	     at = at->ai_next) {
		if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
			continue;
		memset(&lookup->address[lookup->count], 0, sizeof(lookup->address[0]));
		memcpy(&lookup->address[lookup->count++], at->ai_addr, at->ai_addrlen);
	}
	if (!lookup->result)
		freeaddrinfo(list);
}

static void done(struct work_job *job)
{
	struct lookup *lookup = (struct lookup *)job;
	struct resolver *resolver = lookup->resolver;

	lookup->running = false;
	if (atomic_load(&resolver->stopping))
		return;
	if (lookup->result && !lookup->failing)
		log_warn("discovery: Manager %s: %s; it is looked up again with each announcement",
			 lookup->name, gai_strerror(lookup->result));
	else if (!lookup->result && lookup->failing)
		log_info("discovery: Manager %s: found", lookup->name);
	lookup->failing = lookup->result;
	for (unsigned i = 0; i < lookup->count; i++)
		resolver->found(resolver->arg, &lookup->address[i]);
}

static bool is_numeric(const char *name)
{
	struct in6_addr address;

	return inet_pton(AF_INET, name, &address) == 1 || strchr(name, ':');
}

struct resolver *resolve_open(struct loop *loop, const struct config_managers *managers, uint16_t port,
			      void (*found)(void *arg, const struct sockaddr_storage *address), void *arg)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver)
		resolver->pool = work_pool_new(loop, 1);
	if (!resolver || !resolver->pool) {
		log_error("discovery: out of memory or threads");
		free(resolver);
		return NULL;
	}
	snprintf(resolver->port, sizeof(resolver->port), "%u", port);
	resolver->found = found;
	resolver->arg = arg;
	resolver->count = managers->count;
	for (unsigned i = 0; i < managers->count; i++)
		resolver->lookups[i] = (struct lookup){
			.job = { .run = run, .done = done },
			.resolver = resolver,
			.name = managers->name[i],
			.numeric = is_numeric(managers->name[i]),
		};
	return resolver;
}

void resolve_close(struct resolver *resolver)
{
	if (!resolver)
		return;
	atomic_store(&resolver->stopping, true);
	work_pool_free(resolver->pool);
	free(resolver);
}

static void start(struct resolver *resolver, bool numeric)
{
	for (unsigned i = 0; i < resolver->count; i++) {
		struct lookup *lookup = &resolver->lookups[i];

		if (lookup->running || lookup->numeric != numeric)
			continue;
		lookup->running = true;
		work_submit(resolver->pool, &lookup->job);
	}
}

void resolve_start(struct resolver *resolver)
{
	start(resolver, true);
	start(resolver, false);
}
