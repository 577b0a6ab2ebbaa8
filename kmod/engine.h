/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture engine as its bus drivers know it: a register window, memory it
 * can reach, and what to do when it wants attention. Rules are in ENGINE.md.
 */
#ifndef KVMCAP_ENGINE_H
#define KVMCAP_ENGINE_H

#include <linux/device.h>
#include <linux/io.h>

struct kvmcap_engine;

/**
 * struct kvmcap_engine_bus - what differs from bus to bus
 * @doorbell: tell the engine that registers changed
 * @may_write: let the engine write to memory, or cut it off
 */
struct kvmcap_engine_bus {
	void (*doorbell)(struct device *dev);
	void (*may_write)(struct device *dev, bool allowed);
};

struct kvmcap_engine *kvmcap_engine_attach(struct device *dev, void __iomem *regs,
					   const struct kvmcap_engine_bus *bus);
void kvmcap_engine_kick(struct kvmcap_engine *eng);
void kvmcap_engine_detach(struct kvmcap_engine *eng);

#endif
