// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection to the Manager: TLS, the WebSocket, messages both ways. Each has a
 * library context and buffers of its own, so that nothing of one is left for the next.
 */
#include "device/link_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/certificate.h"
#include "lib/log.h"
#include "lib/merge.h"
#include "lib/version.h"

#define PROTOCOL "kvmnet-link-1"
#define CHUNK 16384
/* The Manager's closes that refuse this Device: lib/LINK.md. */
#define REFUSAL_FIRST 4400
#define REFUSAL_LAST 4499

struct attempt {
	struct link *link;
	const struct adoption *adoption;
	const struct adoption_address *address;
	SSL_CTX *tls;
	struct lws *wsi;
	bool over, welcome, hello_sent;
	bool told_why;	  /* what went wrong is said */
	int verify_error; /* of the Manager's certificate */
	json_t *told;	  /* the status that the Manager knows */
	char *in;	  /* a message that is still coming */
	size_t in_len;
	char *out; /* one that is going */
	size_t out_len, out_sent;
};

/* What went wrong; what is said first is nearest to the reason. */
static void fail(struct attempt *attempt, enum link_phase phase, const char *why)
{
	if (!attempt->told_why)
		link_set_state(attempt->link, phase, why);
	attempt->told_why = true;
}

/* ---- what goes up ---- */

static json_t *hello(struct attempt *attempt)
{
	const struct link_host *host = link_host(attempt->link);
	uint8_t hash[CERTIFICATE_ID_SIZE];
	char id[ADOPTION_ID_SIZE] = "", name[64] = "";
	struct settings settings;

	link_settings(attempt->link, &settings);
	if (certificate_id(host->own, hash))
		adoption_hex(hash, sizeof(hash), id);
	gethostname(name, sizeof(name) - 1);
	return json_pack("{s:{s:s, s:I, s:s, s:s, s:I}}", "hello", "id", id, "boot", (json_int_t)host->boot,
			 "version", KVMNET_VERSION, "name", *settings.name ? settings.name : name,
			 "settings_revision", (json_int_t)settings.revision);
}

/* The whole status once, then what changed; NULL: nothing did. */
static json_t *news(struct attempt *attempt)
{
	json_t *now = link_take_status(attempt->link, !attempt->told), *patch = NULL, *message = NULL;

	if (now && attempt->told)
		patch = merge_diff(attempt->told, now);
	if (now && !attempt->told)
		message = json_pack("{s:O}", "status", now);
	else if (json_object_size(patch))
		message = json_pack("{s:O}", "delta", patch);
	if (message) {
		json_decref(attempt->told);
		attempt->told = json_incref(now);
	}
	json_decref(patch);
	json_decref(now);
	return message;
}

/* The next message into attempt->out, behind the room that the library wants; false: there is none. */
static bool next_message(struct attempt *attempt)
{
	json_t *json = NULL;
	char *text;

	if (!attempt->hello_sent)
		json = hello(attempt);
	else if (attempt->welcome && !(json = link_take_response(attempt->link)))
		json = news(attempt);
	if (!json)
		return false;
	attempt->hello_sent = true;
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	attempt->out_len = text ? strlen(text) : 0;
	attempt->out_sent = 0;
	attempt->out = text ? malloc(LWS_PRE + attempt->out_len) : NULL;
	if (attempt->out)
		memcpy(attempt->out + LWS_PRE, text, attempt->out_len);
	free(text);
	return attempt->out;
}

/* 0, or -1 to close. */
static int send_more(struct attempt *attempt)
{
	size_t len;
	int flags;

	if (!attempt->out && !next_message(attempt))
		return 0;
	len = attempt->out_len - attempt->out_sent;
	if (len > CHUNK)
		len = CHUNK;
	flags = lws_write_ws_flags(LWS_WRITE_TEXT, !attempt->out_sent,
				   attempt->out_sent + len == attempt->out_len);
	if (lws_write(attempt->wsi, (unsigned char *)attempt->out + LWS_PRE + attempt->out_sent, len,
		      (enum lws_write_protocol)flags) < (int)len)
		return -1;
	attempt->out_sent += len;
	if (attempt->out_sent == attempt->out_len) {
		free(attempt->out);
		attempt->out = NULL;
	}
	lws_callback_on_writable(attempt->wsi);
	return 0;
}

/* ---- what comes down ---- */

