// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programming of the capture engine, for any bus: Modes, Slots, completions,
 * its life and death. What a Frame means to Readers is in device.c and ring.c.
 *
 * All of it runs in one work item, so it needs no lock. The hardware is not
 * trusted: every value it wrote is copied once and the copy is checked.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "driver.h"
#include "engine.h"

#define FOURCC_XRGB8888		0x34325258	/* drm_fourcc.h: 'X', 'R', '2', '4' */
#define WATCH_PERIOD		(HZ / 4)
#define STALLED_AFTER		HZ
#define STOP_MS			200		/* ENGINE.md, Stop */
#define SEQLOCK_TRIES		16
#define REG_GONE		U32_MAX

enum engine_state {
	ENGINE_IDLE,		/* it owns no memory */
	ENGINE_RUNNING,
	ENGINE_STUCK,		/* told to stop, but BUSY: Slots are kept for it */
	ENGINE_QUARANTINED,	/* until the card is removed */
	ENGINE_GONE,
};

/* The timings block, as copied from the window. */
struct engine_timings {
	u32 generation;
	u32 signal;
	u32 flags;
	struct kvmcap_mode mode;
};

struct engine_events {
	u32 overrun;
	u32 fault;
	u32 underrun;
	u32 bad_desc;
};

struct kvmcap_engine {
	struct device *dev;
	void __iomem *regs;
	const struct kvmcap_engine_bus *bus;
	struct kvmcap *cap;
	struct workqueue_struct *queue;
	struct delayed_work work;

	struct eng_ring *ring;
	dma_addr_t ring_bus;

	u32 max_width, max_height, max_slots, max_segments;

	enum engine_state state;
	u32 epoch;
	struct engine_timings timings;	/* that the state follows; generation odd: none yet */
	u32 signal;			/* of those timings, as KVMCAP_SIGNAL_* */
	const char *reason;
	bool stalled;

	struct kvmcap_slots *slots;	/* mapped for the engine; the same as cap->slots */
	u8 posted[ENG_SLOTS];		/* Slots posted, by position in the free ring */
	u32 free_prod;
	u32 free_done;			/* posted entries that came back */
	u32 done_cons;
	u64 hw_seq;

	struct engine_events events;
	u32 heartbeat;
	unsigned long heartbeat_at;	/* jiffies */
	unsigned long watched_at;

	struct kvmcap_differ differ;
	u64 damage[KVMCAP_DAMAGE_MAX];
};

static u32 reg_read(struct kvmcap_engine *eng, u32 reg)
{
	return readl(eng->regs + reg);
}

static void reg_write(struct kvmcap_engine *eng, u32 reg, u32 value)
{
	writel(value, eng->regs + reg);
}

static void ring_doorbell(struct kvmcap_engine *eng)
{
	eng->bus->doorbell(eng->dev);
}

static bool window_is_gone(struct kvmcap_engine *eng)
{
	return reg_read(eng, ENG_MAGIC) == REG_GONE;
}

static void show_signal(struct kvmcap_engine *eng)
{
	if (eng->state == ENGINE_STUCK)
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_STALLED, "does not stop");
	else if (eng->stalled)
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_STALLED, "no heartbeat");
	else
		kvmcap_device_signal(eng->cap, eng->signal, eng->reason);
}

/* Slots stay mapped: the engine may still be writing, and only removal ends that. */
static void quarantine(struct kvmcap_engine *eng, const char *why)
{
	reg_write(eng, ENG_CTRL, 0);
	ring_doorbell(eng);
	eng->bus->may_write(eng->dev, false);
	eng->state = ENGINE_QUARANTINED;
	dev_err(eng->dev, "broke its contract and was shut off: %s\n", why);
	kvmcap_device_gap(eng->cap);
	kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_QUARANTINED, why);
}

/* Asks the engine to leave memory alone. Whether it does. */
static bool stop_writing(struct kvmcap_engine *eng)
{
	const unsigned long end = jiffies + msecs_to_jiffies(STOP_MS) + 1;

	reg_write(eng, ENG_CTRL, 0);
	ring_doorbell(eng);
	/*
	 * The engine sets BUSY and then looks at CTRL again before it writes; we
	 * clear CTRL and then look at BUSY. One of us sees the other.
	 */
	mb();
	while (reg_read(eng, ENG_STATUS) & ENG_STATUS_BUSY) {
		if (window_is_gone(eng) || reg_read(eng, ENG_EPOCH) != eng->epoch)
			return true;
		if (time_after(jiffies, end))
			return false;
		usleep_range(500, 1000);
	}
	return true;
}

