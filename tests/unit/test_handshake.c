// SPDX-License-Identifier: GPL-2.0-or-later
/* The handshake: each way in, byte by byte, and each refusal with its text. */
/* LINK: userland/device/handshake.c userland/device/rfb.c userland/device/pixel.c | -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/handshake.h"
#include "device/rfb.h"

static struct handshake hs;

/* Feeds bytes one more at a time, until something but MORE happens or all are used. */
static enum handshake_event feed(const char *bytes, size_t len)
{
	size_t start = 0, used;

	for (size_t end = 0; end <= len; end += used ? 0 : 1) {
		uint8_t *span = malloc(end - start + 1);
		enum handshake_event event;

		memcpy(span, bytes + start, end - start);
		event = handshake_feed(&hs, span, end - start, &used);
		free(span);
		start += used;
		if (event != HANDSHAKE_MORE) {
			assert_int_equal(start, len);
			return event;
		}
	}
	assert_int_equal(start, len);
	return HANDSHAKE_MORE;
}

#define FEED(bytes) feed(bytes, sizeof(bytes) - 1)
#define LOGIN "\0\0\0\3\0\0\0\4abcpass"

static void expect_out(const char *bytes, size_t len)
{
	assert_int_equal(hs.out_used, len);
	assert_memory_equal(hs.out, bytes, len);
	hs.out_used = 0;
}

static void stock_viewer_goes_through_vencrypt(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_CLEAR, NULL);
	expect_out("RFB 003.008\n", 12);
	assert_int_equal(FEED("RFB 003.008\n"), HANDSHAKE_MORE);
	expect_out("\1\x13", 2);
	assert_int_equal(FEED("\x13"), HANDSHAKE_MORE);
	expect_out("\0\2", 2);
	assert_int_equal(FEED("\0\2"), HANDSHAKE_MORE);
	expect_out("\0\1\0\0\1\6", 6);
	assert_int_equal(FEED("\0\0\1\6"), HANDSHAKE_START_TLS);
	expect_out("\1", 1);
	assert_true(hs.tls);
	assert_int_equal(FEED(LOGIN), HANDSHAKE_VERIFY);
	assert_string_equal(hs.user, "abc");
	assert_string_equal(hs.password, "pass");
	handshake_verified(&hs, NULL);
	expect_out("\0\0\0\0", 4);
	assert_int_equal(hs.password[0], 0);
	assert_int_equal(FEED("\1"), HANDSHAKE_DONE);
}

static void tls_client_sends_plain(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13"), HANDSHAKE_MORE);
	assert_int_equal(FEED("\0\2\0\0\1\0"), HANDSHAKE_MORE);
	assert_int_equal(FEED(LOGIN), HANDSHAKE_VERIFY);
	hs.out_used = 0;
	handshake_verified(&hs, "No.");
	expect_out("\0\0\0\1\0\0\0\3No.", 11);
	assert_int_equal(hs.state, HANDSHAKE_OVER);
}

static void relay_needs_no_password(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_RELAY, NULL);
	assert_int_equal(FEED("RFB 003.008\n\1"), HANDSHAKE_MORE);
	assert_int_equal(FEED("\0"), HANDSHAKE_DONE);
}

/* Nobody but the relay gets in without a password. */
static void none_is_refused_to_the_network(void **state)
{
	(void)state;
	for (int way = HANDSHAKE_CLEAR; way <= HANDSHAKE_TLS; way++) {
		handshake_start(&hs, (enum handshake_way)way, NULL);
		assert_int_equal(FEED("RFB 003.008\n\1"), HANDSHAKE_FAILED);
	}
	handshake_start(&hs, HANDSHAKE_CLEAR, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\0"), HANDSHAKE_FAILED);
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\6"), HANDSHAKE_FAILED);
}

static void a_refusal_is_told_in_every_version(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_CLEAR, "Claim me.");
	hs.out_used = 0;
	assert_int_equal(FEED("RFB 003.889\n"), HANDSHAKE_FAILED);
	expect_out("\0\0\0\0\11Claim me.", 14);
	handshake_start(&hs, HANDSHAKE_CLEAR, NULL);
	hs.out_used = 0;
	assert_int_equal(FEED("RFB 003.003\n"), HANDSHAKE_FAILED);
	assert_memory_equal(hs.out, "\0\0\0\0\0\0\0", 7);
	handshake_start(&hs, HANDSHAKE_CLEAR, NULL);
	hs.out_used = 0;
	assert_int_equal(FEED("RFB 003.007\n"), HANDSHAKE_FAILED);
	assert_int_equal(hs.out[0], 0);
	assert_string_equal(hs.error, "This server needs RFB 3.8: update the viewer.");
}

static void bad_bytes_fail(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_CLEAR, NULL);
	assert_int_equal(FEED("RFB 00x.008\n"), HANDSHAKE_FAILED);
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\1"), HANDSHAKE_FAILED);
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\0\0\0\0\x41\0\0\0\1"), HANDSHAKE_FAILED);
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff"),
			 HANDSHAKE_FAILED);
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\0\0\0\0\1\0\0\0\2ab\0"), HANDSHAKE_FAILED);
}

static void empty_credentials_are_asked_about_too(void **state)
{
	(void)state;
	handshake_start(&hs, HANDSHAKE_TLS, NULL);
	assert_int_equal(FEED("RFB 003.008\n\x13\0\2\0\0\1\0\0\0\0\0\0\0\0\0"), HANDSHAKE_VERIFY);
	assert_string_equal(hs.user, "");
	assert_string_equal(hs.password, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stock_viewer_goes_through_vencrypt),
		cmocka_unit_test(tls_client_sends_plain),
		cmocka_unit_test(relay_needs_no_password),
		cmocka_unit_test(none_is_refused_to_the_network),
		cmocka_unit_test(a_refusal_is_told_in_every_version),
		cmocka_unit_test(bad_bytes_fail),
		cmocka_unit_test(empty_credentials_are_asked_about_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
