// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The producer's side of device/producer.h, and the scenes. What a test wants
 * to see is the test's.
 */
#include "tests/lib/feeder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GLYPH_WIDTH 9
#define GLYPH_HEIGHT 16
#define SCROLL_ROWS 16

static uint32_t next_random(struct feeder *feeder)
{
	uint32_t x = feeder->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return feeder->random = x;
}

static int send_message(struct feeder *feeder, const struct producer_message *message)
{
	return send(feeder->fd, message, sizeof(*message), MSG_NOSIGNAL) == sizeof(*message) ? 0 : -1;
}

static int map_slots(struct feeder *feeder, const struct producer_message *in, int fd)
{
	if (feeder->slots)
		munmap(feeder->slots, feeder->slots_bytes);
	feeder->slots = NULL;
	feeder->slots_bytes = in->slot_bytes * in->slot_count;
	feeder->slots = mmap(NULL, feeder->slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (feeder->slots == MAP_FAILED) {
		feeder->slots = NULL;
		return -1;
	}
	feeder->generation = in->generation;
	feeder->stride = in->stride;
	feeder->slot_bytes = in->slot_bytes;
	feeder->free_count = 0;
	return 0;
}

/* One message of the daemon; blocks. */
static int receive(struct feeder *feeder)
{
	struct producer_message in;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &in, sizeof(in) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(feeder->fd, &msg, MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n != sizeof(in)) {
		errno = n < 0 ? errno : ECONNRESET;
		return -1;
	}
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (in.type == PRODUCER_SLOTS)
		return map_slots(feeder, &in, fd);
	if (in.type == PRODUCER_TAKEN)
		feeder->taken = in.hw_seq;
	if (in.type == PRODUCER_FREE && in.generation == feeder->generation &&
	    feeder->free_count < FEEDER_QUEUE)
		feeder->free_slots[feeder->free_count++] = in.slot;
	return 0;
}

int feeder_connect(struct feeder *feeder, const char *path, uint32_t seed)
{
	struct producer_message hello = { .type = PRODUCER_HELLO, .signal = PRODUCER_VERSION };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(feeder, 0, sizeof(*feeder));
	feeder->random = seed ? seed : 1;
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	feeder->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (feeder->fd < 0 || connect(feeder->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return send_message(feeder, &hello);
}

void feeder_close(struct feeder *feeder)
{
	if (feeder->slots)
		munmap(feeder->slots, feeder->slots_bytes);
	free(feeder->image);
	close(feeder->fd);
	memset(feeder, 0, sizeof(*feeder));
	feeder->fd = -1;
}

int feeder_mode(struct feeder *feeder, uint32_t width, uint32_t height)
{
	struct producer_message mode = {
		.type = PRODUCER_MODE, .width = width, .height = height, .refresh_mhz = 60000
	};
	uint32_t before = feeder->generation;

	free(feeder->image);
	feeder->image = calloc((size_t)width * height, 4);
	feeder->width = width;
	feeder->height = height;
	if (!feeder->image || send_message(feeder, &mode))
		return -1;
	while (feeder->generation == before)
		if (receive(feeder))
			return -1;
	feeder_draw(feeder, FEEDER_FULL);
	return 0;
}

bool feeder_parse_signal(const char *name, uint32_t *signal)
{
	/* In the order of enum kvmcap_signal. */
	static const char *const names[] = { "ok",	  "no-cable", "no-signal",   "no-sync", "unsupported",
					     "protected", "stalled",  "quarantined", "gone" };

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			*signal = i;
			return true;
		}
	}
	return false;
}

int feeder_signal(struct feeder *feeder, uint32_t signal)
{
	struct producer_message message = { .type = PRODUCER_SIGNAL, .signal = signal };

	feeder->free_count = 0;
	return send_message(feeder, &message);
}

bool feeder_parse_scene(const char *name, enum feeder_scene *scene)
{
	static const char *const names[] = { "still", "typing", "scroll", "video", "full" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			*scene = (enum feeder_scene)i;
			return true;
		}
	}
	return false;
}

