// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * WebSockets that tell pages the Device's status at once and after each change.
 * A page that reads slowly gets fewer of them, the newest always.
 */
#include "device/page_parts.h"

#include <stdlib.h>
#include <string.h>

#define WATCHERS_MAX 64

struct page_watcher {
	struct page *page;
	struct page_watcher *next, **prev;
	struct lws *wsi;
	uint32_t login;
	uint64_t sent; /* the status_number it has */
};

static struct page_watcher *watcher_new(struct page *page, struct lws *wsi, uint32_t login)
{
	struct page_watcher *watcher = calloc(1, sizeof(*watcher));

	if (!watcher)
		return NULL;
	watcher->page = page;
	watcher->wsi = wsi;
	watcher->login = login;
	watcher->next = page->watchers;
	watcher->prev = &page->watchers;
	if (watcher->next)
		watcher->next->prev = &watcher->next;
	page->watchers = watcher;
	lws_set_opaque_user_data(wsi, watcher);
	return watcher;
}

static void watcher_free(struct page_watcher *watcher)
{
	lws_set_opaque_user_data(watcher->wsi, NULL);
	*watcher->prev = watcher->next;
	if (watcher->next)
		watcher->next->prev = watcher->prev;
	free(watcher);
}

/* One question is under way at a time; what changes meanwhile is asked after. */
void page_watch_changed(struct page *page)
{
	struct bus_request ask = { .type = BUS_STATUS, .fd = -1 };

	if (!page->watchers && page->link_state.phase != LINK_UP)
		return;
	page->status_outdated = true;
	if (page->status_id)
		return;
	ask.cookie = web_next_id(page->web);
	if (!bus_ask(page->api.bus, &ask))
		return; /* the sweep asks again */
	page->status_id = ask.cookie;
	page->status_outdated = false;
}

void page_watch_status(struct page *page, const struct bus_answer *answer)
{
	char *text;

	if (!page->status_id || answer->cookie != page->status_id)
		return;
	page->status_id = 0;
	text = api_status_json(&page->api, &answer->status, NULL);
	if (text) {
		link_tell(page->api.link, text);
		free(page->status);
		page->status = text;
		page->status_number++;
		for (struct page_watcher *watcher = page->watchers; watcher; watcher = watcher->next)
			lws_callback_on_writable(watcher->wsi);
	}
	if (page->status_outdated)
		page_watch_changed(page);
}

static int send_status(struct page_watcher *watcher)
{
	struct page *page = watcher->page;
	size_t len = page->status ? strlen(page->status) : 0;

	if (!len || len > WEB_CHUNK || watcher->sent == page->status_number)
		return 0;
	watcher->sent = page->status_number;
	memcpy(web_chunk(page->web), page->status, len);
	return lws_write(watcher->wsi, web_chunk(page->web), len, LWS_WRITE_TEXT) < (int)len ? -1 : 0;
}

static int filter(struct lws *wsi)
{
	struct page *page = web_arg(wsi);
	struct page_watcher *watcher;
	struct web_caller caller;
	unsigned watchers = 0;
	struct login login;

	if (!page_may_upgrade(wsi, "/api/v1/events", &caller, 0, &login))
		return 1;
	for (watcher = page->watchers; watcher; watcher = watcher->next)
		watchers++;
	if (watchers < WATCHERS_MAX)
		return watcher_new(page, wsi, login.id) ? 0 : 1;
	return web_refuse(wsi, 503, "Too many pages are open.");
}

int page_watch_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct page_watcher *watcher = lws_get_opaque_user_data(wsi);

	(void)user, (void)in, (void)len;
	if (reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION)
		return filter(wsi);
	if (!watcher)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		page_watch_changed(watcher->page);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return send_status(watcher);
	case LWS_CALLBACK_RECEIVE:
		lws_close_reason(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, NULL, 0);
		return -1; /* nothing is expected here */
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		watcher_free(watcher);
		return 0;
	default:
		return 0;
	}
}

void page_watch_end_strangers(struct page *page)
{
	for (struct page_watcher *watcher = page->watchers; watcher; watcher = watcher->next)
		if (!login_alive(page->api.logins, watcher->login))
			web_end(watcher->wsi);
}
