// SPDX-License-Identifier: GPL-2.0-or-later
/* Raw encoding (RFC 6143 7.7.1): rows of pixels in the Client's format. */
#include "device/encode.h"

void encode_raw(struct encode_task *task, const struct tiles_rect *rect)
{
	const struct encode_source *source = &task->source;
	const uint8_t *row = source->pixels + (size_t)rect->y * source->stride + rect->x * 4u;
	uint8_t *to = task->out.data + task->out.used;

	for (uint32_t y = 0; y < rect->height; y++, row += source->stride)
		to = pixel_write_row(&task->map, to, row, rect->width);
	task->out.used = (size_t)(to - task->out.data);
}
