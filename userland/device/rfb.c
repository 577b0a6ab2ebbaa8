// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Client messages in bounds, server messages in their exact bytes. No state but
 * struct rfb_reader, no sockets: the fuzzer calls what the daemon calls.
 */
#include "device/rfb.h"

#include <string.h>

/* Client message types. */
#define MSG_SET_PIXEL_FORMAT 0
#define MSG_SET_ENCODINGS 2
#define MSG_UPDATE_REQUEST 3
#define MSG_KEY 4
#define MSG_POINTER 5
#define MSG_CUT_TEXT 6
#define MSG_SET_DESKTOP_SIZE 251
#define MSG_QEMU 255
#define MSG_QEMU_KEY 0

uint8_t *rfb_put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

uint8_t *rfb_put_u32(uint8_t *to, uint32_t value)
{
	return rfb_put_u16(rfb_put_u16(to, (uint16_t)(value >> 16)), (uint16_t)value);
}

uint16_t rfb_get_u16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

uint32_t rfb_get_u32(const uint8_t *from)
{
	return (uint32_t)rfb_get_u16(from) << 16 | rfb_get_u16(from + 2);
}

static enum rfb_result fail(struct rfb_reader *reader, const char *error)
{
	reader->error = error;
	return RFB_ERROR;
}

static void note_encoding(struct rfb_reader *reader, int32_t encoding)
{
	struct rfb_encodings *e = &reader->encodings;

	switch (encoding) {
	case RFB_RAW:
	case RFB_ZRLE:
		if (!reader->preferred_known)
			e->preferred = encoding;
		reader->preferred_known = true;
		if (encoding == RFB_RAW)
			e->raw = true;
		else
			e->zrle = true;
		break;
	case RFB_DESKTOP_SIZE:
		e->desktop_size = true;
		break;
	case RFB_EXT_DESKTOP_SIZE:
		e->ext_desktop_size = true;
		break;
	case RFB_LAST_RECT:
		e->last_rect = true;
		break;
	case RFB_QEMU_KEYS:
		e->qemu_keys = true;
		break;
	case RFB_QEMU_LEDS:
		e->qemu_leds = true;
		break;
	case RFB_DESKTOP_NAME:
		e->desktop_name = true;
		break;
	case RFB_CHANNELS:
		e->channels = true;
		break;
	default: /* what we do not speak is not an error */
		break;
	}
}

/* The list may be 256 KiB long: it is folded as it comes. */
static enum rfb_result read_encodings(struct rfb_reader *reader, const uint8_t *span, size_t len,
				      size_t *used, struct rfb_message *message)
{
	while (reader->encodings_left && len - *used >= 4) {
		note_encoding(reader, (int32_t)rfb_get_u32(span + *used));
		*used += 4;
		reader->encodings_left--;
	}
	if (reader->encodings_left)
		return RFB_MORE;
	message->type = RFB_SET_ENCODINGS;
	message->encodings = reader->encodings;
	return RFB_MESSAGE;
}

static struct pixel_format get_format(const uint8_t *p)
{
	return (struct pixel_format){
		.bits = p[0],
		.depth = p[1],
		.big_endian = p[2],
		.true_colour = p[3],
		.red_max = rfb_get_u16(p + 4),
		.green_max = rfb_get_u16(p + 6),
		.blue_max = rfb_get_u16(p + 8),
		.red_shift = p[10],
		.green_shift = p[11],
		.blue_shift = p[12],
	};
}

static size_t fixed_length(uint8_t type)
{
	switch (type) {
	case MSG_SET_PIXEL_FORMAT:
		return 20;
	case MSG_SET_ENCODINGS:
		return 4;
	case MSG_UPDATE_REQUEST:
		return 10;
	case MSG_KEY:
	case MSG_CUT_TEXT:
	case MSG_SET_DESKTOP_SIZE:
		return 8;
	case MSG_POINTER:
		return 6;
	case MSG_QEMU:
		return 12;
	default:
		return 0;
	}
}

static void get_request(const uint8_t *p, struct rfb_message *message)
{
	message->type = RFB_UPDATE_REQUEST;
	message->request.incremental = p[1];
	message->request.x = rfb_get_u16(p + 2);
	message->request.y = rfb_get_u16(p + 4);
	message->request.width = rfb_get_u16(p + 6);
	message->request.height = rfb_get_u16(p + 8);
}

