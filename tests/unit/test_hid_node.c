// SPDX-License-Identifier: GPL-2.0-or-later
/* HID reports through a device node: a controller that sleeps, the UDC's state. A pseudo terminal stands for f_hid, and
 * this file for the UDC; test_hid.c has what does not depend on them. */
/* LINK: userland/device/hid.c userland/device/report.c userland/lib/loop.c userland/lib/log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "device/helper.h"
#include "device/hid.h"
#include "device/udc.h"
#include "lib/log.h"

#define A 0x04
#define B 0x05
#define CAPS 0x02
#define SECOND 1000000000ull

static struct {
	struct loop *loop;
	struct hid *hid;
	struct udc *udc;
	uint8_t leds;
	int host;	/* the terminal's other end */
	int open_error; /* of the pointer's node */
	int error;	/* 0: the endpoint takes reports */
	unsigned refused, wakes;
	struct loop_timer timer;
	char folder[32], pointer[48];
} usb;

/* ---- what stands for the kernel ---- */

int open(const char *path, int flags, ...)
{
	if (usb.open_error && !strcmp(path, usb.pointer)) {
		errno = usb.open_error;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

/* An endpoint that takes nothing (dwc2 says EAGAIN while the host sleeps): f_hid then wakes who waits for room. */
ssize_t write(int fd, const void *report, size_t size)
{
	if (!usb.error || !isatty(fd))
		return syscall(SYS_write, fd, report, size);
	usb.refused++;
	tcflow(fd, TCOOFF);
	tcflow(fd, TCOON);
	errno = usb.error;
	return -1;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	const struct sockaddr_un *named = (const struct sockaddr_un *)address;

	if (address->sa_family == AF_UNIX && !strcmp(named->sun_path, HELPER_SOCKET)) {
		usb.wakes++;
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_connect, fd, address, size);
}

void udc_init(struct udc *udc, struct loop *loop, const char *path, void (*changed)(struct udc *udc))
{
	*udc = (struct udc){ .loop = loop, .path = path, .changed = changed };
	usb.udc = udc;
}

void udc_look(struct udc *udc)
{
	udc->configured = true;
}

void udc_close(struct udc *udc)
{
	udc->configured = false;
}

static void configure(bool configured)
{
	usb.udc->configured = configured;
	usb.udc->changed(usb.udc);
}

/* ---- the daemon's loop ---- */

static void quit(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(usb.loop);
}

static void run_a_little(void)
{
	usb.timer.expired = quit;
	loop_timer_arm(usb.loop, &usb.timer, SECOND / 1000);
	assert_int_equal(loop_run(usb.loop), 0);
}

static void expect_keys(const char *bytes)
{
	struct pollfd ready = { .fd = usb.host, .events = POLLIN };
	uint8_t report[HID_KEYBOARD_REPORT];

	while (poll(&ready, 1, 0) == 0)
		run_a_little();
	assert_int_equal(read(usb.host, report, sizeof(report)), sizeof(report));
	assert_memory_equal(report, bytes, sizeof(report));
}

static void run_until_leds(uint8_t leds)
{
	while (usb.leds != leds)
		run_a_little();
	assert_int_equal(hid_leds(usb.hid), leds);
}

static void leds_changed(void *arg, uint8_t leds)
{
	(void)arg;
	usb.leds = leds;
}

static uint64_t dropped(void)
{
	uint64_t sent, lost;

	hid_counts(usb.hid, &sent, &lost);
	return lost;
}

static int start(void **state)
{
	struct hid_events events = { .leds = leds_changed };
	struct termios raw;

	(void)state;
	memset(&usb, 0, sizeof(usb));
	log_set_level(LOG_LEVEL_ERROR);
	usb.host = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(usb.host >= 0 && !grantpt(usb.host) && !unlockpt(usb.host));
	assert_int_equal(tcgetattr(usb.host, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(usb.host, TCSANOW, &raw), 0);
	snprintf(usb.folder, sizeof(usb.folder), "/tmp/test_hid_node.XXXXXX");
	assert_non_null(mkdtemp(usb.folder));
	snprintf(usb.pointer, sizeof(usb.pointer), "%s/pointer", usb.folder);
	usb.loop = loop_new();
	usb.hid = hid_open(usb.loop, ptsname(usb.host), usb.pointer, "", &events);
	assert_non_null(usb.hid);
	expect_keys("\0\0\0\0\0\0\0\0");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	usb.error = 0;
	hid_close(usb.hid);
	loop_free(usb.loop);
	close(usb.host);
	unlink(usb.pointer);
	rmdir(usb.folder);
	return 0;
}

/* ---- the tests ---- */

static void a_host_that_sleeps_is_woken_and_misses_no_key(void **state)
{
	(void)state;
	usb.error = EAGAIN;
	hid_key(usb.hid, A, true);
	hid_key(usb.hid, A, false);
	while (!usb.wakes) {
		run_a_little();
		assert_true(usb.refused < 100); /* nobody spins */
	}
	usb.error = 0;
	expect_keys("\0\0\x04\0\0\0\0\0");
	expect_keys("\0\0\0\0\0\0\0\0");
	assert_int_equal(dropped(), 0);
	hid_key(usb.hid, B, true);
	expect_keys("\0\0\x05\0\0\0\0\0");
}

static void what_a_host_slept_through_is_not_typed_later(void **state)
{
	(void)state;
	usb.error = EAGAIN;
	hid_key(usb.hid, A, true);
	hid_key(usb.hid, A, false);
	while (!dropped()) {
		run_a_little();
		assert_true(usb.refused < 1000);
	}
	usb.error = 0;
	expect_keys("\0\0\0\0\0\0\0\0");
	hid_key(usb.hid, B, true);
	expect_keys("\0\0\x05\0\0\0\0\0");
}

static void an_endpoint_that_fails_is_left_alone_for_a_while(void **state)
{
	(void)state;
	usb.error = ESHUTDOWN;
	hid_key(usb.hid, A, true);
	while (usb.refused < 4) {
		unsigned before = usb.refused;

		run_a_little();
		assert_true(usb.refused < before + 4);
	}
	usb.error = 0;
	expect_keys("\0\0\0\0\0\0\0\0");
}

static void a_target_that_starts_anew_has_dark_leds(void **state)
{
	const uint8_t leds = CAPS;

	(void)state;
	assert_int_equal(write(usb.host, &leds, 1), 1);
	run_until_leds(CAPS);
	configure(true); /* said of a state that the host's word about its LEDs may have come after */
	assert_int_equal(usb.leds, CAPS);
	configure(false);
	assert_int_equal(usb.leds, 0);
	assert_int_equal(hid_leds(usb.hid), 0);
	configure(true);
	assert_int_equal(write(usb.host, &leds, 1), 1);
	run_until_leds(CAPS);
}

/* How much is logged of a pointer's node that appears and cannot be opened. */
static long told_of(int error)
{
	FILE *words = tmpfile();
	int terminal = dup(STDERR_FILENO);
	long told;

	assert_true(words && terminal >= 0);
	usb.open_error = error;
	unlink(usb.pointer);
	assert_int_equal(symlink(ptsname(usb.host), usb.pointer), 0);
	dup2(fileno(words), STDERR_FILENO);
	log_set_level(LOG_LEVEL_WARN);
	run_a_little();
	told = lseek(STDERR_FILENO, 0, SEEK_CUR);
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	fclose(words);
	return told;
}

static void a_node_without_its_group_yet_is_no_news(void **state)
{
	(void)state;
	assert_int_equal(told_of(EACCES), 0);
	assert_int_not_equal(told_of(ENXIO), 0);
}

static void a_node_that_only_a_new_process_may_open_ends_this_one(void **state)
{
	(void)state;
	usb.open_error = EPERM;
	assert_int_equal(symlink(ptsname(usb.host), usb.pointer), 0);
	assert_int_equal(loop_run(usb.loop), -EPERM);
	unlink(usb.pointer);
	assert_int_equal(symlink(ptsname(usb.host), usb.pointer), 0);
	run_a_little(); /* once is enough */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_that_sleeps_is_woken_and_misses_no_key, start, stop),
		cmocka_unit_test_setup_teardown(what_a_host_slept_through_is_not_typed_later, start, stop),
		cmocka_unit_test_setup_teardown(an_endpoint_that_fails_is_left_alone_for_a_while, start,
						stop),
		cmocka_unit_test_setup_teardown(a_target_that_starts_anew_has_dark_leds, start, stop),
		cmocka_unit_test_setup_teardown(a_node_without_its_group_yet_is_no_news, start, stop),
		cmocka_unit_test_setup_teardown(a_node_that_only_a_new_process_may_open_ends_this_one, start,
						stop),
	};

	/* The first terminal that a session's leader opens is its own, and hangs it up at the end. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	alarm(60); /* the deadline of all waiting above */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
