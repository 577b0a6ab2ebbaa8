// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line's side of RFB: what it answers, what it draws, what it does not take. */
/* LINK: userland/client/rfb.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/rfb.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define HELLO "RFB 003.008\n\1\x13\0\2\0\1\0\0\1\0"
#define INIT(width, height) \
	"\0\0\0\0\0" width "\0" height "\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\4left"
#define OPENED HELLO INIT("\2", "\2")

static struct rfb rfb;

/* All of it, and the event that came last but MORE. In steps of one byte more each time, as a network may bring it. */
static enum rfb_event feed(const uint8_t *bytes, size_t len)
{
	enum rfb_event event, last = RFB_MORE;
	size_t start = 0, end = 0, used;

	for (;;) {
		event = rfb_feed(&rfb, bytes + start, end - start, &used);
		assert_true(used <= end - start);
		start += used;
		if (event != RFB_MORE)
			last = event;
		if (rfb.state == RFB_OVER || (event == RFB_MORE && !used && end == len))
			return last;
		if (event == RFB_MORE && !used)
			end++;
	}
}

static enum rfb_event start(const uint8_t *bytes, size_t len)
{
	rfb_clear(&rfb);
	rfb_start(&rfb, "ann", "secret");
	return feed(bytes, len);
}

static int tear_down(void **state)
{
	(void)state;
	rfb_clear(&rfb);
	return 0;
}

static void opens_a_session(void **state)
{
	static const char said[] = "RFB 003.008\n\x13\0\2\0\0\1\0\0\0\0\3\0\0\0\6annsecret\1"
				   "\0\0\0\0\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0"
				   "\2\0\0\3\0\0\0\0\xff\xff\xff\x21\xff\xff\xff\x20";

	(void)state;
	assert_int_equal(start(BYTES(OPENED)), RFB_READY);
	assert_int_equal(rfb.width, 2);
	assert_int_equal(rfb.height, 2);
	assert_int_equal(rfb.out_used, sizeof(said) - 1);
	assert_memory_equal(rfb.out, said, sizeof(said) - 1);
	assert_false(rfb_whole(&rfb));
}

static void is_refused_in_words(void **state)
{
	(void)state;
	assert_int_equal(start(BYTES(HELLO "\0\0\0\1\0\0\0\5Wrong")), RFB_REFUSED);
	assert_string_equal(rfb.text, "Wrong");
	assert_int_equal(start(BYTES("RFB 003.008\n\0\0\0\0\4Full")), RFB_REFUSED);
	assert_string_equal(rfb.text, "Full");
	assert_int_equal(start(BYTES(HELLO "\0\0\0\1\0\0\0\0")), RFB_REFUSED);
	assert_string_equal(rfb.text, "");
}

static void draws(void **state)
{
	(void)state;
	assert_int_equal(start(BYTES(OPENED)), RFB_READY);
	/* Its X byte may be anything. */
	assert_int_equal(feed(BYTES("\0\0\0\1\0\0\0\0\0\2\0\1\0\0\0\0\1\2\3\4\5\6\7\xff")), RFB_UPDATED);
	assert_int_equal(rfb.pixels[0], RFB_DRAWN | 0x030201);
	assert_int_equal(rfb.pixels[1], RFB_DRAWN | 0x070605);
	assert_false(rfb_whole(&rfb));
	assert_int_equal(feed(BYTES("\2\3\0\0\0\0\0\0\2hi\0\0\xff\xff\0\0\0\1\0\2\0\1\0\0\0\0\1\1\1\1\2\2\2\2"
				    "\0\0\0\0\0\0\0\0\xff\xff\xff\x20")),
			 RFB_UPDATED);
	assert_true(rfb_whole(&rfb));
	/* Another Mode: nothing of it is drawn yet. */
	assert_int_equal(feed(BYTES("\0\0\0\1\0\0\0\0\0\3\0\1\xff\xff\xff\x21")), RFB_UPDATED);
	assert_int_equal(rfb.width, 3);
	assert_int_equal(rfb.height, 1);
	assert_false(rfb_whole(&rfb));
	assert_int_equal(feed(BYTES("\0\0\0\0")), RFB_UPDATED);
}

static void is_odd(const uint8_t *bytes, size_t len, const char *why)
{
	assert_int_equal(start(bytes, len), RFB_ODD);
	assert_non_null(strstr(rfb.error, why));
}

static void takes_nothing_else(void **state)
{
	(void)state;
	is_odd(BYTES("HTTP/1.1 400"), "RFB 3.8");
	is_odd(BYTES("RFB 003.003\n"), "RFB 3.8");
	is_odd(BYTES("RFB 003.008\n\2\1\2"), "VeNCrypt");
	is_odd(BYTES("RFB 003.008\n\1\x13\0\1"), "old");
	is_odd(BYTES("RFB 003.008\n\1\x13\0\2\xff"), "0.2");
	is_odd(BYTES("RFB 003.008\n\1\x13\0\2\0\1\0\0\1\6"), "name and a password");
	is_odd(BYTES("RFB 003.008\n\1\x13\0\2\0\0"), "name and a password");
	is_odd(BYTES(HELLO "\0\0\0\1\xff\xff\xff\xff"), "too long");
	is_odd(BYTES(HELLO INIT("\0", "\1")), "too large");
	is_odd(BYTES(HELLO "\0\0\0\0\xff\xff\xff\xff\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\0\0\0\0"),
	       "too large");
	is_odd(BYTES(HELLO "\0\0\0\0\0\1\0\1\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0\xff\0\0\0"),
	       "name");
	is_odd(BYTES(OPENED "\1"), "message");
	is_odd(BYTES(OPENED "\3\0\0\0\x7f\0\0\0"), "text");
	is_odd(BYTES(OPENED "\0\0\0\1\0\0\0\0\0\2\0\2\0\0\0\x10"), "encoding");
	is_odd(BYTES(OPENED "\0\0\0\1\0\1\0\0\0\2\0\2\0\0\0\0"), "outside");
	is_odd(BYTES(OPENED "\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), "outside");
	is_odd(BYTES(OPENED "\0\0\0\1\0\0\0\0\x40\0\x40\0\xff\xff\xff\x21"), "too large");
}

static void asks_and_presses(void **state)
{
	static const char said[] =
		"\3\0\0\0\0\0\0\2\0\2\3\1\0\0\0\0\0\2\0\2\4\1\0\0\0\0\xff\x0d\4\0\0\0\0\0\xff\x0d";

	(void)state;
	assert_int_equal(start(BYTES(OPENED)), RFB_READY);
	rfb.out_used = 0;
	rfb_ask(&rfb, false);
	rfb_ask(&rfb, true);
	rfb_key(&rfb, 0xff0d, true);
	rfb_key(&rfb, 0xff0d, false);
	assert_int_equal(rfb.out_used, sizeof(said) - 1);
	assert_memory_equal(rfb.out, said, sizeof(said) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(opens_a_session, tear_down),
		cmocka_unit_test_teardown(is_refused_in_words, tear_down),
		cmocka_unit_test_teardown(draws, tear_down),
		cmocka_unit_test_teardown(takes_nothing_else, tear_down),
		cmocka_unit_test_teardown(asks_and_presses, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
