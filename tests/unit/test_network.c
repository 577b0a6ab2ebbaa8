// SPDX-License-Identifier: GPL-2.0-or-later
/* Network settings: their form, which of them make sense, when they hold, and what the API shows. */
/* LINK: userland/lib/network.c userland/device/network_form.c userland/device/network.c userland/device/network_state.c
 *	 userland/lib/log.c | jansson libnl-3.0 libnl-route-3.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/network.h"

#define DHCP "{\"mode\":\"dhcp\"}"
#define OFF "{\"mode\":\"off\"}"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };

/* What is wrong with the form, or with what it says. */
static const char *judge(const char *text, struct network_form *form)
{
	json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
	const char *wrong;

	assert_non_null(json);
	wrong = network_form_parse(json, form);
	json_decref(json);
	memcpy(form->settings.mac, mac, sizeof(mac));
	return wrong ? wrong : network_check(&form->settings);
}

static const char *judge_parts(const char *v4, const char *v6, const char *dns, struct network_form *form)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"interface\":\"eth0\",\"ipv4\":%s,\"ipv6\":%s,\"dns\":[%s]}", v4, v6,
		 dns);
	return judge(text, form);
}

static const char *judge4(const char *address, const char *prefix, const char *gateway)
{
	struct network_form form;
	char text[256];

	snprintf(text, sizeof(text), "{\"mode\":\"static\",\"address\":\"%s\",\"prefix\":%s,\"gateway\":%s}",
		 address, prefix, gateway);
	return judge_parts(text, OFF, "", &form);
}

static const char *judge6(const char *address, const char *prefix, const char *gateway)
{
	struct network_form form;
	char text[256];

	snprintf(text, sizeof(text), "{\"mode\":\"static\",\"address\":\"%s\",\"prefix\":%s,\"gateway\":%s}",
		 address, prefix, gateway);
	return judge_parts(OFF, text, "", &form);
}

