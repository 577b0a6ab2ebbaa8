// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A link from its certificate to its end. TLS lets every certificate pass, and it is
 * judged here, so that a refusal can say why; until then nothing is read of it.
 */
#include "manager/link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/log.h"
#include "lib/merge.h"
#include "lib/peer.h"
#include "lib/web.h"
#include "manager/link_message.h"

#define HELLO_S 15
#define CLONE_S 5
#define CHUNK 16384
#define NOT_OURS 4401
#define EXPIRED 4403
#define UNKNOWN 4404
#define CLONE 4409
#define REASON_MAX 123 /* RFC 6455 5.5: a close has at most 125 bytes */

struct question {
	uint64_t id; /* 0: free */
	link_done_fn *done;
	void *arg;
};

struct link {
	struct web *web;
	struct link_site *site;
	struct lws *wsi;
	char peer[PEER_TEXT_MAX];
	X509 *certificate;
	char id[CA_ID_SIZE];	     /* of its certificate */
	struct fleet_device *device; /* once it said hello */
	bool accepted;
	lws_sorted_usec_list_t timer; /* until it said hello; then until its rival answered */
	struct link
		*rival; /* the one that is there, while this one waits; or the one that waits for this one */
	struct link_hello hello;
	uint64_t last_id;
	struct question questions[LINK_REQUESTS];
	unsigned close_code; /* 0: it stays */
	char close_why[REASON_MAX + 1];
	char *in;
	size_t in_len;
	struct out {
		struct out *next;
		size_t len, sent;
		unsigned char data[]; /* LWS_PRE bytes before the text */
	} * out, **out_end;
};

/* ---- TLS ---- */

/* The first name of the extension is the host's (RFC 6066 section 3): list length, type 0, length, name. */
static bool asks_for_manager(SSL *ssl)
{
	const unsigned char *data;
	size_t len;

	return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) &&
	       len == 5 + strlen(CA_MANAGER_NAME) && data[2] == TLSEXT_NAMETYPE_host_name &&
	       !memcmp(data + 5, CA_MANAGER_NAME, len - 5);
}

