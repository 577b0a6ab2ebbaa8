// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family "kvmcap": GET of state and statistics, and events.
 * The contract is kvmcap.yaml. Events carry the state after them, so one that
 * is lost or seen twice does no harm.
 */
#include <net/genetlink.h>

#include "driver.h"

static const struct nla_policy get_policy[] = {
	[KVMCAP_A_INDEX] = { .type = NLA_U32 },
};

static struct genl_family kvmcap_family;

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, KVMCAP_A_PAD);
}

static int put_mode(struct sk_buff *skb, const struct kvmcap_meta *meta)
{
	return nla_put_u32(skb, KVMCAP_A_SIGNAL, meta->signal) ?:
	       nla_put_u32(skb, KVMCAP_A_GENERATION, meta->generation) ?:
	       nla_put_u32(skb, KVMCAP_A_WIDTH, meta->width) ?:
	       nla_put_u32(skb, KVMCAP_A_HEIGHT, meta->height) ?:
	       nla_put_u32(skb, KVMCAP_A_STRIDE, meta->stride) ?:
	       nla_put_u32(skb, KVMCAP_A_FOURCC, meta->fourcc) ?:
	       nla_put_u32(skb, KVMCAP_A_REFRESH_MHZ, meta->refresh_mhz) ?:
	       nla_put_u32(skb, KVMCAP_A_SLOTS, meta->slot_count) ?:
	       put_u64(skb, KVMCAP_A_SEQ, meta->seq);
}

static int put_stats(struct sk_buff *skb, const struct kvmcap_state *state)
{
	return nla_put_u32(skb, KVMCAP_A_READERS, state->readers) ?:
	       put_u64(skb, KVMCAP_A_HW_SEQ, state->hw_seq) ?:
	       put_u64(skb, KVMCAP_A_FRAMES, state->stats.frames) ?:
	       put_u64(skb, KVMCAP_A_OVERRUNS, state->stats.overruns) ?:
	       put_u64(skb, KVMCAP_A_DMA_ERRORS, state->stats.dma_errors) ?:
	       put_u64(skb, KVMCAP_A_BUSY, state->busy) ?:
	       put_u64(skb, KVMCAP_A_DIFF_NS, state->stats.diff_ns) ?:
	       put_u64(skb, KVMCAP_A_MEMORY, state->memory);
}

/* One message about one device; -EMSGSIZE leaves @skb as it was. */
static int put_device_state(struct sk_buff *skb, struct kvmcap *cap, u32 portid, u32 seq,
			    int flags, u8 cmd, u32 event)
{
	struct kvmcap_state state;
	void *head;
	int err;

	kvmcap_device_state(cap, &state);
	head = genlmsg_put(skb, portid, seq, &kvmcap_family, flags, cmd);
	if (!head)
		return -EMSGSIZE;
	err = nla_put_u32(skb, KVMCAP_A_INDEX, cap->index);
	if (!err && event)
		err = nla_put_u32(skb, KVMCAP_A_EVENT, event);
	if (!err)
		err = put_mode(skb, &state.meta);
	if (!err && state.reason[0])
		err = nla_put_string(skb, KVMCAP_A_REASON, state.reason);
	if (!err)
		err = put_stats(skb, &state);
	if (err) {
		genlmsg_cancel(skb, head);
		return err;
	}
	genlmsg_end(skb, head);
	return 0;
}

static int get_do(struct sk_buff *skb, struct genl_info *info)
{
	struct kvmcap *cap;
	struct sk_buff *answer;
	u32 wanted, index;
	int err;

	if (!info->attrs[KVMCAP_A_INDEX]) {
		NL_SET_ERR_MSG(info->extack, "which device? KVMCAP_A_INDEX is missing");
		return -EINVAL;
	}
	wanted = nla_get_u32(info->attrs[KVMCAP_A_INDEX]);
	index = wanted;
	cap = kvmcap_device_get(&index);
	if (!cap || index != wanted) {
		if (cap)
			put_device(&cap->dev);
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[KVMCAP_A_INDEX],
				    "no such capture device");
		return -ENODEV;
	}
	answer = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	err = answer ? put_device_state(answer, cap, info->snd_portid, info->snd_seq, 0,
					KVMCAP_CMD_GET, 0) : -ENOMEM;
	put_device(&cap->dev);
	if (!err)
		return genlmsg_reply(answer, info);
	nlmsg_free(answer);
	return err;
}

static int get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	u32 index = cb->args[0];
	struct kvmcap *cap;
	int err = 0;

	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump is of all devices: it takes no attributes");
		return -EINVAL;
	}
	for (; !err && (cap = kvmcap_device_get(&index)); put_device(&cap->dev)) {
		err = put_device_state(skb, cap, NETLINK_CB(cb->skb).portid,
				       cb->nlh->nlmsg_seq, NLM_F_MULTI, KVMCAP_CMD_GET, 0);
		if (!err)
			index++;
	}
	cb->args[0] = index;
	return skb->len ?: err;
}

static const struct genl_ops kvmcap_ops[] = {
	{
		.cmd = KVMCAP_CMD_GET,
		.policy = get_policy,
		.maxattr = ARRAY_SIZE(get_policy) - 1,
		.doit = get_do,
		.dumpit = get_dump,
	},
};

static const struct genl_multicast_group kvmcap_groups[] = {
	{ .name = KVMCAP_GENL_MCGRP },
};

static struct genl_family kvmcap_family __ro_after_init = {
	.name = KVMCAP_GENL_NAME,
	.version = KVMCAP_GENL_VERSION,
	.module = THIS_MODULE,
	.ops = kvmcap_ops,
	.n_ops = ARRAY_SIZE(kvmcap_ops),
	.mcgrps = kvmcap_groups,
	.n_mcgrps = ARRAY_SIZE(kvmcap_groups),
};

/**
 * kvmcap_genl_event() - tell the group what happened, with the state after it
 * @cap: the device; its lock is not held
 * @event: enum kvmcap_event
 */
void kvmcap_genl_event(struct kvmcap *cap, u32 event)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&kvmcap_family, &init_net, 0))
		return;
	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return;
	if (put_device_state(skb, cap, 0, 0, 0, KVMCAP_CMD_EVENT, event)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_multicast(&kvmcap_family, skb, 0, 0, GFP_KERNEL);
}

int kvmcap_genl_init(void)
{
	return genl_register_family(&kvmcap_family);
}

void kvmcap_genl_exit(void)
{
	genl_unregister_family(&kvmcap_family);
}