static enum rfb_result read_fixed(struct rfb_reader *reader, const uint8_t *p, struct rfb_message *message)
{
	switch (p[0]) {
	case MSG_SET_PIXEL_FORMAT:
		message->type = RFB_SET_PIXEL_FORMAT;
		message->format = get_format(p + 4);
		return RFB_MESSAGE;
	case MSG_UPDATE_REQUEST:
		get_request(p, message);
		return RFB_MESSAGE;
	case MSG_KEY:
		message->type = RFB_KEY;
		message->key.down = p[1];
		message->key.keysym = rfb_get_u32(p + 4);
		message->key.scancode = 0;
		return RFB_MESSAGE;
	case MSG_POINTER:
		message->type = RFB_POINTER;
		message->pointer.mask = p[1];
		message->pointer.x = rfb_get_u16(p + 2);
		message->pointer.y = rfb_get_u16(p + 4);
		return RFB_MESSAGE;
	case MSG_CUT_TEXT: /* a viewer's clipboard comes unasked, passwords in it: never typed, never kept */
		reader->skip = rfb_get_u32(p + 4);
		if (reader->skip > INT32_MAX)
			return fail(reader, "extended clipboard, which was not offered");
		return RFB_MORE;
	case MSG_SET_DESKTOP_SIZE:
		reader->skip = 16u * p[6];
		message->type = RFB_SET_DESKTOP_SIZE;
		return RFB_MESSAGE;
	default: /* MSG_QEMU */
		if (p[1] != MSG_QEMU_KEY)
			return fail(reader, "QEMU message that was not offered");
		message->type = RFB_QEMU_KEY;
		message->key.down = rfb_get_u16(p + 2);
		message->key.keysym = rfb_get_u32(p + 4);
		message->key.scancode = rfb_get_u32(p + 8);
		return RFB_MESSAGE;
	}
}

enum rfb_result rfb_read(struct rfb_reader *reader, const uint8_t *span, size_t len, size_t *used,
			 struct rfb_message *message)
{
	enum rfb_result result = RFB_MORE;

	*used = 0;
	if (reader->encodings_left)
		return read_encodings(reader, span, len, used, message);
	while (result == RFB_MORE) {
		size_t skipped = reader->skip < len - *used ? (size_t)reader->skip : len - *used, fixed;

		reader->skip -= skipped;
		*used += skipped;
		if (reader->skip || *used == len)
			return RFB_MORE;
		fixed = fixed_length(span[*used]);
		if (!fixed)
			return fail(reader, "message of an unknown type");
		if (len - *used < fixed)
			return RFB_MORE;
		*used += fixed;
		if (span[*used - fixed] != MSG_SET_ENCODINGS) {
			result = read_fixed(reader, span + *used - fixed, message);
			continue;
		}
		reader->encodings_left = rfb_get_u16(span + *used - 2);
		reader->preferred_known = false;
		reader->encodings = (struct rfb_encodings){ .preferred = RFB_RAW };
		return read_encodings(reader, span, len, used, message);
	}
	return result;
}

uint8_t *rfb_put_server_init(uint8_t *to, uint16_t width, uint16_t height, const char *name)
{
	const struct pixel_format *f = &pixel_native;
	size_t len = strnlen(name, RFB_NAME_MAX);

	to = rfb_put_u16(rfb_put_u16(to, width), height);
	*to++ = f->bits;
	*to++ = f->depth;
	*to++ = f->big_endian;
	*to++ = f->true_colour;
	to = rfb_put_u16(to, f->red_max);
	to = rfb_put_u16(to, f->green_max);
	to = rfb_put_u16(to, f->blue_max);
	*to++ = f->red_shift;
	*to++ = f->green_shift;
	*to++ = f->blue_shift;
	memset(to, 0, 3);
	to = rfb_put_u32(to + 3, (uint32_t)len);
	memcpy(to, name, len);
	return to + len;
}

uint8_t *rfb_put_update_header(uint8_t *to, uint16_t rects)
{
	*to++ = 0; /* FramebufferUpdate */
	*to++ = 0;
	return rfb_put_u16(to, rects);
}

uint8_t *rfb_put_rect(uint8_t *to, uint16_t x, uint16_t y, uint16_t width, uint16_t height, int32_t encoding)
{
	to = rfb_put_u16(rfb_put_u16(to, x), y);
	to = rfb_put_u16(rfb_put_u16(to, width), height);
	return rfb_put_u32(to, (uint32_t)encoding);
}

uint8_t *rfb_put_ext_desktop_size(uint8_t *to, uint16_t reason, uint16_t status, uint16_t width,
				  uint16_t height)
{
	to = rfb_put_rect(to, reason, status, width, height, RFB_EXT_DESKTOP_SIZE);
	to = rfb_put_u32(to, 1u << 24); /* one screen, 3 bytes of padding */
	/* Its id: libvncclient 0.9.14 takes 0 for no screen, and keeps its old size. */
	to = rfb_put_u32(to, 1);
	to = rfb_put_u32(to, 0); /* its place */
	to = rfb_put_u16(rfb_put_u16(to, width), height);
	return rfb_put_u32(to, 0); /* flags */
}

uint8_t *rfb_put_name(uint8_t *to, const char *name)
{
	size_t len = strnlen(name, RFB_NAME_MAX);

	to = rfb_put_u32(rfb_put_rect(to, 0, 0, 0, 0, RFB_DESKTOP_NAME), (uint32_t)len);
	memcpy(to, name, len);
	return to + len;
}

/* QEMU LED state: bit 0 Scroll, 1 Num, 2 Caps. */
uint8_t *rfb_put_leds(uint8_t *to, uint8_t hid_leds)
{
	to = rfb_put_rect(to, 0, 0, 0, 0, RFB_QEMU_LEDS);
	*to++ = (uint8_t)((hid_leds >> 2 & 1) | (hid_leds & 1) << 1 | (hid_leds & 2) << 1);
	return to;
}
