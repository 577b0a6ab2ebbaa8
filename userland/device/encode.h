/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixels of a Frame to one FramebufferUpdate in memory. Runs on a worker: what
 * it reads and writes is in struct encode_task and belongs to it while it runs.
 */
#ifndef KVMNET_DEVICE_ENCODE_H
#define KVMNET_DEVICE_ENCODE_H

#include <zlib.h>

#include "device/pixel.h"
#include "device/tiles.h"

#define ENCODE_ZRLE_TILE 64
#define ENCODE_PALETTE_MAX 127

/* Where encoded bytes go. Large enough for the worst case before it starts: encode_bound(). */
struct encode_buffer {
	uint8_t *data;
	size_t size, used;
};

/* Scratch memory of ZRLE; its contents mean nothing between Tiles. */
struct encode_zrle {
	z_stream stream;
	uint32_t pixels[ENCODE_ZRLE_TILE * ENCODE_ZRLE_TILE];
	uint32_t palette[ENCODE_PALETTE_MAX + 1];
	uint16_t hash[256]; /* palette index + 1; 0: free */
	uint8_t tile[ENCODE_ZRLE_TILE * ENCODE_ZRLE_TILE * 4 + 1];
};

struct encode_source {
	const uint8_t *pixels; /* XRGB8888; NULL: black */
	uint32_t width, height, stride;
};

struct encode_task {
	/* In. */
	struct encode_source source;
	uint32_t width, height; /* of the Client's framebuffer: nothing is sent beyond it or the source */
	int32_t encoding;	/* RFB_RAW or RFB_ZRLE */
	bool last_rect;
	struct pixel_map map;
	uint64_t damage[TILES_MAX_WORDS];
	/* Owned by the Client, across updates. */
	struct encode_buffer out;
	struct encode_zrle zrle;
	/* Scratch. */
	struct tiles_walk walk;
	struct tiles_rect rects[TILES_BATCH];
};

/* Bytes that an update of a whole framebuffer may take in any encoding. */
size_t encode_bound(uint32_t width, uint32_t height);
/* 0 or -ENOMEM. */
int encode_init(struct encode_task *task);
void encode_free(struct encode_task *task);
/* Makes room for encode_bound(); 0 or -ENOMEM. */
int encode_reserve(struct encode_task *task, uint32_t width, uint32_t height);

/* Appends one FramebufferUpdate to task->out. */
void encode_update(struct encode_task *task);

/* encode_raw.c, encode_zrle.c: pixels of one rectangle after its header. */
void encode_raw(struct encode_task *task, const struct tiles_rect *rect);
void encode_zrle(struct encode_task *task, const struct tiles_rect *rect);

#endif
