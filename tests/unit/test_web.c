// SPDX-License-Identifier: GPL-2.0-or-later
/* The web server with a small site behind it: bodies, answers that come later, askers that leave. */
/* LINK: userland/lib/web.c userland/lib/web_files.c userland/lib/web_guests.c userland/lib/web_http.c
 * userland/lib/web_request.c userland/lib/body.c userland/lib/certificate.c userland/lib/identity.c userland/lib/log.c
 * userland/lib/peer.c userland/lib/state.c | libwebsockets openssl -ljansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <semaphore.h>

#include "lib/identity.h"
#include "lib/web.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW, LATER, SHORT, LONG, BODY, CHANGE };

struct route {
	struct web_route web;
	int kind;
};

static const struct route routes[] = {
	{ { WEB_GET, "/api/now", 0 }, NOW },
	{ { WEB_GET, "/api/later", 0 }, LATER },
	{ { WEB_GET, "/api/short", 0 }, SHORT },
	{ { WEB_GET, "/api/long", 0 }, LONG },
	{ { WEB_PUT, "/api/*/body", WEB_BODY_MAX }, BODY },
	{ { WEB_POST, "/api/change", WEB_BODY }, CHANGE },
};

static char dir[64];
static struct identity *identity;
static struct web *web;
static uint16_t port;
/* Written on the web thread, read once a semaphore says so. */
static uint64_t later_id;
static bool found_again;
static unsigned sweeps;
static int expired_status;
static sem_t started, expired, missed;

static int set_up_tls(void *arg, SSL_CTX *ctx)
{
	return identity_use(arg, ctx);
}

static bool check(void *arg, struct web_request *request)
{
	(void)arg;
	return web_find_route(request, routes, COUNT(routes), sizeof(routes[0])) &&
	       web_check_origin(request) && web_check_body(request);
}

static void run_body(struct web_request *request)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < request->body_len; i++)
		sum = sum * 31 + (unsigned char)request->body[i];
	web_answer(request, 200,
		   json_pack("{s:s, s:I, s:I}", "name", request->parameter, "length",
			     (json_int_t)request->body_len, "sum", (json_int_t)(sum & 0xffffffff)));
}

static void run(void *arg, struct web_request *request)
{
	(void)arg;
	switch (((const struct route *)request->route)->kind) {
	case NOW:
		web_answer(request, 200, json_pack("{s:s}", "query", request->query));
		break;
	case LATER:
		later_id = request->id;
		sem_post(&started);
		break;
	case SHORT:
		request->wait_s = 1;
		break;
	case LONG:
		request->wait_s = 600;
		sem_post(&started);
		break;
	case BODY:
		run_body(request);
		break;
	case CHANGE:
		request->logins_changed = true;
		web_answer(request, 204, NULL);
		break;
	}
}

static void expire(void *arg, struct web_request *request)
{
	(void)arg;
	expired_status = request->status;
	web_error(request, 504, "Too late.");
	sem_post(&expired);
}

static void woken(void *arg)
{
	struct web_request *request = later_id ? web_find(web, later_id) : NULL;

	(void)arg;
	if (request) {
		web_answer(request, 200, json_pack("{s:s}", "came", "later"));
		web_answered(web, request);
		found_again = web_find(web, later_id);
	} else if (later_id) {
		sem_post(&missed);
	}
}

