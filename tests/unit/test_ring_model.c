// SPDX-License-Identifier: GPL-2.0-or-later
/* A random walk over the ring against a model with pixels. SEED= repeats a run. */
/* LINK: kmod/ring.c kmod/differ.c */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kmod/ring.h"

static struct kvmcap_ring ring;

/*
 * The model. A "pixel" is one number for each Tile. Slots hold such pictures,
 * each Reader remembers the last one it took, and what must be in its Damage.
 */
#define STEPS 100000
#define TILES (72 * 6)

struct model_reader {
	int id; /* -1: closed */
	bool holds, full;
	struct kvmcap_ring_frame got;
	uint32_t kept[TILES]; /* picture of the Frame taken last */
	uint64_t base_seq, before_undo;
	bool before_full;
	uint8_t must[TILES], taken[TILES];
};

static struct {
	uint32_t screen[TILES];
	uint32_t slot[KVMCAP_MAX_SLOTS][TILES];
	struct model_reader reader[KVMCAP_MAX_READERS];
	int posted[KVMCAP_MAX_SLOTS], posts;
	int newest; /* -1: none */
	uint64_t acquired, refused;
} m;

static uint64_t state;

/* splitmix64 (Vigna) */
static uint32_t below(uint32_t bound)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % bound;
}

static uint32_t columns(void)
{
	return KVMCAP_TILES(ring.geo.width);
}

static uint32_t tiles(void)
{
	return columns() * KVMCAP_TILES(ring.geo.height);
}

static int bit(const __u64 *damage, uint32_t tile)
{
	const uint32_t x = tile % columns(), y = tile / columns();

	return damage[y * KVMCAP_DAMAGE_WORDS(ring.geo.width) + x / 64] >> (x % 64) & 1;
}

static void model_forget(void)
{
	m.newest = -1;
	m.posts = 0;
	for (int i = 0; i < KVMCAP_MAX_READERS; i++) {
		m.reader[i].full = true;
		m.reader[i].base_seq = 0;
	}
}

static void step_mode(void)
{
	const uint32_t width = 64 + below(72 * 16 - 63), height = 64 + below(6 * 16 - 63);
	const struct kvmcap_geometry geo = { width, height, (width * 4 + 63) / 64 * 64 };

	assert_int_equal(kvmcap_ring_set_mode(&ring, ring.generation + 1, 4 + below(8), &geo), 0);
	model_forget();
}

static void step_gap(void)
{
	kvmcap_ring_gap(&ring);
	model_forget();
}

static void step_post(void)
{
	int slot = kvmcap_ring_take_free(&ring);

	if (slot < 0) {
		assert_true(m.posts >= 2); /* capture never starves */
		return;
	}
	assert_int_not_equal(slot, m.newest);
	for (int i = 0; i < m.posts; i++)
		assert_int_not_equal(slot, m.posted[i]);
	m.posted[m.posts++] = slot;
	/* The hardware may write at once: a Reader that still looks at it would see this. */
	for (uint32_t i = 0; i < TILES; i++)
		m.slot[slot][i] = UINT32_MAX;
}

static int next_posted(void)
{
	int slot = m.posted[0];

	memmove(m.posted, m.posted + 1, --m.posts * sizeof(m.posted[0]));
	return slot;
}

static void account(struct model_reader *r, const __u64 *damage)
{
	if (!damage)
		r->full = true;
	for (uint32_t i = 0; damage && i < tiles(); i++)
		r->must[i] |= bit(damage, i);
}

static void step_frame(void)
{
	__u64 damage[KVMCAP_DAMAGE_MAX] = { 0 };
	const __u64 *given = damage;

	if (!m.posts)
		step_post();
	int slot = next_posted();

	for (uint32_t n = below(4); n; n--)
		m.screen[below(tiles())] = below(1000);
	memcpy(m.slot[slot], m.screen, sizeof(m.screen));
	assert_int_equal(kvmcap_ring_previous(&ring), m.newest < 0 ? -ENOENT : m.newest);
	for (uint32_t i = 0; i < tiles() && m.newest >= 0; i++) {
		const uint32_t x = i % columns(), y = i / columns();

		if (m.slot[slot][i] != m.slot[m.newest][i])
			damage[y * KVMCAP_DAMAGE_WORDS(ring.geo.width) + x / 64] |= 1ULL << (x % 64);
	}
	if (below(50) == 0)
		given = NULL;
	assert_int_equal(kvmcap_ring_publish(&ring, slot, given, ring.seq * 3, ring.seq), 0);
	for (int i = 0; i < KVMCAP_MAX_READERS; i++)
		account(&m.reader[i], m.newest < 0 ? NULL : given);
	m.newest = slot;
}

static void step_abandon(void)
{
	if (m.posts)
		assert_int_equal(kvmcap_ring_give_back(&ring, next_posted()), 0);
}

