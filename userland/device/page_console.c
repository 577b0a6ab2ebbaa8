// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The WebSockets of a session's channels: relay RFB between a browser and the session thread
 * over a socketpair. Nothing is read on one side while the other has not taken
 * what came before, so buffers are bounded and the session sees a slow browser.
 */
#include "device/page_parts.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/rights.h"
#include "lib/log.h"

/* What a browser may have sent before it learns that the session does not take it: one turn of the library's buffer. */
#define HELD_MAX WEB_CHUNK
/* Picture bytes that may wait in the kernel for the browser: more of them would be older Frames, not more speed. */
#define UNSENT_BYTES 65536

struct page_console {
	struct page *page;
	struct page_console *next, **prev;
	struct lws *browser;
	struct lws *relay;  /* watches a duplicate of fd; NULL once it is gone */
	int fd;		    /* our end: non-blocking */
	struct login login; /* as it was when this was opened */
	enum bus_channel channel;
	uint64_t cookie;	/* of its BUS_OPEN */
	char why[BUS_WHY_SIZE]; /* the session ended; empty: it did not say */
	char peer[PEER_TEXT_MAX];
	struct sockaddr_storage address;
	size_t held_len, held_sent;
	unsigned char held[HELD_MAX];
};

static unsigned count(const struct page *page)
{
	unsigned number = 0;

	for (struct page_console *console = page->consoles; console; console = console->next)
		number++;
	return number;
}

static struct page_console *console_new(struct page *page, struct lws *wsi)
{
	struct page_console *console = calloc(1, sizeof(*console));

	if (!console)
		return NULL;
	console->page = page;
	console->browser = wsi;
	console->fd = -1;
	console->next = page->consoles;
	console->prev = &page->consoles;
	if (console->next)
		console->next->prev = &console->next;
	page->consoles = console;
	lws_set_opaque_user_data(wsi, console);
	return console;
}

static void console_free(struct page_console *console)
{
	lws_set_opaque_user_data(console->browser, NULL);
	if (console->relay) {
		lws_set_opaque_user_data(console->relay, NULL);
		web_end(console->relay);
	}
	if (console->fd >= 0)
		close(console->fd);
	*console->prev = console->next;
	if (console->next)
		console->next->prev = console->prev;
	free(console);
}

/* The WebSocket close code (RFC 6455 7.4) tells the page what to say. */
static int end(struct page_console *console, enum lws_close_status code, const char *text)
{
	lws_close_reason(console->browser, code, (unsigned char *)text, strlen(text));
	return -1;
}

/* The library closes what it watches: it gets a duplicate, and we can still read what was sent before the end. */
static bool watch(struct page_console *console)
{
	lws_sock_file_fd_type both;

	both.filefd = dup(console->fd);
	if (both.filefd < 0)
		return false;
	console->relay = lws_adopt_descriptor_vhost(web_vhost(console->page->web), LWS_ADOPT_RAW_FILE_DESC,
						    both, "relay", NULL);
	if (console->relay)
		lws_set_opaque_user_data(console->relay, console);
	return console->relay;
}

static bool hand_over(struct page_console *console, int fd)
{
	struct bus_request open = { .type = BUS_OPEN, .cookie = console->cookie, .fd = fd };

	memcpy(open.user, console->login.user, sizeof(open.user));
	open.channel = console->channel;
	open.address = console->address;
	open.rights = console->login.rights;
	memcpy(open.peer, console->peer, sizeof(open.peer));
	return bus_ask(console->page->api.bus, &open);
}

static int established(struct page_console *console)
{
	int unsent = UNSENT_BYTES, pair[2];

	setsockopt(lws_get_socket_fd(console->browser), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
		   sizeof(unsent));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		return end(console, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "no descriptors left");
	console->fd = pair[0];
	console->cookie = web_next_id(console->page->web);
	if (!watch(console) || !hand_over(console, pair[1])) {
		close(pair[1]);
		return end(console, 1013, "the Device is busy: try again");
	}
	return 0;
}

void page_console_take_ends(struct page *page)
{
	struct bus_end ended;

	while (bus_take_end(page->api.bus, &ended))
		for (struct page_console *console = page->consoles; console; console = console->next)
			if (console->cookie == ended.cookie)
				memcpy(console->why, ended.why, sizeof(console->why));
}