static void engine_stop(struct kvmcap_engine *eng)
{
	if (eng->state != ENGINE_RUNNING)
		return;
	if (stop_writing(eng)) {
		eng->state = ENGINE_IDLE;
		kvmcap_device_gap(eng->cap);
		return;
	}
	eng->bus->may_write(eng->dev, false);
	eng->state = ENGINE_STUCK;
	dev_warn(eng->dev, "did not stop within %u ms, its memory is kept\n", STOP_MS);
	kvmcap_device_gap(eng->cap);
	show_signal(eng);
}

/* Only while the engine is idle, or the card gone. */
static void drop_slots(struct kvmcap_engine *eng)
{
	if (!eng->slots)
		return;
	kvmcap_slots_unmap(eng->slots);
	eng->slots = NULL;
	kvmcap_device_forget_mode(eng->cap);
}

static void put64(unsigned long long *to, u64 value)
{
	*to = (__force u64)cpu_to_le64(value);
}

static void put32(unsigned int *to, u32 value)
{
	*to = (__force u32)cpu_to_le32(value);
}

static u64 take64(const unsigned long long *from)
{
	return le64_to_cpu((__force __le64)READ_ONCE(*from));
}

static u32 take32(const unsigned int *from)
{
	return le32_to_cpu((__force __le32)READ_ONCE(*from));
}

/* Gives every free Slot to the engine. */
static void post_slots(struct kvmcap_engine *eng)
{
	const u32 before = eng->free_prod;
	struct kvmcap *cap = eng->cap;
	struct eng_free *entry;
	int slot;

	for (;;) {
		mutex_lock(&cap->lock);
		slot = kvmcap_ring_take_free(&cap->ring);
		mutex_unlock(&cap->lock);
		if (slot < 0)
			break;
		kvmcap_slot_for_device(eng->slots, slot);
		entry = &eng->ring->free[eng->free_prod % ENG_SLOTS];
		put32(&entry->slot, slot);
		put32(&entry->generation, eng->timings.generation);
		eng->posted[eng->free_prod % ENG_SLOTS] = slot;
		eng->free_prod++;
	}
	if (eng->free_prod == before)
		return;
	dma_wmb(); /* entries are in memory before the index that announces them */
	reg_write(eng, ENG_FREE_PROD, eng->free_prod);
	ring_doorbell(eng);
}

static void engine_start(struct kvmcap_engine *eng)
{
	u32 i;

	eng->bus->may_write(eng->dev, true);
	for (i = 0; i < eng->slots->count; i++) {
		const struct kvmcap_slot *slot = &eng->slots->slot[i];
		struct eng_slot *entry = &eng->ring->slot[i];

		put64(&entry->list, slot->list_bus);
		put32(&entry->segments, slot->sgt.nents);
		put32(&entry->bytes, eng->slots->bytes);
	}
	eng->free_prod = reg_read(eng, ENG_FREE_CONS);
	eng->free_done = eng->free_prod;
	eng->done_cons = reg_read(eng, ENG_DONE_PROD);
	eng->hw_seq = 0;
	reg_write(eng, ENG_RING_LO, lower_32_bits(eng->ring_bus));
	reg_write(eng, ENG_RING_HI, upper_32_bits(eng->ring_bus));
	reg_write(eng, ENG_RUN_GENERATION, eng->timings.generation);
	reg_write(eng, ENG_RUN_EPOCH, eng->epoch);
	reg_write(eng, ENG_FREE_PROD, eng->free_prod);
	reg_write(eng, ENG_DONE_CONS, eng->done_cons);
	eng->state = ENGINE_RUNNING;
	post_slots(eng);
	dma_wmb(); /* the whole ring is in memory before the engine may read it */
	reg_write(eng, ENG_CTRL, ENG_CTRL_RUN);
	ring_doorbell(eng);
}

