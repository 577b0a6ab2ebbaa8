// SPDX-License-Identifier: GPL-2.0-or-later
/* The root side of the network: networkd's files, a trial, what is kept, and what is left when it is killed. */
/* LINK: userland/device/helper_network.c userland/lib/network.c userland/lib/state.c userland/lib/log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/helper_network.h"

#define SECOND 1000000000ULL
#define UNIT "05-kvmnet-525400010203.network"

static char top[] = "/tmp/kvmnet-network-XXXXXX";
static char state_dir[64], run_dir[64];
static unsigned reloads;
static int reload_error;
static uint64_t now = 1000 * SECOND;
static struct loop_timer *armed;

/* ---- a clock of the test's own ---- */

uint64_t loop_now_ns(void)
{
	return now;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ns)
{
	(void)loop;
	timer->due_ns = now + after_ns;
	armed = timer;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	timer->due_ns = 0;
	armed = NULL;
}

static void pass(uint64_t seconds)
{
	uint64_t end = now + seconds * SECOND;

	while (armed && armed->due_ns <= end) {
		struct loop_timer *timer = armed;

		now = timer->due_ns;
		armed = NULL;
		timer->due_ns = 0;
		timer->expired(timer);
	}
	now = end;
}

static int reload(void)
{
	reloads++;
	return reload_error;
}

/* ---- files ---- */

