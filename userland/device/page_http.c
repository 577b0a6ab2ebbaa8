// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP requests and answers between libwebsockets and api.c, and static files.
 * What the API's requests mean is not known here.
 */
#include "device/page_parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/body.h"
#include "lib/log.h"

#define HEADERS_SIZE 2048
/* A refused body up to this size is read and dropped, so that the answer is not lost to a reset; a larger one is cut. */
#define DRAIN_MAX (1L << 20)

/* One request and its answer. */
struct page_exchange {
	struct page *page;
	struct lws *wsi;
	struct page_exchange *next, **prev;
	lws_sorted_usec_list_t expiry;
	const struct page_file *file;
	const char *out; /* the answer's body: the file's, or request.json */
	size_t out_len, out_sent;
	bool body;		 /* it is still coming */
	bool refused;		 /* answered once its body is drained */
	bool headers_sent, last; /* last: the connection ends with this answer */
	struct api_request request;
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

bool page_common_headers(struct lws *wsi, unsigned char **at, unsigned char *end)
{
	return put(wsi, "content-security-policy:", policy, at, end) &&
	       put(wsi, "x-content-type-options:", "nosniff", at, end) &&
	       put(wsi, "referrer-policy:", "no-referrer", at, end) &&
	       put(wsi, "cross-origin-opener-policy:", "same-origin", at, end);
}

static struct page_exchange *exchange_begin(struct page *page, struct lws *wsi)
{
	struct page_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->page = page;
	exchange->wsi = wsi;
	exchange->request.id = ++page->last_id;
	exchange->request.content_length = -1;
	exchange->next = page->exchanges;
	exchange->prev = &page->exchanges;
	if (exchange->next)
		exchange->next->prev = &exchange->next;
	page->exchanges = exchange;
	lws_set_opaque_user_data(wsi, exchange);
	return exchange;
}

static void exchange_end(struct page_exchange *exchange)
{
	struct api_request *request = &exchange->request;

	if (!request->status && request->waits_for_frame)
		api_expire(&exchange->page->api, request);
	lws_sul_schedule(exchange->page->context, 0, &exchange->expiry, NULL, LWS_SET_TIMER_USEC_CANCEL);
	lws_set_opaque_user_data(exchange->wsi, NULL);
	*exchange->prev = exchange->next;
	if (exchange->next)
		exchange->next->prev = exchange->prev;
	api_forget(request);
	free(exchange);
}

static bool put_headers(struct page_exchange *exchange, unsigned char **at, unsigned char *end)
{
	const struct page_file *file = exchange->file;
	const char *type = file ? file->type : "application/json";
	struct lws *wsi = exchange->wsi;
	unsigned status = (unsigned)exchange->request.status;
	bool empty = status == 204 || status == 304;

	if (lws_add_http_header_status(wsi, status, at, end) || !page_common_headers(wsi, at, end))
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
	if (status == 405 && !put(wsi, "allow:", file ? "GET" : "GET, POST, DELETE", at, end))
		return false;
	if (empty)
		return true;
	return put(wsi, "content-type:", type, at, end) &&
	       !lws_add_http_header_content_length(wsi, exchange->out_len, at, end);
}

/* The callback's return value: 0, or -1 to close. */
static int finish(struct page_exchange *exchange)
{
	struct lws *wsi = exchange->wsi;
	bool last = exchange->last;

	exchange_end(exchange);
	return last || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int send_headers(struct page_exchange *exchange)
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

static int send_more(struct page_exchange *exchange)
{
	size_t left = exchange->out_len - exchange->out_sent;
	size_t len = left < PAGE_CHUNK ? left : PAGE_CHUNK;
	unsigned char *chunk = exchange->page->chunk + LWS_PRE;

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

/* An answer that came from elsewhere goes out from the library's own callback. */
static void answered(struct page_exchange *exchange)
{
	struct page *page = exchange->page;

	if (exchange->request.logins_changed)
		page_end_strangers(page);
	lws_rx_flow_control(exchange->wsi, 1);
	lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_HTTP_CONTENT, 30);
	lws_callback_on_writable(exchange->wsi);
}

static struct page_exchange *by_id(struct page *page, uint64_t id)
{
	struct page_exchange *exchange = page->exchanges;

	while (exchange && exchange->request.id != id)
		exchange = exchange->next;
	return exchange && !exchange->request.status ? exchange : NULL;
}

void page_http_job_done(struct page *page, const struct job *job)
{
	struct page_exchange *exchange = by_id(page, job->id);

	/* Whoever asked may be gone: what was done has its effects all the same. */
	api_job_effects(&page->api, job, exchange ? exchange->request.login : 0);
	if (exchange) {
		api_job_done(&page->api, &exchange->request, job);
		answered(exchange);
	} else {
		page_end_strangers(page);
	}
}

bool page_http_status(struct page *page, const struct bus_answer *answer)
{
	struct page_exchange *exchange = by_id(page, answer->cookie);

	if (!exchange)
		return false;
	api_status(&exchange->request, &answer->status);
	answered(exchange);
	return true;
}

static void expired(lws_sorted_usec_list_t *timer)
{
	struct page_exchange *exchange = lws_container_of(timer, struct page_exchange, expiry);

	if (exchange->request.status)
		return;
	api_expire(&exchange->page->api, &exchange->request);
	answered(exchange);
}

static int run(struct page_exchange *exchange)
{
	struct api_request *request = &exchange->request;

	api_run(&exchange->page->api, request);
	if (request->status) {
		if (request->logins_changed)
			page_end_strangers(exchange->page);
		return send_headers(exchange);
	}
	lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);
	/* The library does not read now, but would look again and again at what waits to be read. */
	lws_rx_flow_control(exchange->wsi, 0);
	if (request->waits_for_frame)
		lws_sul_schedule(exchange->page->context, 0, &exchange->expiry, expired,
				 API_WAIT_S * LWS_USEC_PER_SEC);
	return 0;
}

static enum api_method method_of(struct lws *wsi)
{
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI))
		return API_GET;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI))
		return API_POST;
	return lws_hdr_total_length(wsi, WSI_TOKEN_DELETE_URI) ? API_DELETE : API_OTHER;
}

