// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Port 443's thread: the listener, TLS, and the turn between the library, the
 * bus and the account jobs. HTTP, the console and the watchers have files of their own.
 */
#include "device/page.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/page_parts.h"
#include "lib/log.h"
#include "lib/peer.h"

#define SWEEP_S 10
#define ACCEPT_AT_ONCE 16

static struct page *page;
static pthread_t thread;
static atomic_bool serving, stopping;

struct page *page_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

bool page_header(struct lws *wsi, enum lws_token_indexes token, char *buf, size_t size)
{
	int len = lws_hdr_copy(wsi, buf, (int)size, token);

	if (len > 0)
		return strlen(buf) == (size_t)len;
	buf[0] = '\0';
	return !lws_hdr_total_length(wsi, token);
}

static void peer_of(struct lws *wsi, struct api_caller *caller)
{
	socklen_t len = sizeof(caller->peer);

	memset(&caller->peer, 0, sizeof(caller->peer));
	caller->peer_text[0] = '\0';
	if (!getpeername(lws_get_socket_fd(lws_get_network_wsi(wsi)), (struct sockaddr *)&caller->peer, &len))
		peer_text(&caller->peer, caller->peer_text, sizeof(caller->peer_text));
}

bool page_caller(struct lws *wsi, struct api_caller *caller)
{
	peer_of(wsi, caller);
	return page_header(wsi, WSI_TOKEN_HOST, caller->host, sizeof(caller->host)) &&
	       page_header(wsi, WSI_TOKEN_ORIGIN, caller->origin, sizeof(caller->origin)) &&
	       page_header(wsi, WSI_TOKEN_HTTP_COOKIE, caller->cookie, sizeof(caller->cookie));
}

bool page_may_upgrade(struct lws *wsi, const char *path, struct api_caller *caller, uint32_t *login,
		      char *user)
{
	char uri[64];
	int status = 400;

	if (page_header(wsi, WSI_TOKEN_GET_URI, uri, sizeof(uri)) && page_caller(wsi, caller))
		status = strcmp(uri, path) ? 404 : api_may_upgrade(&page_of(wsi)->api, caller, login, user);
	if (status)
		lws_return_http_status(wsi, (unsigned)status, NULL);
	return !status;
}

void page_end_strangers(struct page *where)
{
	page_console_end_strangers(where);
	page_watch_end_strangers(where);
}

static void sweep(lws_sorted_usec_list_t *timer)
{
	page_end_strangers(page);
	if (page->status_outdated)
		page_watch_changed(page);
	lws_sul_schedule(page->context, 0, timer, sweep, SWEEP_S * LWS_USEC_PER_SEC);
}

/* The session thread and the job thread have something: the library was woken for it. */
static void take_answers(void)
{
	static struct bus_answer answer;
	struct job job;

	while (bus_take_answer(page->api.bus, &answer))
		if (!page_http_status(page, &answer))
			page_watch_status(page, &answer);
	if (bus_take_change(page->api.bus))
		page_watch_changed(page);
	while (job_take(page->api.jobs, &job))
		page_http_job_done(page, &job);
}

static void accept_all(struct lws *listener)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t len = sizeof(address);
		int fd = accept4(lws_get_socket_fd(listener), (struct sockaddr *)&address, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (page_guests_may_come(page->guests, &address))
			page_guests_add(page->guests, lws_adopt_socket_vhost(page->vhost, fd), &address);
		else
			close(fd);
	}
}

static int listen_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t len)
{
	(void)user, (void)in, (void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		accept_all(wsi);
	return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION;
}

static int first_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	if (reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
		take_answers();
		return 0;
	}
	if (reason ==
	    LWS_CALLBACK_WSI_DESTROY) /* told to the first protocol, whatever the connection's own is */
		page_guests_remove(page->guests, wsi);
	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		return !SSL_CTX_set_min_proto_version(user, TLS1_3_VERSION) ||
		       identity_use(page->identity, user);
	return page_http_callback(wsi, reason, user, in, len);
}

/* A browser's WebSocket is bound by the name it asks for: the last two refuse theirs. */
static const struct lws_protocols protocols[] = {
	{ .name = "http", .callback = first_callback, .tx_packet_size = PAGE_CHUNK },
	{ .name = "binary", .callback = page_console_callback, .tx_packet_size = PAGE_CHUNK },
	{ .name = "events",
	  .callback = page_watch_callback,
	  .rx_buffer_size = 256,
	  .tx_packet_size = PAGE_CHUNK },
	{ .name = "relay", .callback = page_relay_callback },
	{ .name = "listen", .callback = listen_callback },
	{ 0 },
};