static u32 known_signal(u32 signal)
{
	static const u8 known[] = {
		[ENG_SIGNAL_OK] = KVMCAP_SIGNAL_OK,
		[ENG_SIGNAL_NO_CABLE] = KVMCAP_SIGNAL_NO_CABLE,
		[ENG_SIGNAL_NO_SIGNAL] = KVMCAP_SIGNAL_NO_SIGNAL,
		[ENG_SIGNAL_NO_SYNC] = KVMCAP_SIGNAL_NO_SYNC,
		[ENG_SIGNAL_UNSUPPORTED] = KVMCAP_SIGNAL_UNSUPPORTED,
		[ENG_SIGNAL_PROTECTED] = KVMCAP_SIGNAL_PROTECTED,
	};

	return signal < ARRAY_SIZE(known) ? known[signal] : U32_MAX;
}

/* A consistent copy of the timings. False: the engine is busy changing them. */
static bool read_timings(struct kvmcap_engine *eng, struct engine_timings *t)
{
	int tries;

	for (tries = 0; tries < SEQLOCK_TRIES; tries++) {
		t->generation = reg_read(eng, ENG_TIM_GENERATION);
		rmb(); /* the count before the fields; pairs with the engine's writes */
		t->signal = reg_read(eng, ENG_TIM_SIGNAL);
		t->flags = reg_read(eng, ENG_TIM_FLAGS);
		t->mode.geo.width = reg_read(eng, ENG_TIM_WIDTH);
		t->mode.geo.height = reg_read(eng, ENG_TIM_HEIGHT);
		t->mode.geo.stride = reg_read(eng, ENG_TIM_STRIDE);
		t->mode.fourcc = reg_read(eng, ENG_TIM_FOURCC);
		t->mode.refresh_mhz = reg_read(eng, ENG_TIM_REFRESH_MHZ);
		rmb(); /* the fields before the count again */
		if (!(t->generation & 1) && reg_read(eng, ENG_TIM_GENERATION) == t->generation)
			return true;
		udelay(2);
	}
	return false;
}

/* Why a Mode cannot be captured, or NULL. */
static const char *unsupported(struct kvmcap_engine *eng, const struct engine_timings *t)
{
	const struct kvmcap_geometry *geo = &t->mode.geo;

	if (t->mode.fourcc != FOURCC_XRGB8888)
		return "pixel format is not XRGB8888";
	if (t->flags & ENG_TIM_INTERLACED)
		return "interlaced";
	if (geo->width < KVMCAP_MIN_WIDTH || geo->height < KVMCAP_MIN_HEIGHT)
		return "picture is too small";
	if (geo->width > min_t(u32, KVMCAP_MAX_WIDTH, eng->max_width) ||
	    geo->height > min_t(u32, KVMCAP_MAX_HEIGHT, eng->max_height))
		return "picture is too large";
	if (!kvmcap_slots_fit(PAGE_ALIGN((u64)geo->stride * geo->height), eng->max_slots))
		return "memory_cap_mb is too low for this Mode";
	return NULL;
}

/* Why these timings break the contract, or NULL. */
static const char *contradiction(const struct engine_timings *t)
{
	const struct kvmcap_geometry *geo = &t->mode.geo;

	if (known_signal(t->signal) == U32_MAX)
		return "unknown signal state";
	if (t->signal != ENG_SIGNAL_OK || t->mode.fourcc != FOURCC_XRGB8888)
		return NULL;
	if (geo->stride % 64 || geo->stride < geo->width * 4ULL)
		return "bad stride";
	return NULL;
}

static bool same_mode(const struct kvmcap_mode *a, const struct kvmcap_mode *b)
{
	return a->geo.width == b->geo.width && a->geo.height == b->geo.height &&
	       a->geo.stride == b->geo.stride && a->fourcc == b->fourcc &&
	       a->refresh_mhz == b->refresh_mhz;
}

/* Has Slots for a Mode that can be captured: those of the last one if it is the same. */
static int prepare_slots(struct kvmcap_engine *eng, const struct kvmcap_mode *mode)
{
	const size_t bytes = PAGE_ALIGN((size_t)mode->geo.stride * mode->geo.height);
	struct kvmcap_slots *slots;
	int err;

	if (eng->slots && same_mode(mode, &eng->cap->mode)) {
		kvmcap_device_resume(eng->cap);
		return 0;
	}
	drop_slots(eng);
	slots = kvmcap_slots_create(eng->dev, bytes, kvmcap_slots_fit(bytes, eng->max_slots),
				    eng->max_segments);
	if (IS_ERR(slots))
		slots = kvmcap_slots_create(eng->dev, bytes, KVMCAP_MIN_SLOTS,
					    eng->max_segments);
	if (IS_ERR(slots))
		return PTR_ERR(slots);
	err = kvmcap_device_mode(eng->cap, mode, slots);
	if (!err)
		eng->slots = slots;
	return err;
}