static int pass(int good, X509_STORE_CTX *ctx)
{
	(void)good, (void)ctx;
	return 1; /* link.c judges it */
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	(void)alert, (void)arg;
	if (asks_for_manager(ssl)) {
		SSL_set_verify(ssl, SSL_VERIFY_PEER, pass);
		SSL_set_num_tickets(ssl, 0); /* each link shows its certificate */
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* A Device that does not take us for its Manager says so in an alert. */
static void on_info(const SSL *ssl, int where, int value)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	char peer[PEER_TEXT_MAX] = "?";

	if (where != SSL_CB_READ_ALERT || value >> 8 != SSL3_AL_FATAL || !name ||
	    strcmp(name, CA_MANAGER_NAME))
		return;
	if (!getpeername(SSL_get_fd(ssl), (struct sockaddr *)&address, &len))
		peer_text(&address, peer, sizeof(peer));
	log_warn("link: the Device at %s does not take this Manager for its own: %s", peer,
		 SSL_alert_desc_string_long(value));
}

int link_set_up_tls(SSL_CTX *ctx, X509 *authority)
{
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	SSL_CTX_set_info_callback(ctx, on_info);
	if (SSL_CTX_add_client_CA(ctx, authority) == 1)
		return 0;
	certificate_log("link: TLS cannot be set up");
	return -1;
}

/* ---- what goes down ---- */

static void send_json(struct link *link, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	struct out *out = text ? malloc(sizeof(*out) + LWS_PRE + len) : NULL;

	json_decref(json);
	if (out) {
		*out = (struct out){ .len = len };
		memcpy(out->data + LWS_PRE, text, len);
		*link->out_end = out;
		link->out_end = &out->next;
	}
	free(text);
	lws_callback_on_writable(link->wsi);
}

/* 0, or -1 to close. */
static int send_more(struct link *link)
{
	struct out *out = link->out;
	size_t len;
	int flags;

	if (link->close_code) {
		lws_close_reason(link->wsi, (enum lws_close_status)link->close_code,
				 (unsigned char *)link->close_why, strlen(link->close_why));
		return -1;
	}
	if (!out)
		return 0;
	len = out->len - out->sent < CHUNK ? out->len - out->sent : CHUNK;
	flags = lws_write_ws_flags(LWS_WRITE_TEXT, !out->sent, out->sent + len == out->len);
	if (lws_write(link->wsi, out->data + LWS_PRE + out->sent, len, (enum lws_write_protocol)flags) <
	    (int)len)
		return -1;
	out->sent += len;
	if (out->sent == out->len) {
		link->out = out->next;
		if (!link->out)
			link->out_end = &link->out;
		free(out);
	}
	if (link->out)
		lws_callback_on_writable(link->wsi);
	return 0;
}

void link_refuse(struct link *link, unsigned code, const char *why)
{
	if (link->close_code)
		return;
	link->close_code = code;
	snprintf(link->close_why, sizeof(link->close_why), "%s", why);
	log_warn("link: %s: %s", link->peer, link->close_why);
	lws_callback_on_writable(link->wsi);
}

bool link_ask(struct link *link, const struct link_question *ask, link_done_fn *done, void *arg)
{
	struct question *question = NULL;

	for (unsigned i = 0; i < LINK_REQUESTS && !question; i++)
		if (!link->questions[i].id)
			question = &link->questions[i];
	if (!question || link->close_code) {
		json_decref(ask->body);
		return false;
	}
	*question = (struct question){ ++link->last_id, done, arg };
	send_json(link,
		  json_pack("{s:{s:I, s:s, s:s, s:s*, s:o*}}", "request", "id", (json_int_t)question->id,
			    "method", ask->method, "path", ask->path, "by", ask->by, "body", ask->body));
	return true;
}

X509 *link_certificate(const struct link *link)
{
	return link->certificate;
}

static void answer(const struct question *question, int status, const json_t *body)
{
	if (question->done)
		question->done(question->arg, status, body);
}

static void rival_lives(struct link *old);

static void take_response(struct link *link, const struct link_message *message)
{
	for (unsigned i = 0; i < LINK_REQUESTS; i++) {
		struct question question = link->questions[i];

		if (!question.id || question.id != message->id)
			continue;
		link->questions[i].id = 0;
		rival_lives(link);
		answer(&question, message->status, message->body);
		return;
	}
	link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION, "A response to what nobody asked.");
}

/* ---- who is let in ---- */

static const char no_such_device[] = "This Manager has no such Device, or has released it: adopt it again.";

static void refuse_stranger(struct link *link, unsigned code, const char *why)
{
	link->site->event(link->site, "link refused", *link->id ? link->id : NULL, why);
	link_refuse(link, code, why);
}

/* Of "HOST:PORT" or "[HOST]:PORT" the host. */
static void take_address(const struct link *link, struct fleet_device *device)
{
	const char *from = link->peer + (*link->peer == '[');
	const char *to = strrchr(from, *link->peer == '[' ? ']' : ':');

	if (to && to - from < FLEET_ADDRESS_SIZE)
		snprintf(device->address, sizeof(device->address), "%.*s", (int)(to - from), from);
}