static uint32_t distinct_held(void)
{
	uint32_t slots = 0;

	for (int i = 0; i < KVMCAP_MAX_READERS; i++)
		if (m.reader[i].id >= 0 && m.reader[i].holds && m.reader[i].got.generation == ring.generation)
			slots |= 1u << m.reader[i].got.slot;
	if (m.newest >= 0)
		slots |= 1u << m.newest;
	return __builtin_popcount(slots);
}

static int expected_answer(const struct model_reader *r)
{
	if (r->holds)
		return -EBUSY;
	if (m.newest < 0 || r->base_seq == ring.seq)
		return -EAGAIN;
	return distinct_held() + 3 > ring.slot_count ? -EBUSY : 0;
}

static void check_taken(struct model_reader *r)
{
	const uint32_t *pixels = m.slot[r->got.slot];

	assert_int_equal(r->got.slot, m.newest);
	assert_int_equal(r->got.seq, ring.seq);
	assert_int_equal(r->got.base_seq, r->base_seq);
	assert_int_equal(r->got.full, r->full);
	assert_memory_equal(pixels, m.screen, tiles() * sizeof(*pixels));
	for (uint32_t i = 0; i < tiles(); i++) {
		assert_int_equal(bit(r->got.damage, i), r->full || r->must[i]);
		if (!bit(r->got.damage, i))
			assert_int_equal(pixels[i], r->kept[i]);
	}
}

static void step_acquire(struct model_reader *r)
{
	const int expected = expected_answer(r);

	assert_int_equal(kvmcap_ring_ready(&ring, r->id), expected == 0);
	struct kvmcap_ring_frame got;

	assert_int_equal(kvmcap_ring_acquire(&ring, r->id, &got), expected);
	m.refused += expected == -EBUSY && !r->holds;
	assert_int_equal(ring.busy, m.refused);
	if (expected)
		return;
	r->got = got;
	check_taken(r);
	m.acquired++;
	r->before_undo = r->base_seq;
	r->before_full = r->full;
	memcpy(r->taken, r->must, sizeof(r->must));
	memset(r->must, 0, sizeof(r->must));
	r->full = false;
	r->holds = true;
	r->base_seq = ring.seq;
	if (below(10) == 0) { /* it never reached the Reader */
		if (below(2))
			step_frame();
		kvmcap_ring_undo(&ring, r->id);
		for (uint32_t i = 0; i < TILES; i++)
			r->must[i] |= r->taken[i];
		r->full |= r->before_full;
		r->base_seq = r->before_undo;
		r->holds = false;
		return;
	}
	memcpy(r->kept, m.slot[got.slot], sizeof(r->kept));
}

static void step_release(struct model_reader *r)
{
	const int held = r->holds ? 0 : -EINVAL;

	if (r->holds && r->got.generation == ring.generation)
		assert_memory_equal(m.slot[r->got.slot], r->kept, sizeof(r->kept));
	assert_int_equal(kvmcap_ring_release(&ring, r->id, r->got.generation, r->got.slot), held);
	r->holds = false;
}

static void step_open(struct model_reader *r)
{
	r->id = kvmcap_ring_reader_open(&ring);
	assert_in_range(r->id, 0, KVMCAP_MAX_READERS - 1);
	for (int i = 0; i < KVMCAP_MAX_READERS; i++)
		assert_true(&m.reader[i] == r || m.reader[i].id != r->id);
	r->holds = false;
	r->full = true;
	r->base_seq = 0;
	memset(r->must, 0, sizeof(r->must));
	memset(&r->got, 0, sizeof(r->got));
}

static void step_reader(void)
{
	struct model_reader *r = &m.reader[below(KVMCAP_MAX_READERS)];

	if (r->id < 0) {
		step_open(r);
	} else if (below(60) == 0) {
		kvmcap_ring_reader_close(&ring, r->id);
		r->id = -1;
	} else if (below(2)) {
		step_acquire(r);
	} else {
		step_release(r);
	}
}

static void random_walk_agrees_with_the_model(void **unused)
{
	(void)unused;
	for (int i = 0; i < KVMCAP_MAX_READERS; i++)
		m.reader[i].id = -1;
	step_mode();
	for (int i = 0; i < STEPS; i++) {
		const uint32_t choice = below(1000);

		if (choice < 3)
			step_mode();
		else if (choice < 8)
			step_gap();
		else if (choice < 20)
			step_abandon();
		else if (choice < 200)
			step_post();
		else if (choice < 450)
			step_frame();
		else
			step_reader();
	}
	printf("%" PRIu64 " Frames acquired, %" PRIu64 " refused\n", m.acquired, m.refused);
	assert_true(m.acquired > STEPS / 100 && m.refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk_agrees_with_the_model),
	};
	const char *seed = getenv("SEED");

	state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 1000003;
	printf("seed: SEED=%" PRIu64 "\n", state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