static void sweep(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&sweeps, 1, __ATOMIC_SEQ_CST);
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void write_file(const char *name, const char *text)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int open_site(void **state)
{
	static const struct identity_kind kind = { .stem = "site", .whose = "this test" };
	static const struct lws_protocols protocols[] = { { 0 } };
	static struct web_site site = {
		.set_up_tls = set_up_tls,
		.check = check,
		.run = run,
		.expire = expire,
		.woken = woken,
		.sweep = sweep,
		.protocols = protocols,
	};
	struct web_settings settings = { .address = "127.0.0.1", .files = dir };

	(void)state;
	sem_init(&started, 0, 0);
	sem_init(&expired, 0, 0);
	sem_init(&missed, 0, 0);
	strcpy(dir, "/tmp/kvmnet-web-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	write_file("index.html", "<!doctype html>\n");
	identity = site.arg = identity_open(dir, &kind);
	port = settings.port = free_port();
	web = identity ? web_open(&settings, &site) : NULL;
	return web ? web_start(web) : -1;
}

static int close_site(void **state)
{
	static const char *const names[] = { "index.html", "site.key", "site.crt" };
	char path[96];

	(void)state;
	web_stop(web);
	web_free(web);
	identity_close(identity);
	for (unsigned i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	char head[4096], body[4096];
};

static struct client client;

static void connect_client(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 30 };

	address.sin_port = htons(port);
	client.fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	client.ctx = SSL_CTX_new(TLS_client_method());
	client.ssl = SSL_new(client.ctx);
	SSL_set_fd(client.ssl, client.fd);
	assert_int_equal(SSL_connect(client.ssl), 1);
}

static void disconnect_client(void)
{
	SSL_free(client.ssl);
	SSL_CTX_free(client.ctx);
	close(client.fd);
}

static int connected(void **state)
{
	(void)state;
	connect_client();
	return 0;
}

static int disconnected(void **state)
{
	(void)state;
	disconnect_client();
	return 0;
}

static void send_request(const char *method, const char *path, const char *body, size_t len)
{
	char head[512];
	int size = snprintf(head, sizeof(head),
			    "%s %s HTTP/1.1\r\nHost: site\r\nOrigin: https://site\r\n"
			    "Content-Type: application/json\r\n",
			    method, path);

	size += snprintf(head + size, sizeof(head) - (size_t)size,
			 body ? "Content-Length: %zu\r\n\r\n" : "\r\n", len);
	assert_int_equal(SSL_write(client.ssl, head, size), size);
	if (len)
		assert_int_equal(SSL_write(client.ssl, body, (int)len), len);
}

/* The status; its head and body are in client. */
static int answer(void)
{
	size_t len = 0, body = 0, want = 0;
	const char *at;
	int status;

	while (!len || !strstr(client.head, "\r\n\r\n")) {
		assert_true(len < sizeof(client.head) - 1);
		assert_int_equal(SSL_read(client.ssl, client.head + len, 1), 1);
		client.head[++len] = '\0';
	}
	assert_int_equal(sscanf(client.head, "HTTP/1.1 %d", &status), 1);
	at = strcasestr(client.head, "content-length: ");
	if (at)
		want = strtoul(at + 16, NULL, 10);
	assert_true(want < sizeof(client.body));
	while (body < want) {
		int n = SSL_read(client.ssl, client.body + body, (int)(want - body));

		assert_true(n > 0);
		body += (size_t)n;
	}
	client.body[body] = '\0';
	return status;
}

static int ask(const char *method, const char *path, const char *body, size_t len)
{
	send_request(method, path, body, len);
	return answer();
}

static void test_answers_at_once(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/api/now?a=1", NULL, 0), 200);
	assert_string_equal(client.body, "{\"query\":\"a=1\"}");
	assert_non_null(strcasestr(client.head, "\ncontent-security-policy: default-src 'none'"));
	assert_non_null(strcasestr(client.head, "\ncache-control: no-store\r"));
	assert_int_equal(ask("GET", "/", NULL, 0), 200);
	assert_string_equal(client.body, "<!doctype html>\n");
	assert_int_equal(ask("GET", "/api/nothing", NULL, 0), 404);
	assert_int_equal(ask("GET", "/api/now", NULL, 0), 200);
}

static void test_allowed_methods_are_told(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/api/x/body", NULL, 0), 405);
	assert_non_null(strcasestr(client.head, "\nallow: PUT\r"));
	assert_int_equal(ask("PUT", "/api/now", "{}", 2), 405);
	assert_non_null(strcasestr(client.head, "\nallow: GET\r"));
	assert_int_equal(ask("PUT", "/", "{}", 2), 405);
	assert_non_null(strcasestr(client.head, "\nallow: GET\r"));
	assert_int_equal(ask("GET", "/api/now", NULL, 0), 200);
}

static void test_bodies(void **state)
{
	static char body[WEB_BODY_MAX + 1];
	char wanted[96];
	unsigned long sum = 0;

	(void)state;
	for (size_t i = 0; i < WEB_BODY_MAX; i++) {
		body[i] = (char)(i * 7 >> 3);
		sum = sum * 31 + (unsigned char)body[i];
	}
	snprintf(wanted, sizeof(wanted), "{\"name\":\"x\",\"length\":%d,\"sum\":%lu}", WEB_BODY_MAX,
		 sum & 0xffffffff);
	assert_int_equal(ask("PUT", "/api/x/body", body, WEB_BODY_MAX), 200);
	assert_string_equal(client.body, wanted);
	assert_int_equal(ask("PUT", "/api/x/body", "", 0), 200);
	assert_string_equal(client.body, "{\"name\":\"x\",\"length\":0,\"sum\":0}");
	/* What is refused is read all the same, and the connection goes on. */
	assert_int_equal(ask("PUT", "/api/x/body", body, WEB_BODY_MAX + 1), 413);
	assert_int_equal(ask("POST", "/api/change", body, WEB_BODY + 1), 413);
	assert_int_equal(ask("PUT", "/api/y/body", "{}", 2), 200);
	assert_non_null(strstr(client.body, "\"y\""));
}

static void test_answer_comes_later(void **state)
{
	(void)state;
	send_request("GET", "/api/later", NULL, 0);
	sem_wait(&started);
	web_wake(web);
	assert_int_equal(answer(), 200);
	assert_string_equal(client.body, "{\"came\":\"later\"}");
	/* It has been answered: nobody waits for it. */
	web_wake(web);
	sem_wait(&missed);
	assert_false(found_again);
	assert_int_equal(ask("GET", "/api/now", NULL, 0), 200);
}

static void test_time_is_over(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/api/short", NULL, 0), 504);
	sem_wait(&expired);
	assert_int_equal(expired_status, 0);
	assert_int_equal(ask("GET", "/api/now", NULL, 0), 200);
	assert_int_equal(sem_trywait(&expired), -1);
}

static void test_asker_leaves(void **state)
{
	(void)state;
	send_request("GET", "/api/long", NULL, 0);
	sem_wait(&started);
	disconnect_client();
	sem_wait(&expired);
	connect_client();
	assert_int_equal(ask("GET", "/api/now", NULL, 0), 200);
}

static void test_changed_logins_are_swept(void **state)
{
	unsigned before = __atomic_load_n(&sweeps, __ATOMIC_SEQ_CST);

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask("POST", "/api/change", "{}", 2), 204);
	assert_true(__atomic_load_n(&sweeps, __ATOMIC_SEQ_CST) >= before + 20);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, connected, disconnected)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_answers_at_once),
		CASE(test_allowed_methods_are_told),
		CASE(test_bodies),
		CASE(test_answer_comes_later),
		CASE(test_time_is_over),
		CASE(test_asker_leaves),
		CASE(test_changed_logins_are_swept),
	};

	return cmocka_run_group_tests(tests, open_site, close_site);
}
