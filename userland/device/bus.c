// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two queues between the session thread and the page thread. They copy;
 * nobody waits. What requests mean is session.c's and api.c's.
 */
#include "device/bus.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Counters run freely; the difference is what is queued. */
struct bus {
	pthread_mutex_t lock;
	int request_fd;
	unsigned asked, taken;		 /* under lock */
	unsigned answered, answer_taken; /* under lock */
	unsigned ended, end_taken;	 /* under lock */
	unsigned owed;			 /* answers asked for and not yet taken; under lock */
	bool changed;			 /* under lock */
	void (*wake)(void *arg);
	void *wake_arg;
	struct bus_request requests[BUS_DEPTH];
	struct bus_answer answers[BUS_DEPTH];
	struct bus_end ends[BUS_DEPTH];
};

struct bus *bus_new(void)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return NULL;
	bus->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->request_fd < 0) {
		free(bus);
		return NULL;
	}
	pthread_mutex_init(&bus->lock, NULL);
	return bus;
}

void bus_free(struct bus *bus)
{
	struct bus_request request;

	if (!bus)
		return;
	while (bus_take_request(bus, &request)) {
		if (request.type == BUS_OPEN)
			close(request.fd);
		if (request.type == BUS_SETTINGS)
			free(request.settings);
	}
	close(bus->request_fd);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

bool bus_ask(struct bus *bus, const struct bus_request *request)
{
	bool room;

	pthread_mutex_lock(&bus->lock);
	room = bus->asked - bus->taken < BUS_DEPTH && (request->type != BUS_STATUS || bus->owed < BUS_DEPTH);
	if (room) {
		bus->owed += request->type == BUS_STATUS;
		bus->requests[bus->asked++ % BUS_DEPTH] = *request;
		eventfd_write(bus->request_fd, 1);
	}
	pthread_mutex_unlock(&bus->lock);
	return room;
}

bool bus_take_request(struct bus *bus, struct bus_request *request)
{
	eventfd_t count;
	bool any;

	pthread_mutex_lock(&bus->lock);
	any = bus->asked != bus->taken;
	if (any)
		*request = bus->requests[bus->taken++ % BUS_DEPTH];
	else
		eventfd_read(bus->request_fd, &count);
	pthread_mutex_unlock(&bus->lock);
	return any;
}

int bus_request_fd(struct bus *bus)
{
	return bus->request_fd;
}

/* With the lock held, which this gives up. */
static void unlock_and_wake(struct bus *bus)
{
	void (*wake)(void *arg) = bus->wake;
	void *arg = bus->wake_arg;

	pthread_mutex_unlock(&bus->lock);
	if (wake)
		wake(arg);
}

void bus_answer(struct bus *bus, const struct bus_answer *answer)
{
	pthread_mutex_lock(&bus->lock);
	bus->answers[bus->answered++ % BUS_DEPTH] = *answer;
	unlock_and_wake(bus);
}

void bus_end(struct bus *bus, uint64_t cookie, const char *why)
{
	pthread_mutex_lock(&bus->lock);
	if (bus->ended - bus->end_taken < BUS_DEPTH) {
		struct bus_end *end = &bus->ends[bus->ended++ % BUS_DEPTH];

		end->cookie = cookie;
		snprintf(end->why, sizeof(end->why), "%s", why);
	}
	unlock_and_wake(bus);
}

bool bus_take_end(struct bus *bus, struct bus_end *end)
{
	bool any;

	pthread_mutex_lock(&bus->lock);
	any = bus->ended != bus->end_taken;
	if (any)
		*end = bus->ends[bus->end_taken++ % BUS_DEPTH];
	pthread_mutex_unlock(&bus->lock);
	return any;
}

void bus_change(struct bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bus->changed = true;
	unlock_and_wake(bus);
}

bool bus_take_change(struct bus *bus)
{
	bool changed;

	pthread_mutex_lock(&bus->lock);
	changed = bus->changed;
	bus->changed = false;
	pthread_mutex_unlock(&bus->lock);
	return changed;
}

bool bus_take_answer(struct bus *bus, struct bus_answer *answer)
{
	bool any;

	pthread_mutex_lock(&bus->lock);
	any = bus->answered != bus->answer_taken;
	if (any) {
		*answer = bus->answers[bus->answer_taken++ % BUS_DEPTH];
		bus->owed--;
	}
	/* Answers are large: an empty queue begins at its first place again, and touches no memory that it does not need. */
	if (bus->answered == bus->answer_taken)
		bus->answered = bus->answer_taken = 0;
	pthread_mutex_unlock(&bus->lock);
	return any;
}

void bus_on_answer(struct bus *bus, void (*wake)(void *arg), void *arg)
{
	pthread_mutex_lock(&bus->lock);
	bus->wake = wake;
	bus->wake_arg = arg;
	pthread_mutex_unlock(&bus->lock);
}
