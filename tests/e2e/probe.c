// SPDX-License-Identifier: GPL-2.0-or-later
/* LINK: | libvncclient gnutls */
/*
 * A stock VNC Client for tests: libvncclient by X509Plain, driven by lines on standard
 * input, each answered by one line on standard output ("error ..." when it failed).
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <rfb/rfbclient.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ENCODING_QEMU_LED (-261) /* RFB registry: QEMU LED State */

static struct probe {
	rfbClient *client;
	const char *user, *ca;
	char password[512];
	unsigned long updates, seen; /* finished; those that the driver of this program knows of */
	double last_update;
	int led; /* -1: not told yet */
	bool stopped;
	char line[4096];
	size_t have;
} probe = { .led = -1 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	printf("error %s\n", what);
	fflush(stdout);
	exit(1);
}

static rfbCredential *credential(rfbClient *client, int type)
{
	rfbCredential *c = calloc(1, sizeof(*c));

	(void)client;
	if (!c)
		return NULL;
	if (type == rfbCredentialTypeX509) {
		c->x509Credential.x509CACertFile = strdup(probe.ca);
	} else {
		c->userCredential.username = strdup(probe.user);
		c->userCredential.password = strdup(probe.password);
	}
	return c;
}

static void update_finished(rfbClient *client)
{
	(void)client;
	probe.updates++;
	probe.last_update = now();
}

static rfbBool led_rectangle(rfbClient *client, rfbFramebufferUpdateRectHeader *rect)
{
	uint8_t led;

	if ((int32_t)rect->encoding != ENCODING_QEMU_LED)
		return FALSE;
	if (!ReadFromRFBServer(client, (char *)&led, 1))
		return FALSE;
	probe.led = led;
	return TRUE;
}

/* receive_bytes: of the socket's buffer, 0: as the system has it. */
static int dial(const char *host, const char *port, int receive_bytes)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int fd, one = 1;

	if (getaddrinfo(host, port, &hints, &found))
		fail("no such host");
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Before the connection: its window is agreed upon then (tcp(7)). */
	if (fd >= 0 && receive_bytes)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		fail("cannot connect");
	freeaddrinfo(found);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* name: what the certificate must be for; the connection may go another way. */
static void open_client(int fd, const char *name, const char *encodings)
{
	static int extensions[] = { ENCODING_QEMU_LED, 0 };
	static rfbClientProtocolExtension led = { .encodings = extensions, .handleEncoding = led_rectangle };
	static uint32_t schemes[] = { rfbVeNCrypt, 0 };
	rfbClient *client = rfbGetClient(8, 3, 4);

	rfbClientRegisterExtension(&led);
	client->format.redShift = 16;
	client->format.greenShift = 8;
	client->format.blueShift = 0;
	client->appData.encodingsString = encodings;
	client->canHandleNewFBSize = TRUE;
	client->GetCredential = credential;
	client->FinishedFrameBufferUpdate = update_finished;
	SetClientAuthSchemes(client, schemes, -1);
	/* As if the server had called us: the socket is there already. */
	client->listenSpecified = TRUE;
	client->sock = fd;
	client->serverHost = strdup(name);
	probe.client = client;
	if (!rfbInitClient(client, NULL, NULL))
		fail("refused");
}

/* Bytes that TLS or libvncclient hold already do not show in poll(). */
static bool pending(void)
{
	return probe.client->buffered ||
	       (probe.client->tlsSession && gnutls_record_check_pending(probe.client->tlsSession));
}

static void serve(void)
{
	if (!HandleRFBServerMessage(probe.client))
		fail("connection lost");
}

/* Serves the connection until done(), for at most seconds. */
static void serve_until(bool (*done)(long, long), long a, long b, double seconds)
{
	const double end = now() + seconds;

	while (!done(a, b)) {
		struct pollfd fd = { .fd = probe.client->sock, .events = POLLIN };
		double left = end - now();

		if (left <= 0)
			fail("not in time");
		if (pending() || poll(&fd, 1, (int)(left * 1000) + 1) > 0)
			serve();
	}
}

static bool has_size(long width, long height)
{
	/* A new size counts once its pixels are here too. */
	return probe.client->width == width && probe.client->height == height && probe.updates != probe.seen;
}

static bool has_update(long count, long unused)
{
	(void)unused;
	return (long)probe.updates != count;
}

static bool has_led(long led, long unused)
{
	(void)unused;
	return probe.led == led;
}

static void dump(const char *path)
{
	rfbClient *client = probe.client;
	size_t bytes = (size_t)client->width * client->height * 4;
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(client->frameBuffer, 1, bytes, file) != bytes || fclose(file))
		fail("cannot write the picture");
	probe.seen = probe.updates;
	printf("dump %dx%d\n", client->width, client->height);
}

