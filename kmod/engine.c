// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a capture engine, on any bus: Modes, signal, restarts, stalls,
 * removal. How Slots travel is in engine_ring.c.
 *
 * All of both runs in one work item, so neither needs a lock.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "engine.h"

#define FOURCC_XRGB8888		0x34325258	/* drm_fourcc.h: 'X', 'R', '2', '4' */
#define WATCH_PERIOD		(HZ / 4)
#define STALLED_AFTER		HZ
#define SEQLOCK_TRIES		16
#define START_TIME		(2 * HZ)	/* ENGINE.md, Start */

static void show_signal(struct kvmcap_engine *eng)
{
	if (eng->state == KVMCAP_ENGINE_STUCK)
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_STALLED, "does not stop");
	else if (eng->stalled)
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_STALLED, "no heartbeat");
	else
		kvmcap_device_signal(eng->cap, eng->signal, eng->reason);
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
static bool read_timings(struct kvmcap_engine *eng, struct kvmcap_timings *t)
{
	int tries;

	for (tries = 0; tries < SEQLOCK_TRIES; tries++) {
		t->generation = kvmcap_engine_read(eng, ENG_TIM_GENERATION);
		rmb(); /* the count before the fields; pairs with the engine's writes */
		t->signal = kvmcap_engine_read(eng, ENG_TIM_SIGNAL);
		t->flags = kvmcap_engine_read(eng, ENG_TIM_FLAGS);
		t->mode.geo.width = kvmcap_engine_read(eng, ENG_TIM_WIDTH);
		t->mode.geo.height = kvmcap_engine_read(eng, ENG_TIM_HEIGHT);
		t->mode.geo.stride = kvmcap_engine_read(eng, ENG_TIM_STRIDE);
		t->mode.fourcc = kvmcap_engine_read(eng, ENG_TIM_FOURCC);
		t->mode.refresh_mhz = kvmcap_engine_read(eng, ENG_TIM_REFRESH_MHZ);
		rmb(); /* the fields before the count again */
		if (!(t->generation & 1) &&
		    kvmcap_engine_read(eng, ENG_TIM_GENERATION) == t->generation)
			return true;
		udelay(2);
	}
	return false;
}

/* Why a Mode cannot be captured, or NULL. */
static const char *unsupported(struct kvmcap_engine *eng, const struct kvmcap_timings *t)
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
static const char *contradiction(const struct kvmcap_timings *t)
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
	if (err) {
		kvmcap_slots_unmap(slots);
		kvmcap_slots_put(slots);
		return err;
	}
	eng->slots = slots;
	return 0;
}