/* Follows new timings: other Slots if the Mode is another, none without a signal. */
static void adopt_timings(struct kvmcap_engine *eng, const struct engine_timings *t)
{
	const char *why = contradiction(t);
	int err;

	if (why) {
		quarantine(eng, why);
		return;
	}
	eng->timings = *t;
	eng->signal = known_signal(t->signal);
	eng->reason = NULL;
	if (eng->signal == KVMCAP_SIGNAL_OK)
		eng->reason = unsupported(eng, t);
	if (eng->reason)
		eng->signal = KVMCAP_SIGNAL_UNSUPPORTED;
	if (eng->signal == KVMCAP_SIGNAL_OK) {
		err = prepare_slots(eng, &t->mode);
		if (!err) {
			engine_start(eng);
		} else {
			eng->signal = KVMCAP_SIGNAL_UNSUPPORTED;
			eng->reason = err == -E2BIG ? "more segments than the engine takes" :
						      "no memory for this Mode";
			/* Memory may come back: look again at the next tick. */
			eng->timings.generation = 1;
		}
	}
	show_signal(eng);
}

static void follow_timings(struct kvmcap_engine *eng)
{
	struct engine_timings now;

	if (reg_read(eng, ENG_TIM_GENERATION) == eng->timings.generation ||
	    !read_timings(eng, &now))
		return;
	engine_stop(eng);
	if (eng->state == ENGINE_IDLE)
		adopt_timings(eng, &now);
}

/* Compares a Frame with the one before, and hands it to Readers. */
static bool publish(struct kvmcap_engine *eng, u32 slot, u64 hw_seq)
{
	const struct kvmcap_geometry *geo = &eng->timings.mode.geo;
	struct kvmcap *cap = eng->cap;
	const u64 *damage = NULL;
	ktime_t begun;
	int previous;

	mutex_lock(&cap->lock);
	previous = kvmcap_ring_previous(&cap->ring);
	mutex_unlock(&cap->lock);

	kvmcap_slot_for_cpu(eng->slots, slot);
	begun = ktime_get();
	if (previous >= 0) {
		kvmcap_differ_band(&eng->differ, geo, eng->slots->slot[slot].pixels,
				   eng->slots->slot[previous].pixels, 0,
				   KVMCAP_TILES(geo->height), eng->damage);
		damage = eng->damage;
	}
	return !kvmcap_device_publish(cap, slot, damage, hw_seq,
				      ktime_to_ns(ktime_sub(ktime_get(), begun)));
}

/* Takes one entry of the done ring. NULL, or how it breaks the contract. */
static const char *take_done(struct kvmcap_engine *eng, bool newest)
{
	const struct eng_done *entry = &eng->ring->done[eng->done_cons % ENG_DONE];
	const u32 slot = take32(&entry->slot);
	const u32 generation = take32(&entry->generation);
	const u32 flags = take32(&entry->flags);
	const u64 seq = take64(&entry->seq);
	const bool whole = !(flags & ENG_DONE_ABANDONED);
	struct kvmcap *cap = eng->cap;

	if (slot != eng->posted[eng->free_done % ENG_SLOTS])
		return "completed a Slot out of order";
	if (generation != eng->timings.generation)
		return "completed a Slot of another Mode";
	if (flags & ~ENG_DONE_ABANDONED)
		return "unknown completion flags";
	if (whole && seq <= eng->hw_seq)
		return "Frame number does not grow";
	eng->done_cons++;
	eng->free_done++;
	if (whole)
		eng->hw_seq = seq;
	/* Newest Frame wins: those it overtook here are not worth comparing. */
	if (whole && newest)
		return publish(eng, slot, seq) ? NULL : "completed a Slot twice";
	mutex_lock(&cap->lock);
	kvmcap_ring_give_back(&cap->ring, slot);
	mutex_unlock(&cap->lock);
	return NULL;
}

/*
 * How many of @count entries to take so that the last one is a whole Frame.
 * Only a hint: take_done() reads and checks the flags itself.
 */
