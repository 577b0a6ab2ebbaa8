// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The web thread: the listener, TLS, and the turn between the library and the
 * site. HTTP, files and guests have files of their own.
 */
#include "lib/web.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/peer.h"
#include "lib/web_parts.h"

#define ACCEPT_AT_ONCE 16

static atomic_bool serving; /* the library's log has no context of its own */

struct web *web_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

void *web_arg(struct lws *wsi)
{
	return web_of(wsi)->site->arg;
}

struct lws_context *web_context(struct web *web)
{
	return web->context;
}

struct lws_vhost *web_vhost(struct web *web)
{
	return web->vhost;
}

unsigned char *web_chunk(struct web *web)
{
	return web->chunk + LWS_PRE;
}

uint64_t web_next_id(struct web *web)
{
	return ++web->last_id;
}

bool web_header(struct lws *wsi, enum lws_token_indexes token, char *buf, size_t size)
{
	int len = lws_hdr_copy(wsi, buf, (int)size, token);

	if (len > 0)
		return strlen(buf) == (size_t)len;
	buf[0] = '\0';
	return !lws_hdr_total_length(wsi, token);
}

static void peer_of(struct lws *wsi, struct web_caller *caller)
{
	socklen_t len = sizeof(caller->peer);

	memset(&caller->peer, 0, sizeof(caller->peer));
	caller->peer_text[0] = '\0';
	if (!getpeername(lws_get_socket_fd(lws_get_network_wsi(wsi)), (struct sockaddr *)&caller->peer, &len))
		peer_text(&caller->peer, caller->peer_text, sizeof(caller->peer_text));
}

bool web_caller(struct lws *wsi, struct web_caller *caller)
{
	peer_of(wsi, caller);
	return web_header(wsi, WSI_TOKEN_HOST, caller->host, sizeof(caller->host)) &&
	       web_header(wsi, WSI_TOKEN_ORIGIN, caller->origin, sizeof(caller->origin)) &&
	       web_header(wsi, WSI_TOKEN_HTTP_COOKIE, caller->cookie, sizeof(caller->cookie));
}

int web_refuse(struct lws *wsi, int status, const char *text)
{
	lws_return_http_status(wsi, (unsigned)status, text);
	return 1;
}

int web_upgrade(struct lws *wsi, const char *path, struct web_caller *caller)
{
	char uri[WEB_PATH_MAX];

	if (!web_header(wsi, WSI_TOKEN_GET_URI, uri, sizeof(uri)) || !web_caller(wsi, caller))
		return web_refuse(wsi, 400, NULL);
	return strcmp(uri, path) ? web_refuse(wsi, 404, NULL) : 0;
}

void web_known(struct lws *wsi)
{
	web_guests_remove(web_of(wsi)->guests, wsi);
}

void web_end(struct lws *wsi)
{
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

static void sweep(lws_sorted_usec_list_t *timer)
{
	struct web *web = lws_container_of(timer, struct web, sweep);

	web->site->sweep(web->site->arg);
	lws_sul_schedule(web->context, 0, timer, sweep, WEB_SWEEP_S * LWS_USEC_PER_SEC);
}

static void accept_all(struct web *web, struct lws *listener)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t len = sizeof(address);
		int fd = accept4(lws_get_socket_fd(listener), (struct sockaddr *)&address, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (web_guests_may_come(web->guests, &address))
			web_guests_add(web->guests, lws_adopt_socket_vhost(web->vhost, fd), &address);
		else
			close(fd);
	}
}

static int listen_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t len)
{
	(void)user, (void)in, (void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		accept_all(web_of(wsi), wsi);
	return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION; /* a browser asks for what is ours alone */
}

static int first_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct web *web = web_of(wsi);

	switch (reason) {
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		web->site->woken(web->site->arg);
		return 0;
	case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
		return !SSL_CTX_set_min_proto_version(user, TLS1_3_VERSION) ||
		       web->site->set_up_tls(web->site->arg, user);
	case LWS_CALLBACK_WSI_DESTROY: /* told here whatever the connection's own protocol is */
		web_guests_remove(web->guests, wsi);
		break;
	default:
		break;
	}
	return web_http_callback(wsi, reason, user, in, len);
}

