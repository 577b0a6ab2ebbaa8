/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Client's side of RFB 3.8 inside TLS, as device/CHANNELS.md has it: VeNCrypt Plain, Raw pixels, key events (RFC
 * 6143). Bytes in, bytes out, no socket.
 */
#ifndef KVMNET_CLIENT_RFB_H
#define KVMNET_CLIENT_RFB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFB_SIDE_MAX 16384u
#define RFB_AREA_MAX (8192u * 4608u)
#define RFB_NEEDS_MAX (4 * RFB_SIDE_MAX) /* that rfb_feed() takes at once: a row of pixels */
#define RFB_TEXT_SIZE 512

enum rfb_event {
	RFB_MORE,
	RFB_READY,   /* the session is open: width and height are known */
	RFB_UPDATED, /* what was asked for came; perhaps not all of it */
	RFB_REFUSED, /* text says why, in the server's words */
	RFB_ODD,     /* error says how it is no RFB of ours */
};

enum rfb_state {
	RFB_VERSION,
	RFB_TYPE_COUNT,
	RFB_TYPES,
	RFB_VENCRYPT_VERSION,
	RFB_VENCRYPT_ANSWER,
	RFB_SUBTYPE_COUNT,
	RFB_SUBTYPES,
	RFB_RESULT,
	RFB_REASON_LENGTH,
	RFB_REASON,
	RFB_SERVER_INIT,
	RFB_NAME,
	RFB_TYPE,
	RFB_UPDATE,
	RFB_CUT_TEXT,
	RFB_SKIP,
	RFB_RECT,
	RFB_ROW,
	RFB_OVER,
};

struct rfb {
	enum rfb_state state;
	const char *user, *secret;
	const char *error;
	char text[RFB_TEXT_SIZE];
	uint32_t length; /* of what comes next, where that was told */
	uint32_t width, height;
	uint32_t *pixels; /* of 0xRRGGBB, rows without gaps, and RFB_DRAWN once it came */
	uint32_t rects;	  /* to come; more than 16 bits have: until LastRect */
	uint32_t x, y, rect_width, rows;
	uint8_t out[2048]; /* to be sent, and then wiped: by the caller */
	size_t out_used;
};

#define RFB_DRAWN 0xff000000u

/* user and secret live as long as the handshake. */
void rfb_start(struct rfb *rfb, const char *user, const char *secret);
void rfb_clear(struct rfb *rfb);
/* One step; *used bytes of the span were taken, the rest is for the next call. MORE without any: with more behind it. */
enum rfb_event rfb_feed(struct rfb *rfb, const uint8_t *span, size_t len, size_t *used);

/* Into out. */
void rfb_ask(struct rfb *rfb, bool incremental); /* for the whole screen */
void rfb_key(struct rfb *rfb, uint32_t keysym, bool down);
/* Has every pixel come since the screen has that size? */
bool rfb_whole(const struct rfb *rfb);

#endif
