// SPDX-License-Identifier: GPL-2.0-or-later
/* HID reports: order, merging, stalls, LEDs; no key ever sticks. The host is a socket's other end. */
/* LINK: userland/device/hid.c userland/device/report.c userland/device/udc.c
 * userland/lib/loop.c userland/lib/log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "device/hid.h"
#include "device/report.h"
#include "lib/log.h"

#define A 0x04
#define B 0x05
#define SHIFT 0xe1
#define SECOND 1000000000ull

/* ---- report.c: what is to be sent ---- */

static struct keyboard keyboard;
static struct pointer pointer;

static int fresh(void **state)
{
	(void)state;
	memset(&keyboard, 0, sizeof(keyboard));
	memset(&pointer, 0, sizeof(pointer));
	return 0;
}

static void next_keys(const char *bytes)
{
	const struct report *report = report_next(&keyboard.queue);

	assert_non_null(report);
	assert_memory_equal(report->bytes, bytes, HID_KEYBOARD_REPORT);
	keyboard_sent(&keyboard);
}

static void next_pointer(uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel, int8_t hwheel)
{
	const struct report *report = report_next(&pointer.queue);
	const uint8_t want[HID_POINTER_REPORT] = { buttons,	   (uint8_t)x,	      (uint8_t)(x >> 8),
						   (uint8_t)y,	   (uint8_t)(y >> 8), (uint8_t)wheel,
						   (uint8_t)hwheel };

	assert_non_null(report);
	assert_memory_equal(report->bytes, want, HID_POINTER_REPORT);
	pointer_sent(&pointer);
}

static void each_press_and_release_is_a_report(void **state)
{
	(void)state;
	keyboard_key(&keyboard, SHIFT, true);
	keyboard_key(&keyboard, A, true);
	keyboard_key(&keyboard, A, true); /* repeated by the Client: nothing new */
	keyboard_key(&keyboard, A, false);
	keyboard_key(&keyboard, A, true);
	keyboard_key(&keyboard, SHIFT, false);
	next_keys("\x02\0\0\0\0\0\0\0");
	next_keys("\x02\0\x04\0\0\0\0\0");
	next_keys("\x02\0\0\0\0\0\0\0");
	next_keys("\x02\0\x04\0\0\0\0\0");
	next_keys("\0\0\x04\0\0\0\0\0");
	assert_null(report_next(&keyboard.queue));
}

static void a_seventh_key_is_roll_over(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 7; i++)
		keyboard_key(&keyboard, (uint8_t)(A + i), true);
	keyboard_key(&keyboard, SHIFT, true);
	keyboard_key(&keyboard, A, false);
	for (int i = 0; i < 5; i++)
		keyboard_sent(&keyboard);
	next_keys("\0\0\x04\x05\x06\x07\x08\x09");
	next_keys("\0\0\x01\x01\x01\x01\x01\x01");
	next_keys("\x02\0\x01\x01\x01\x01\x01\x01");
	next_keys("\x02\0\x05\x06\x07\x08\x09\x0a");
}

static void what_is_no_key_is_no_report(void **state)
{
	(void)state;
	for (unsigned usage = 0; usage < 256; usage++) {
		bool key = (usage >= 0x04 && usage <= 0xdd) || (usage >= 0xe0 && usage <= 0xe7);

		assert_true(keyboard_key(&keyboard, (uint8_t)usage, true));
		assert_int_equal(keyboard.queue.count, key);
		keyboard_key(&keyboard, (uint8_t)usage, false);
		keyboard.queue.count = 0;
	}
}

static void a_full_queue_ends_in_the_newest_state(void **state)
{
	(void)state;
	for (int i = 0; i < REPORT_QUEUE; i++)
		assert_true(keyboard_key(&keyboard, A, i % 2 == 0));
	assert_false(keyboard_key(&keyboard, A, true));
	assert_false(keyboard_key(&keyboard, B, true));
	assert_false(keyboard_key(&keyboard, A, false));
	for (int i = 0; i < REPORT_QUEUE; i++)
		keyboard_sent(&keyboard);
	next_keys("\0\0\x05\0\0\0\0\0");
	assert_null(report_next(&keyboard.queue));
}

