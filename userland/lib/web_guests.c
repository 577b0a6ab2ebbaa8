// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is connected to the web server, so that one source cannot take every place. What they say is other files'. */
#include "lib/web_parts.h"

#include <stdlib.h>

#include "lib/peer.h"

/* A browser has up to eight; behind one address may sit an office. */
#define FROM_ONE_SOURCE (WEB_GUESTS_MAX / 4)

struct web_guests {
	unsigned count;
	struct guest {
		struct lws *wsi;
		struct sockaddr_storage address;
	} guest[WEB_GUESTS_MAX];
};

struct web_guests *web_guests_new(void)
{
	return calloc(1, sizeof(struct web_guests));
}

void web_guests_free(struct web_guests *guests)
{
	free(guests);
}

bool web_guests_may_come(const struct web_guests *guests, const struct sockaddr_storage *address)
{
	unsigned same = 0;

	for (unsigned i = 0; i < guests->count; i++)
		same += peer_same(&guests->guest[i].address, address);
	return guests->count < WEB_GUESTS_MAX && same < FROM_ONE_SOURCE;
}

void web_guests_add(struct web_guests *guests, struct lws *wsi, const struct sockaddr_storage *address)
{
	if (wsi && guests->count < WEB_GUESTS_MAX)
		guests->guest[guests->count++] = (struct guest){ wsi, *address };
}

void web_guests_remove(struct web_guests *guests, struct lws *wsi)
{
	for (unsigned i = 0; i < guests->count; i++) {
		if (guests->guest[i].wsi != wsi)
			continue;
		guests->guest[i] = guests->guest[--guests->count];
		return;
	}
}