static void fill(struct feeder *feeder, uint32_t x, uint32_t y, uint32_t width, uint32_t height, bool noise)
{
	uint32_t colour = next_random(feeder) & 0xffffff;

	for (uint32_t row = y; row < y + height && row < feeder->height; row++)
		for (uint32_t col = x; col < x + width && col < feeder->width; col++)
			feeder->image[(size_t)row * feeder->width + col] =
				noise		? next_random(feeder) & 0xffffff :
				(row + col) % 3 ? 0 :
						  colour;
}

static void type_glyph(struct feeder *feeder)
{
	uint32_t columns = feeder->width / GLYPH_WIDTH, rows = feeder->height / GLYPH_HEIGHT;
	uint32_t at = feeder->step % (columns * rows);

	fill(feeder, at % columns * GLYPH_WIDTH, at / columns * GLYPH_HEIGHT, GLYPH_WIDTH, GLYPH_HEIGHT,
	     false);
}

static void scroll(struct feeder *feeder)
{
	size_t row = feeder->width, rows = feeder->height > SCROLL_ROWS ? feeder->height - SCROLL_ROWS : 0;

	memmove(feeder->image, feeder->image + row * (feeder->height - rows), row * rows * 4);
	for (uint32_t x = 0; x < feeder->width; x += GLYPH_WIDTH)
		fill(feeder, x, (uint32_t)rows, next_random(feeder) % GLYPH_WIDTH, SCROLL_ROWS, false);
}

/* Areas of one colour, stripes and noise: every subencoding has something to do. */
static void change_all(struct feeder *feeder)
{
	for (uint32_t y = 0; y < feeder->height; y += 48)
		for (uint32_t x = 0; x < feeder->width; x += 80)
			fill(feeder, x, y, 80, 48, next_random(feeder) % 4 == 0);
}

void feeder_draw(struct feeder *feeder, enum feeder_scene scene)
{
	feeder->step++;
	switch (scene) {
	case FEEDER_TYPING:
		type_glyph(feeder);
		break;
	case FEEDER_SCROLL:
		scroll(feeder);
		break;
	case FEEDER_VIDEO:
		fill(feeder, feeder->width / 4, feeder->height / 4, feeder->width / 2, feeder->height / 2,
		     true);
		break;
	case FEEDER_FULL:
		change_all(feeder);
		break;
	default:
		break;
	}
}

/* The unused byte and the padding of rows are dirt, as hardware may leave it. */
int feeder_write(struct feeder *feeder, uint32_t *slot)
{
	uint8_t *to;

	while (!feeder->free_count)
		if (receive(feeder))
			return -1;
	*slot = feeder->free_slots[0];
	memmove(feeder->free_slots, feeder->free_slots + 1, --feeder->free_count * sizeof(*slot));
	to = feeder->slots + *slot * feeder->slot_bytes;
	for (uint32_t y = 0; y < feeder->height; y++, to += feeder->stride) {
		const uint32_t *row = feeder->image + (size_t)y * feeder->width;
		uint32_t dirt = next_random(feeder) << 24;

		for (uint32_t x = 0; x < feeder->width; x++)
			((uint32_t *)to)[x] = row[x] | dirt;
		memset(to + feeder->width * 4u, (int)(dirt >> 24), feeder->stride - feeder->width * 4u);
	}
	return 0;
}

int feeder_done(struct feeder *feeder, uint32_t slot, bool wait)
{
	struct producer_message message = {
		.type = PRODUCER_DONE,
		.generation = feeder->generation,
		.slot = slot,
		.hw_seq = ++feeder->hw_seq,
	};

	if (send_message(feeder, &message))
		return -1;
	while (wait && feeder->taken < feeder->hw_seq)
		if (receive(feeder))
			return -1;
	return 0;
}