static void accept_link(struct link *link)
{
	/* Found anew: it may have waited for a rival, and been released and forgotten meanwhile. */
	struct fleet_device *device = fleet_find(link->site->fleet, link->id);

	lws_sul_schedule(web_context(link->web), 0, &link->timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
	if (link->close_code)
		return;
	if (!device || !device->adopted) {
		link->device = NULL;
		refuse_stranger(link, UNKNOWN, no_such_device);
		return;
	}
	link->device = device;
	link->accepted = true;
	web_known(link->wsi);
	device->link = link;
	device->ready = false;
	device->renew = ca_renewal(link->certificate);
	device->settings_revision = link->hello.settings_revision;
	strcpy(device->name, link->hello.name);
	strcpy(device->firmware, link->hello.version);
	take_address(link, device);
	fleet_say(device, "");
	log_info("link: %s is \"%s\", Device %.16s", link->peer, device->name, device->id);
	send_json(link, json_pack("{s:{s:I}}", "welcome", "time", (json_int_t)time(NULL)));
	link->site->up(link->site, device);
}

/* The one that was there answers, whatever it was asked: so there are two. */
static void rival_lives(struct link *old)
{
	static const char why[] = "A Device with the same identity is connected: one of the two is a clone.";
	struct link *link = old->rival;

	if (!link)
		return;
	old->rival = link->rival = NULL;
	lws_sul_schedule(web_context(link->web), 0, &link->timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
	if (old->device)
		fleet_say(old->device, why);
	refuse_stranger(link, CLONE, why);
}

static void rival_silent(lws_sorted_usec_list_t *timer)
{
	struct link *link = lws_container_of(timer, struct link, timer), *old = link->rival;

	link->rival = NULL;
	if (old)
		old->rival = NULL;
	/* Refused meanwhile for what it said: the one that is there stays. */
	if (link->close_code)
		return;
	if (old) {
		link_refuse(old, LWS_CLOSE_STATUS_GOINGAWAY, "The Device has connected anew.");
		web_end(old->wsi);
	}
	accept_link(link);
}

/* A lost network leaves the old connection for a while; only who is there can answer. */
static void challenge(struct link *link, struct link *old)
{
	if (old->rival) {
		refuse_stranger(link, CLONE, "Another connection of this Device is being judged: try again.");
		return;
	}
	link->rival = old;
	old->rival = link;
	lws_sul_schedule(web_context(link->web), 0, &link->timer, rival_silent, CLONE_S * LWS_USEC_PER_SEC);
	/* When it has too much to answer already, any of those answers will do. */
	link_ask(old, &(struct link_question){ .method = "GET", .path = "/api/v1/settings" }, NULL, NULL);
}

static void take_hello(struct link *link, const struct link_message *message)
{
	struct fleet_device *device = fleet_find(link->site->fleet, link->id);

	if (strcmp(message->hello.id, link->id)) {
		refuse_stranger(link, NOT_OURS, "The hello names another Device than the certificate.");
		return;
	}
	if (!device || !device->adopted) {
		refuse_stranger(link, UNKNOWN, no_such_device);
		return;
	}
	link->device = device;
	link->hello = message->hello;
	if (device->link)
		challenge(link, device->link);
	else
		accept_link(link);
}

/* ---- what comes up ---- */

static void take_status(struct link *link, const struct link_message *message)
{
	struct fleet_device *device = link->device;

	if (message->type == LINK_STATUS) {
		json_decref(device->status);
		device->status = json_deep_copy(message->body);
	} else if (!device->status || merge_apply(device->status, message->body)) {
		link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION, "A delta needs a status before it.");
	} else if (json_dumpb(device->status, NULL, 0, JSON_COMPACT) > LINK_MESSAGE_MAX) {
		link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION,
			    "The status has become larger than 64 KiB.");
	}
}

static void take_message(struct link *link)
{
	struct link_message message;
	const char *wrong = link_message_parse(link->in, link->in_len, &message);

	free(link->in);
	link->in = NULL;
	link->in_len = 0;
	if (wrong)
		link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION, wrong);
	else if (message.type == LINK_HELLO && !link->device)
		take_hello(link, &message);
	else if (message.type == LINK_HELLO || !link->accepted)
		link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION, "A link begins with one hello.");
	else if (message.type == LINK_RESPONSE)
		take_response(link, &message);
	else
		take_status(link, &message);
	link_message_clear(&message);
}

/* Most messages are short, and there may be ten thousand links: the room grows as it is needed, and goes with each whole
 * message. */
static bool take(struct link *link, const void *in, size_t len)
{
	char *grown = realloc(link->in, link->in_len + len + 1);

	if (!grown)
		return false;
	link->in = grown;
	memcpy(link->in + link->in_len, in, len);
	link->in_len += len;
	return true;
}

static int receive(struct link *link, const void *in, size_t len)
{
	if (link->close_code)
		return 0;
	if (lws_frame_is_binary(link->wsi) || len > LINK_MESSAGE_MAX - link->in_len) {
		link_refuse(link, LWS_CLOSE_STATUS_POLICY_VIOLATION,
			    "A message is a text of at most 64 KiB.");
		return 0;
	}
	if (!take(link, in, len))
		return -1;
	if (lws_is_final_fragment(link->wsi) && !lws_remaining_packet_payload(link->wsi))
		take_message(link);
	return 0;
}

