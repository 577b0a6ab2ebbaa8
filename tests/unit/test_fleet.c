// SPDX-License-Identifier: GPL-2.0-or-later
/* The Manager's list of Devices: what is heard, what is ours, and who makes room. */
/* LINK: userland/manager/fleet.c userland/lib/ticket.c userland/lib/base64.c userland/manager/ca.c userland/manager/text.c userland/lib/certificate.c userland/lib/identity.c
 *	 userland/lib/state.c userland/lib/log.c | jansson -lssl -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "manager/fleet.h"

static char dir[] = "/tmp/kvmnet-fleet-XXXXXX";
static struct fleet fleet;

static int open_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	fleet.ca = ca_open(dir);
	return !fleet.ca;
}

static int close_all(void **state)
{
	char path[64];

	(void)state;
	fleet_clear(&fleet);
	ca_close((struct ca *)fleet.ca);
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ca.crt", dir);
	unlink(path);
	return rmdir(dir);
}

static void hear_from(unsigned number, enum discovery_state state, const char *name, const char *address)
{
	struct discovery_message message = { .state = state, .https_port = 443 };

	memcpy(message.id, &number, sizeof(number));
	strcpy(message.name, name);
	fleet_heard(&fleet, &message, address);
}

static void hear(unsigned number, enum discovery_state state, const char *name)
{
	hear_from(number, state, name, "10.0.0.1");
}

static struct fleet_device *numbered(unsigned number)
{
	uint8_t bytes[DISCOVERY_ID_SIZE] = { 0 };
	char id[CA_ID_SIZE];

	memcpy(bytes, &number, sizeof(number));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		sprintf(id + 2 * i, "%02x", bytes[i]);
	return fleet_find(&fleet, id);
}

static const char *state_of(unsigned number)
{
	static char state[32];
	json_t *all = fleet_json(&fleet), *device;
	size_t i;

	*state = '\0';
	json_array_foreach(
		json_object_get(all, "devices"), i,
		device) if (!strcmp(json_string_value(json_object_get(device, "id")), numbered(number)->id))
		strcpy(state, json_string_value(json_object_get(device, "state")));
	json_decref(all);
	return state;
}

static void test_states(void **state)
{
	(void)state;
	hear(1, DISCOVERY_UNCLAIMED, "left");
	assert_string_equal(state_of(1), "unclaimed");
	hear(1, DISCOVERY_STANDALONE, "left\x1b[2J");
	assert_string_equal(state_of(1), "stand-alone");
	assert_null(strchr(numbered(1)->name, '\x1b'));
	hear(1, DISCOVERY_MANAGED, "left");
	assert_string_equal(state_of(1), "managed by another");
	/* It still calls us its Manager, who has released it. */
	strcpy(numbered(1)->manager, ca_id(fleet.ca));
	assert_string_equal(state_of(1), "stand-alone");
	fleet_set_adopted(&fleet, numbered(1), true);
	assert_string_equal(state_of(1), "adopted");
	assert_int_equal(fleet.found, 0);
	fleet_set_adopted(&fleet, numbered(1), true);
	assert_int_equal(fleet.found, 0);
}

/* Where people are sent is no datagram's to say, once it is adopted. */
static void test_addresses(void **state)
{
	(void)state;
	hear_from(3, DISCOVERY_UNCLAIMED, "moves", "fe80::1%eth0");
	assert_string_equal(numbered(3)->address, "fe80::1%eth0");
	hear_from(3, DISCOVERY_UNCLAIMED, "moves", "10.0.0.3");
	assert_string_equal(numbered(3)->address, "10.0.0.3");
	hear_from(3, DISCOVERY_UNCLAIMED, "moves", "fe80::1%eth0");
	assert_string_equal(numbered(3)->address, "10.0.0.3");
	fleet_set_adopted(&fleet, numbered(3), true);
	hear_from(3, DISCOVERY_MANAGED, "moves", "10.0.0.66");
	assert_string_equal(numbered(3)->address, "10.0.0.3");
	assert_string_equal(numbered(3)->heard_address, "10.0.0.66");
	fleet_set_adopted(&fleet, numbered(3), false);
}

/* A flood of made-up Devices ends neither the list nor what is adopted, and who is there is heard of again. */
static void test_flood(void **state)
{
	(void)state;
	hear(2, DISCOVERY_UNCLAIMED, "true");
	for (unsigned i = 0; i < 2 * FLEET_FOUND_MAX; i++) {
		hear(1000 + i, DISCOVERY_UNCLAIMED, "false");
		if (i % 1000 == 0)
			hear(2, DISCOVERY_UNCLAIMED, "true");
	}
	assert_int_equal(fleet.found, FLEET_FOUND_MAX);
	assert_non_null(numbered(1));
	assert_non_null(numbered(2));
	assert_null(numbered(1000));
	hear(3, DISCOVERY_UNCLAIMED, "new");
	assert_non_null(numbered(3));
	assert_int_equal(fleet.found, FLEET_FOUND_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
