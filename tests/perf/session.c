// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting and claiming the daemon, and just enough of RFB to time it. What is
 * measured is the benchmark's.
 */
#include "tests/perf/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USER "bench"
#define SINK_BYTES (64u << 20)

static char password[33]; /* made anew for each run */

void die(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(EXIT_FAILURE);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void make_password(void)
{
	uint8_t bytes[16];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		die("random bytes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(password + 2 * i, "%02x", bytes[i]);
}

static int listen_unix(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (type == SOCK_SEQPACKET && listen(fd, 1)))
		die(path);
	return fd;
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		die("a free port");
	close(fd);
	return ntohs(address.sin_port);
}

/* Nobody asks for its pages here: one is enough. */
static void write_page(const struct daemon *daemon)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/index.html", daemon->dir);
	file = fopen(path, "w");
	if (!file || fclose(file))
		die(path);
}

static void write_config(const struct daemon *daemon, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		die(path);
	fprintf(file, "[device]\nstate_dir = %s/state\nweb_dir = %s\nlog_level = warn\n", daemon->dir,
		daemon->dir);
	fprintf(file, "[capture]\nsource = unix:%s\n", daemon->ring);
	fprintf(file, "[hid]\nkeyboard = unix:%s/keyboard\npointer = unix:%s/pointer\nudc = none\n",
		daemon->dir, daemon->dir);
	fprintf(file, "[session]\naddress = 127.0.0.1\nfirst_port = %u\n", daemon->port);
	fprintf(file, "[https]\naddress = 127.0.0.1\nport = %u\n", free_port());
	if (fclose(file))
		die(path);
}

static void claim(const struct daemon *daemon, const char *folder)
{
	char program[PATH_MAX], state[128];
	int input[2], status;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/tests/claim", folder);
	snprintf(state, sizeof(state), "%s/state", daemon->dir);
	if (mkdir(state, 0700) || pipe2(input, O_CLOEXEC))
		die("claim");
	pid = fork();
	if (!pid) {
		dup2(input[0], STDIN_FILENO);
		execl(program, program, state, USER, NULL);
		die(program);
	}
	close(input[0]);
	if (dprintf(input[1], "%s\n", password) < 0 || close(input[1]))
		die("claim");
	if (waitpid(pid, &status, 0) != pid || status)
		die("claim");
}

static void await_ready(int notify)
{
	char text[256];
	ssize_t n = recv(notify, text, sizeof(text) - 1, 0);

	if (n <= 0)
		die("kvmnetd's READY");
	text[n] = '\0';
	if (!strstr(text, "READY=1"))
		die("kvmnetd's READY");
	close(notify);
}

static int accept_hid(int listener)
{
	char report[16];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	/* The first report is "all up". */
	if (fd < 0 || recv(fd, report, sizeof(report), 0) <= 0)
		die("USB socket");
	close(listener);
	return fd;
}

void daemon_start(struct daemon *daemon, const char *folder)
{
	char program[PATH_MAX], config[128], path[128];
	int keyboard, pointer, notify;

	make_password();
	strcpy(daemon->dir, "/tmp/kvmnet-latency-XXXXXX");
	if (!mkdtemp(daemon->dir))
		die(daemon->dir);
	snprintf(daemon->ring, sizeof(daemon->ring), "%s/ring", daemon->dir);
	snprintf(daemon->ca, sizeof(daemon->ca), "%s/state/device.crt", daemon->dir);
	snprintf(config, sizeof(config), "%s/conf", daemon->dir);
	snprintf(program, sizeof(program), "%s/kvmnetd", folder);
	daemon->port = free_port();
	write_page(daemon);
	write_config(daemon, config);
	claim(daemon, folder);
	snprintf(path, sizeof(path), "%s/keyboard", daemon->dir);
	keyboard = listen_unix(path, SOCK_SEQPACKET);
	snprintf(path, sizeof(path), "%s/pointer", daemon->dir);
	pointer = listen_unix(path, SOCK_SEQPACKET);
	snprintf(path, sizeof(path), "%s/notify", daemon->dir);
	notify = listen_unix(path, SOCK_DGRAM);
	setenv("NOTIFY_SOCKET", path, 1);
	daemon->pid = fork();
	if (!daemon->pid) {
		execl(program, program, "--config", config, NULL);
		die(program);
	}
	await_ready(notify);
	daemon->keyboard = accept_hid(keyboard);
	daemon->pointer = accept_hid(pointer);
}

