// SPDX-License-Identifier: GPL-2.0-or-later
/* The account store: claim, log-in, limits on guesses, what is on the disk. The clock is the test's. */
/* LINK: userland/device/account.c userland/lib/claim.c userland/lib/guess.c userland/lib/limit.c
 * userland/lib/password.c userland/lib/state.c userland/lib/user.c userland/lib/log.c userland/lib/source.c | -largon2 -lcrypto -ljansson -lpthread */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "device/account.h"
#include "lib/loop.h"

#define PASSWORD "correct horse"
#define SECOND 1000000000ULL

static uint64_t now = 1000 * SECOND;
static char dir[64];

/* In the place of loop.c's. */
uint64_t loop_now_ns(void)
{
	return now;
}

static void put(const char *text)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/accounts", dir);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/kvmnet-account-XXXXXX");
	*state = mkdtemp(dir);
	return !*state;
}

static int remove_dir(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/accounts", dir);
	unlink(path);
	return rmdir(dir);
}

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *four = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
		storage.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
		storage.ss_family = AF_INET6;
	return storage;
}

static enum account_result login(struct account_store *store, const char *from, const char *user,
				 const char *password)
{
	struct sockaddr_storage address = peer(from);

	return account_verify(store, (struct sockaddr *)&address, user, password);
}

static enum account_result claim(struct account_store *store, const char *from, const char *code)
{
	struct sockaddr_storage address = peer(from);

	return account_claim(store, (struct sockaddr *)&address, code, "owner", PASSWORD);
}

static struct account_store *claimed(void)
{
	struct account_store *store = account_open(dir);
	char code[32];

	assert_non_null(store);
	assert_true(account_claim_code(store, code, sizeof(code)));
	assert_int_equal(account_claim(store, NULL, code, "owner", PASSWORD), ACCOUNT_OK);
	return store;
}

static void test_claim_once(void **state)
{
	struct account_store *store = account_open(dir);
	char code[32], typed[32];

	(void)state;
	assert_false(account_claimed(store));
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_UNCLAIMED);
	assert_true(account_claim_code(store, code, sizeof(code)));
	assert_int_equal(strlen(code), 14);
	assert_int_equal(strspn(code, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789-"), 14);
	assert_int_equal(account_claim(store, NULL, code, "own er", PASSWORD), ACCOUNT_INVALID);
	assert_int_equal(account_claim(store, NULL, code, "owner", "short"), ACCOUNT_INVALID);
	assert_int_equal(account_claim(store, NULL, "", "owner", PASSWORD), ACCOUNT_WRONG);
	/* As people type it. */
	snprintf(typed, sizeof(typed), "%.4s %.4s%.4s", code, code + 5, code + 10);
	for (char *c = typed; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	assert_int_equal(account_claim(store, NULL, typed, "owner", PASSWORD), ACCOUNT_OK);
	assert_true(account_claimed(store));
	assert_false(account_claim_code(store, code, sizeof(code)));
	assert_int_equal(account_claim(store, NULL, typed, "other", PASSWORD), ACCOUNT_CLAIMED);
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
	/* And after a restart. */
	store = account_open(dir);
	assert_true(account_claimed(store));
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_OK);
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD "x"), ACCOUNT_WRONG);
	account_close(store);
}

static void test_new_code_after_many_wrong_ones(void **state)
{
	struct account_store *store = account_open(dir);
	char code[32], later[32], from[32], shown[128] = "";
	int console = dup(STDOUT_FILENO), pipes[2];
	unsigned heard = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	fflush(stdout);
	dup2(pipes[1], STDOUT_FILENO);
	account_claim_code(store, code, sizeof(code));
	for (unsigned i = 0; heard < 20; i++, now += 60 * SECOND) {
		snprintf(from, sizeof(from), "192.0.2.%u", i % 250);
		heard += claim(store, from, "AAAA-AAAA-AAAA") == ACCOUNT_WRONG;
		assert_true(i < 1000);
	}
	account_claim_code(store, later, sizeof(later));
	assert_string_not_equal(code, later);
	dup2(console, STDOUT_FILENO);
	close(pipes[1]);
	assert_true(read(pipes[0], shown, sizeof(shown) - 1) > 0);
	assert_non_null(strstr(shown, later));
	close(pipes[0]);
	close(console);
	now += 3600 * SECOND;
	assert_int_equal(claim(store, "192.0.2.251", code), ACCOUNT_WRONG);
	assert_int_equal(claim(store, "192.0.2.251", later), ACCOUNT_OK);
	account_close(store);
}

/* Six wrong ones from a source: five are free, the sixth starts a delay of a second, which doubles. */
static void test_source_waits_longer_and_longer(void **state)
{
	struct account_store *store = claimed();

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(login(store, "192.0.2.1", "owner", "wrong wrong"), ACCOUNT_WRONG);
	for (uint64_t delay = SECOND; delay <= 4 * SECOND; delay *= 2) {
		assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_LIMITED);
		now += delay - 1;
		assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_LIMITED);
		now += 1;
		assert_int_equal(login(store, "192.0.2.1", "owner", "wrong wrong"), ACCOUNT_WRONG);
	}
	now += 8 * SECOND;
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
}

