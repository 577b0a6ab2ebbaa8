// SPDX-License-Identifier: GPL-2.0-or-later
/* Tickets at the Device's gate: each opens it once, whatever the clock and the power do, and only its own Manager's. */
/* LINK: userland/device/gate.c userland/device/spent.c userland/lib/ticket.c userland/lib/base64.c userland/lib/guess.c
 * userland/lib/limit.c userland/lib/source.c userland/lib/certificate.c userland/lib/state.c userland/lib/log.c
 * userland/lib/loop.c | jansson -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "device/gate.h"
#include "device/spent.h"
#include "lib/state.h"

#define NOW 1800000000

static char dir[] = "/tmp/kvmnet-gate-XXXXXX";
static EVP_PKEY *own, *key, *other_key;
static uint8_t manager[CERTIFICATE_ID_SIZE] = { 1 };
static bool managed;
static struct sockaddr_in6 peer = { .sin6_family = AF_INET6 };

/* In place of manager.c's: whose Device this is. */
bool manager_id(struct manager *unused, uint8_t id[CERTIFICATE_ID_SIZE])
{
	(void)unused;
	memcpy(id, manager, CERTIFICATE_ID_SIZE);
	return managed;
}

void adoption_hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static int open_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	own = certificate_new_key();
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	other_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return own && key && other_key ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	EVP_PKEY_free(own);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	return rmdir(dir);
}

static int forget(void **state)
{
	(void)state;
	managed = true;
	manager[0] = 1;
	/* Each test comes from elsewhere: its failures are no other's. */
	peer.sin6_addr.s6_addr[0]++;
	return state_remove(dir, "tickets") || state_remove(dir, "ticket-keys") ? -1 : 0;
}

static struct gate *reopen(struct gate *gate)
{
	gate_close(gate);
	gate = gate_open(dir, NULL, own);
	assert_non_null(gate);
	return gate;
}

static const char *set_keys(struct gate *gate, EVP_PKEY *signer)
{
	json_t *set = ticket_keys_json(signer);
	const char *wrong = gate_set_keys(gate, set);

	json_decref(set);
	return wrong;
}

/* A Ticket of the Manager that holds, from now on. */
static char *make(EVP_PKEY *signer, uint8_t number)
{
	struct ticket ticket = {
		.id = { number },
		.user = "ann",
		.target = "left",
		.rights = TICKET_VIEW,
		.issued = time(NULL),
	};
	uint8_t id[CERTIFICATE_ID_SIZE];

	ticket.expires = ticket.issued + TICKET_LONGEST_S;
	assert_true(certificate_id(own, id));
	adoption_hex(id, sizeof(id), ticket.device);
	adoption_hex(manager, sizeof(manager), ticket.manager);
	return ticket_sign(&ticket, signer);
}

static enum gate_result admit(struct gate *gate, const char *text, const char *words)
{
	struct ticket ticket;
	const char *why;
	enum gate_result result =
		gate_admit(gate, (struct sockaddr *)&peer, text, strlen(text), &ticket, &why);

	if (result == GATE_OPEN) {
		assert_null(words);
		assert_null(why);
		assert_string_equal(ticket.user, "ann");
		assert_int_equal(ticket.rights, TICKET_VIEW);
	} else {
		assert_int_equal(ticket.rights, 0);
		assert_non_null(words);
		if (!strstr(why, words))
			fail_msg("%s: not %s", why, words);
	}
	return result;
}

static void test_once(void **state)
{
	struct gate *gate = reopen(NULL);
	char *first = make(key, 1), *second = make(key, 2);

	(void)state;
	assert_null(set_keys(gate, key));
	assert_int_equal(admit(gate, first, NULL), GATE_OPEN);
	assert_int_equal(admit(gate, first, "used before"), GATE_REFUSED);
	gate = reopen(gate);
	assert_int_equal(admit(gate, first, "used before"), GATE_REFUSED);
	assert_int_equal(admit(gate, second, NULL), GATE_OPEN);
	free(first);
	free(second);
	gate_close(gate);
}

static void test_whose_keys(void **state)
{
	struct gate *gate = reopen(NULL);
	char *text = make(key, 1), *theirs;

	(void)state;
	assert_int_equal(admit(gate, text, "has not told"), GATE_REFUSED);
	assert_null(set_keys(gate, other_key));
	assert_int_equal(admit(gate, text, "does not know"), GATE_REFUSED);
	assert_null(set_keys(gate, key));
	/* Another Manager's Device now: the keys of the one before are none of its. */
	manager[0] = 2;
	theirs = make(key, 1);
	assert_int_equal(admit(gate, theirs, "has not told"), GATE_REFUSED);
	manager[0] = 1;
	gate = reopen(gate);
	managed = false;
	assert_int_equal(admit(gate, text, "no Manager"), GATE_REFUSED);
	assert_non_null(set_keys(gate, key));
	managed = true;
	assert_int_equal(gate_forget_keys(gate), 0);
	gate = reopen(gate);
	assert_int_equal(admit(gate, text, "has not told"), GATE_REFUSED);
	free(text);
	free(theirs);
	gate_close(gate);
}

static void test_unsound_keys(void **state)
{
	struct gate *gate = reopen(NULL);
	json_t *set = json_pack("{s:[]}", "keys");
	char *text = make(key, 1);

	(void)state;
	assert_null(set_keys(gate, key));
	assert_non_null(gate_set_keys(gate, set));
	assert_non_null(gate_set_keys(gate, NULL));
	/* Those from before still hold. */
	assert_int_equal(admit(gate, text, NULL), GATE_OPEN);
	json_decref(set);
	free(text);
	gate_close(gate);
}

