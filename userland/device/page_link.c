// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Manager's requests: they come over the link and are answered by the API
 * like anybody's. The link itself is link.c's.
 */
#include "device/page_parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

struct page_order {
	struct page_order *next, **prev;
	struct page *page;
	uint64_t key; /* the link's */
	lws_sorted_usec_list_t expiry;
	struct web_request request;
};

static enum web_method method_of(const char *name)
{
	static const char *const names[] = { "GET", "POST", "PUT", "DELETE" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return (enum web_method)i;
	return WEB_OTHER;
}

static void order_free(struct page_order *order)
{
	lws_sul_schedule(web_context(order->page->web), 0, &order->expiry, NULL, LWS_SET_TIMER_USEC_CANCEL);
	*order->prev = order->next;
	if (order->next)
		order->next->prev = order->prev;
	web_forget(&order->request);
	free(order);
}

void page_link_answered(struct page *page, struct web_request *request)
{
	struct page_order *order = lws_container_of(request, struct page_order, request);

	if (request->logins_changed)
		page->site.sweep(page);
	link_answer(page->api.link, order->key, request->status, request->json);
	order_free(order);
}

struct web_request *page_link_find(struct page *page, uint64_t id)
{
	struct page_order *order = page->orders;

	while (order && order->request.id != id)
		order = order->next;
	return order ? &order->request : NULL;
}

static void expired(lws_sorted_usec_list_t *timer)
{
	struct page_order *order = lws_container_of(timer, struct page_order, expiry);

	api_expire(&order->page->api, &order->request);
	page_link_answered(order->page, &order->request);
}

/* Takes message's body. NULL: out of memory. */
static struct page_order *order_new(struct page *page, uint64_t key, const struct link_message *message)
{
	struct page_order *order = calloc(1, sizeof(*order));
	struct web_request *request;
	size_t path = strcspn(message->path, "?");

	if (!order) {
		free(message->body);
		return NULL;
	}
	order->page = page;
	order->key = key;
	request = &order->request;
	request->id = web_next_id(page->web);
	memcpy(request->user, message->by, sizeof(request->user));
	request->method = method_of(message->method);
	memcpy(request->path, message->path, path);
	if (message->path[path])
		strcpy(request->query, message->path + path + 1);
	strcpy(request->content_type, "application/json");
	request->body = message->body;
	request->body_len = message->body ? strlen(message->body) : 0;
	request->content_length = (long)request->body_len;
	order->next = page->orders;
	order->prev = &page->orders;
	if (order->next)
		order->next->prev = &order->next;
	page->orders = order;
	return order;
}

static void take(struct page *page, uint64_t key, const struct link_message *message)
{
	struct page_order *order = order_new(page, key, message);
	struct web_request *request;

	if (!order) {
		link_answer(page->api.link, key, 503, NULL);
		return;
	}
	request = &order->request;
	log_info("link: the Manager asks: %s %s", message->method, request->path);
	if (api_check_manager(&page->api, request, message->manager))
		api_run(&page->api, request);
	web_forget_body(request);
	if (request->status)
		page_link_answered(page, request);
	else if (request->wait_s)
		lws_sul_schedule(web_context(page->web), 0, &order->expiry, expired,
				 request->wait_s * LWS_USEC_PER_SEC);
}

bool page_link_woken(struct page *page)
{
	struct link_state before = page->link_state;
	struct link_message message;
	uint64_t key;

	link_look(page->api.link, &page->link_state);
	while (link_take(page->api.link, &key, &message))
		take(page, key, &message);
	return before.phase != page->link_state.phase || strcmp(before.why, page->link_state.why);
}

void page_link_free(struct page *page)
{
	while (page->orders)
		order_free(page->orders);
}
