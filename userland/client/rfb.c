// SPDX-License-Identifier: GPL-2.0-or-later
/* The state machine from the server's version to its last update. TLS and time are viewer.c's. */
#include "client/rfb.h"

#include <stdlib.h>
#include <string.h>

#define SECURITY_VENCRYPT 19
#define VENCRYPT_PLAIN 256

#define MESSAGE_UPDATE 0
#define MESSAGE_BELL 2
#define MESSAGE_CUT_TEXT 3

#define ENCODING_RAW 0
#define ENCODING_DESKTOP_SIZE (-223)
#define ENCODING_LAST_RECT (-224)

#define COUNT_UNKNOWN 0xffff /* LastRect ends them */
#define FOREVER 0x10000
#define LENGTH_MAX (1u << 20) /* of names and texts */

static uint32_t get_u16(const uint8_t *from)
{
	return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t get_u32(const uint8_t *from)
{
	return get_u16(from) << 16 | get_u16(from + 2);
}

static void put(struct rfb *rfb, const void *bytes, size_t len)
{
	if (len > sizeof(rfb->out) - rfb->out_used)
		return;
	memcpy(rfb->out + rfb->out_used, bytes, len);
	rfb->out_used += len;
}

static void put_u8(struct rfb *rfb, uint32_t value)
{
	const uint8_t byte = (uint8_t)value;

	put(rfb, &byte, 1);
}

static void put_u16(struct rfb *rfb, uint32_t value)
{
	put_u8(rfb, value >> 8);
	put_u8(rfb, value);
}

static void put_u32(struct rfb *rfb, uint32_t value)
{
	put_u16(rfb, value >> 16);
	put_u16(rfb, value);
}

static enum rfb_event odd(struct rfb *rfb, const char *error)
{
	rfb->error = error;
	rfb->state = RFB_OVER;
	return RFB_ODD;
}

static enum rfb_event go(struct rfb *rfb, enum rfb_state state)
{
	rfb->state = state;
	return RFB_MORE;
}

/* ---- the handshake ---- */

static enum rfb_event version(struct rfb *rfb, const uint8_t *p)
{
	static const char ours[] = "RFB 003.008\n";

	if (memcmp(p, ours, 12) != 0)
		return odd(rfb, "it does not speak RFB 3.8");
	put(rfb, ours, 12);
	return go(rfb, RFB_TYPE_COUNT);
}

static enum rfb_event types(struct rfb *rfb, const uint8_t *p)
{
	if (!memchr(p, SECURITY_VENCRYPT, rfb->length))
		return odd(rfb, "it does not offer VeNCrypt");
	put_u8(rfb, SECURITY_VENCRYPT);
	return go(rfb, RFB_VENCRYPT_VERSION);
}

static enum rfb_event vencrypt_version(struct rfb *rfb, const uint8_t *p)
{
	if (p[0] != 0 || p[1] < 2)
		return odd(rfb, "it offers an old VeNCrypt");
	put_u16(rfb, 2);
	return go(rfb, RFB_VENCRYPT_ANSWER);
}

static enum rfb_event subtypes(struct rfb *rfb, const uint8_t *p)
{
	bool plain = false;

	for (uint32_t i = 0; i < rfb->length; i++)
		plain = plain || get_u32(p + 4 * i) == VENCRYPT_PLAIN;
	if (!plain)
		return odd(rfb, "it does not take a name and a password");
	put_u32(rfb, VENCRYPT_PLAIN);
	put_u32(rfb, (uint32_t)strlen(rfb->user));
	put_u32(rfb, (uint32_t)strlen(rfb->secret));
	put(rfb, rfb->user, strlen(rfb->user));
	put(rfb, rfb->secret, strlen(rfb->secret));
	return go(rfb, RFB_RESULT);
}

static enum rfb_event result(struct rfb *rfb, uint32_t failed)
{
	if (failed)
		return go(rfb, RFB_REASON_LENGTH);
	put_u8(rfb, 1); /* ClientInit: others may watch, too */
	return go(rfb, RFB_SERVER_INIT);
}

static enum rfb_event reason(struct rfb *rfb, const uint8_t *p)
{
	memcpy(rfb->text, p, rfb->length);
	rfb->text[rfb->length] = '\0';
	rfb->state = RFB_OVER;
	return RFB_REFUSED;
}

/* ---- the screen ---- */

static bool resize(struct rfb *rfb, uint32_t width, uint32_t height)
{
	uint32_t count = width * height, *pixels;

	if (!count || width > RFB_SIDE_MAX || height > RFB_SIDE_MAX || count > RFB_AREA_MAX)
		return false;
	/* Zeros cost nothing before they are used: a server that changes its size all the time costs little. */
	pixels = calloc(count, sizeof(*pixels));
	if (!pixels)
		return false;
	free(rfb->pixels);
	rfb->pixels = pixels;
	rfb->width = width;
	rfb->height = height;
	return true;
}

bool rfb_whole(const struct rfb *rfb)
{
	for (uint32_t i = 0; i < rfb->width * rfb->height; i++)
		if (!(rfb->pixels[i] & RFB_DRAWN))
			return false;
	return true;
}

/* 32 bits little endian, 8 of each colour: what row() reads. */
static void set_format(struct rfb *rfb)
{
	static const uint8_t message[20] = { 0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 };
	static const int32_t encodings[] = { ENCODING_RAW, ENCODING_DESKTOP_SIZE, ENCODING_LAST_RECT };

	put(rfb, message, sizeof(message));
	put_u16(rfb, 2 << 8);
	put_u16(rfb, sizeof(encodings) / sizeof(encodings[0]));
	for (unsigned i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
		put_u32(rfb, (uint32_t)encodings[i]);
}

static enum rfb_event server_init(struct rfb *rfb, const uint8_t *p)
{
	if (!resize(rfb, get_u16(p), get_u16(p + 2)))
		return odd(rfb, "its screen is too large");
	rfb->length = get_u32(p + 20);
	if (rfb->length > LENGTH_MAX)
		return odd(rfb, "its name is too long");
	set_format(rfb);
	return go(rfb, RFB_NAME);
}

/* ---- updates ---- */

static enum rfb_event type(struct rfb *rfb, uint8_t message)
{
	switch (message) {
	case MESSAGE_UPDATE:
		return go(rfb, RFB_UPDATE);
	case MESSAGE_BELL:
		return RFB_MORE;
	case MESSAGE_CUT_TEXT:
		return go(rfb, RFB_CUT_TEXT);
	default:
		return odd(rfb, "it sends a message that was not asked for");
	}
}

static enum rfb_event next_rect(struct rfb *rfb)
{
	rfb->state = rfb->rects ? RFB_RECT : RFB_TYPE;
	return rfb->rects ? RFB_MORE : RFB_UPDATED;
}

static enum rfb_event raw(struct rfb *rfb)
{
	if (rfb->x + rfb->rect_width > rfb->width || rfb->y + rfb->rows > rfb->height)
		return odd(rfb, "it draws outside of the screen");
	return rfb->rect_width && rfb->rows ? go(rfb, RFB_ROW) : next_rect(rfb);
}

static enum rfb_event rect(struct rfb *rfb, const uint8_t *p)
{
	int32_t encoding = (int32_t)get_u32(p + 8);

	rfb->x = get_u16(p);
	rfb->y = get_u16(p + 2);
	rfb->rect_width = get_u16(p + 4);
	rfb->rows = get_u16(p + 6);
	if (rfb->rects != FOREVER)
		rfb->rects--;
	switch (encoding) {
	case ENCODING_RAW:
		return raw(rfb);
	case ENCODING_LAST_RECT:
		rfb->rects = 0;
		return next_rect(rfb);
	case ENCODING_DESKTOP_SIZE:
		return resize(rfb, rfb->rect_width, rfb->rows) ? next_rect(rfb) :
								 odd(rfb, "its screen is too large");
	default:
		return odd(rfb, "it sends an encoding that was not asked for");
	}
}

static enum rfb_event row(struct rfb *rfb, const uint8_t *p)
{
	uint32_t *to = rfb->pixels + (size_t)rfb->y * rfb->width + rfb->x;

	for (uint32_t i = 0; i < rfb->rect_width; i++, p += 4)
		to[i] = RFB_DRAWN | (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	rfb->y++;
	return --rfb->rows ? RFB_MORE : next_rect(rfb);
}

/* ---- step by step ---- */

static size_t needed(const struct rfb *rfb)
{
	static const uint8_t fixed[RFB_OVER] = {
		[RFB_VERSION] = 12,	   [RFB_TYPE_COUNT] = 1,    [RFB_VENCRYPT_VERSION] = 2,
		[RFB_VENCRYPT_ANSWER] = 1, [RFB_SUBTYPE_COUNT] = 1, [RFB_RESULT] = 4,
		[RFB_REASON_LENGTH] = 4,   [RFB_SERVER_INIT] = 24,  [RFB_TYPE] = 1,
		[RFB_UPDATE] = 3,	   [RFB_CUT_TEXT] = 7,	    [RFB_RECT] = 12,
	};

	switch (rfb->state) {
	case RFB_TYPES:
	case RFB_REASON:
		return rfb->length;
	case RFB_SUBTYPES:
		return 4 * (size_t)rfb->length;
	case RFB_ROW:
		return 4 * (size_t)rfb->rect_width;
	default:
		return fixed[rfb->state];
	}
}

/* Names and texts, which nobody wants to know. */
static enum rfb_event skip(struct rfb *rfb, size_t len, size_t *used)
{
	*used = len < rfb->length ? len : rfb->length;
	rfb->length -= (uint32_t)*used;
	if (rfb->length)
		return RFB_MORE;
	if (rfb->state == RFB_SKIP)
		return go(rfb, RFB_TYPE);
	rfb->state = RFB_TYPE;
	return RFB_READY;
}

static enum rfb_event count(struct rfb *rfb, uint8_t value, enum rfb_state next)
{
	rfb->length = value;
	return go(rfb, next);
}

static enum rfb_event reason_length(struct rfb *rfb, uint32_t length)
{
	rfb->length = length;
	return length < RFB_TEXT_SIZE ? go(rfb, RFB_REASON) :
					odd(rfb, "it refuses, for a reason that is too long");
}

static enum rfb_event step(struct rfb *rfb, const uint8_t *p)
{
	switch (rfb->state) {
	case RFB_VERSION:
		return version(rfb, p);
	case RFB_TYPE_COUNT:
		return count(rfb, p[0], p[0] ? RFB_TYPES : RFB_REASON_LENGTH);
	case RFB_TYPES:
		return types(rfb, p);
	case RFB_VENCRYPT_VERSION:
		return vencrypt_version(rfb, p);
	case RFB_VENCRYPT_ANSWER:
		return p[0] ? odd(rfb, "it does not take VeNCrypt 0.2") : go(rfb, RFB_SUBTYPE_COUNT);
	case RFB_SUBTYPE_COUNT:
		return count(rfb, p[0], RFB_SUBTYPES);
	case RFB_SUBTYPES:
		return subtypes(rfb, p);
	case RFB_RESULT:
		return result(rfb, get_u32(p));
	case RFB_REASON_LENGTH:
		return reason_length(rfb, get_u32(p));
	case RFB_REASON:
		return reason(rfb, p);
	case RFB_SERVER_INIT:
		return server_init(rfb, p);
	case RFB_TYPE:
		return type(rfb, p[0]);
	case RFB_UPDATE: /* a byte of padding, and how many */
		rfb->rects = get_u16(p + 1) == COUNT_UNKNOWN ? FOREVER : get_u16(p + 1);
		return next_rect(rfb);
	case RFB_CUT_TEXT:
		rfb->length = get_u32(p + 3);
		return rfb->length > LENGTH_MAX ? odd(rfb, "it sends too long a text") : go(rfb, RFB_SKIP);
	case RFB_RECT:
		return rect(rfb, p);
	default: /* RFB_ROW */
		return row(rfb, p);
	}
}

enum rfb_event rfb_feed(struct rfb *rfb, const uint8_t *span, size_t len, size_t *used)
{
	*used = 0;
	if (rfb->state == RFB_NAME || rfb->state == RFB_SKIP)
		return skip(rfb, len, used);
	if (rfb->state == RFB_OVER || len < needed(rfb))
		return RFB_MORE;
	*used = needed(rfb);
	return step(rfb, span);
}

/* ---- what the Client says ---- */

void rfb_ask(struct rfb *rfb, bool incremental)
{
	put_u8(rfb, 3);
	put_u8(rfb, incremental);
	put_u32(rfb, 0);
	put_u16(rfb, rfb->width);
	put_u16(rfb, rfb->height);
}

void rfb_key(struct rfb *rfb, uint32_t keysym, bool down)
{
	put_u8(rfb, 4);
	put_u8(rfb, down);
	put_u16(rfb, 0);
	put_u32(rfb, keysym);
}

void rfb_start(struct rfb *rfb, const char *user, const char *secret)
{
	memset(rfb, 0, sizeof(*rfb));
	rfb->user = user;
	rfb->secret = secret;
}

void rfb_clear(struct rfb *rfb)
{
	free(rfb->pixels);
	memset(rfb, 0, sizeof(*rfb));
}
