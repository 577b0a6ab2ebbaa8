// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events are hints that make us look: after a lost one (ENOBUFS) looking again
 * is all there is to do. The state itself is asked for with GET.
 */
#include "device/signal.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "kmod/uapi/kvmcap.h"
#include "lib/log.h"

struct signal {
	struct loop *loop;
	uint32_t index;
	void (*changed)(void *arg);
	void *arg;
	struct nl_sock *ask, *listen;
	int family; /* negative: not there yet */
	struct loop_source source;
	bool watched;
};

static struct nla_policy policy[KVMCAP_A_MAX + 1] = {
	[KVMCAP_A_INDEX] = { .type = NLA_U32 },	     [KVMCAP_A_EVENT] = { .type = NLA_U32 },
	[KVMCAP_A_SIGNAL] = { .type = NLA_U32 },     [KVMCAP_A_REASON] = { .type = NLA_STRING },
	[KVMCAP_A_FRAMES] = { .type = NLA_U64 },     [KVMCAP_A_OVERRUNS] = { .type = NLA_U64 },
	[KVMCAP_A_DMA_ERRORS] = { .type = NLA_U64 },
};

static int on_event(struct nl_msg *msg, void *arg)
{
	struct signal *signal = arg;
	struct nlattr *attrs[KVMCAP_A_MAX + 1];

	if (nlmsg_hdr(msg)->nlmsg_type != signal->family ||
	    genlmsg_parse(nlmsg_hdr(msg), 0, attrs, KVMCAP_A_MAX, policy) < 0)
		return NL_SKIP;
	if (!attrs[KVMCAP_A_INDEX] || nla_get_u32(attrs[KVMCAP_A_INDEX]) != signal->index)
		return NL_SKIP;
	if (attrs[KVMCAP_A_EVENT] && nla_get_u32(attrs[KVMCAP_A_EVENT]) == KVMCAP_EVENT_QUARANTINED &&
	    attrs[KVMCAP_A_REASON])
		log_warn("capture: the hardware was shut off: %s", nla_get_string(attrs[KVMCAP_A_REASON]));
	signal->changed(signal->arg);
	return NL_OK;
}

static void listen_ready(struct loop_source *source, uint32_t events)
{
	struct signal *signal = (struct signal *)((char *)source - offsetof(struct signal, source));

	(void)events;
	/* -NLE_NOMEM is ENOBUFS: events were lost, so look. */
	if (nl_recvmsgs_default(signal->listen) == -NLE_NOMEM)
		signal->changed(signal->arg);
}

/* The family comes with the module, perhaps after us. */
static int resolve(struct signal *signal)
{
	int group, err;

	if (signal->family >= 0)
		return 0;
	signal->family = genl_ctrl_resolve(signal->ask, KVMCAP_GENL_NAME);
	if (signal->family < 0)
		return -ENOENT;
	group = genl_ctrl_resolve_grp(signal->ask, KVMCAP_GENL_NAME, KVMCAP_GENL_MCGRP);
	err = group < 0 ? group : nl_socket_add_membership(signal->listen, group);
	if (err < 0)
		log_warn("capture: no netlink events of the driver: %s", nl_geterror(err));
	return 0;
}

struct signal *signal_open(struct loop *loop, uint32_t index, void (*changed)(void *arg), void *arg)
{
	struct signal *signal = calloc(1, sizeof(*signal));

	if (!signal)
		return NULL;
	*signal =
		(struct signal){ .loop = loop, .index = index, .changed = changed, .arg = arg, .family = -1 };
	signal->ask = nl_socket_alloc();
	signal->listen = nl_socket_alloc();
	if (!signal->ask || !signal->listen || genl_connect(signal->ask) || genl_connect(signal->listen)) {
		log_error("capture: no generic netlink socket");
		signal_close(signal);
		return NULL;
	}
	/* The answer alone ends a GET: libnl would leave the acknowledgement after it to the next one. */
	nl_socket_disable_auto_ack(signal->ask);
	nl_socket_disable_seq_check(signal->listen);
	nl_socket_set_nonblocking(signal->listen);
	nl_socket_modify_cb(signal->listen, NL_CB_VALID, NL_CB_CUSTOM, on_event, signal);
	signal->source = (struct loop_source){
		.fd = nl_socket_get_fd(signal->listen),
		.events = EPOLLIN,
		.ready = listen_ready,
	};
	signal->watched = !loop_watch(loop, &signal->source);
	resolve(signal);
	return signal;
}

void signal_close(struct signal *signal)
{
	if (!signal)
		return;
	if (signal->watched)
		loop_unwatch(signal->loop, &signal->source);
	nl_socket_free(signal->ask);
	nl_socket_free(signal->listen);
	free(signal);
}

static int on_state(struct nl_msg *msg, void *arg)
{
	struct signal_state *state = arg;
	struct nlattr *attrs[KVMCAP_A_MAX + 1];

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, KVMCAP_A_MAX, policy) < 0)
		return NL_SKIP;
	if (attrs[KVMCAP_A_SIGNAL])
		state->signal = nla_get_u32(attrs[KVMCAP_A_SIGNAL]);
	if (attrs[KVMCAP_A_FRAMES])
		state->frames = nla_get_u64(attrs[KVMCAP_A_FRAMES]);
	if (attrs[KVMCAP_A_OVERRUNS])
		state->overruns = nla_get_u64(attrs[KVMCAP_A_OVERRUNS]);
	if (attrs[KVMCAP_A_DMA_ERRORS])
		state->dma_errors = nla_get_u64(attrs[KVMCAP_A_DMA_ERRORS]);
	if (attrs[KVMCAP_A_REASON])
		nla_strlcpy(state->reason, attrs[KVMCAP_A_REASON], sizeof(state->reason));
	return NL_OK;
}

int signal_get(struct signal *signal, struct signal_state *state)
{
	struct nl_msg *msg;
	int err = resolve(signal);

	if (err)
		return err;
	memset(state, 0, sizeof(*state));
	msg = nlmsg_alloc();
	if (!msg)
		return -ENOMEM;
	nl_socket_modify_cb(signal->ask, NL_CB_VALID, NL_CB_CUSTOM, on_state, state);
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, signal->family, 0, 0, KVMCAP_CMD_GET,
			 KVMCAP_GENL_VERSION) ||
	    nla_put_u32(msg, KVMCAP_A_INDEX, signal->index)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	err = nl_send_auto(signal->ask, msg);
	nlmsg_free(msg);
	if (err >= 0)
		err = nl_recvmsgs_default(signal->ask);
	if (err == -NLE_OBJ_NOTFOUND) /* the module was unloaded: another family number next time */
		signal->family = -1;
	return err ? -ENOENT : 0;
}
