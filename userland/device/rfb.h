/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The RFB wire after the handshake: client messages from spans, server messages
 * into buffers (RFC 6143 chapter 7; github.com/rfbproto/rfbproto for what it lacks).
 */
#ifndef KVMNET_DEVICE_RFB_H
#define KVMNET_DEVICE_RFB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/pixel.h"

/* Encodings and pseudo-encodings. */
#define RFB_RAW 0
#define RFB_ZRLE 16
#define RFB_DESKTOP_SIZE (-223)
#define RFB_LAST_RECT (-224)
#define RFB_QEMU_KEYS (-258)
#define RFB_QEMU_LEDS (-261)
#define RFB_DESKTOP_NAME (-307)
#define RFB_EXT_DESKTOP_SIZE (-308)
#define RFB_CHANNELS 0x4b564d43 /* ours: CHANNELS.md */

#define RFB_RECT_HEADER 12
#define RFB_UPDATE_HEADER 4
#define RFB_COUNT_UNKNOWN 0xffff /* number of rectangles when LastRect ends them */
#define RFB_NAME_MAX 160
/* The largest thing but an update that rfb_put_*() writes. */
#define RFB_SMALL_MAX 256

struct rfb_encodings {
	bool raw, zrle;	   /* asked for */
	int32_t preferred; /* the first that we speak, else RFB_RAW */
	bool desktop_size, ext_desktop_size, last_rect, qemu_keys, qemu_leds, desktop_name;
	bool channels;
};

enum rfb_type {
	RFB_SET_PIXEL_FORMAT,
	RFB_SET_ENCODINGS,
	RFB_UPDATE_REQUEST,
	RFB_KEY,
	RFB_QEMU_KEY,
	RFB_POINTER,
	RFB_SET_DESKTOP_SIZE,
};

struct rfb_message {
	enum rfb_type type;
	union {
		struct pixel_format format;
		struct rfb_encodings encodings;
		struct {
			bool incremental;
			uint16_t x, y, width, height;
		} request;
		struct {
			bool down;
			uint32_t keysym, scancode;
		} key;
		struct {
			uint8_t mask;
			uint16_t x, y;
		} pointer;
	};
};

/* What is kept between spans. Zero it for a new connection. */
struct rfb_reader {
	uint64_t skip;		 /* bytes to throw away: clipboards, screens of SetDesktopSize */
	uint32_t encodings_left; /* of a SetEncodings under way */
	bool preferred_known;
	struct rfb_encodings encodings;
	const char *error;
};

enum rfb_result { RFB_MORE, RFB_MESSAGE, RFB_ERROR };

/* Reads at most one message. *used: bytes consumed, also with RFB_MORE: the rest has to be there again, with
 * more behind it, at the next call (never more than 20 bytes). RFB_ERROR: reader->error says why. */
enum rfb_result rfb_read(struct rfb_reader *reader, const uint8_t *span, size_t len, size_t *used,
			 struct rfb_message *message);

/* Each returns the byte after what it wrote. */
uint8_t *rfb_put_u16(uint8_t *to, uint16_t value);
uint8_t *rfb_put_u32(uint8_t *to, uint32_t value);
uint16_t rfb_get_u16(const uint8_t *from);
uint32_t rfb_get_u32(const uint8_t *from);

uint8_t *rfb_put_server_init(uint8_t *to, uint16_t width, uint16_t height, const char *name);
uint8_t *rfb_put_update_header(uint8_t *to, uint16_t rects);
uint8_t *rfb_put_rect(uint8_t *to, uint16_t x, uint16_t y, uint16_t width, uint16_t height, int32_t encoding);
/* reason 0: the server's own; 1: this Client asked. status 0: done; 1: prohibited. */
uint8_t *rfb_put_ext_desktop_size(uint8_t *to, uint16_t reason, uint16_t status, uint16_t width,
				  uint16_t height);
uint8_t *rfb_put_name(uint8_t *to, const char *name);
/* hid_leds: bit 0 Num, 1 Caps, 2 Scroll. */
uint8_t *rfb_put_leds(uint8_t *to, uint8_t hid_leds);

#endif