static void test_limit(void **state)
{
	struct gate *gate = reopen(NULL);
	char *text = make(key, 1);
	enum gate_result result = GATE_REFUSED;
	unsigned wrong = 0;

	(void)state;
	assert_null(set_keys(gate, key));
	while (result == GATE_REFUSED && wrong < 100) {
		struct ticket ticket;
		const char *why;

		result = gate_admit(gate, (struct sockaddr *)&peer, "x", 1, &ticket, &why);
		wrong++;
	}
	assert_int_equal(result, GATE_LIMITED);
	assert_in_range(wrong, 2, 20);
	assert_int_equal(admit(gate, text, "Too many wrong"), GATE_LIMITED);
	/* Nobody else waits for that. */
	peer.sin6_addr.s6_addr[1]++;
	assert_int_equal(admit(gate, text, NULL), GATE_OPEN);
	free(text);
	gate_close(gate);
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(state_write(dir, name, text, strlen(text)), 0);
}

static void test_damaged_files(void **state)
{
	static const char *const tickets[] = {
		"",
		"{",
		"{}",
		"{\"horizon\": 1}",
		"{\"horizon\": \"1\", \"used\": []}",
		"{\"horizon\": 1, \"used\": [[\"AA\", 1]]}",
		"{\"horizon\": 1, \"used\": [[\"AAAAAAAAAAAAAAAAAAAAAA\"]]}",
	};
	static const char *const keys[] = { "", "{}", "{\"manager\": \"x\"}",
					    "{\"manager\": \"x\", \"keys\": []}" };

	(void)state;
	for (size_t i = 0; i < sizeof(tickets) / sizeof(tickets[0]); i++) {
		write_file("tickets", tickets[i]);
		assert_null(gate_open(dir, NULL, own));
	}
	assert_int_equal(state_remove(dir, "tickets"), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		write_file("ticket-keys", keys[i]);
		assert_null(gate_open(dir, NULL, own));
	}
}

/* ---- what was used ---- */

static struct ticket until(int number, int64_t expires)
{
	struct ticket ticket = { .expires = expires };

	memcpy(ticket.id, &number, sizeof(number));
	return ticket;
}

static void test_clock_goes_back(void **state)
{
	struct ticket first = until(1, NOW + 60), second = until(2, NOW + 1000), third = until(3, NOW + 61);
	struct spent spent;

	(void)state;
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent_use(&spent, dir, &first, NOW), SPENT_NOW);
	assert_int_equal(spent_use(&spent, dir, &second, NOW + 999), SPENT_NOW);
	assert_int_equal(spent.count, 1);
	/* The first one is not remembered by its name any more. */
	assert_int_equal(spent_use(&spent, dir, &first, NOW), SPENT_BEFORE);
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent_use(&spent, dir, &first, NOW), SPENT_BEFORE);
	assert_int_equal(spent_use(&spent, dir, &third, NOW), SPENT_NOW);
}

static void test_taken_back(void **state)
{
	struct ticket first = until(1, NOW + 60), second = until(2, NOW + 61);
	struct gate *gate;
	struct spent spent;

	(void)state;
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent_revoke(&spent, dir, NOW + 60), 0);
	assert_int_equal(spent_revoke(&spent, dir, NOW), 0);
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent_use(&spent, dir, &first, NOW), SPENT_BEFORE);
	assert_int_equal(spent_use(&spent, dir, &second, NOW), SPENT_NOW);
	assert_int_equal(spent_revoke(&spent, "/nowhere", NOW + 61), -1);
	assert_int_equal(spent_use(&spent, dir, &second, NOW), SPENT_BEFORE);
	gate = reopen(NULL);
	assert_null(gate_revoke(gate, time(NULL)));
	assert_non_null(gate_revoke(gate, time(NULL) + 60));
	gate_close(gate);
}

static void test_full(void **state)
{
	struct ticket one = until(SPENT_MAX, NOW + 60);
	struct spent spent;

	(void)state;
	assert_int_equal(spent_load(dir, &spent), 0);
	for (int i = 0; i < SPENT_MAX; i++) {
		struct ticket ticket = until(i, NOW + 60);

		assert_int_equal(spent_use(&spent, dir, &ticket, NOW), SPENT_NOW);
	}
	assert_int_equal(spent_use(&spent, dir, &one, NOW), SPENT_FULL);
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent.count, SPENT_MAX);
	one.expires = NOW + 151;
	assert_int_equal(spent_use(&spent, dir, &one, NOW + 60 + TICKET_SKEW_S - 1), SPENT_FULL);
	assert_int_equal(spent_use(&spent, dir, &one, NOW + 60 + TICKET_SKEW_S), SPENT_NOW);
	assert_int_equal(spent.count, 1);
}

static void test_not_stored(void **state)
{
	struct ticket ticket = until(1, NOW + 60);
	struct spent spent;

	(void)state;
	assert_int_equal(spent_load(dir, &spent), 0);
	assert_int_equal(spent_use(&spent, "/nowhere", &ticket, NOW), SPENT_FAILED);
	assert_int_equal(spent_use(&spent, dir, &ticket, NOW), SPENT_BEFORE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, forget, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_once),       CASE(test_whose_keys),	 CASE(test_unsound_keys),
		CASE(test_limit),      CASE(test_damaged_files), CASE(test_clock_goes_back),
		CASE(test_taken_back), CASE(test_full),		 CASE(test_not_stored),
	};

	return cmocka_run_group_tests(tests, open_dir, close_dir);
}