static int refuse(struct attempt *attempt, const char *why)
{
	lws_close_reason(attempt->wsi, LWS_CLOSE_STATUS_POLICY_VIOLATION, (unsigned char *)why, strlen(why));
	fail(attempt, LINK_CONNECTING, "The Manager said something that is not of the link's protocol.");
	return -1;
}

static int take_request(struct attempt *attempt, struct link_message *message)
{
	if (!attempt->welcome) {
		free(message->body);
		return refuse(attempt, "A request came before the welcome.");
	}
	memcpy(message->manager, attempt->adoption->id, sizeof(message->manager));
	if (link_put_request(attempt->link, message))
		return 0;
	return refuse(attempt, "More than 16 requests wait for their responses.");
}

static int take_message(struct attempt *attempt)
{
	struct link_message message;
	const char *wrong = link_message_parse(attempt->in, attempt->in_len, &message);

	attempt->in_len = 0;
	if (wrong) {
		free(message.body);
		return refuse(attempt, wrong);
	}
	if (message.type == LINK_REQUEST)
		return take_request(attempt, &message);
	if (attempt->welcome)
		return refuse(attempt, "The welcome came twice.");
	attempt->welcome = true;
	link_set_state(attempt->link, LINK_UP, "");
	lws_callback_on_writable(attempt->wsi);
	return 0;
}

static int receive(struct attempt *attempt, const void *in, size_t len)
{
	if (lws_frame_is_binary(attempt->wsi))
		return refuse(attempt, "Messages are texts.");
	if (len > LINK_MESSAGE_MAX - attempt->in_len)
		return refuse(attempt, "A message has at most 64 KiB.");
	memcpy(attempt->in + attempt->in_len, in, len);
	attempt->in_len += len;
	if (!lws_is_final_fragment(attempt->wsi) || lws_remaining_packet_payload(attempt->wsi))
		return 0;
	return take_message(attempt);
}

/* ---- how it ends ---- */

/* The Manager's close, or a network's. in: the code and its sentence (RFC 6455 5.5.1). */
static void closed_by_manager(struct attempt *attempt, const unsigned char *in, size_t len)
{
	unsigned code = len >= 2 ? (unsigned)in[0] << 8 | in[1] : 0;
	char raw[128] = "", clean[128], why[LINK_WHY_SIZE];

	if (len > 2)
		memcpy(raw, in + 2, len - 2 < sizeof(raw) ? len - 2 : sizeof(raw) - 1);
	log_clean(clean, sizeof(clean), raw);
	if (code >= REFUSAL_FIRST && code <= REFUSAL_LAST) {
		snprintf(why, sizeof(why), "The Manager refuses this Device: %s",
			 *clean ? clean : "it does not say why.");
		fail(attempt, LINK_REFUSED, why);
	} else {
		snprintf(why, sizeof(why), "The Manager closed the connection%s%s", *clean ? ": " : ".",
			 clean);
		fail(attempt, LINK_CONNECTING, why);
	}
}

void link_refusal_text(char *text, size_t size, const struct adoption_address *address, int verify_error)
{
	if (verify_error == X509_V_ERR_CERT_HAS_EXPIRED)
		snprintf(text, size,
			 "The certificate of the Manager at %.100s has expired, or the clock here is wrong.",
			 address->host);
	else
		snprintf(text, size,
			 "What answers at %.100s port %u is not the Manager that adopted this Device: %s.",
			 address->host, address->port, X509_verify_cert_error_string(verify_error));
}

static void not_connected(struct attempt *attempt, const char *text)
{
	const struct adoption_address *address = attempt->address;
	char clean[96], why[LINK_WHY_SIZE];

	log_clean(clean, sizeof(clean), text ? text : "");
	if (attempt->verify_error)
		link_refusal_text(why, sizeof(why), address, attempt->verify_error);
	else
		snprintf(why, sizeof(why), "No connection to the Manager at %.100s port %u%s%s",
			 address->host, address->port, *clean ? ": " : ".", clean);
	fail(attempt, attempt->verify_error ? LINK_REFUSED : LINK_CONNECTING, why);
	attempt->over = true;
}

/* The library would take a wildcard for the name. 0: go on. */
static int judge_certificate(struct attempt *attempt, X509_STORE_CTX *ctx, bool good)
{
	const unsigned flags = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	int error = good ? X509_V_OK : X509_STORE_CTX_get_error(ctx);

	if (good && !X509_STORE_CTX_get_error_depth(ctx) &&
	    X509_check_host(X509_STORE_CTX_get_current_cert(ctx), ADOPTION_MANAGER, 0, flags, NULL) != 1) {
		error = X509_V_ERR_HOSTNAME_MISMATCH;
		X509_STORE_CTX_set_error(ctx, error);
	}
	if (!attempt->verify_error)
		attempt->verify_error = error;
	return error != X509_V_OK;
}

