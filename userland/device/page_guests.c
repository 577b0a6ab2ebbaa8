// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is connected to port 443, so that one source cannot take every place. What they say is other files'. */
#include "device/page_parts.h"

#include <stdlib.h>

#include "lib/peer.h"

/* A browser has up to eight; behind one address may sit an office. */
#define FROM_ONE_SOURCE (PAGE_GUESTS_MAX / 4)

struct page_guests {
	unsigned count;
	struct guest {
		struct lws *wsi;
		struct sockaddr_storage address;
	} guest[PAGE_GUESTS_MAX];
};

struct page_guests *page_guests_new(void)
{
	return calloc(1, sizeof(struct page_guests));
}

void page_guests_free(struct page_guests *guests)
{
	free(guests);
}

bool page_guests_may_come(const struct page_guests *guests, const struct sockaddr_storage *address)
{
	unsigned same = 0;

	for (unsigned i = 0; i < guests->count; i++)
		same += peer_same(&guests->guest[i].address, address);
	return guests->count < PAGE_GUESTS_MAX && same < FROM_ONE_SOURCE;
}

void page_guests_add(struct page_guests *guests, struct lws *wsi, const struct sockaddr_storage *address)
{
	if (wsi && guests->count < PAGE_GUESTS_MAX)
		guests->guest[guests->count++] = (struct guest){ wsi, *address };
}

void page_guests_remove(struct page_guests *guests, struct lws *wsi)
{
	for (unsigned i = 0; i < guests->count; i++) {
		if (guests->guest[i].wsi != wsi)
			continue;
		guests->guest[i] = guests->guest[--guests->count];
		return;
	}
}