/* It was told before its descriptor was closed: so it is there. */
static int end_of_session(struct page_console *console)
{
	page_console_take_ends(console->page);
	return end(console, LWS_CLOSE_STATUS_NORMAL, *console->why ? console->why : "the session ended");
}

/* Called when the library has nothing unsent for this browser: only then is more read. */
static int to_browser(struct page_console *console)
{
	unsigned char *chunk = web_chunk(console->page->web);
	ssize_t len = read(console->fd, chunk, WEB_CHUNK);

	if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (console->relay)
			lws_rx_flow_control(console->relay, 1);
		return 0;
	}
	if (len <= 0)
		return end_of_session(console);
	if (lws_write(console->browser, chunk, (size_t)len, LWS_WRITE_BINARY) < (int)len)
		return -1;
	lws_callback_on_writable(console->browser);
	return 0;
}

/* Sends what is held; 0, or -1 when the session is gone. */
static int to_session(struct page_console *console)
{
	while (console->held_sent < console->held_len) {
		ssize_t len = send(console->fd, console->held + console->held_sent,
				   console->held_len - console->held_sent, MSG_NOSIGNAL);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN) {
			lws_rx_flow_control(console->browser, 0);
			if (console->relay)
				lws_callback_on_writable(console->relay);
			return 0;
		}
		if (len < 0)
			return -1;
		console->held_sent += (size_t)len;
	}
	console->held_len = console->held_sent = 0;
	lws_rx_flow_control(console->browser, 1);
	return 0;
}

static int from_browser(struct page_console *console, const void *in, size_t len)
{
	if (len > HELD_MAX - console->held_len)
		return end(console, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "too much at once");
	memcpy(console->held + console->held_len, in, len);
	console->held_len += len;
	/* What was read before the session stopped taking: it waits behind the rest. */
	if (console->held_sent || console->held_len > len)
		return 0;
	return to_session(console) ? end_of_session(console) : 0;
}

static int filter(struct lws *wsi)
{
	static const char *const paths[] = {
		[BUS_VIDEO] = "/api/v1/console",
		[BUS_KEYBOARD] = "/api/v1/keyboard",
		[BUS_MOUSE] = "/api/v1/mouse",
	};
	enum bus_channel channel = lws_get_protocol(wsi)->id;
	unsigned right = channel == BUS_VIDEO ? RIGHT_VIEW : RIGHT_CONTROL;
	struct page *page = web_arg(wsi);
	struct page_console *console;
	struct web_caller caller;
	struct login login;

	if (!page_may_upgrade(wsi, paths[channel], &caller, right, &login))
		return 1;
	if (count(page) >= PAGE_CONSOLES)
		return web_refuse(wsi, 503, "Too many consoles are open.");
	console = console_new(page, wsi);
	if (!console)
		return 1;
	console->channel = channel;
	console->login = login;
	memcpy(console->peer, caller.peer_text, sizeof(caller.peer_text));
	console->address = caller.peer;
	return 0;
}

int page_console_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct page_console *console = lws_get_opaque_user_data(wsi);

	(void)user;
	if (reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION)
		return filter(wsi);
	if (!console)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		return established(console);
	case LWS_CALLBACK_RECEIVE:
		return from_browser(console, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return to_browser(console);
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		console_free(console);
		return 0;
	default:
		return 0;
	}
}

int page_relay_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct page_console *console = lws_get_opaque_user_data(wsi);

	(void)user, (void)in, (void)len;
	if (reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION)
		return 1; /* a browser asks for a protocol that is ours alone */
	if (!console)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_RAW_RX_FILE:
		lws_rx_flow_control(wsi, 0);
		lws_callback_on_writable(console->browser);
		return 0;
	case LWS_CALLBACK_RAW_WRITEABLE_FILE:
		return to_session(console);
	case LWS_CALLBACK_RAW_CLOSE_FILE:
	case LWS_CALLBACK_WSI_DESTROY:
		console->relay = NULL;
		lws_set_opaque_user_data(wsi, NULL);
		lws_callback_on_writable(console->browser);
		return 0;
	default:
		return 0;
	}
}

void page_console_end_strangers(struct page *page)
{
	for (struct page_console *console = page->consoles; console; console = console->next)
		if (!login_alive(page->api.logins, console->login.id))
			web_end(console->browser);
}