/* A browser's WebSocket is bound by the name it asks for: ours refuse it. */
static void list_protocols(struct web *web)
{
	struct lws_protocols *protocol = web->protocols;

	*protocol++ = (struct lws_protocols){ .name = "http",
					      .callback = first_callback,
					      .tx_packet_size = WEB_CHUNK };
	for (unsigned i = 0; i < WEB_PROTOCOLS_MAX && web->site->protocols[i].name; i++)
		*protocol++ = web->site->protocols[i];
	*protocol = (struct lws_protocols){ .name = "listen", .callback = listen_callback };
}

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
		log_error("https: %s", text);
	else
		log_debug("https: %s", text);
}

static bool open_library(struct web *web, unsigned descriptors)
{
	/* A person's network may vanish while a key is down: then it is let go. */
	static const lws_retry_bo_t idle = { .secs_since_valid_ping = 10, .secs_since_valid_hangup = 25 };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = web->protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.alpn = "http/1.1",
		.user = web,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.fd_limit_per_thread = WEB_GUESTS_MAX + descriptors + 16, /* and its own */
		.max_http_header_data = 8192,
		.max_http_header_pool = WEB_GUESTS_MAX, /* a silent one holds a place in it, too */
		.pt_serv_buf_size = WEB_CHUNK / 4,
		.timeout_secs = 15,
		.keepalive_timeout = 30,
		.retry_and_idle_policy = &idle,
		.vhost_name = "web",
	};
	lws_sock_file_fd_type listener = { .filefd = web->listen_fd };

	lws_set_log_level(LLL_ERR | LLL_WARN, library_log);
	web->context = lws_create_context(&info);
	web->vhost = web->context ? lws_create_vhost(web->context, &info) : NULL;
	if (!web->vhost ||
	    !lws_adopt_descriptor_vhost(web->vhost, LWS_ADOPT_RAW_FILE_DESC, listener, "listen", NULL)) {
		log_error("https: the server cannot be set up");
		return false;
	}
	web->listen_fd = -1;
	return true;
}

static bool set_up(struct web *web, const struct web_settings *settings)
{
	list_protocols(web);
	web->listen_fd = peer_listen("https", settings->address, settings->port);
	web->guests = web_guests_new();
	if (web->listen_fd < 0 || !web->guests || !open_library(web, settings->descriptors))
		return false;
	web->files = web_files_load(settings->files);
	if (!web->files) {
		log_error("https: out of memory");
		return false;
	}
	lws_sul_schedule(web->context, 0, &web->sweep, sweep, WEB_SWEEP_S * LWS_USEC_PER_SEC);
	return true;
}

struct web *web_open(const struct web_settings *settings, const struct web_site *site)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web) {
		log_error("https: out of memory");
		return NULL;
	}
	web->site = site;
	atomic_store(&serving, false);
	if (set_up(web, settings))
		return web;
	web_free(web);
	return NULL;
}

static void *serve(void *arg)
{
	struct web *web = arg;

	atomic_store(&serving, true);
	while (!atomic_load(&web->stopping))
		if (lws_service(web->context, 0) < 0)
			break;
	return NULL;
}

int web_start(struct web *web)
{
	sigset_t all, old;
	int error;

	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	error = pthread_create(&web->thread, NULL, serve, web);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	web->started = !error;
	if (!error)
		return 0;
	log_error("https: no thread: %s", strerror(error));
	return -1;
}

void web_wake(void *web)
{
	lws_cancel_service(((struct web *)web)->context);
}

void web_stop(struct web *web)
{
	if (!web || !web->started)
		return;
	atomic_store(&web->stopping, true);
	web_wake(web);
	pthread_join(web->thread, NULL);
	web->started = false;
}

/* Connections go before what they use. */
void web_free(struct web *web)
{
	if (!web)
		return;
	if (web->context)
		lws_context_destroy(web->context);
	if (web->listen_fd >= 0)
		close(web->listen_fd);
	web_files_free(web->files);
	web_guests_free(web->guests);
	free(web);
}
