// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * getaddrinfo() for each Manager. When to look, and what the addresses are for,
 * is beacon.c's.
 */
#include "device/resolve.h"

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
	bool numeric; /* looked up once */
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

int resolve_name(const char *name, const char *port, int flags, struct addrinfo **list)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV | flags, .ai_socktype = SOCK_DGRAM };

	/* Read again each time: DHCP may have changed the servers. Then little patience, so that a stop is not held up. */
	if (!(flags & AI_NUMERICHOST)) {
		res_init();
		_res.retrans = 2;
		_res.retry = 1;
	}
	return getaddrinfo(name, port, &hints, list);
}

static void look_up(struct lookup *lookup, int flags)
{
	struct addrinfo *list = NULL;

	lookup->count = 0;
	lookup->result = resolve_name(lookup->name, lookup->resolver->port, flags, &list);
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

static void run(struct work_job *job)
{
	struct lookup *lookup = (struct lookup *)job;

	if (!atomic_load(&lookup->resolver->stopping))
		look_up(lookup, 0);
}

static void tell(const struct lookup *lookup)
{
	for (unsigned i = 0; i < lookup->count; i++)
		lookup->resolver->found(lookup->resolver->arg, &lookup->address[i]);
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
	tell(lookup);
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
	for (unsigned i = 0; i < managers->count; i++) {
		struct lookup *lookup = &resolver->lookups[i];

		lookup->job = (struct work_job){ .run = run, .done = done };
		lookup->resolver = resolver;
		lookup->name = managers->name[i];
		look_up(lookup, AI_NUMERICHOST);
		lookup->numeric = !lookup->result;
	}
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

void resolve_start(struct resolver *resolver)
{
	for (unsigned i = 0; i < resolver->count; i++) {
		struct lookup *lookup = &resolver->lookups[i];

		if (lookup->numeric) {
			tell(lookup);
		} else if (!lookup->running) {
			lookup->running = true;
			work_submit(resolver->pool, &lookup->job);
		}
	}
}