/* ---- beginning and end ---- */

static void no_hello(lws_sorted_usec_list_t *timer)
{
	link_refuse(lws_container_of(timer, struct link, timer), LWS_CLOSE_STATUS_POLICY_VIOLATION,
		    "There was no hello within 15 seconds.");
}

static void judge(struct link *link)
{
	X509 *peer = SSL_get1_peer_certificate(lws_get_ssl(lws_get_network_wsi(link->wsi)));
	char date[32] = "", why[REASON_MAX + 1];
	time_t ended = 0;
	struct tm tm;

	switch (ca_judge_device(link->site->fleet->ca, peer, link->id, &ended)) {
	case CA_OK:
		if (link->site->elsewhere) {
			link_refuse(link, LWS_CLOSE_STATUS_GOINGAWAY, link->site->elsewhere);
			break;
		}
		lws_sul_schedule(web_context(link->web), 0, &link->timer, no_hello,
				 HELLO_S * LWS_USEC_PER_SEC);
		break;
	case CA_EXPIRED:
		strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&ended, &tm));
		snprintf(why, sizeof(why), "The Device's certificate expired on %s: adopt it again.", date);
		refuse_stranger(link, EXPIRED, why);
		break;
	case CA_NOT_OURS:
		link->id[0] = '\0';
		refuse_stranger(
			link, NOT_OURS,
			peer ? "The certificate was not issued by this Manager: adopt the Device here first." :
			       "A Device shows the certificate that its Manager gave it.");
		break;
	}
	link->certificate = peer;
}

static void mark_expired(struct link *link)
{
	struct fleet_device *device = *link->id ? fleet_find(link->site->fleet, link->id) : NULL;

	if (device && device->adopted && !device->link && link->close_code >= NOT_OURS)
		fleet_say(device, link->close_why);
}

static int filter(struct lws *wsi)
{
	struct web_caller caller;
	struct link *link;

	if (web_upgrade(wsi, "/api/v1/link", &caller))
		return 1;
	link = calloc(1, sizeof(*link));
	if (!link)
		return web_refuse(wsi, 503, NULL);
	link->web = web_of(wsi);
	link->site = web_arg(wsi);
	link->wsi = wsi;
	link->out_end = &link->out;
	memcpy(link->peer, caller.peer_text, sizeof(link->peer));
	lws_set_opaque_user_data(wsi, link);
	return 0;
}

static void leave_device(struct link *link)
{
	/* Not by the pointer: one that is neither adopted nor linked may be forgotten. */
	struct fleet_device *device = *link->id ? fleet_find(link->site->fleet, link->id) : NULL;

	if (!device || device->link != link)
		return;
	device->link = NULL;
	json_decref(device->status);
	device->status = NULL;
	fleet_say(device, link->close_code ? link->close_why : "The connection to the Device was lost.");
	log_info("link: \"%s\" is gone", device->name);
}

static void destroy(struct link *link)
{
	lws_set_opaque_user_data(link->wsi, NULL);
	lws_sul_schedule(web_context(link->web), 0, &link->timer, NULL, LWS_SET_TIMER_USEC_CANCEL);
	mark_expired(link);
	leave_device(link);
	for (unsigned i = 0; i < LINK_REQUESTS; i++)
		if (link->questions[i].id)
			answer(&link->questions[i], 0, NULL);
	if (link->rival) {
		struct link *rival = link->rival;

		rival->rival = NULL;
		/* The old one went by itself: whoever waited for it need not any more. */
		if (!rival->accepted && rival->device && !rival->device->link)
			accept_link(rival);
	}
	while (link->out) {
		struct out *out = link->out;

		link->out = out->next;
		free(out);
	}
	X509_free(link->certificate);
	free(link->in);
	free(link);
}

int link_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct link *link = lws_get_opaque_user_data(wsi);

	(void)user;
	if (reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION)
		return filter(wsi);
	if (!link)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		judge(link);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return send_more(link);
	case LWS_CALLBACK_RECEIVE:
		return receive(link, in, len);
	case LWS_CALLBACK_CLOSED:
		destroy(link);
		return 0;
	default:
		return 0;
	}
}