static void test_sources_are_counted_apart(void **state)
{
	struct account_store *store = claimed();

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(login(store, "192.0.2.1", "owner", "wrong wrong"), ACCOUNT_WRONG);
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_LIMITED);
	assert_int_equal(login(store, "::ffff:192.0.2.1", "owner", PASSWORD), ACCOUNT_LIMITED);
	assert_int_equal(login(store, "192.0.2.2", "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
}

static void test_ipv6_is_counted_by_prefix(void **state)
{
	struct account_store *store = claimed();

	(void)state;
	for (int i = 0; i < 6; i++) {
		char from[64];

		snprintf(from, sizeof(from), "2001:db8::%x:%x", i + 1, i);
		assert_int_equal(login(store, from, "owner", "wrong wrong"), ACCOUNT_WRONG);
	}
	assert_int_equal(login(store, "2001:db8::ffff", "owner", PASSWORD), ACCOUNT_LIMITED);
	assert_int_equal(login(store, "2001:db8:0:1::1", "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
}

/* Many sources share the work: the user's own limit holds strangers up, not the one who logged in before. */
static void test_user_is_limited_but_not_locked_out(void **state)
{
	struct account_store *store = claimed();
	unsigned limited = 0;
	char from[64];

	(void)state;
	assert_int_equal(login(store, "198.51.100.7", "owner", PASSWORD), ACCOUNT_OK);
	for (int i = 0; i < 30; i++) {
		snprintf(from, sizeof(from), "192.0.2.%d", i + 1);
		limited += login(store, from, "owner", "wrong wrong") == ACCOUNT_LIMITED;
	}
	assert_true(limited >= 15);
	assert_int_equal(login(store, "203.0.113.9", "owner", PASSWORD), ACCOUNT_LIMITED);
	assert_int_equal(login(store, "198.51.100.7", "owner", PASSWORD), ACCOUNT_OK);
	now += 31 * SECOND;
	assert_int_equal(login(store, "203.0.113.9", "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
}

/* Names and sources without end neither grow the store nor wash a guesser's record out. */
static void test_a_flood_does_not_clear_a_record(void **state)
{
	struct account_store *store = claimed();
	char from[64], name[32];

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(login(store, "192.0.2.1", "owner", "wrong wrong"), ACCOUNT_WRONG);
	for (int i = 0; i < 3000; i++) {
		snprintf(from, sizeof(from), "2001:db8:%x:%x::1", i, i);
		snprintf(name, sizeof(name), "user%d", i);
		login(store, from, name, "wrong wrong");
	}
	assert_int_equal(login(store, "192.0.2.1", "owner", PASSWORD), ACCOUNT_LIMITED);
	account_close(store);
}

static void test_own_logins_do_not_pay_for_guesses(void **state)
{
	struct account_store *store = claimed();
	unsigned heard = 0;

	(void)state;
	/* A right password on the way must not give new free guesses at a name that does not exist. */
	for (int i = 0; i < 40; i++) {
		heard += login(store, "192.0.2.1", "admin", "wrong wrong") == ACCOUNT_WRONG;
		login(store, "192.0.2.1", "owner", PASSWORD);
	}
	assert_true(heard <= 7);
	account_close(store);
}

static void test_change_of_password(void **state)
{
	struct account_store *store = claimed();

	(void)state;
	assert_int_equal(account_set_password(store, NULL, "owner", "wrong wrong", "new password"),
			 ACCOUNT_WRONG);
	assert_int_equal(account_set_password(store, NULL, "owner", PASSWORD, "short"), ACCOUNT_INVALID);
	assert_int_equal(account_set_password(store, NULL, "owner", PASSWORD, "new password"), ACCOUNT_OK);
	assert_int_equal(account_verify(store, NULL, "owner", PASSWORD), ACCOUNT_WRONG);
	assert_int_equal(account_verify(store, NULL, "owner", "new password"), ACCOUNT_OK);
	account_close(store);
	store = account_open(dir);
	assert_int_equal(account_verify(store, NULL, "owner", "new password"), ACCOUNT_OK);
	account_close(store);
}

/* A damaged file is never "no owner yet". */
static void test_damaged_store_is_an_error(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"version\":1}",
		"{\"version\":1,\"users\":[]}",
		"{\"version\":2,\"users\":[{\"name\":\"owner\",\"hash\":\"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA\"}]}",
		"{\"version\":1,\"users\":[{\"name\":\"owner\",\"hash\":\"plain\"}]}",
		"{\"version\":1,\"users\":[{\"name\":\"owner\",\"hash\":\"$argon2id$v=19$m=999999,t=2,p=1$c2FsdA$aGFzaA\"}]}",
		"{\"version\":1,\"users\":[{\"name\":\"own er\",\"hash\":\"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA\"}]}",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(texts[i]);
		assert_null(account_open(dir));
	}
}

static void test_store_is_private(void **state)
{
	struct account_store *store = claimed();
	char path[96];
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/accounts", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	account_close(store);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_null(account_open(dir));
}

static void test_unwritable_store_stays_unclaimed(void **state)
{
	struct account_store *store = account_open(dir);
	char code[32];

	(void)state;
	account_claim_code(store, code, sizeof(code));
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(account_claim(store, NULL, code, "owner", PASSWORD), ACCOUNT_FAILED);
	assert_false(account_claimed(store));
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(account_claim(store, NULL, code, "owner", PASSWORD), ACCOUNT_OK);
	account_close(store);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_claim_once),
		CASE(test_new_code_after_many_wrong_ones),
		CASE(test_source_waits_longer_and_longer),
		CASE(test_sources_are_counted_apart),
		CASE(test_ipv6_is_counted_by_prefix),
		CASE(test_user_is_limited_but_not_locked_out),
		CASE(test_a_flood_does_not_clear_a_record),
		CASE(test_own_logins_do_not_pay_for_guesses),
		CASE(test_change_of_password),
		CASE(test_damaged_store_is_an_error),
		CASE(test_store_is_private),
		CASE(test_unwritable_store_stays_unclaimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