static void what_was_not_heard_is_not_typed_later(void **state)
{
	(void)state;
	keyboard_key(&keyboard, SHIFT, true);
	keyboard_key(&keyboard, A, true);
	keyboard_forget(&keyboard);
	keyboard_key_unheard(&keyboard, B, true);
	next_keys("\0\0\0\0\0\0\0\0");	 /* first of all: all up */
	next_keys("\x02\0\0\0\0\0\0\0"); /* Shift is still held */
	assert_null(report_next(&keyboard.queue));
	keyboard_key(&keyboard, A, false); /* the releases of forgotten presses */
	keyboard_key(&keyboard, B, false);
	assert_null(report_next(&keyboard.queue));
	keyboard_forget(&keyboard);
	keyboard_key_unheard(&keyboard, SHIFT, false);
	next_keys("\0\0\0\0\0\0\0\0");
	assert_null(report_next(&keyboard.queue));
}

static void motion_is_merged_and_buttons_are_not(void **state)
{
	(void)state;
	pointer_event(&pointer, 0, 10, 10, 0, 0);
	pointer_event(&pointer, 0, 20, 20, 0, 0);
	pointer_event(&pointer, 1, 20, 20, 0, 0); /* pressed here */
	pointer_event(&pointer, 1, 30, 30, 0, 0);
	pointer_event(&pointer, 1, 40, 40, 0, 0);
	pointer_event(&pointer, 0, 40, 40, 0, 0); /* released there */
	pointer_event(&pointer, 0, 40, 40, 0, 0);
	next_pointer(0, 20, 20, 0, 0);
	next_pointer(1, 20, 20, 0, 0);
	next_pointer(1, 40, 40, 0, 0);
	next_pointer(0, 40, 40, 0, 0);
	assert_null(report_next(&pointer.queue));
}

static void wheel_steps_add_up_where_they_were_made(void **state)
{
	(void)state;
	pointer_event(&pointer, 0, 5, 5, 0, 0);
	for (int i = 0; i < 130; i++)
		pointer_event(&pointer, 0, 5, 5, 1, -1);
	pointer_event(&pointer, 0, 6, 6, 0, 0);
	next_pointer(0, 5, 5, 127, -127);
	next_pointer(0, 5, 5, 3, -3);
	next_pointer(0, 6, 6, 0, 0);
	pointer_event(&pointer, 0, 6, 6, INT8_MIN, INT8_MIN);
	next_pointer(0, 6, 6, -127, -127);
}

static void an_unheard_button_is_not_pressed_later(void **state)
{
	(void)state;
	pointer_event(&pointer, 1, 5, 5, 0, 0);
	pointer_forget(&pointer);
	pointer_event_unheard(&pointer, 3, 9, 9);
	next_pointer(0, 9, 9, 0, 0);
	pointer_event(&pointer, 3, 10, 10, 0, 0); /* both still held by the person */
	next_pointer(0, 10, 10, 0, 0);
	pointer_event(&pointer, 1, 10, 10, 0, 0);
	pointer_event(&pointer, 3, 10, 10, 0, 0); /* let go, and pressed again */
	next_pointer(2, 10, 10, 0, 0);
}

/* ---- hid.c: sending it. Two listeners stand for the Target's USB host ---- */

struct host {
	struct loop *loop;
	struct hid *hid;
	char folder[64], path[2][96];
	int listener[2], link[2];
	uint8_t leds;
	bool configured;
	struct loop_timer timer;
};

static void leds_changed(void *arg, uint8_t leds)
{
	struct host *host = arg;

	host->leds = leds;
}

static void configured_changed(void *arg, bool configured)
{
	struct host *host = arg;

	host->configured = configured;
}

static void quit(struct loop_timer *timer)
{
	loop_stop(((struct host *)((char *)timer - offsetof(struct host, timer)))->loop);
}

/* The daemon's loop, for a while. It is stopped by a timer only: a callback that stops it would lose the
 * rest of the edge-triggered events of that round. */
static void run_for(struct host *host, uint64_t ns)
{
	host->timer.expired = quit;
	loop_timer_arm(host->loop, &host->timer, ns);
	assert_int_equal(loop_run(host->loop), 0);
}

static void run_until_configured(struct host *host, bool configured)
{
	while (host->configured != configured)
		run_for(host, SECOND / 1000);
	assert_int_equal(hid_configured(host->hid), configured);
}

