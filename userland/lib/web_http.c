// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP requests and answers between libwebsockets and the site, and static files.
 * What the site's requests mean is not known here.
 */
#include "lib/web_parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/body.h"
#include "lib/log.h"

#define HEADERS_SIZE 2048
/* A refused body up to this size is read and dropped, so that the answer is not lost to a reset; a larger one is cut. */
#define DRAIN_MAX (1L << 20)

/* One request and its answer. */
struct web_exchange {
	struct web *web;
	struct lws *wsi;
	struct web_exchange *next, **prev;
	lws_sorted_usec_list_t expiry;
	const struct web_file *file;
	const char *out; /* the answer's body: the file's, or request.json */
	size_t out_len, out_sent;
	bool body;		 /* it is still coming */
	bool refused;		 /* answered once its body is drained */
	bool headers_sent, last; /* last: the connection ends with this answer */
	struct web_request request;
};

/* script, style, pictures and connections of our own only. img data: and blob: are noVNC's way to decode JPEG and to
 * show a cursor. No HSTS: it would turn a changed self-signed certificate into an error that nobody can pass. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

static bool put(struct lws *wsi, const char *name, const char *value, unsigned char **at, unsigned char *end)
{
	return !lws_add_http_header_by_name(wsi, (const unsigned char *)name, (const unsigned char *)value,
					    (int)strlen(value), at, end);
}

static bool put_common(struct lws *wsi, unsigned char **at, unsigned char *end)
{
	return put(wsi, "content-security-policy:", policy, at, end) &&
	       put(wsi, "x-content-type-options:", "nosniff", at, end) &&
	       put(wsi, "referrer-policy:", "no-referrer", at, end) &&
	       put(wsi, "cross-origin-opener-policy:", "same-origin", at, end);
}

static struct web_exchange *exchange_begin(struct web *web, struct lws *wsi)
{
	struct web_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->web = web;
	exchange->wsi = wsi;
	exchange->request.id = ++web->last_id;
	exchange->request.content_length = -1;
	exchange->next = web->exchanges;
	exchange->prev = &web->exchanges;
	if (exchange->next)
		exchange->next->prev = &exchange->next;
	web->exchanges = exchange;
	lws_set_opaque_user_data(wsi, exchange);
	return exchange;
}

static void exchange_end(struct web_exchange *exchange)
{
	const struct web_site *site = exchange->web->site;
	struct web_request *request = &exchange->request;

	if (!request->status && request->wait_s)
		site->expire(site->arg, request);
	lws_sul_schedule(exchange->web->context, 0, &exchange->expiry, NULL, LWS_SET_TIMER_USEC_CANCEL);
	lws_set_opaque_user_data(exchange->wsi, NULL);
	*exchange->prev = exchange->next;
	if (exchange->next)
		exchange->next->prev = exchange->prev;
	web_forget(request);
	free(exchange);
}

static bool put_headers(struct web_exchange *exchange, unsigned char **at, unsigned char *end)
{
	const struct web_file *file = exchange->file;
	const char *type = file ? file->type : "application/json";
	struct lws *wsi = exchange->wsi;
	unsigned status = (unsigned)exchange->request.status;
	bool empty = status == 204 || status == 304;

	if (lws_add_http_header_status(wsi, status, at, end) || !put_common(wsi, at, end))
		return false;
	if (!put(wsi, "cache-control:", file ? "no-cache" : "no-store", at, end))
		return false;
	if (file && !put(wsi, "etag:", file->etag, at, end))
		return false;
	if (exchange->request.set_cookie[0] &&
	    !put(wsi, "set-cookie:", exchange->request.set_cookie, at, end))
		return false;
	if (exchange->last && !put(wsi, "connection:", "close", at, end))
		return false;
	if (status == 405 && !put(wsi, "allow:", exchange->request.allow, at, end))
		return false;
	if (empty)
		return true;
	return put(wsi, "content-type:", type, at, end) &&
	       !lws_add_http_header_content_length(wsi, exchange->out_len, at, end);
}

/* The callback's return value: 0, or -1 to close. */
static int finish(struct web_exchange *exchange)
{
	struct lws *wsi = exchange->wsi;
	bool last = exchange->last;

	exchange_end(exchange);
	return last || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int send_headers(struct web_exchange *exchange)
{
	unsigned char buf[LWS_PRE + HEADERS_SIZE], *start = buf + LWS_PRE, *at = start;
	unsigned char *end = buf + sizeof(buf);
	int status = exchange->request.status;

	exchange->headers_sent = true;
	if (exchange->file && status == 200) {
		exchange->out = exchange->file->data;
		exchange->out_len = exchange->file->len;
	} else if (exchange->request.json) {
		exchange->out = exchange->request.json;
		exchange->out_len = strlen(exchange->out);
	}
	if (!put_headers(exchange, &at, end) ||
	    lws_finalize_write_http_header(exchange->wsi, start, &at, end))
		return -1;
	if (!exchange->out_len)
		return finish(exchange);
	lws_callback_on_writable(exchange->wsi);
	return 0;
}

static int send_more(struct web_exchange *exchange)
{
	size_t left = exchange->out_len - exchange->out_sent;
	size_t len = left < WEB_CHUNK ? left : WEB_CHUNK;
	unsigned char *chunk = exchange->web->chunk + LWS_PRE;

	memcpy(chunk, exchange->out + exchange->out_sent, len);
	exchange->out_sent += len;
	if (lws_write(exchange->wsi, chunk, len, len == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) <
	    (int)len)
		return -1;
	if (len == left)
		return finish(exchange);
	lws_callback_on_writable(exchange->wsi);
	return 0;
}

static void heed_logins(struct web *web, const struct web_request *request)
{
	if (request->logins_changed)
		web->site->sweep(web->site->arg);
}

struct web_request *web_find(struct web *web, uint64_t id)
{
	struct web_exchange *exchange = web->exchanges;

	while (exchange && exchange->request.id != id)
		exchange = exchange->next;
	return exchange && !exchange->request.status ? &exchange->request : NULL;
}

/* An answer that came from elsewhere goes out from the library's own callback. */
void web_answered(struct web *web, struct web_request *request)
{
	struct web_exchange *exchange = lws_container_of(request, struct web_exchange, request);

	heed_logins(web, request);
	lws_rx_flow_control(exchange->wsi, 1);
	lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_HTTP_CONTENT, 30);
	lws_callback_on_writable(exchange->wsi);
}

