// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plays the capture hardware by commands, a line each on standard input, one
 * line of answer each: "ok ...", or "error WHY".
 */
/* LINK: tests/lib/feeder.c */
/*
 *   producer SOCKET [SEED]
 *   mode WIDTH HEIGHT     a stable signal; the image is new
 *   signal NAME           no-cable, no-signal, no-sync, unsupported, protected, stalled, quarantined, gone
 *   frame SCENE [COUNT]   still, typing, scroll, video, full: COUNT Frames; ok HW_SEQ of the last
 *   dump FILE             the image: WIDTH HEIGHT in a line, then XRGB8888 with X 0
 *   raw TYPE SLOT HW_SEQ  one message as it is, to see it refused; ok when the daemon closes
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/feeder.h"

static void answer(int failed, const char *text)
{
	if (failed)
		printf("error %s\n", strerror(errno));
	else
		printf("ok%s%s\n", *text ? " " : "", text);
	fflush(stdout);
}

static void frames(struct feeder *feeder, enum feeder_scene scene, unsigned count)
{
	char text[32];
	uint32_t slot;
	int failed = 0;

	for (unsigned i = 0; i < count && !failed; i++) {
		feeder_draw(feeder, scene);
		failed = feeder_write(feeder, &slot) || feeder_done(feeder, slot, true);
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)feeder->hw_seq);
	answer(failed, text);
}

static int dump(const struct feeder *feeder, const char *path)
{
	size_t pixels = (size_t)feeder->width * feeder->height;
	FILE *file = fopen(path, "wb");
	int failed;

	if (!file)
		return -1;
	fprintf(file, "%u %u\n", feeder->width, feeder->height);
	failed = fwrite(feeder->image, 4, pixels, file) != pixels;
	return fclose(file) || failed ? -1 : 0;
}

static int raw(struct feeder *feeder, uint32_t type, uint32_t slot, uint64_t hw_seq)
{
	struct producer_message message = {
		.type = type,
		.generation = feeder->generation,
		.slot = slot,
		.hw_seq = hw_seq,
	};
	char sink[256];

	if (send(feeder->fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return -1;
	while (recv(feeder->fd, sink, sizeof(sink), 0) > 0)
		;
	return 0;
}

static void command(struct feeder *feeder, const char *line)
{
	char word[256];
	unsigned a, b, count = 1;
	unsigned long long seq;
	enum feeder_scene scene;
	uint32_t signal;
	int n;

	if (sscanf(line, "mode %u %u", &a, &b) == 2) {
		answer(feeder_mode(feeder, a, b), "");
	} else if (sscanf(line, "signal %255s", word) == 1 && feeder_parse_signal(word, &signal)) {
		answer(feeder_signal(feeder, signal), "");
	} else if ((n = sscanf(line, "frame %255s %u", word, &count)) >= 1 &&
		   feeder_parse_scene(word, &scene)) {
		frames(feeder, scene, n == 1 ? 1 : count);
	} else if (sscanf(line, "dump %255s", word) == 1) {
		answer(dump(feeder, word), "");
	} else if (sscanf(line, "raw %u %u %llu", &a, &b, &seq) == 3) {
		answer(raw(feeder, a, b, seq), "");
	} else {
		puts("error unknown command");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct feeder feeder;
	char line[512];

	if (argc < 2) {
		fputs("usage: producer SOCKET [SEED]\n", stderr);
		return EXIT_FAILURE;
	}
	if (feeder_connect(&feeder, argv[1], argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1)) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	answer(0, "connected");
	while (fgets(line, sizeof(line), stdin))
		command(&feeder, line);
	feeder_close(&feeder);
	return EXIT_SUCCESS;
}
