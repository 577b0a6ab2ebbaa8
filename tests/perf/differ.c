// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's differ against the speed at which this machine reads two Frames
 * (R2), against memcmp, and against the usual Tile-by-Tile differ with a copy.
 *
 * All are measured in turn in one run, each over several pairs of Frames that
 * together exceed the last cache. A figure is the median, over all pairs and
 * rounds, of the ratio to R2 of the same pair in the same round: what else the
 * machine does for a moment moves few of them. One JSON object a line.
 */
/* LINK: tests/perf/scene.c kmod/differ.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kmod/differ.h"
#include "scene.h"

#define ROUNDS 15
#define HUGE_PAGE (2UL << 20)
#define CACHE_LINE 64
#define PAIRS_MAX 64
#define SAMPLES_MAX (ROUNDS * PAIRS_MAX * 2)

struct pairs {
	struct scene scene;
	struct kvmcap_geometry geo;
	size_t bytes; /* of one Frame */
	unsigned count;
	uint8_t *frame[PAIRS_MAX][2];
	uint8_t *copy[PAIRS_MAX]; /* what the Tile-by-Tile differ compares with */
};

/* Compares frame[pair][side] with the other one; how many Tiles differ, where that is known. */
typedef uint32_t contender_fn(struct pairs *pairs, unsigned pair, unsigned side);

static volatile uint64_t sink;