/* The library frees wsi after this, and may go on to wait for something else. */
static void end(struct attempt *attempt, struct lws *wsi)
{
	attempt->wsi = NULL;
	attempt->over = true;
	lws_cancel_service(lws_get_context(wsi));
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct attempt *attempt = lws_context_user(lws_get_context(wsi));

	switch (reason) {
	case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
		return judge_certificate(attempt, user, len);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		not_connected(attempt, in);
		end(attempt, wsi);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		lws_callback_on_writable(wsi);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return send_more(attempt);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return receive(attempt, in, len);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		closed_by_manager(attempt, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		fail(attempt, LINK_CONNECTING, "The connection to the Manager was lost.");
		end(attempt, wsi);
		return 0;
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		if (attempt->wsi && attempt->hello_sent)
			lws_callback_on_writable(attempt->wsi);
		return 0;
	default:
		return 0;
	}
}

/* ---- one attempt ---- */

SSL_CTX *link_tls(const struct adoption *adoption, EVP_PKEY *own)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	X509_VERIFY_PARAM *param = tls ? SSL_CTX_get0_param(tls) : NULL;
	const time_t now = time(NULL);

	if (tls && SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1 &&
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(tls), adoption->ca) == 1 &&
	    X509_VERIFY_PARAM_set1_host(param, ADOPTION_MANAGER, 0) == 1 &&
	    SSL_CTX_use_certificate(tls, adoption->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey(tls, own) == 1) {
		X509_VERIFY_PARAM_set_depth(param, 0);
		X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_WILDCARDS |
							       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
		/* A board that does not know the time yet: adoption.h. */
		if (now != certificate_now())
			X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
		return tls;
	}
	certificate_log("link: TLS cannot be set up");
	SSL_CTX_free(tls);
	return NULL;
}

static struct lws_context *context_of(struct attempt *attempt)
{
	static const struct lws_protocols protocols[] = {
		{ .name = PROTOCOL, .callback = callback, .rx_buffer_size = CHUNK, .tx_packet_size = CHUNK },
		{ 0 },
	};
	static const lws_retry_bo_t idle = { .secs_since_valid_ping = 10, .secs_since_valid_hangup = 25 };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.provided_client_ssl_ctx = attempt->tls,
		.user = attempt,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.fd_limit_per_thread = 8,
		.timeout_secs = 15,
		.retry_and_idle_policy = &idle,
		.vhost_name = "link",
	};

	return lws_create_context(&info);
}

static void connect_to(struct attempt *attempt, struct lws_context *context)
{
	const struct lws_client_connect_info info = {
		.context = context,
		.address = attempt->address->host,
		.port = attempt->address->port,
		.ssl_connection = LCCSCF_USE_SSL,
		.path = "/api/v1/link",
		.host = ADOPTION_MANAGER,
		.protocol = PROTOCOL,
		.alpn = "http/1.1",
		.pwsi = &attempt->wsi,
	};

	if (!lws_client_connect_via_info(&info))
		not_connected(attempt, NULL);
}

static void run(struct attempt *attempt)
{
	struct lws_context *context;

	attempt->tls = link_tls(attempt->adoption, link_host(attempt->link)->own);
	attempt->in = malloc(LINK_MESSAGE_MAX);
	context = attempt->tls && attempt->in ? context_of(attempt) : NULL;
	if (!context) {
		fail(attempt, LINK_CONNECTING, "The link cannot be set up: the Device is out of memory.");
		return;
	}
	link_publish(attempt->link, context);
	connect_to(attempt, context);
	while (!attempt->over && link_wanted(attempt->link))
		if (lws_service(context, 0) < 0)
			break;
	link_publish(attempt->link, NULL);
	attempt->told_why = true; /* its end by our own doing is no news */
	lws_context_destroy(context);
}

bool link_attempt(struct link *link, const struct adoption *adoption, const struct adoption_address *address)
{
	struct attempt attempt = { .link = link, .adoption = adoption, .address = address };

	run(&attempt);
	SSL_CTX_free(attempt.tls);
	json_decref(attempt.told);
	free(attempt.in);
	free(attempt.out);
	return attempt.welcome;
}