/* X11/keysymdef.h, as far as tests press them. */
static uint32_t keysym(const char *name)
{
	static const struct {
		const char *name;
		uint32_t keysym;
	} names[] = {
		{ "Return", 0xff0d },  { "Escape", 0xff1b },	{ "Tab", 0xff09 },	 { "Up", 0xff52 },
		{ "Down", 0xff54 },    { "Caps_Lock", 0xffe5 }, { "F12", 0xffc9 },	 { "space", ' ' },
		{ "Shift_L", 0xffe1 }, { "Control_L", 0xffe3 }, { "BackSpace", 0xff08 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i].name, name))
			return names[i].keysym;
	if (strlen(name) != 1)
		fail("no such key");
	return (uint8_t)*name;
}

static void press(uint32_t key)
{
	SendKeyEvent(probe.client, key, TRUE);
	SendKeyEvent(probe.client, key, FALSE);
}

static void key(char *name)
{
	char *state = strchr(name, ' ');

	if (state)
		*state++ = 0;
	if (!state)
		press(keysym(name));
	else
		SendKeyEvent(probe.client, keysym(name), !strcmp(state, "down"));
	puts("key");
}

static void click(int x, int y)
{
	SendPointerEvent(probe.client, x, y, 0);
	SendPointerEvent(probe.client, x, y, 1);
	SendPointerEvent(probe.client, x, y, 0);
	puts("click");
}

static void command(char *line)
{
	long a, b;
	double seconds;

	if (sscanf(line, "wait %ldx%ld %lf", &a, &b, &seconds) == 3) {
		probe.seen = probe.client->width == a && probe.client->height == b ? probe.updates - 1 :
										     probe.updates;
		serve_until(has_size, a, b, seconds);
		printf("wait %ldx%ld\n", a, b);
	} else if (sscanf(line, "update %lf", &seconds) == 1) {
		serve_until(has_update, (long)probe.seen, 0, seconds);
		printf("update %lu\n", probe.updates - probe.seen);
		probe.seen = probe.updates;
	} else if (sscanf(line, "await-led %ld %lf", &a, &seconds) == 2) {
		serve_until(has_led, a, 0, seconds);
		printf("%d\n", probe.led);
	} else if (sscanf(line, "resume %lf", &seconds) == 1) {
		probe.stopped = false;
		serve_until(has_update, (long)probe.updates, 0, seconds);
		printf("drained %f\n", probe.last_update);
	} else if (sscanf(line, "click %ld %ld", &a, &b) == 2) {
		click((int)a, (int)b);
	} else if (!strncmp(line, "dump ", 5)) {
		dump(line + 5);
	} else if (!strncmp(line, "key ", 4)) {
		key(line + 4);
	} else if (!strncmp(line, "type ", 5)) {
		for (const char *c = line + 5; *c; c++)
			press((uint8_t)*c);
		puts("type");
	} else if (!strcmp(line, "led")) {
		printf("%d\n", probe.led);
	} else if (!strcmp(line, "last-update")) {
		printf("last-update %f\n", probe.last_update);
	} else if (!strcmp(line, "stopreading")) {
		probe.stopped = true;
		puts("stopreading");
	} else if (!strcmp(line, "quit")) {
		exit(0);
	} else {
		fail("no such command");
	}
	fflush(stdout);
}

/* Reads what there is on standard input and carries out each whole line. */
static void take_lines(void)
{
	ssize_t got = read(STDIN_FILENO, probe.line + probe.have, sizeof(probe.line) - probe.have - 1);
	char *end;

	if (got <= 0)
		exit(0);
	probe.have += got;
	probe.line[probe.have] = 0;
	while ((end = memchr(probe.line, '\n', probe.have))) {
		*end = 0;
		command(probe.line);
		probe.have -= end + 1 - probe.line;
		memmove(probe.line, end + 1, probe.have + 1);
	}
	if (probe.have == sizeof(probe.line) - 1)
		fail("line too long");
}

static void read_password(int fd)
{
	ssize_t got = read(fd, probe.password, sizeof(probe.password) - 1);

	if (got <= 0)
		fail("no password");
	probe.password[got] = 0;
	probe.password[strcspn(probe.password, "\n")] = 0;
	close(fd);
}

/* probe HOST PORT NAME USER PASSWORD_FD CA_FILE ENCODINGS [RECEIVE_BYTES] */
int main(int argc, char **argv)
{
	if (argc != 8 && argc != 9)
		fail("usage: probe HOST PORT NAME USER PASSWORD_FD CA_FILE ENCODINGS [RECEIVE_BYTES]");
	probe.user = argv[4];
	read_password(atoi(argv[5]));
	probe.ca = argv[6];
	open_client(dial(argv[1], argv[2], argc > 8 ? atoi(argv[8]) : 0), argv[3], argv[7]);
	printf("connected %dx%d %s\n", probe.client->width, probe.client->height, probe.client->desktopName);
	fflush(stdout);
	for (;;) {
		struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
					 { .fd = probe.stopped ? -1 : probe.client->sock,
					   .events = POLLIN } };
		int wait = !probe.stopped && pending() ? 0 : -1;

		if (poll(fds, 2, wait) < 0 && errno != EINTR)
			fail("poll");
		if (fds[0].revents)
			take_lines();
		else if (wait == 0 || fds[1].revents)
			serve();
	}
}
