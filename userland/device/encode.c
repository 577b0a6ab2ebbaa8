// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One update: its rectangles from Damage, each in the Client's encoding. The
 * encodings themselves are encode_raw.c and encode_zrle.c.
 */
#include "device/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/rfb.h"

/* Text compresses well at any level; at 60 Hz time is what is scarce. */
#define ZLIB_LEVEL 1

/* A row of black pixels, read again for each row of a black screen. */
static const uint8_t black[KVMCAP_MAX_WIDTH * 4];

size_t encode_bound(uint32_t width, uint32_t height)
{
	size_t pixels = (size_t)width * height * 4;
	size_t tiles = (size_t)KVMCAP_TILES(width) * KVMCAP_TILES(height);

	/* Each rectangle: header, length, subencodings, flush. zlib's stored blocks: less than 1 in 256. */
	return 4096 + pixels + pixels / 256 + tiles * (RFB_RECT_HEADER + 4 + 1 + 16);
}

int encode_init(struct encode_task *task)
{
	memset(task, 0, sizeof(*task));
	return deflateInit(&task->zrle.stream, ZLIB_LEVEL) == Z_OK ? 0 : -ENOMEM;
}

void encode_free(struct encode_task *task)
{
	deflateEnd(&task->zrle.stream);
	free(task->out.data);
	task->out = (struct encode_buffer){ 0 };
}

int encode_reserve(struct encode_task *task, uint32_t width, uint32_t height)
{
	size_t size = encode_bound(width, height);
	uint8_t *data;

	if (size <= task->out.size)
		return 0;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	if (task->out.used)
		memcpy(data, task->out.data, task->out.used);
	free(task->out.data);
	task->out.data = data;
	task->out.size = size;
	return 0;
}

static bool clip(const struct encode_task *task, struct tiles_rect *rect)
{
	if (rect->x >= task->width || rect->y >= task->height)
		return false;
	if (rect->x + rect->width > task->width)
		rect->width = (uint16_t)(task->width - rect->x);
	if (rect->y + rect->height > task->height)
		rect->height = (uint16_t)(task->height - rect->y);
	return true;
}

static uint32_t put_rects(struct encode_task *task, size_t n)
{
	struct encode_buffer *out = &task->out;
	uint32_t put = 0;

	for (size_t i = 0; i < n; i++) {
		struct tiles_rect *r = &task->rects[i];

		if (!clip(task, r))
			continue;
		rfb_put_rect(out->data + out->used, r->x, r->y, r->width, r->height, task->encoding);
		out->used += RFB_RECT_HEADER;
		if (task->encoding == RFB_ZRLE)
			encode_zrle(task, r);
		else
			encode_raw(task, r);
		put++;
	}
	return put;
}

static void prepare(struct encode_task *task)
{
	if (task->source.pixels)
		return;
	task->source = (struct encode_source){ black, task->width, task->height, 0 };
}

void encode_update(struct encode_task *task)
{
	struct encode_buffer *out = &task->out;
	size_t header = out->used, n;
	uint32_t count = 0;
	bool more;

	prepare(task);
	out->used += RFB_UPDATE_HEADER;
	tiles_walk_init(&task->walk, task->damage, task->source.width, task->source.height);
	n = tiles_walk_next(&task->walk, task->rects, false);
	count = put_rects(task, n);
	more = task->walk.open || task->walk.row < KVMCAP_TILES(task->source.height);
	/* Many more rectangles: a Client that cannot be told their end later gets coarser ones. */
	while ((n = tiles_walk_next(&task->walk, task->rects, !task->last_rect)))
		count += put_rects(task, n);
	if (more && task->last_rect) {
		rfb_put_rect(out->data + out->used, 0, 0, 0, 0, RFB_LAST_RECT);
		out->used += RFB_RECT_HEADER;
		count = RFB_COUNT_UNKNOWN;
	}
	rfb_put_update_header(out->data + header, (uint16_t)count);
}