static void expired(lws_sorted_usec_list_t *timer)
{
	struct web_exchange *exchange = lws_container_of(timer, struct web_exchange, expiry);
	const struct web_site *site = exchange->web->site;

	if (exchange->request.status)
		return;
	site->expire(site->arg, &exchange->request);
	web_answered(exchange->web, &exchange->request);
}

static int run(struct web_exchange *exchange)
{
	struct web_request *request = &exchange->request;
	struct web *web = exchange->web;

	web->site->run(web->site->arg, request);
	web_forget_body(request); /* a password is not kept while its check waits */
	if (request->status) {
		heed_logins(web, request);
		return send_headers(exchange);
	}
	lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);
	/* The library does not read now, but would look again and again at what waits to be read. */
	lws_rx_flow_control(exchange->wsi, 0);
	if (request->wait_s)
		lws_sul_schedule(web->context, 0, &exchange->expiry, expired,
				 request->wait_s * LWS_USEC_PER_SEC);
	return 0;
}

static enum web_method method_of(struct lws *wsi)
{
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI))
		return WEB_GET;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI))
		return WEB_POST;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_PUT_URI))
		return WEB_PUT;
	return lws_hdr_total_length(wsi, WSI_TOKEN_DELETE_URI) ? WEB_DELETE : WEB_OTHER;
}

/* false: not a request that HTTP/1.1 allows, or one larger than we take. */
static bool read_request(struct web_exchange *exchange, const char *uri)
{
	struct web_request *request = &exchange->request;
	char length[24], args[sizeof(request->query)];
	uint64_t number;

	request->method = method_of(exchange->wsi);
	if (strlen(uri) >= sizeof(request->path) || !web_caller(exchange->wsi, &request->caller) ||
	    !web_header(exchange->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof(length)) ||
	    !web_header(exchange->wsi, WSI_TOKEN_HTTP_URI_ARGS, args, sizeof(args)) ||
	    !web_header(exchange->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, request->content_type,
			sizeof(request->content_type)))
		return false;
	memcpy(request->path, uri, strlen(uri) + 1);
	memcpy(request->query, args, sizeof(args));
	if (!length[0])
		return true;
	if (!body_number(length, strlen(length), LONG_MAX, &number))
		return false;
	request->content_length = (long)number;
	return true;
}