/* "" : it is not there. */
static const char *unit(const char *name)
{
	static char text[2048];
	char path[256];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0644);
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static bool there(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

/* ---- a helper ---- */

static int begin(void **state)
{
	char command[256];

	(void)state;
	strcpy(strrchr(top, '-') + 1, "XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(state_dir, sizeof(state_dir), "%s/state", top);
	snprintf(run_dir, sizeof(run_dir), "%s/run", top);
	snprintf(command, sizeof(command), "mkdir -m 700 %s %s", state_dir, run_dir);
	assert_int_equal(system(command), 0);
	reloads = 0;
	reload_error = 0;
	armed = NULL;
	network_open(NULL, state_dir, run_dir, reload);
	assert_int_equal(reloads, 0);
	return 0;
}

static int end(void **state)
{
	char command[256];

	(void)state;
	network_close();
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

/* kill -9 and a new one; what is in memory is gone. */
static void killed(void)
{
	armed = NULL;
	network_open(NULL, state_dir, run_dir, reload);
}

static struct network_settings fixed(uint8_t last)
{
	return (struct network_settings){
		.mac = { 0x52, 0x54, 0, 1, 2, 3 },
		.v4 = { NETWORK_STATIC, 24, { 192, 0, 2, last }, { 192, 0, 2, 1 } }
	};
}

static bool has(uint8_t last)
{
	char line[64];

	snprintf(line, sizeof(line), "\nAddress=192.0.2.%u/24\nGateway=192.0.2.1\n", last);
	return strstr(unit(UNIT), line);
}

static void keep(uint8_t last)
{
	struct network_settings settings = fixed(last);

	assert_int_equal(network_try(&settings), 0);
	pass(2);
	assert_int_equal(network_keep(), 0);
	assert_true(has(last));
}

/* ---- tests ---- */

static void test_file(void **state)
{
	struct network_settings settings = fixed(5);
	char text[1024];

	(void)state;
	settings.v6 = (struct network_family){
		NETWORK_STATIC, 64, { 0x20, 1, 0xd, 0xb8, [15] = 5 }, { 0xfe, 0x80, [15] = 1 }
	};
	settings.dns_count = 2;
	settings.dns[0] = (struct network_server){ 4, { 192, 0, 2, 53 } };
	settings.dns[1] = (struct network_server){ 6, { 0x20, 1, 0xd, 0xb8, [15] = 0x53 } };
	assert_null(network_check(&settings));
	assert_int_equal(network_file(&settings, text, sizeof(text)), 0);
	assert_string_equal(text, "# Written by kvmnet-helper: the Device's page changes it.\n"
				  "[Match]\nMACAddress=52:54:00:01:02:03\n"
				  "[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
				  "Address=192.0.2.5/24\nGateway=192.0.2.1\n"
				  "Address=2001:db8::5/64\nGateway=fe80::1\n"
				  "DNS=192.0.2.53\nDNS=2001:db8::53\n"
				  "[DHCPv4]\nUseDNS=no\n[DHCPv6]\nUseDNS=no\n[IPv6AcceptRA]\nUseDNS=no\n");
	assert_int_equal(network_file(&settings, text, 100), -1);
	settings = (struct network_settings){ .mac = { 0x52, 0x54, 0, 1, 2, 3 } };
	assert_int_equal(network_file(&settings, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\nLinkLocalAddressing=ipv6\n"));
	assert_null(strstr(text, "UseDNS"));
	settings.v6.way = NETWORK_OFF;
	assert_int_equal(network_file(&settings, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "IPv6AcceptRA=no\nLinkLocalAddressing=no\n"));
}

static void test_kept(void **state)
{
	struct network_settings settings = fixed(5);
	struct helper_network look;

	(void)state;
	assert_int_equal(network_keep(), ENOENT);
	assert_int_equal(network_return(), ENOENT);
	assert_int_equal(network_try(&settings), 0);
	/* The answer first. */
	assert_string_equal(unit(UNIT), "");
	assert_int_equal(network_keep(), EAGAIN);
	network_look(&look);
	assert_int_equal(look.trial_left_s, HELPER_TRIAL_S + 1);
	assert_false(look.trial_holds);
	pass(1);
	assert_true(has(5));
	assert_int_equal(reloads, 1);
	pass(HELPER_TRIAL_S - 1);
	network_look(&look);
	assert_int_equal(look.trial_left_s, 1);
	assert_true(look.trial_holds);
	assert_int_equal(look.count, 0);
	assert_memory_equal(&look.trial, &settings, sizeof(settings));
	assert_int_equal(network_keep(), 0);
	assert_int_equal(network_keep(), ENOENT);
	pass(10 * HELPER_TRIAL_S);
	assert_true(has(5));
	assert_int_equal(reloads, 1);
	network_look(&look);
	assert_int_equal(look.trial_left_s, 0);
	assert_int_equal(look.count, 1);
	assert_memory_equal(&look.kept[0], &settings, sizeof(settings));
	/* The next start finds it as it is; one after a boot brings it back. */
	killed();
	assert_int_equal(reloads, 1);
	assert_true(has(5));
	network_close();
	assert_true(has(5));
	{
		char path[256];

		snprintf(path, sizeof(path), "%s/" UNIT, run_dir);
		assert_int_equal(unlink(path), 0);
	}
	killed();
	assert_int_equal(reloads, 2);
	assert_true(has(5));
}

static void test_nobody_confirms(void **state)
{
	struct network_settings settings = fixed(6);

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(HELPER_TRIAL_S);
	assert_true(has(6));
	pass(1);
	assert_true(has(5));
	assert_int_equal(reloads, 3);
	assert_int_equal(network_keep(), ENOENT);
}

/* What was never set goes back to the image's own. */
static void test_first_trial_ends(void **state)
{
	struct network_settings settings = fixed(6);

	(void)state;
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	assert_true(has(6));
	assert_int_equal(network_return(), 0);
	assert_true(has(6));
	assert_int_equal(network_return(), ENOENT);
	assert_int_equal(network_keep(), ENOENT);
	pass(1);
	assert_false(there(run_dir, UNIT));
	assert_int_equal(reloads, 2);
	/* Before it was there at all, there is nothing to go back from. */
	assert_int_equal(network_try(&settings), 0);
	assert_int_equal(network_return(), 0);
	pass(2 * HELPER_TRIAL_S);
	assert_int_equal(reloads, 2);
}

static void test_killed_in_a_trial(void **state)
{
	struct network_settings settings = fixed(6);

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	assert_true(has(6));
	killed();
	assert_true(has(5));
	assert_int_equal(reloads, 3);
	assert_int_equal(network_keep(), ENOENT);
	/* Ended in order. */
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	network_close();
	assert_true(has(5));
}

static void test_other_trial(void **state)
{
	struct network_settings settings = fixed(6), other = fixed(7);

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(30);
	other.mac[5] = 9;
	assert_int_equal(network_try(&other), 0);
	assert_true(has(5));
	pass(2);
	assert_true(there(run_dir, "05-kvmnet-525400010209.network"));
	pass(30);
	assert_int_equal(network_keep(), 0);
	pass(2 * HELPER_TRIAL_S);
	assert_true(has(5));
	assert_true(there(run_dir, "05-kvmnet-525400010209.network"));
}

static void test_refused(void **state)
{
	struct network_settings settings = fixed(255);

	(void)state;
	assert_int_equal(network_try(&settings), EINVAL);
	for (uint8_t i = 0; i < HELPER_INTERFACES; i++) {
		settings = fixed(5);
		settings.mac[5] = i;
		assert_int_equal(network_try(&settings), 0);
		pass(1);
		assert_int_equal(network_keep(), 0);
	}
	settings.mac[5] = 100;
	assert_int_equal(network_try(&settings), ENOSPC);
	settings.mac[5] = 3;
	assert_int_equal(network_try(&settings), 0);
}

/* Also in the middle of a trial. */
static void test_forgotten(void **state)
{
	struct network_settings settings = fixed(6);

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	assert_int_equal(network_forget(), 0);
	assert_int_equal(network_keep(), ENOENT);
	assert_true(has(6));
	pass(1);
	assert_false(there(run_dir, UNIT));
	killed();
	assert_false(there(run_dir, UNIT));
	pass(2 * HELPER_TRIAL_S);
	assert_false(there(run_dir, UNIT));
}

static void test_networkd_fails(void **state)
{
	struct network_settings settings = fixed(6);

	(void)state;
	keep(5);
	reload_error = -EIO;
	assert_int_equal(network_try(&settings), 0);
	pass(1);
	assert_true(has(5));
	assert_int_equal(network_keep(), ENOENT);
}

/* What nobody confirmed does not stay because the way back fails at first. */
static void test_way_back_fails(void **state)
{
	struct network_settings settings = fixed(6), other = fixed(7);

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	reload_error = -EIO;
	pass(HELPER_TRIAL_S);
	assert_true(has(5));
	assert_int_equal(network_keep(), ENOENT);
	assert_int_equal(network_try(&other), EIO);
	pass(600);
	/* Ever more seldom. */
	assert_in_range(reloads, 6, 12);
	reload_error = 0;
	reloads = 0;
	pass(3600);
	assert_int_equal(reloads, 1);
	pass(3600);
	assert_int_equal(reloads, 1);
	assert_int_equal(network_try(&other), 0);
	pass(2);
	assert_int_equal(network_keep(), 0);
	assert_true(has(7));
}

/* Nor because its file cannot be replaced. */
static void test_file_stays(void **state)
{
	struct network_settings settings = fixed(6);
	char path[160];

	(void)state;
	keep(5);
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	snprintf(path, sizeof(path), "%s/." UNIT ".new", run_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	pass(HELPER_TRIAL_S);
	assert_true(has(6));
	assert_int_equal(rmdir(path), 0);
	pass(60);
	assert_true(has(5));
	assert_int_equal(reloads, 3);
}

static void test_cannot_be_stored(void **state)
{
	struct network_settings settings = fixed(6);
	char path[128];

	(void)state;
	keep(5);
	snprintf(path, sizeof(path), "%s/.network.new", state_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(network_try(&settings), 0);
	pass(2);
	assert_int_equal(network_keep(), EIO);
	pass(HELPER_TRIAL_S);
	assert_true(has(5));
	rmdir(path);
	killed();
	assert_true(has(5));
}

static void test_damaged(void **state)
{
	(void)state;
	keep(5);
	put(state_dir, "network", "\1\1rubbish");
	put(run_dir, "05-kvmnet-strange.network", "[Match]\n");
	put(run_dir, "10-mine.network", "[Match]\n");
	killed();
	assert_false(there(run_dir, UNIT));
	assert_false(there(run_dir, "05-kvmnet-strange.network"));
	assert_true(there(run_dir, "10-mine.network"));
	keep(6);
}

/* Nothing but whole calls of the right length. */
static void test_calls(void **state)
{
	uint8_t message[2 + sizeof(struct network_settings)] = { HELPER_TRY }, answer[CALL_ANSWER_MAX];
	struct network_settings settings = fixed(6);

	(void)state;
	memcpy(message + 1, &settings, sizeof(settings));
	for (size_t len = 1; len <= sizeof(message); len++) {
		assert_int_equal(network_call(message, len, answer), 1);
		assert_int_equal(answer[0], len == sizeof(message) - 1 ? 0 : EINVAL);
	}
	for (unsigned call = 0; call < 256; call++) {
		message[0] = (uint8_t)call;
		assert_int_equal(network_call(message, 2, answer), 1);
		assert_int_equal(answer[0], EINVAL);
	}
	message[0] = HELPER_LOOK;
	assert_int_equal(network_call(message, 1, answer), CALL_ANSWER_MAX);
	assert_int_equal(answer[0], 0);
	message[0] = HELPER_KEEP;
	assert_int_equal(network_call(message, 1, answer), 1);
	assert_int_equal(answer[0], EAGAIN);
	message[0] = HELPER_RETURN;
	network_call(message, 1, answer);
	assert_int_equal(answer[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test_setup_teardown(test_kept, begin, end),
		cmocka_unit_test_setup_teardown(test_nobody_confirms, begin, end),
		cmocka_unit_test_setup_teardown(test_first_trial_ends, begin, end),
		cmocka_unit_test_setup_teardown(test_killed_in_a_trial, begin, end),
		cmocka_unit_test_setup_teardown(test_other_trial, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(test_networkd_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_way_back_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_file_stays, begin, end),
		cmocka_unit_test_setup_teardown(test_cannot_be_stored, begin, end),
		cmocka_unit_test_setup_teardown(test_damaged, begin, end),
		cmocka_unit_test_setup_teardown(test_calls, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