static void remove_tree(const char *dir)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("rm", "rm", "-rf", dir, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

void daemon_stop(struct daemon *daemon)
{
	int status;

	kill(daemon->pid, SIGTERM);
	waitpid(daemon->pid, &status, 0);
	close(daemon->keyboard);
	close(daemon->pointer);
	remove_tree(daemon->dir);
	errno = 0;
	if (status)
		die("kvmnetd's end");
}

static void get(struct client *client, void *buf, size_t len)
{
	size_t n, done;

	for (done = 0; done < len; done += n)
		if (SSL_read_ex(client->ssl, (uint8_t *)buf + done, len - done, &n) != 1)
			die("reading from kvmnetd");
}

static void put(struct client *client, const void *buf, size_t len)
{
	size_t n;

	if (SSL_write_ex(client->ssl, buf, len, &n) != 1)
		die("writing to kvmnetd");
}

static uint32_t get32(struct client *client)
{
	uint32_t value;

	get(client, &value, 4);
	return ntohl(value);
}

static void log_in(struct client *client)
{
	uint32_t lengths[2] = { htonl(strlen(USER)), htonl(strlen(password)) };
	uint8_t sink[256];

	get(client, sink, 12);
	put(client, "RFB 003.008\n", 12);
	get(client, sink, 2);
	put(client, "\x13", 1);
	get(client, sink, 2);
	put(client, "\0\2", 2);
	get(client, sink, 6);
	put(client, "\0\0\1\0", 4);
	put(client, lengths, 8);
	put(client, USER, strlen(USER));
	put(client, password, strlen(password));
	if (get32(client))
		die("log-in");
	put(client, "\1", 1);
	get(client, sink, 20);
	get(client, sink, get32(client) & 255);
}

void client_connect(struct client *client, const struct daemon *daemon, int32_t encoding)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(daemon->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	uint32_t encodings[] = { htonl(2u << 24 | 2), htonl((uint32_t)encoding), htonl((uint32_t)-223) };
	int one = 1;

	client->ctx = SSL_CTX_new(TLS_client_method());
	if (!client->ctx || SSL_CTX_load_verify_locations(client->ctx, daemon->ca, NULL) != 1)
		die(daemon->ca);
	SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_read_ahead(client->ctx, 1);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)))
		die("connecting to kvmnetd");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	client->ssl = SSL_new(client->ctx);
	client->sink = malloc(SINK_BYTES);
	if (!client->ssl || !client->sink || SSL_set_fd(client->ssl, client->fd) != 1 ||
	    SSL_connect(client->ssl) != 1)
		die("TLS to kvmnetd");
	log_in(client);
	put(client, encodings, sizeof(encodings));
}

void client_close(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->ctx);
	close(client->fd);
	free(client->sink);
}

void client_request(struct client *client, bool incremental, uint16_t width, uint16_t height)
{
	uint16_t message[5] = { htons((uint16_t)(3 << 8 | incremental)), 0, 0, htons(width), htons(height) };

	put(client, message, sizeof(message));
}

void client_key(struct client *client, uint32_t keysym, bool down)
{
	uint32_t message[2] = { htonl(4u << 24 | (uint32_t)down << 16), htonl(keysym) };

	put(client, message, sizeof(message));
}

size_t client_update(struct client *client, bool *pixels)
{
	uint16_t head[2], rect[4];
	size_t bytes = sizeof(head);

	*pixels = false;
	get(client, head, sizeof(head));
	for (unsigned left = ntohs(head[1]); left; left--) {
		uint32_t encoding, len = 0;

		get(client, rect, sizeof(rect));
		encoding = get32(client);
		if (encoding == 0)
			len = (uint32_t)ntohs(rect[2]) * ntohs(rect[3]) * 4;
		else if (encoding == 16)
			len = get32(client);
		else if (encoding != (uint32_t)-223)
			die("an encoding that was not asked for");
		if (len > SINK_BYTES)
			die("a rectangle");
		get(client, client->sink, len);
		*pixels |= len > 0;
		bytes += 12 + len;
	}
	return bytes;
}