static void library_log(int level, const char *line)
{
	char text[256];
	size_t len;

	log_clean(text, sizeof(text), line);
	len = strlen(text);
	if (len && text[len - 1] == '?')
		text[len - 1] = '\0'; /* its newline */
	/* Once it serves, what it complains of is what strangers sent: not worth a line each in the log. */
	if (level == LLL_ERR && !atomic_load(&serving))
		log_error("page: %s", text);
	else
		log_debug("page: %s", text);
}

static void wake(void *arg)
{
	lws_cancel_service(arg);
}

static bool open_library(void)
{
	/* A person's network may vanish while a key is down: then it is let go. */
	static const lws_retry_bo_t idle = { .secs_since_valid_ping = 10, .secs_since_valid_hangup = 25 };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.alpn = "http/1.1",
		.user = page,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.fd_limit_per_thread = PAGE_GUESTS_MAX + 2 * BUS_SESSIONS + 16, /* and relays and its own */
		.max_http_header_data = 8192,
		.max_http_header_pool = PAGE_GUESTS_MAX, /* a silent one holds a place in it, too */
		.pt_serv_buf_size = PAGE_CHUNK / 4,
		.timeout_secs = 15,
		.keepalive_timeout = 30,
		.retry_and_idle_policy = &idle,
		.vhost_name = "page",
	};
	lws_sock_file_fd_type listener = { .filefd = page->listen_fd };

	lws_set_log_level(LLL_ERR | LLL_WARN, library_log);
	page->context = lws_create_context(&info);
	page->vhost = page->context ? lws_create_vhost(page->context, &info) : NULL;
	if (!page->vhost ||
	    !lws_adopt_descriptor_vhost(page->vhost, LWS_ADOPT_RAW_FILE_DESC, listener, "listen", NULL)) {
		log_error("https: the server cannot be set up");
		return false;
	}
	page->listen_fd = -1;
	return true;
}

static void *serve(void *arg)
{
	(void)arg;
	atomic_store(&serving, true);
	while (!atomic_load(&stopping))
		if (lws_service(page->context, 0) < 0)
			break;
	return NULL;
}

/* Connections go before what they use. */
static void release(void)
{
	if (page->api.bus)
		bus_on_answer(page->api.bus, NULL, NULL);
	job_queue_free(page->api.jobs);
	page->api.jobs = NULL;
	if (page->context)
		lws_context_destroy(page->context);
	if (page->listen_fd >= 0)
		close(page->listen_fd);
	login_table_free(page->api.logins);
	page_files_free(page->files);
	page_guests_free(page->guests);
	free(page->status);
	free(page);
	page = NULL;
}

static bool set_up(const struct config *config)
{
	page->listen_fd = peer_listen("https", config->https_address, config->https_port);
	page->guests = page_guests_new();
	if (page->listen_fd < 0 || !page->guests || !open_library())
		return false;
	page->files = page_files_load(config->web_dir);
	page->api.logins = login_table_new();
	page->api.jobs = job_queue_new(page->api.accounts, wake, page->context);
	if (!page->files || !page->api.logins || !page->api.jobs) {
		log_error("https: out of memory");
		return false;
	}
	lws_sul_schedule(page->context, 0, &page->sweep, sweep, SWEEP_S * LWS_USEC_PER_SEC);
	bus_on_answer(page->api.bus, wake, page->context);
	return true;
}

int page_start(const struct config *config, struct account_store *accounts, struct identity *identity,
	       struct bus *bus)
{
	sigset_t all, old;
	int error;

	page = calloc(1, sizeof(*page));
	if (!page) {
		log_error("https: out of memory");
		return -1;
	}
	page->identity = identity;
	page->api.accounts = accounts;
	page->api.bus = bus;
	page->listen_fd = -1;
	atomic_store(&stopping, false);
	atomic_store(&serving, false);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = set_up(config) ? pthread_create(&thread, NULL, serve, NULL) : -1;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return 0;
	if (error > 0)
		log_error("https: no thread: %s", strerror(error));
	release();
	return -1;
}

void page_stop(void)
{
	if (!page)
		return;
	atomic_store(&stopping, true);
	lws_cancel_service(page->context);
	pthread_join(thread, NULL);
	release();
}