static void run_until_leds(struct host *host, uint8_t leds)
{
	while (host->leds != leds)
		run_for(host, SECOND / 1000);
	assert_int_equal(hid_leds(host->hid), leds);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void plug(struct host *host)
{
	for (int i = 0; i < 2; i++) {
		host->listener[i] = listen_at(host->path[i]);
		host->link[i] = -1;
	}
}

static void take(struct host *host)
{
	for (int i = 0; i < 2; i++) {
		struct pollfd ready = { .fd = host->listener[i], .events = POLLIN };

		while (poll(&ready, 1, 0) == 0)
			run_for(host, SECOND / 1000);
		host->link[i] = accept(host->listener[i], NULL, NULL);
	}
}

static void unplug(struct host *host)
{
	for (int i = 0; i < 2; i++) {
		close(host->link[i]);
		close(host->listener[i]);
		unlink(host->path[i]);
	}
}

static int start(void **state)
{
	struct host *host = calloc(1, sizeof(*host));
	char names[2][128];
	struct hid_events events = { leds_changed, configured_changed, host };

	snprintf(host->folder, sizeof(host->folder), "/tmp/test_hid.XXXXXX");
	assert_non_null(mkdtemp(host->folder));
	for (int i = 0; i < 2; i++) {
		snprintf(host->path[i], sizeof(host->path[i]), "%s/%d", host->folder, i);
		snprintf(names[i], sizeof(names[i]), "unix:%s", host->path[i]);
	}
	log_set_level(LOG_LEVEL_ERROR);
	host->loop = loop_new();
	plug(host);
	host->hid = hid_open(host->loop, names[0], names[1], "none", &events);
	assert_non_null(host->hid);
	take(host);
	*state = host;
	return 0;
}

static int stop(void **state)
{
	struct host *host = *state;

	hid_close(host->hid);
	loop_free(host->loop);
	unplug(host);
	rmdir(host->folder);
	free(host);
	return 0;
}

/* The next report that the host takes, while the daemon's loop runs. */
static void take_report(struct host *host, int which, uint8_t *report, size_t size)
{
	struct pollfd ready = { .fd = host->link[which], .events = POLLIN };

	while (poll(&ready, 1, 0) == 0)
		run_for(host, SECOND / 1000);
	assert_int_equal(recv(host->link[which], report, size, 0), size);
}

static void expect_keys(struct host *host, const char *bytes)
{
	uint8_t report[HID_KEYBOARD_REPORT];

	take_report(host, 0, report, sizeof(report));
	assert_memory_equal(report, bytes, sizeof(report));
}

static void keys_reach_the_host_after_all_up(void **state)
{
	struct host *host = *state;
	uint64_t written, dropped;

	assert_true(hid_configured(host->hid));
	hid_key(host->hid, A, true);
	hid_key(host->hid, A, false);
	expect_keys(host, "\0\0\0\0\0\0\0\0");
	expect_keys(host, "\0\0\x04\0\0\0\0\0");
	expect_keys(host, "\0\0\0\0\0\0\0\0");
	hid_counts(host->hid, &written, &dropped);
	assert_int_equal(dropped, 0);
	assert_true(written >= 3);
}

static void a_slow_host_gets_every_key_in_order(void **state)
{
	struct host *host = *state;

	expect_keys(host, "\0\0\0\0\0\0\0\0");
	for (int i = 0; i < 200; i++) {
		hid_key(host->hid, (uint8_t)(A + i % 26), true);
		hid_key(host->hid, (uint8_t)(A + i % 26), false);
	}
	for (int i = 0; i < 200; i++) {
		char want[HID_KEYBOARD_REPORT] = { 0, 0, (char)(A + i % 26) };

		expect_keys(host, want);
		expect_keys(host, "\0\0\0\0\0\0\0\0");
	}
}

static void after_a_stall_all_up_comes_first(void **state)
{
	struct host *host = *state;
	uint8_t report[HID_KEYBOARD_REPORT], last[HID_KEYBOARD_REPORT] = { 0 };
	uint64_t written, dropped;
	int taken = 0;

	for (int i = 0; i < 50; i++)
		hid_key(host->hid, (uint8_t)(A + i), true);
	run_for(host, 5 * SECOND / 2); /* longer than the limit */
	hid_counts(host->hid, &written, &dropped);
	assert_true(dropped > 0);
	hid_key(host->hid, B, false);	/* a forgotten key's release */
	hid_key(host->hid, 0x1e, true); /* unheard */
	while (taken < (int)written) {	/* what the kernel held, then all up; one was the pointer's */
		take_report(host, 0, report, sizeof(report));
		memcpy(last, report, sizeof(last));
		taken++;
	}
	assert_memory_equal(last, "\0\0\0\0\0\0\0\0", sizeof(last));
	run_for(host, SECOND / 100);
	hid_key(host->hid, A, true);
	expect_keys(host, "\0\0\x04\0\0\0\0\0"); /* and nothing of before */
}

static void an_unplug_forgets_what_was_held(void **state)
{
	struct host *host = *state;

	hid_key(host->hid, A, true);
	hid_key(host->hid, SHIFT, true);
	unplug(host);
	run_until_configured(host, false);
	hid_key(host->hid, B, true);
	plug(host);
	run_until_configured(host, true);
	take(host);
	expect_keys(host, "\0\0\0\0\0\0\0\0");
	expect_keys(host, "\x02\0\0\0\0\0\0\0");
	hid_key(host->hid, A, false);
	hid_key(host->hid, B, false);
	hid_key(host->hid, SHIFT, false);
	expect_keys(host, "\0\0\0\0\0\0\0\0");
}

static void leds_come_back(void **state)
{
	struct host *host = *state;
	uint8_t leds = 0x02;

	assert_int_equal(send(host->link[0], &leds, 1, 0), 1);
	run_until_leds(host, 0x02);
	leds = 0xe0; /* padding bits mean nothing */
	assert_int_equal(send(host->link[0], &leds, 1, 0), 1);
	run_until_leds(host, 0);
	leds = 0x02;
	assert_int_equal(send(host->link[0], &leds, 1, 0), 1);
	run_until_leds(host, 0x02);
	unplug(host);
	run_until_configured(host, false);
	assert_int_equal(host->leds, 0);
	plug(host);
	run_until_configured(host, true);
	take(host);
}

static void a_daemon_that_ends_leaves_no_key_down(void **state)
{
	struct host *host = *state;
	uint8_t report[HID_KEYBOARD_REPORT] = { 1 };

	hid_key(host->hid, SHIFT, true);
	hid_key(host->hid, A, true);
	hid_close(host->hid);
	while (recv(host->link[0], report, sizeof(report), 0) > 0)
		;
	assert_memory_equal(report, "\0\0\0\0\0\0\0\0", sizeof(report));
	host->hid = NULL;
}

static void the_pointer_does_not_wait_for_the_keyboard(void **state)
{
	struct host *host = *state;
	uint8_t report[HID_POINTER_REPORT];

	for (int i = 0; i < 50; i++)
		hid_key(host->hid, (uint8_t)(A + i), true);
	hid_pointer(host->hid, 0x1f, 40000, 7, 1, -1);
	take_report(host, 1, report, sizeof(report)); /* all up */
	assert_int_equal(report[0], 0);
	take_report(host, 1, report, sizeof(report));
	assert_memory_equal(report, "\x1f\xff\x7f\x07\0\x01\xff", sizeof(report));
}

static void bad_paths_are_refused(void **state)
{
	struct hid_events events = { 0 };
	struct loop *loop = loop_new();

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_null(hid_open(loop, "hidg0", "/dev/hidg1", "none", &events));
	assert_null(hid_open(loop, "/dev/null", "", "none", &events));
	assert_null(hid_open(loop, "/nowhere/hidg0", "/dev/null", "none", &events));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_press_and_release_is_a_report, fresh),
		cmocka_unit_test_setup(a_seventh_key_is_roll_over, fresh),
		cmocka_unit_test_setup(what_is_no_key_is_no_report, fresh),
		cmocka_unit_test_setup(a_full_queue_ends_in_the_newest_state, fresh),
		cmocka_unit_test_setup(what_was_not_heard_is_not_typed_later, fresh),
		cmocka_unit_test_setup(motion_is_merged_and_buttons_are_not, fresh),
		cmocka_unit_test_setup(wheel_steps_add_up_where_they_were_made, fresh),
		cmocka_unit_test_setup(an_unheard_button_is_not_pressed_later, fresh),
		cmocka_unit_test_setup_teardown(keys_reach_the_host_after_all_up, start, stop),
		cmocka_unit_test_setup_teardown(a_slow_host_gets_every_key_in_order, start, stop),
		cmocka_unit_test_setup_teardown(after_a_stall_all_up_comes_first, start, stop),
		cmocka_unit_test_setup_teardown(an_unplug_forgets_what_was_held, start, stop),
		cmocka_unit_test_setup_teardown(leds_come_back, start, stop),
		cmocka_unit_test_setup_teardown(a_daemon_that_ends_leaves_no_key_down, start, stop),
		cmocka_unit_test_setup_teardown(the_pointer_does_not_wait_for_the_keyboard, start, stop),
		cmocka_unit_test(bad_paths_are_refused),
	};

	alarm(60); /* the deadline of all waiting above */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
