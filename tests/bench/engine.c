/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bench's capture engine: hardware as kmod/ENGINE.md describes it, made of
 * an ivshmem card and shared guest RAM. This file is the supervisor, which keeps
 * the descriptors and starts the device model (engine_model.c) whenever it dies.
 */
/* LINK: | -ljansson */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* q35 keeps this much RAM below 4 GiB when it has 0xb0000000 or more (QEMU, hw/i386/pc_q35.c). */
#define Q35_LOW_LIMIT 0xb0000000ULL
#define Q35_LOW_BYTES 0x80000000ULL

void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("engine: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void event_raise(int fd)
{
	uint64_t one = 1;

	/* Full counter: the other side has not looked yet, and will. */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		fail("eventfd: %s", strerror(errno));
}

void event_clear(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		fail("eventfd: %s", strerror(errno));
}

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *map(int fd, uint64_t bytes)
{
	int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED)
		fail("mmap of %llu bytes: %s", (unsigned long long)bytes, strerror(errno));
	return mem;
}

static int new_event(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		fail("eventfd: %s", strerror(errno));
	return fd;
}

static void open_memory(struct engine *e, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, e->ram_bytes))
		fail("%s: %s", path, strerror(errno));
	e->ram = map(fd, e->ram_bytes);
	close(fd);
	e->low_bytes = e->ram_bytes >= Q35_LOW_LIMIT ? Q35_LOW_BYTES : e->ram_bytes;
	e->window_fd = memfd_create("engine-window", MFD_CLOEXEC);
	if (e->window_fd < 0 || ftruncate(e->window_fd, ENG_WINDOW_BYTES))
		fail("memfd: %s", strerror(errno));
	e->window = map(e->window_fd, ENG_WINDOW_BYTES);
	e->shared = map(-1, sizeof(*e->shared));
	for (int i = 0; i < ENG_VECTORS; i++) {
		e->vector[i] = new_event();
		e->doorbell[i] = new_event();
	}
	e->wake_model = new_event();
	e->wake_supervisor = new_event();
}

static void start_model(struct engine *e)
{
	pid_t supervisor = getpid();

	e->hung = false;
	e->model = fork();
	if (e->model < 0)
		fail("fork: %s", strerror(errno));
	if (e->model)
		return;
	/* Guest memory must not be written once nobody supervises; that may be so by now. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(1);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	model_run(e);
}

/* A model that failed by itself has said why, and would fail again. */
static void reap_model(struct engine *e)
{
	int status;

	while (waitpid(e->model, &status, WNOHANG) == e->model) {
		if (WIFEXITED(status))
			fail("the device model ended (%d)", WEXITSTATUS(status));
		if (WTERMSIG(status) != SIGKILL)
			fprintf(stderr, "engine: the device model died of signal %d; restarted\n",
				WTERMSIG(status));
		start_model(e);
	}
}

/* Another card, or the same one after power was away: registers as new. */
static void power_cycle(struct engine *e)
{
	static uint32_t cards;

	if (e->model > 0) {
		kill(e->model, SIGKILL);
		waitpid(e->model, NULL, 0);
	}
	memset(e->window, 0, ENG_WINDOW_BYTES);
	reg_write(e, ENG_EPOCH, ++cards << 16);
	start_model(e);
}

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void take_signal(struct engine *e, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap_model(e);
		else
			exit(0); /* the model goes with us: PR_SET_PDEATHSIG */
	}
}

/* QEMU takes one connection for one card; its end is the card's. */
static void serve_card(struct engine *e, int listener, int *conn, const struct pollfd *fds)
{
	char byte;

	if (*conn >= 0 && fds[1].revents && recv(*conn, &byte, 1, MSG_DONTWAIT) == 0) {
		close(*conn);
		*conn = -1;
		power_cycle(e);
	}
	if (*conn < 0 && fds[0].revents) {
		*conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (*conn >= 0)
			ivshmem_hello(e, *conn);
	}
}

static void supervise(struct engine *e, int listener, struct control *control)
{
	struct pollfd fds[5 + ENGINE_CLIENTS];
	int signals = watch_signals(), conn = -1;

	power_cycle(e);
	puts("ready");
	fflush(stdout);
	for (;;) {
		fds[0] = (struct pollfd){ .fd = conn < 0 ? listener : -1, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = conn, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = signals, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = e->wake_supervisor, .events = POLLIN };
		int clients = control_poll(control, fds + 4);

		if (poll(fds, 4 + clients, -1) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		take_signal(e, signals);
		event_clear(e->wake_supervisor);
		serve_card(e, listener, &conn, fds);
		control_serve(control, fds + 4, clients);
		control_answer_finished(control);
	}
}

static void usage(void)
{
	fail("usage: engine --card SOCKET --ram FILE --ram-bytes N --control SOCKET --scratch FILE [--target SOCKET]"
	     " [--fps N]");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "card", 1, NULL, 'c' },    { "ram", 1, NULL, 'r' },	 { "ram-bytes", 1, NULL, 'b' },
		{ "control", 1, NULL, 'l' }, { "target", 1, NULL, 't' }, { "scratch", 1, NULL, 's' },
		{ "fps", 1, NULL, 'f' },     { NULL, 0, NULL, 0 },
	};
	struct engine e = { .model = -1 };
	const char *card = NULL, *ram = NULL, *control = NULL;
	unsigned long fps = 10;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			card = optarg;
			break;
		case 'r':
			ram = optarg;
			break;
		case 'b':
			e.ram_bytes = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			control = optarg;
			break;
		case 't':
			e.qmp_path = optarg;
			break;
		case 's':
			e.scratch = optarg;
			break;
		case 'f':
			fps = strtoul(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	if (!card || !ram || !e.ram_bytes || !control || !e.scratch || optind != argc || fps < 1 ||
	    fps > 1000)
		usage();
	open_memory(&e, ram);
	e.shared->settings.fps = fps;
	supervise(&e, ivshmem_listen(card), control_new(&e, control));
}