static u32 last_whole(struct kvmcap_engine *eng, u32 count)
{
	while (count) {
		const u32 at = (eng->done_cons + count - 1) % ENG_DONE;

		if (!(take32(&eng->ring->done[at].flags) & ENG_DONE_ABANDONED))
			break;
		count--;
	}
	return count;
}

static void take_completions(struct kvmcap_engine *eng)
{
	const u32 count = reg_read(eng, ENG_DONE_PROD) - eng->done_cons;
	const char *why = NULL;
	u32 newest, i;

	if (!count)
		return;
	/* At most ENG_SLOTS are posted, so this bounds the loop as well. */
	if (count > eng->free_prod - eng->free_done) {
		quarantine(eng, "completed more Slots than were posted");
		return;
	}
	dma_rmb(); /* entries are read after the index that announced them */
	newest = last_whole(eng, count);
	for (i = 1; i <= count && !why; i++)
		why = take_done(eng, i == newest);
	if (why) {
		quarantine(eng, why);
		return;
	}
	reg_write(eng, ENG_DONE_CONS, eng->done_cons);
	post_slots(eng);
}

static void read_events(struct kvmcap_engine *eng, struct engine_events *events)
{
	events->overrun = reg_read(eng, ENG_EV_OVERRUN);
	events->fault = reg_read(eng, ENG_EV_DMA_FAULT);
	events->underrun = reg_read(eng, ENG_EV_UNDERRUN);
	events->bad_desc = reg_read(eng, ENG_EV_BAD_DESC);
}

static void count_events(struct kvmcap_engine *eng)
{
	const struct engine_events before = eng->events;
	const struct engine_events *now = &eng->events;

	read_events(eng, &eng->events);
	kvmcap_device_count(eng->cap,
			    now->overrun - before.overrun + now->underrun - before.underrun,
			    now->fault - before.fault + now->bad_desc - before.bad_desc);
}

/* Heartbeat and counters, a few times a second. */
static void watch(struct kvmcap_engine *eng)
{
	const u32 heartbeat = reg_read(eng, ENG_HEARTBEAT);

	if (!time_after_eq(jiffies, eng->watched_at + WATCH_PERIOD))
		return;
	eng->watched_at = jiffies;
	count_events(eng);
	if (heartbeat != eng->heartbeat) {
		eng->heartbeat = heartbeat;
		eng->heartbeat_at = jiffies;
	}
	eng->stalled = time_after(jiffies, eng->heartbeat_at + STALLED_AFTER);
	show_signal(eng);
}

/* An engine that began anew never writes to what an earlier epoch was given. */
static bool follow_epoch(struct kvmcap_engine *eng)
{
	const u32 epoch = reg_read(eng, ENG_EPOCH);

	if (reg_read(eng, ENG_MAGIC) != ENG_MAGIC_VALUE)
		return false; /* starting */
	if (epoch == eng->epoch)
		return true;
	dev_info(eng->dev, "restarted, epoch %u\n", epoch);
	if (eng->state == ENGINE_RUNNING)
		kvmcap_device_gap(eng->cap);
	eng->state = ENGINE_IDLE;
	eng->epoch = epoch;
	eng->timings.generation = 1;
	eng->heartbeat_at = jiffies;
	eng->stalled = false;
	read_events(eng, &eng->events);
	return true;
}

static void follow_stuck(struct kvmcap_engine *eng)
{
	if (eng->state != ENGINE_STUCK || (reg_read(eng, ENG_STATUS) & ENG_STATUS_BUSY))
		return;
	dev_info(eng->dev, "stopped at last\n");
	eng->state = ENGINE_IDLE;
	eng->timings.generation = 1;
}

static void engine_work(struct work_struct *work)
{
	struct kvmcap_engine *eng = container_of(to_delayed_work(work), struct kvmcap_engine,
						 work);

	if (eng->state == ENGINE_QUARANTINED || eng->state == ENGINE_GONE)
		return;
	if (window_is_gone(eng)) {
		eng->state = ENGINE_GONE;
		kvmcap_device_gap(eng->cap);
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_GONE, NULL);
		return;
	}
	if (follow_epoch(eng)) {
		follow_stuck(eng);
		if (eng->state == ENGINE_RUNNING)
			take_completions(eng);
		if (eng->state == ENGINE_IDLE || eng->state == ENGINE_RUNNING)
			follow_timings(eng);
	}
	if (eng->state == ENGINE_QUARANTINED)
		return;
	watch(eng);
	queue_delayed_work(eng->queue, &eng->work, WATCH_PERIOD);
}