static void *memory(size_t bytes)
{
	size_t size = (bytes + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("memory for Frames");
		exit(1);
	}
	/* Slots lie in the kernel's direct map, which huge pages make up. */
	p = (uint8_t *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	madvise(p, bytes, MADV_HUGEPAGE);
	memset(p, 1, bytes);
	return p;
}

/*
 * Reads both Frames in steps of BITS, four sums at a time so that no sum is waited for, asking for
 * what is AHEAD bytes on (0: what the hardware does by itself).
 */
#define READER(name, BITS, AHEAD) \
	static uint32_t name(struct pairs *pairs, unsigned pair, unsigned side) \
	{ \
		typedef uint64_t step_t __attribute__((vector_size(BITS / 8), may_alias)); \
		const uint8_t *a = pairs->frame[pair][side]; \
		const uint8_t *b = pairs->frame[pair][!side]; \
		step_t sum[4] = { 0 }; \
		for (size_t at = 0; at < pairs->bytes; at += 2 * CACHE_LINE) { \
			for (size_t line = at; AHEAD && line < at + 2 * CACHE_LINE; line += CACHE_LINE) { \
				__builtin_prefetch(a + line + AHEAD); \
				__builtin_prefetch(b + line + AHEAD); \
			} \
			_Pragma("GCC unroll 16") for (size_t i = 0; i < 2 * CACHE_LINE / sizeof(step_t); \
						      i++) \
			{ \
				sum[i % 2] |= ((const step_t *)(a + at))[i]; \
				sum[2 + i % 2] |= ((const step_t *)(b + at))[i]; \
			} \
		} \
		sum[0] |= sum[1] | sum[2] | sum[3]; \
		sink = sum[0][0]; \
		return 0; \
	}

READER(read_64, 64, 0)
READER(ahead_64, 64, 2048)
READER(read_128, 128, 0)
READER(ahead_128, 128, 2048)
#ifdef __x86_64__
#pragma GCC push_options
#pragma GCC target("avx2")
READER(read_256, 256, 0)
READER(ahead_256, 256, 2048)
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f")
READER(read_512, 512, 0)
READER(ahead_512, 512, 2048)
#pragma GCC pop_options
#endif

static uint32_t compare_memcmp(struct pairs *pairs, unsigned pair, unsigned side)
{
	sink = (uint64_t)memcmp(pairs->frame[pair][side], pairs->frame[pair][!side], pairs->bytes);
	return 0;
}

static uint32_t compare_differ(struct pairs *pairs, unsigned pair, unsigned side)
{
	static struct kvmcap_differ differ;
	static uint64_t damage[KVMCAP_MAX_DAMAGE_BYTES / 8];

	return kvmcap_differ_band(&differ, &pairs->geo, pairs->frame[pair][side], pairs->frame[pair][!side],
				  0, KVMCAP_TILES(pairs->geo.height), (void *)damage);
}

/* What most servers do: each Tile by memcmp against a copy, which then takes the Tile over. */
static uint32_t compare_tiles(struct pairs *pairs, unsigned pair, unsigned side)
{
	const uint32_t stride = pairs->geo.stride;
	uint32_t count = 0;

	for (uint32_t top = 0; top < pairs->geo.height; top += KVMCAP_TILE)
		for (uint32_t left = 0; left < stride; left += 4 * KVMCAP_TILE) {
			size_t at = (size_t)top * stride + left;
			const uint8_t *now = pairs->frame[pair][side] + at;
			uint8_t *copy = pairs->copy[pair] + at;
			size_t width = left + 4 * KVMCAP_TILE > stride ? stride - left : 4 * KVMCAP_TILE;
			uint32_t rows =
				top + KVMCAP_TILE > pairs->geo.height ? pairs->geo.height - top : KVMCAP_TILE;
			uint32_t y = 0;

			while (y < rows && !memcmp(now + y * stride, copy + y * stride, width))
				y++;
			if (y == rows)
				continue;
			for (count++; y < rows; y++)
				memcpy(copy + y * stride, now + y * stride, width);
		}
	return count;
}

static const struct contender {
	const char *name; /* NULL: a reader */
	contender_fn *run;
	const char *needs; /* of the processor */
} contenders[] = {
	{ NULL, read_64, NULL },
	{ NULL, ahead_64, NULL },
	{ NULL, read_128, NULL },
	{ NULL, ahead_128, NULL },
#ifdef __x86_64__
	{ NULL, read_256, "avx2" },
	{ NULL, ahead_256, "avx2" },
	{ NULL, read_512, "avx512f" },
	{ NULL, ahead_512, "avx512f" },
#endif
	{ "differ", compare_differ, NULL },
	{ "memcmp", compare_memcmp, NULL },
	{ "tile-by-tile", compare_tiles, NULL },
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

static int available(const struct contender *contender)
{
	if (!contender->needs)
		return 1;
#ifdef __x86_64__
	__builtin_cpu_init();
	if (!strcmp(contender->needs, "avx2"))
		return __builtin_cpu_supports("avx2");
	return __builtin_cpu_supports("avx512f");
#else
	return 0;
#endif
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, size_t count)
{
	static double sorted[SAMPLES_MAX];

	memcpy(sorted, values, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), ascending);
	return sorted[count / 2];
}

/* Microseconds of each Frame, there and back through all pairs; returns how many Tiles it found in all. */
static uint32_t measure(struct pairs *pairs, contender_fn *run, double *us)
{
	uint32_t tiles = 0;

	for (unsigned side = 1; side < 2; side--)
		for (unsigned pair = 0; pair < pairs->count; pair++) {
			double start = now_us();

			tiles += run(pairs, pair, side);
			*us++ = now_us() - start;
		}
	return tiles;
}

static void print(const struct pairs *pairs, enum scene_kind kind, const char *name, double ratio)
{
	printf("{\"name\": \"%s %s %ux%u\", \"value\": %.3f, \"unit\": \"R2\", \"goal\": ", name,
	       scene_names[kind], pairs->geo.width, pairs->geo.height, ratio);
	if (strcmp(name, "differ"))
		printf("null");
	else
		printf("%s", kind == SCENE_STATIC || kind == SCENE_TYPING ? "1.10" : "1.15");
	printf(", \"better\": \"lower\"}\n");
}

/* The reader that is fastest here: it says what R2 is. */
static size_t fastest_reader(struct pairs *pairs)
{
	static double times[2 * PAIRS_MAX];
	double best_us = 1e9;
	size_t best = 0;

	for (unsigned round = 0; round < 2; round++) /* the first one warms up */
		for (size_t c = 0; c < CONTENDERS; c++) {
			double us;

			if (contenders[c].name || !available(&contenders[c]))
				continue;
			measure(pairs, contenders[c].run, times);
			us = median(times, 2 * pairs->count);
			if (round && us < best_us) {
				best_us = us;
				best = c;
			}
		}
	return best;
}

static int run_kind(struct pairs *pairs, enum scene_kind kind)
{
	static double times[CONTENDERS][SAMPLES_MAX], ratios[SAMPLES_MAX];
	const size_t sweep = 2 * pairs->count, samples = ROUNDS * sweep;
	uint32_t tiles[CONTENDERS], differ = 0, naive = 0;
	size_t limit;

	for (unsigned i = 0; i < pairs->count; i++) {
		for (uint32_t step = 0; step < 2; step++)
			scene_draw(&pairs->scene, kind, step, i, (uint32_t *)pairs->frame[i][step]);
		memcpy(pairs->copy[i], pairs->frame[i][0], pairs->bytes);
	}
	limit = fastest_reader(pairs);
	for (size_t round = 0; round < ROUNDS; round++)
		for (size_t c = 0; c < CONTENDERS; c++)
			if (contenders[c].name || c == limit)
				tiles[c] = measure(pairs, contenders[c].run, &times[c][round * sweep]);
	if (kind == SCENE_STATIC)
		printf("{\"name\": \"R2 %ux%u\", \"value\": %.3f, \"unit\": \"ms\", \"goal\": null, "
		       "\"better\": \"lower\"}\n",
		       pairs->geo.width, pairs->geo.height, median(times[limit], samples) / 1000);
	for (size_t c = 0; c < CONTENDERS; c++) {
		if (!contenders[c].name)
			continue;
		for (size_t i = 0; i < samples; i++)
			ratios[i] = times[c][i] / times[limit][i];
		print(pairs, kind, contenders[c].name, median(ratios, samples));
		if (contenders[c].run == compare_differ)
			differ = tiles[c];
		if (contenders[c].run == compare_tiles)
			naive = tiles[c];
	}
	fflush(stdout);
	if (differ == naive)
		return 0;
	fprintf(stderr, "%s: the differ found %u Tiles, Tile by Tile there are %u\n", scene_names[kind],
		differ, naive);
	return 1;
}

int main(void)
{
	static const struct scene sizes[] = { { 1920, 1080 }, { 3840, 2160 } };
	long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
	int failed = 0;

	if (cache < (16 << 20))
		cache = 16 << 20;
	for (size_t s = 0; s < 2; s++) {
		struct pairs pairs = { .scene = sizes[s] };

		pairs.geo = (struct kvmcap_geometry){ sizes[s].width, sizes[s].height, sizes[s].width * 4 };
		pairs.bytes = (size_t)pairs.geo.stride * pairs.geo.height;
		/* Half as much again as the cache between two uses of a pair. */
		pairs.count = (unsigned)((size_t)cache * 3 / 2 / (2 * pairs.bytes)) + 2;
		if (pairs.count > PAIRS_MAX)
			pairs.count = PAIRS_MAX;
		for (unsigned i = 0; i < pairs.count; i++) {
			pairs.frame[i][0] = memory(pairs.bytes);
			pairs.frame[i][1] = memory(pairs.bytes);
			pairs.copy[i] = memory(pairs.bytes);
		}
		for (int kind = 0; kind < SCENE_KINDS; kind++)
			failed |= run_kind(&pairs, (enum scene_kind)kind);
		for (unsigned i = 0; i < pairs.count; i++) {
			munmap(pairs.frame[i][0], pairs.bytes);
			munmap(pairs.frame[i][1], pairs.bytes);
			munmap(pairs.copy[i], pairs.bytes);
		}
	}
	return failed;
}
