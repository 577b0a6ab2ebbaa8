// SPDX-License-Identifier: GPL-2.0-or-later
/* The connection of a session and its time limits. What the bytes mean is rfb.c's, whom we believe trust.c's. */
#include "client/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "client/ask.h"
#include "client/trust.h"
#include "lib/log.h"
#include "lib/loop.h"

#define MS_NS 1000000ULL
#define SECOND_NS 1000000000ULL
/* A Device that hears nothing for 250 ms after the connection takes us for a stock viewer, and greets in clear. */
#define TRIES 4

struct viewer {
	struct trust trust;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	unsigned timeout_s;
	uint64_t end_ns;
	struct rfb rfb;
	char user[ASK_SIZE];
	size_t used;
	uint8_t data[RFB_NEEDS_MAX];
};

/* ---- the connection ---- */

static void restart_clock(struct viewer *viewer)
{
	viewer->end_ns = loop_now_ns() + viewer->timeout_s * SECOND_NS;
}

/* false: the time is over. */
static bool await(struct viewer *viewer, short events)
{
	struct pollfd fd = { viewer->fd, events, 0 };
	uint64_t now = loop_now_ns();

	while (now < viewer->end_ns) {
		if (poll(&fd, 1, (int)((viewer->end_ns - now + MS_NS - 1) / MS_NS)) > 0)
			return true;
		now = loop_now_ns();
	}
	return false;
}