static void test_right(void **state)
{
	struct network_form form;
	const struct network_settings *settings = &form.settings;

	(void)state;
	assert_null(judge_parts(
		"{\"mode\":\"static\",\"address\":\"192.0.2.5\",\"prefix\":24,\"gateway\":\"192.0.2.1\"}",
		"{\"mode\":\"static\",\"address\":\"2001:db8::5\",\"prefix\":64}",
		"\"192.0.2.53\",\"2001:db8::53\"", &form));
	assert_string_equal(form.interface, "eth0");
	assert_int_equal(settings->v4.way, NETWORK_STATIC);
	assert_memory_equal(settings->v4.address, "\300\0\2\5\0\0\0\0", 8);
	assert_memory_equal(settings->v4.gateway, "\300\0\2\1\0\0\0\0", 8);
	assert_int_equal(settings->v4.prefix, 24);
	assert_memory_equal(settings->v6.address, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\5", 16);
	assert_int_equal(settings->dns_count, 2);
	assert_int_equal(settings->dns[1].version, 6);

	assert_null(judge_parts(DHCP, "{\"mode\":\"auto\"}", "", &form));
	assert_int_equal(settings->v6.way, NETWORK_AUTO);
	assert_null(judge_parts(DHCP, OFF, "\"1.1.1.1\",\"8.8.8.8\",\"9.9.9.9\"", &form));
	assert_null(judge4("10.0.0.0", "31", "\"10.0.0.1\""));
	assert_null(judge4("10.255.255.254", "8", "null"));
	assert_null(judge6("2001:db8::5", "64", "\"fe80::1\""));
	assert_null(judge6("2001:db8::", "127", "\"2001:db8::1\""));
	assert_null(judge6("fd00::1:0", "128", "null"));
}

static void test_wrong_form(void **state)
{
	static const char *const wrong[] = {
		"[]",
		"{}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF "}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[],\"more\":1}",
		"{\"interface\":\"\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\\u0000\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"0123456789abcdef\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":7,\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":{},\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":\"dhcp\",\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":{\"mode\":\"auto\"},\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":{\"mode\":\"dhcp\"},\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":{\"mode\":\"dhcp\",\"address\":\"1.2.3.4\"},\"ipv6\":" OFF
		",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":{\"mode\":\"static\"},\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":{\"mode\":\"static\",\"address\":\"1.2.3.4\",\"prefix\":24,\"mask\":1},"
		"\"ipv6\":" OFF ",\"dns\":[]}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":{}}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[\"ns.example\"]}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF ",\"dns\":[1]}",
		"{\"interface\":\"eth0\",\"ipv4\":" DHCP ",\"ipv6\":" OFF
		",\"dns\":[\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\"]}",
	};
	struct network_form form;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		print_message("%s: %s\n", wrong[i], judge(wrong[i], &form));
		assert_non_null(judge(wrong[i], &form));
	}
}

static void test_wrong_addresses(void **state)
{
	struct network_form form;

	(void)state;
	/* Neither text nor number of bytes may be guessed. */
	assert_non_null(judge4("192.0.2", "24", "null"));
	assert_non_null(judge4("192.0.2.256", "24", "null"));
	assert_non_null(judge4("192.0.2.5/24", "24", "null"));
	assert_non_null(judge4("192.0.2.5\\nGateway=192.0.2.1", "24", "null"));
	assert_non_null(judge4("2001:db8::5", "24", "null"));
	assert_non_null(judge6("192.0.2.5", "64", "null"));
	assert_non_null(judge4("192.0.2.5", "0", "null"));
	assert_non_null(judge4("192.0.2.5", "32", "null"));
	assert_non_null(judge4("192.0.2.5", "-1", "null"));
	assert_non_null(judge4("192.0.2.5", "24.0", "null"));
	assert_non_null(judge4("192.0.2.5", "4294967320", "null"));
	assert_non_null(judge6("2001:db8::5", "0", "null"));
	assert_non_null(judge6("2001:db8::5", "129", "null"));
	/* Nobody's. */
	assert_string_equal(
		judge4("192.0.2.0", "24", "null"),
		"The IPv4 address is its network's own or its broadcast address: take one between them.");
	assert_non_null(judge4("192.0.2.255", "24", "null"));
	assert_non_null(judge4("10.255.255.255", "8", "null"));
	assert_non_null(judge4("0.0.0.1", "24", "null"));
	assert_non_null(judge4("127.0.0.1", "8", "null"));
	assert_non_null(judge4("169.254.3.4", "16", "null"));
	assert_non_null(judge4("224.0.0.1", "24", "null"));
	assert_non_null(judge4("255.255.255.255", "24", "null"));
	assert_non_null(judge6("::", "64", "null"));
	assert_non_null(judge6("::1", "64", "null"));
	assert_non_null(judge6("::ffff:192.0.2.5", "64", "null"));
	assert_non_null(judge6("fe80::5", "64", "null"));
	assert_non_null(judge6("ff02::1", "64", "null"));
	assert_non_null(judge6("2001:db8::", "64", "null"));
	assert_non_null(judge6("2001:db8:0:0:8000::", "66", "null"));
	/* Gateways that lead nowhere. */
	assert_non_null(judge4("192.0.2.5", "24", "\"192.0.3.1\""));
	assert_non_null(judge4("192.0.2.5", "24", "\"192.0.2.5\""));
	assert_non_null(judge4("192.0.2.5", "24", "\"192.0.2.0\""));
	assert_non_null(judge4("192.0.2.5", "24", "\"192.0.2.255\""));
	assert_non_null(judge4("192.0.2.65", "26", "\"192.0.2.63\""));
	assert_non_null(judge4("192.0.2.5", "24", "\"gateway\""));
	assert_non_null(judge4("192.0.2.5", "24", "1"));
	assert_non_null(judge6("2001:db8::5", "64", "\"2001:db8:0:1::1\""));
	assert_non_null(judge6("2001:db8::5", "64", "\"2001:db8::5\""));
	assert_non_null(judge6("2001:db8::5", "64", "\"ff02::2\""));
	/* All of it. */
	assert_non_null(judge_parts(OFF, OFF, "", &form));
	assert_non_null(judge_parts(DHCP, OFF, "\"1.1.1.1\",\"1.1.1.1\"", &form));
	assert_non_null(judge_parts(DHCP, OFF, "\"0.0.0.0\"", &form));
	assert_non_null(judge_parts(DHCP, OFF, "\"127.0.0.1\"", &form));
	assert_non_null(judge_parts(DHCP, OFF, "\"fe80::1\"", &form));
}

/* What no form can say, but a caller of the helper could. */
static void test_wrong_bytes(void **state)
{
	struct network_settings right = { .mac = { 0x52, 0x54, 0, 1, 2, 3 } }, settings;

	(void)state;
	assert_null(network_check(&right));
	settings = right;
	settings.mac[0] = 0x53;
	assert_non_null(network_check(&settings));
	memset(settings.mac, 0, sizeof(settings.mac));
	assert_non_null(network_check(&settings));
	settings = right;
	settings.v4.way = 3;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.v4.prefix = 24;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.v6.gateway[15] = 1;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.dns_count = 4;
	assert_non_null(network_check(&settings));
	settings.dns_count = 255;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.dns[2].version = 4;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.dns_count = 1;
	assert_non_null(network_check(&settings));
	settings.dns[0] = (struct network_server){ 5, { 1, 1, 1, 1 } };
	assert_non_null(network_check(&settings));
	settings.dns[0].version = 4;
	assert_null(network_check(&settings));
	settings.dns[0].address[4] = 1;
	assert_non_null(network_check(&settings));
	settings = right;
	settings.v4 = (struct network_family){ NETWORK_STATIC, 24, { 192, 0, 2, 5 }, { 0 } };
	assert_null(network_check(&settings));
	settings.v4.address[15] = 1;
	assert_non_null(network_check(&settings));
}

/* A trial may be kept only once its addresses are there. */
static void test_holds(void **state)
{
	struct network_settings settings = { .v4 = { NETWORK_STATIC, 24, { 192, 0, 2, 5 }, { 0 } } };
	struct network_interface interface = {
		.address_count = 1,
		.addresses[0] = { .address = { 192, 0, 2, 5 }, .prefix = 24, .usable = true, .lasting = true }
	};

	(void)state;
	assert_true(network_has(&interface, &settings, NULL));
	interface.addresses[0].prefix = 16;
	assert_false(network_has(&interface, &settings, NULL));
	interface.addresses[0].prefix = 24;
	interface.addresses[0].usable = false;
	assert_false(network_has(&interface, &settings, NULL));
	interface.addresses[0].usable = true;
	settings.v6 = (struct network_family){ NETWORK_STATIC, 64, { 0x20, 1, 0xd, 0xb8, [15] = 5 }, { 0 } };
	assert_false(network_has(&interface, &settings, NULL));
	settings.v6 = (struct network_family){ 0 };
	/* The old static address is no answer of DHCP's. */
	settings.v4 = (struct network_family){ 0 };
	assert_false(network_has(&interface, &settings, NULL));
	interface.addresses[0].lasting = false;
	assert_true(network_has(&interface, &settings, NULL));
	interface.addresses[0].link_local = true;
	assert_false(network_has(&interface, &settings, NULL));
	settings.v4.way = NETWORK_OFF;
	interface.addresses[0] =
		(struct network_address){ .v6 = true, .address = { 0x20, 1 }, .usable = true };
	assert_true(network_has(&interface, &settings, NULL));
}

/* Nor while what was before is there: whoever asks would be here by that. */
static void test_old_is_gone(void **state)
{
	struct network_settings settings = { .v4 = { NETWORK_STATIC, 24, { 192, 0, 2, 5 }, { 0 } } }, kept;
	struct network_interface interface = {
		.address_count = 2,
		.addresses[0] = { .address = { 192, 0, 2, 5 }, .prefix = 24, .usable = true, .lasting = true },
		.addresses[1] = { .address = { 192, 0, 2, 50 }, .prefix = 24, .usable = true }
	};

	(void)state;
	/* From DHCP to static. */
	assert_false(network_has(&interface, &settings, NULL));
	interface.addresses[1].link_local = true;
	assert_true(network_has(&interface, &settings, NULL));
	/* Another prefix of the same address. */
	interface.addresses[1] = interface.addresses[0];
	interface.addresses[1].prefix = 16;
	assert_false(network_has(&interface, &settings, NULL));
	/* An IPv6 address that is to go. */
	settings.v6.way = NETWORK_OFF;
	interface.addresses[1] =
		(struct network_address){ .v6 = true, .address = { 0x20, 1 }, .prefix = 64, .usable = true };
	assert_false(network_has(&interface, &settings, NULL));
	settings.v6.way = NETWORK_AUTO;
	assert_true(network_has(&interface, &settings, NULL));
	/* From static to what comes by itself: that of IPv6 was there already. */
	kept = settings;
	settings.v4 = (struct network_family){ 0 };
	assert_false(network_has(&interface, &settings, &kept));
	/* DHCP may give the very same. */
	interface.addresses[0].lasting = false;
	assert_true(network_has(&interface, &settings, &kept));
	interface.addresses[0].address[3] = 50;
	assert_true(network_has(&interface, &settings, &kept));
}

static void test_gateway_is_there(void **state)
{
	struct network_settings settings = {
		.v4 = { NETWORK_STATIC, 24, { 192, 0, 2, 5 }, { 192, 0, 2, 1 } }
	};
	struct network_interface interface = { .address_count = 1,
					       .addresses[0] = { .address = { 192, 0, 2, 5 },
								 .prefix = 24,
								 .usable = true,
								 .lasting = true },
					       .gateway_count = 1,
					       .gateways[0] = "192.0.2.254" };

	(void)state;
	assert_false(network_has(&interface, &settings, NULL));
	strcpy(interface.gateways[0], "192.0.2.1");
	assert_true(network_has(&interface, &settings, NULL));
	interface.gateway_count = 0;
	assert_false(network_has(&interface, &settings, NULL));
}

static void test_resolver(void **state)
{
	struct network_state read = { 0 };

	(void)state;
	network_state_servers(&read, "# nameserver 1.2.3.4\nsearch example\nnameserver 192.0.2.53\n"
				     "nameserver fe80::1%eth0\nnameserver  none\nnameserver\t2001:db8::53");
	assert_int_equal(read.dns_count, 3);
	assert_string_equal(read.dns[0], "192.0.2.53");
	assert_string_equal(read.dns[1], "fe80::1");
	assert_string_equal(read.dns[2], "2001:db8::53");
	network_state_servers(&read, "nameserver 192.0.2.54\n");
	assert_int_equal(read.dns_count, 3);
	memset(&read, 0, sizeof(read));
	network_state_servers(
		&read, "nameserver 192.0.2.53.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1");
	network_state_servers(&read, "");
	assert_int_equal(read.dns_count, 0);
}

static void test_json(void **state)
{
	struct network_state read = { .host = "kvm-7", .count = 1, .dns_count = 1, .dns[0] = "192.0.2.53" };
	struct network_interface *interface = &read.interfaces[0];
	struct helper_network helper = { .count = 1, .trial_left_s = 42 };
	json_t *json;

	(void)state;
	strcpy(interface->name, "eth0");
	memcpy(interface->mac, mac, sizeof(mac));
	memcpy(helper.kept[0].mac, mac, sizeof(mac));
	memcpy(helper.trial.mac, mac, sizeof(mac));
	json = network_json(&read, &helper);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(json_object_get(json_object_get(json, "trial"), "settings"), "ipv4"),
			"mode")),
		"dhcp");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "trial"), "left_s")), 42);
	assert_non_null(json_object_get(json_array_get(json_object_get(json, "interfaces"), 0), "settings"));
	json_decref(json);
	json = network_json(&read, NULL);
	assert_false(json_is_true(json_object_get(json, "changeable")));
	assert_null(json_object_get(json, "trial"));
	json_decref(json);
	/* The machine itself has an answer, whatever it is. */
	assert_int_equal(network_state_read(&read), 0);
	json = network_json(&read, NULL);
	assert_non_null(json);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong_form),
		cmocka_unit_test(test_wrong_addresses),
		cmocka_unit_test(test_wrong_bytes),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_old_is_gone),
		cmocka_unit_test(test_gateway_is_there),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