static void judge_file(struct web_exchange *exchange)
{
	struct web_request *request = &exchange->request;
	const struct web_file *file = web_files_find(exchange->web->files, request->path);
	char etag[64];

	if (!file) {
		web_error(request, 404, "There is no such page.");
	} else if (request->method != WEB_GET || request->content_length > 0) {
		web_error(request, 405, "A page can only be read.");
		strcpy(request->allow, "GET");
	} else {
		exchange->file = file;
		request->status =
			web_header(exchange->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, etag, sizeof(etag)) &&
					!strcmp(etag, file->etag) ?
				304 :
				200;
	}
}

/* A body in pieces of unknown number is not taken: the site wants to know its length first. */
static bool read_and_judge(struct web_exchange *exchange, const char *uri)
{
	const struct web_site *site = exchange->web->site;
	struct web_request *request = &exchange->request;

	if (!read_request(exchange, uri)) {
		web_error(request, 400, "The request's line or headers are malformed or too long.");
		exchange->last = true;
	} else if (lws_hdr_total_length(exchange->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) {
		web_error(request, 411, "The request must tell its Content-Length.");
		exchange->last = true;
	} else if (strncmp(request->path, "/api/", 5)) {
		judge_file(exchange);
	} else {
		return site->check(site->arg, request);
	}
	return false;
}

/* A body that the site takes is kept; another is dropped, but waited for. */
static int await_body(struct web_exchange *exchange, bool taken)
{
	struct web_request *request = &exchange->request;

	exchange->body = true;
	exchange->refused = !taken;
	if (!taken)
		return 0;
	if (request->content_length <= WEB_BODY_MAX)
		request->body = malloc((size_t)request->content_length);
	return request->body ? 0 : -1;
}

static int begin(struct lws *wsi, const char *uri)
{
	struct web_exchange *exchange = exchange_begin(web_of(wsi), wsi);
	struct web_request *request;
	bool go_on, body;

	if (!exchange)
		return -1;
	request = &exchange->request;
	go_on = read_and_judge(exchange, uri);
	body = (request->method == WEB_POST || request->method == WEB_PUT) && request->content_length > 0;
	if (body && (go_on || (!exchange->last && request->content_length <= DRAIN_MAX)))
		return await_body(exchange, go_on);
	if (go_on)
		return run(exchange);
	/* What follows on this connection would be the body, not a request. */
	if (request->content_length > 0 || request->method != WEB_GET)
		exchange->last = true;
	return send_headers(exchange);
}

static int take_body(struct web_exchange *exchange, const void *in, size_t len)
{
	struct web_request *request = &exchange->request;

	if (exchange->refused || request->status || !len)
		return 0;
	if (!request->body || len > (size_t)request->content_length - request->body_len)
		return -1;
	memcpy(request->body + request->body_len, in, len);
	request->body_len += len;
	return 0;
}

/* Not by the connection's opaque data: in the end that may be of a protocol of the site's. */
static void forget_exchange(struct web *web, struct lws *wsi)
{
	struct web_exchange *exchange = web->exchanges;

	while (exchange && exchange->wsi != wsi)
		exchange = exchange->next;
	if (exchange)
		exchange_end(exchange);
}

int web_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct web_exchange *exchange = lws_get_opaque_user_data(wsi);

	(void)user;
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		if (exchange)
			exchange_end(exchange);
		return begin(wsi, in);
	case LWS_CALLBACK_HTTP_BODY:
		return exchange ? take_body(exchange, in, len) : -1;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		/* The library says this also of a body of length 0, whose request has had its turn. */
		if (!exchange || !exchange->body)
			return 0;
		exchange->body = false;
		return exchange->refused ? send_headers(exchange) : run(exchange);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		if (!exchange || !exchange->request.status)
			return 0;
		return exchange->headers_sent ? send_more(exchange) : send_headers(exchange);
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_WSI_DESTROY:
		forget_exchange(web_of(wsi), wsi);
		return 0;
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return 1; /* a WebSocket without a subprotocol of the site's */
	default:
		return 0;
	}
}