/* 0, or the error. */
static int finish_connect(struct viewer *viewer)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!await(viewer, POLLOUT))
		return ETIMEDOUT;
	return getsockopt(viewer->fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

/* Else errno says why. */
static bool try_address(struct viewer *viewer, const struct addrinfo *at)
{
	int error;

	viewer->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (viewer->fd < 0)
		return false;
	error = connect(viewer->fd, at->ai_addr, at->ai_addrlen) ? errno : 0;
	if (error == EINPROGRESS)
		error = finish_connect(viewer);
	if (!error)
		return true;
	close(viewer->fd);
	viewer->fd = -1;
	errno = error;
	return false;
}

static enum cli_status connect_to(struct viewer *viewer, unsigned port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *host = viewer->trust.address.host;
	struct addrinfo *list;
	bool connected = false;
	char service[8];
	int result;

	snprintf(service, sizeof(service), "%u", port);
	result = getaddrinfo(host, service, &hints, &list);
	if (result)
		return cli_fail(CLI_NO_PEER, "kvmnet: %s: %s", host, gai_strerror(result));
	for (const struct addrinfo *at = list; at && !connected; at = at->ai_next)
		connected = try_address(viewer, at);
	freeaddrinfo(list);
	if (connected)
		return CLI_DONE;
	return cli_fail(CLI_NO_PEER,
			"kvmnet: the Device at %s, port %u: %s; is its session port another one?", host, port,
			strerror(errno));
}

/* What OpenSSL waits for; false: nothing, it failed, or the time is over. */
static bool await_tls(struct viewer *viewer, int result)
{
	switch (SSL_get_error(viewer->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return await(viewer, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return await(viewer, POLLOUT);
	default:
		return false;
	}
}

static void disconnect(struct viewer *viewer)
{
	SSL_free(viewer->ssl);
	viewer->ssl = NULL;
	if (viewer->fd >= 0)
		close(viewer->fd);
	viewer->fd = -1;
}

/* *again: it greeted in clear. */
static enum cli_status start_tls(struct viewer *viewer, bool *again)
{
	int result;

	*again = false;
	viewer->ssl = SSL_new(viewer->ctx);
	if (!viewer->ssl || SSL_set_fd(viewer->ssl, viewer->fd) != 1)
		return cli_fail(CLI_FAILED, "kvmnet: out of memory");
	do
		result = SSL_connect(viewer->ssl);
	while (result != 1 && await_tls(viewer, result));
	*again = ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER;
	ERR_clear_error();
	if (result == 1)
		return CLI_DONE;
	if (*again)
		return CLI_NO_PEER;
	if (viewer->trust.refused)
		return trust_explain(&viewer->trust);
	return cli_fail(CLI_NO_PEER,
			"kvmnet: the Device at %s does not speak TLS 1.3 on its session port, or not in "
			"time",
			viewer->trust.address.host);
}

static enum cli_status reach(struct viewer *viewer, unsigned port)
{
	enum cli_status status = CLI_NO_PEER;
	bool again = true;

	viewer->ctx = SSL_CTX_new(TLS_client_method());
	if (!viewer->ctx || !trust_use(&viewer->trust, viewer->ctx))
		return cli_fail(CLI_FAILED, "kvmnet: out of memory");
	for (unsigned i = 0; i < TRIES && again; i++) {
		disconnect(viewer);
		status = connect_to(viewer, port);
		if (status != CLI_DONE)
			return status;
		status = start_tls(viewer, &again);
	}
	if (!again)
		return status;
	return cli_fail(CLI_NO_PEER,
			"kvmnet: %s does not speak TLS on port %u: is its session port another one?",
			viewer->trust.address.host, port);
}

/* ---- bytes ---- */

static enum cli_status broke_off(const struct viewer *viewer)
{
	const char *host = viewer->trust.address.host;

	ERR_clear_error();
	if (loop_now_ns() >= viewer->end_ns)
		return cli_fail(CLI_NO_PEER, "kvmnet: the Device at %s does not answer in time", host);
	return cli_fail(CLI_FAILED, "kvmnet: the Device at %s ended the session", host);
}

enum cli_status viewer_send(struct viewer *viewer)
{
	struct rfb *rfb = &viewer->rfb;
	bool sent = true;
	int result;

	if (rfb->out_used) {
		do
			result = SSL_write(viewer->ssl, rfb->out, (int)rfb->out_used);
		while (result <= 0 && await_tls(viewer, result));
		sent = result > 0;
	}
	OPENSSL_cleanse(rfb->out, rfb->out_used);
	rfb->out_used = 0;
	return sent ? CLI_DONE : broke_off(viewer);
}

static enum cli_status receive(struct viewer *viewer)
{
	int result;

	if (loop_now_ns() >= viewer->end_ns) /* also of one that never lets us wait */
		return broke_off(viewer);
	do
		result = SSL_read(viewer->ssl, viewer->data + viewer->used,
				  (int)(sizeof(viewer->data) - viewer->used));
	while (result <= 0 && await_tls(viewer, result));
	if (result <= 0)
		return broke_off(viewer);
	viewer->used += (size_t)result;
	return CLI_DONE;
}

/* Up to that event. */
static enum cli_status read_until(struct viewer *viewer, enum rfb_event wanted)
{
	enum cli_status status = viewer_send(viewer);
	enum rfb_event event = RFB_MORE;
	char clean[RFB_TEXT_SIZE];
	size_t used;

	while (status == CLI_DONE && event != wanted) {
		event = rfb_feed(&viewer->rfb, viewer->data, viewer->used, &used);
		viewer->used -= used;
		memmove(viewer->data, viewer->data + used, viewer->used);
		if (event == RFB_REFUSED)
			return cli_fail(CLI_REFUSED, "kvmnet: the Device at %s: %s",
					viewer->trust.address.host,
					log_clean(clean, sizeof(clean), viewer->rfb.text));
		if (event == RFB_ODD)
			return cli_fail(CLI_FAILED, "kvmnet: what answers at %s is no Device of ours: %s",
					viewer->trust.address.host, viewer->rfb.error);
		status = viewer_send(viewer);
		if (status == CLI_DONE && event == RFB_MORE && !used)
			status = receive(viewer);
	}
	return status;
}

enum cli_status viewer_await_update(struct viewer *viewer)
{
	return read_until(viewer, RFB_UPDATED);
}

enum cli_status viewer_pause(struct viewer *viewer, unsigned ms)
{
	enum cli_status status;

	restart_clock(viewer);
	status = viewer_send(viewer);
	viewer->end_ns = loop_now_ns() + ms * MS_NS;
	while (status == CLI_DONE && await(viewer, POLLRDHUP))
		status = broke_off(viewer);
	restart_clock(viewer);
	return status;
}

/* ---- coming and going ---- */

/* "https://HOST:PORT/" of the Device's page. */
static bool take_url(struct viewer *viewer, const char *url)
{
	char text[ADDRESS_URL_SIZE];

	if (strncmp(url, "https://", 8) != 0 || strlen(url + 8) >= sizeof(text))
		return false;
	strcpy(text, url + 8);
	text[strcspn(text, "/")] = '\0';
	return address_parse(text, &viewer->trust.address);
}

static enum cli_status enter(struct viewer *viewer, const struct cli *cli, const struct target_ticket *ticket)
{
	enum cli_status status;

	if (!take_url(viewer, ticket->url) || !trust_pin(&viewer->trust, ticket->id))
		return cli_fail(CLI_FAILED,
				"kvmnet: the Manager tells an address of the Device that is none");
	restart_clock(viewer);
	status = reach(viewer, cli->session_port);
	if (status != CLI_DONE)
		return status;
	rfb_start(&viewer->rfb, viewer->user, ticket->ticket);
	return read_until(viewer, RFB_READY);
}

static enum cli_status get_ticket(struct viewer *viewer, const struct cli *cli, bool keys,
				  struct target_ticket *ticket)
{
	enum cli_status status;
	struct http *http = http_enter(cli, cli->arguments[0], HTTP_MANAGER, &status);

	if (!http)
		return status;
	status = target_ticket(http, cli->arguments[1], !keys, ticket);
	snprintf(viewer->user, sizeof(viewer->user), "%s", http_user(http));
	http_close(http);
	if (status == CLI_DONE && keys && !target_may(ticket, "control"))
		return cli_fail(CLI_REFUSED, "kvmnet: you may watch this Target, and not drive it: ask an "
					     "administrator of the Manager");
	return status;
}

struct viewer *viewer_open(const struct cli *cli, bool keys, enum cli_status *status)
{
	struct viewer *viewer = calloc(1, sizeof(*viewer));
	struct target_ticket ticket = { 0 };

	if (!viewer) {
		*status = cli_fail(CLI_FAILED, "kvmnet: out of memory");
		return NULL;
	}
	viewer->fd = -1;
	viewer->timeout_s = cli->timeout_s;
	*status = get_ticket(viewer, cli, keys, &ticket);
	if (*status == CLI_DONE)
		*status = enter(viewer, cli, &ticket);
	target_forget(&ticket);
	if (*status == CLI_DONE)
		return viewer;
	viewer_close(viewer);
	return NULL;
}

void viewer_close(struct viewer *viewer)
{
	if (!viewer)
		return;
	if (viewer->ssl)
		SSL_shutdown(viewer->ssl);
	ERR_clear_error();
	disconnect(viewer);
	SSL_CTX_free(viewer->ctx);
	trust_close(&viewer->trust);
	rfb_clear(&viewer->rfb);
	OPENSSL_cleanse(viewer, sizeof(*viewer));
	free(viewer);
}

struct rfb *viewer_rfb(struct viewer *viewer)
{
	return &viewer->rfb;
}