/* false: not a request that HTTP/1.1 allows, or one larger than we take. */
static bool read_request(struct page_exchange *exchange, const char *uri)
{
	struct api_request *request = &exchange->request;
	char length[24], args[sizeof(request->query)];
	uint64_t number;

	request->method = method_of(exchange->wsi);
	if (strlen(uri) >= sizeof(request->path) || !page_caller(exchange->wsi, &request->caller) ||
	    !page_header(exchange->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof(length)) ||
	    !page_header(exchange->wsi, WSI_TOKEN_HTTP_URI_ARGS, args, sizeof(args)) ||
	    !page_header(exchange->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, request->content_type,
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

static void judge_file(struct page_exchange *exchange)
{
	struct api_request *request = &exchange->request;
	const struct page_file *file = page_files_find(exchange->page->files, request->path);
	char etag[64];

	if (!file) {
		api_error(request, 404, "There is no such page.");
	} else if (request->method != API_GET || request->content_length > 0) {
		api_error(request, 405, "A page can only be read.");
	} else {
		exchange->file = file;
		request->status =
			page_header(exchange->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, etag, sizeof(etag)) &&
					!strcmp(etag, file->etag) ?
				304 :
				200;
	}
}

/* A body in pieces of unknown number is not taken: api.c wants to know its length first. */
static bool read_and_judge(struct page_exchange *exchange, const char *uri)
{
	struct api_request *request = &exchange->request;

	if (!read_request(exchange, uri)) {
		api_error(request, 400, "The request's line or headers are malformed or too long.");
		exchange->last = true;
	} else if (lws_hdr_total_length(exchange->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) {
		api_error(request, 411, "The request must tell its Content-Length.");
		exchange->last = true;
	} else if (strncmp(request->path, "/api/", 5)) {
		judge_file(exchange);
	} else {
		return api_check(&exchange->page->api, request);
	}
	return false;
}

static int begin(struct lws *wsi, const char *uri)
{
	struct page_exchange *exchange = exchange_begin(page_of(wsi), wsi);
	bool go_on;

	if (!exchange)
		return -1;
	go_on = read_and_judge(exchange, uri);
	exchange->body = exchange->request.method == API_POST && exchange->request.content_length > 0;
	if (go_on)
		return exchange->body ? 0 : run(exchange);
	exchange->refused =
		exchange->body && !exchange->last && exchange->request.content_length <= DRAIN_MAX;
	if (exchange->refused)
		return 0;
	/* What follows on this connection would be the body, not a request. */
	if (exchange->request.content_length > 0 || exchange->request.method != API_GET)
		exchange->last = true;
	return send_headers(exchange);
}

static int take_body(struct page_exchange *exchange, const void *in, size_t len)
{
	struct api_request *request = &exchange->request;

	if (exchange->refused || !len)
		return 0;
	if (len > (size_t)request->content_length - request->body_len ||
	    len > API_BODY_MAX - request->body_len)
		return -1;
	memcpy(request->body + request->body_len, in, len);
	request->body_len += len;
	return 0;
}

int page_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct page_exchange *exchange = lws_get_opaque_user_data(wsi);

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
		if (exchange)
			exchange_end(exchange);
		return 0;
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return 1; /* a WebSocket without a subprotocol of ours */
	default:
		return 0;
	}
}