/* Follows new timings: other Slots if the Mode is another, none without a signal. */
static void adopt_timings(struct kvmcap_engine *eng, const struct kvmcap_timings *t)
{
	const char *why = contradiction(t);
	int err;

	if (why) {
		kvmcap_engine_quarantine(eng, why);
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
			kvmcap_engine_start(eng);
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
	struct kvmcap_timings now;

	if (kvmcap_engine_read(eng, ENG_TIM_GENERATION) == eng->timings.generation ||
	    !read_timings(eng, &now))
		return;
	kvmcap_engine_stop(eng);
	if (eng->state == KVMCAP_ENGINE_IDLE)
		adopt_timings(eng, &now);
	else
		show_signal(eng);
}

static void read_events(struct kvmcap_engine *eng, struct kvmcap_engine_events *events)
{
	events->overrun = kvmcap_engine_read(eng, ENG_EV_OVERRUN);
	events->fault = kvmcap_engine_read(eng, ENG_EV_DMA_FAULT);
	events->underrun = kvmcap_engine_read(eng, ENG_EV_UNDERRUN);
	events->bad_desc = kvmcap_engine_read(eng, ENG_EV_BAD_DESC);
}

static void count_events(struct kvmcap_engine *eng)
{
	const struct kvmcap_engine_events before = eng->events;
	const struct kvmcap_engine_events *now = &eng->events;

	read_events(eng, &eng->events);
	if (kvmcap_engine_is_gone(eng))
		return; /* all ones, not counts */
	kvmcap_device_count(eng->cap,
			    now->overrun - before.overrun + now->underrun - before.underrun,
			    now->fault - before.fault + now->bad_desc - before.bad_desc);
}

/* Heartbeat and counters, a few times a second. */
static void watch(struct kvmcap_engine *eng)
{
	u32 heartbeat;

	if (!time_after_eq(jiffies, eng->watched_at + WATCH_PERIOD))
		return;
	eng->watched_at = jiffies;
	count_events(eng);
	heartbeat = kvmcap_engine_read(eng, ENG_HEARTBEAT);
	if (heartbeat != eng->heartbeat) {
		eng->heartbeat = heartbeat;
		eng->heartbeat_at = jiffies;
	}
	eng->stalled = time_after(jiffies, eng->heartbeat_at + STALLED_AFTER);
	show_signal(eng);
}

static int identify(struct kvmcap_engine *eng)
{
	const u32 magic = kvmcap_engine_read(eng, ENG_MAGIC);
	const u32 version = kvmcap_engine_read(eng, ENG_VERSION);

	if (magic != ENG_MAGIC_VALUE)
		return -ENODEV; /* somebody else's card, or none: no reason to say a word */
	if (version >> 16 != ENG_VERSION_MAJOR)
		return dev_err_probe(eng->dev, -ENODEV,
				     "register interface %u.%u, this driver knows %u.x\n",
				     version >> 16, version & 0xffff, ENG_VERSION_MAJOR);
	eng->max_width = kvmcap_engine_read(eng, ENG_MAX_WIDTH);
	eng->max_height = kvmcap_engine_read(eng, ENG_MAX_HEIGHT);
	eng->max_slots = min_t(u32, kvmcap_engine_read(eng, ENG_MAX_SLOTS), KVMCAP_MAX_SLOTS);
	eng->max_segments = kvmcap_engine_read(eng, ENG_MAX_SEGMENTS);
	if (eng->max_slots < KVMCAP_MIN_SLOTS)
		return dev_err_probe(eng->dev, -ENODEV, "only %u Slots, at least %u are needed\n",
				     eng->max_slots, KVMCAP_MIN_SLOTS);
	return 0;
}

/* What began anew may be able to do less, or be another: Slots made for it before may not fit. */
static bool identify_again(struct kvmcap_engine *eng, u32 epoch)
{
	const u32 slots = eng->max_slots, segments = eng->max_segments;
	const int err = identify(eng);

	if (kvmcap_engine_read(eng, ENG_MAGIC) != ENG_MAGIC_VALUE ||
	    kvmcap_engine_read(eng, ENG_EPOCH) != epoch) {
		/* Begun anew again: Slots are compared with what they were made for. */
		eng->max_slots = slots;
		eng->max_segments = segments;
		return false;
	}
	if (err) {
		kvmcap_engine_quarantine(eng, "restarted as something else");
		return false;
	}
	if (eng->max_slots != slots || eng->max_segments != segments)
		drop_slots(eng);
	return true;
}

/* An engine that began anew never writes to what an earlier epoch was given. */
static bool follow_epoch(struct kvmcap_engine *eng)
{
	const u32 epoch = kvmcap_engine_read(eng, ENG_EPOCH);

	if (kvmcap_engine_read(eng, ENG_MAGIC) != ENG_MAGIC_VALUE)
		return false; /* starting */
	if (epoch == eng->epoch)
		return true;
	dev_info_ratelimited(eng->dev, "restarted, epoch %u\n", epoch);
	if (eng->state == KVMCAP_ENGINE_RUNNING)
		kvmcap_device_gap(eng->cap);
	eng->state = KVMCAP_ENGINE_IDLE;
	eng->timings.generation = 1;
	if (!identify_again(eng, epoch))
		return false;
	/* RUN is from the epoch before: it must not meet registers half written. */
	kvmcap_engine_write(eng, ENG_CTRL, 0);
	eng->bus->may_write(eng->dev, true);
	eng->epoch = epoch;
	eng->heartbeat_at = jiffies;
	eng->stalled = false;
	read_events(eng, &eng->events);
	return true;
}

/* Told to stop, at the end of a Mode or by whoever drove it before us: has it? */
static void follow_stuck(struct kvmcap_engine *eng)
{
	if (eng->state != KVMCAP_ENGINE_STUCK ||
	    (kvmcap_engine_read(eng, ENG_STATUS) & ENG_STATUS_BUSY))
		return;
	if (eng->slots)
		dev_info(eng->dev, "stopped at last\n");
	eng->bus->may_write(eng->dev, true);
	eng->state = KVMCAP_ENGINE_IDLE;
	eng->timings.generation = 1;
}

static void engine_work(struct work_struct *work)
{
	struct kvmcap_engine *eng = container_of(to_delayed_work(work), struct kvmcap_engine,
						 work);

	if (eng->state == KVMCAP_ENGINE_QUARANTINED || eng->state == KVMCAP_ENGINE_GONE)
		return;
	if (kvmcap_engine_is_gone(eng)) {
		eng->state = KVMCAP_ENGINE_GONE;
		kvmcap_device_gap(eng->cap);
		kvmcap_device_signal(eng->cap, KVMCAP_SIGNAL_GONE, NULL);
		return;
	}
	if (follow_epoch(eng)) {
		follow_stuck(eng);
		if (eng->state == KVMCAP_ENGINE_RUNNING)
			kvmcap_engine_take_completions(eng);
		if (eng->state == KVMCAP_ENGINE_IDLE || eng->state == KVMCAP_ENGINE_RUNNING)
			follow_timings(eng);
	}
	if (eng->state == KVMCAP_ENGINE_QUARANTINED)
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

/* A card that was plugged in just now may be here before its engine is. */
static void await_start(struct kvmcap_engine *eng)
{
	const unsigned long end = jiffies + START_TIME;

	while (kvmcap_engine_read(eng, ENG_MAGIC) != ENG_MAGIC_VALUE &&
	       !kvmcap_engine_is_gone(eng) && time_before(jiffies, end))
		msleep(20);
}

/**
 * kvmcap_engine_attach() - take an engine into service
 * @dev: what does DMA for it; its DMA mask is set, and the engine may not write yet
 * @regs: its register window
 * @bus: how to reach it
 *
 * Waits up to two seconds for the engine to start.
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
	INIT_DELAYED_WORK(&eng->work, engine_work);
	await_start(eng);
	eng->epoch = kvmcap_engine_read(eng, ENG_EPOCH);
	eng->heartbeat_at = jiffies;
	eng->watched_at = jiffies;
	err = identify(eng);
	if (err)
		goto free;
	/*
	 * It may still be at work for another kernel, or for a driver that could
	 * not stop it: it gets the bus only once it is not.
	 */
	kvmcap_engine_write(eng, ENG_CTRL, 0);
	bus->doorbell(dev);
	eng->state = KVMCAP_ENGINE_STUCK;
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
	if (!kvmcap_engine_is_gone(eng))
		kvmcap_engine_stop(eng);
	eng->bus->may_write(eng->dev, false);
	drop_slots(eng);
	kvmcap_device_remove(eng->cap);
	dma_free_coherent(eng->dev, sizeof(*eng->ring), eng->ring, eng->ring_bus);
	kvfree(eng);
}