/**
 * kvmcap_engine_kick() - the engine may have something to say
 * @eng: the engine. Any context
 */
void kvmcap_engine_kick(struct kvmcap_engine *eng)
{
	mod_delayed_work(eng->queue, &eng->work, 0);
}

static int identify(struct kvmcap_engine *eng)
{
	const u32 magic = reg_read(eng, ENG_MAGIC);
	const u32 version = reg_read(eng, ENG_VERSION);

	if (magic != ENG_MAGIC_VALUE)
		return -ENODEV; /* somebody else's card, or none: no reason to say a word */
	if (version >> 16 != ENG_VERSION_MAJOR)
		return dev_err_probe(eng->dev, -ENODEV,
				     "register interface %u.%u, this driver knows %u.x\n",
				     version >> 16, version & 0xffff, ENG_VERSION_MAJOR);
	eng->max_width = reg_read(eng, ENG_MAX_WIDTH);
	eng->max_height = reg_read(eng, ENG_MAX_HEIGHT);
	eng->max_slots = min_t(u32, reg_read(eng, ENG_MAX_SLOTS), KVMCAP_MAX_SLOTS);
	eng->max_segments = reg_read(eng, ENG_MAX_SEGMENTS);
	if (eng->max_slots < KVMCAP_MIN_SLOTS)
		return dev_err_probe(eng->dev, -ENODEV, "only %u Slots, at least %u are needed\n",
				     eng->max_slots, KVMCAP_MIN_SLOTS);
	return 0;
}

/**
 * kvmcap_engine_attach() - take an engine into service
 * @dev: what does DMA for it; its DMA mask is set
 * @regs: its register window
 * @bus: how to reach it
 *
 * Return: the engine, at work as soon as kvmcap_engine_kick() is called; or
 * -ENODEV (not an engine that this driver knows), -ENOMEM, ...
 */
struct kvmcap_engine *kvmcap_engine_attach(struct device *dev, void __iomem *regs,
					   const struct kvmcap_engine_bus *bus)
{
	struct kvmcap_engine *eng = kvzalloc(sizeof(*eng), GFP_KERNEL);
	int err;

	if (!eng)
		return ERR_PTR(-ENOMEM);
	eng->dev = dev;
	eng->regs = regs;
	eng->bus = bus;
	eng->timings.generation = 1;
	eng->signal = KVMCAP_SIGNAL_NO_SIGNAL;
	eng->epoch = reg_read(eng, ENG_EPOCH);
	eng->heartbeat_at = jiffies;
	eng->watched_at = jiffies;
	INIT_DELAYED_WORK(&eng->work, engine_work);
	err = identify(eng);
	if (err)
		goto free;
	read_events(eng, &eng->events);
	err = -ENOMEM;
	eng->ring = dma_alloc_coherent(dev, sizeof(*eng->ring), &eng->ring_bus, GFP_KERNEL);
	if (!eng->ring)
		goto free;
	eng->queue = alloc_ordered_workqueue("kvmcap-%s", WQ_HIGHPRI, dev_name(dev));
	if (!eng->queue)
		goto ring;
	eng->cap = kvmcap_device_add(dev);
	if (!IS_ERR(eng->cap))
		return eng;
	err = PTR_ERR(eng->cap);
	destroy_workqueue(eng->queue);
ring:
	dma_free_coherent(dev, sizeof(*eng->ring), eng->ring, eng->ring_bus);
free:
	kvfree(eng);
	return ERR_PTR(err);
}

/**
 * kvmcap_engine_detach() - the card is being removed, or has gone already
 * @eng: the engine; nobody kicks it any more
 */
void kvmcap_engine_detach(struct kvmcap_engine *eng)
{
	cancel_delayed_work_sync(&eng->work);
	destroy_workqueue(eng->queue);
	if (!window_is_gone(eng))
		engine_stop(eng);
	eng->bus->may_write(eng->dev, false);
	drop_slots(eng);
	kvmcap_device_remove(eng->cap);
	dma_free_coherent(eng->dev, sizeof(*eng->ring), eng->ring, eng->ring_bus);
	kvfree(eng);
}
