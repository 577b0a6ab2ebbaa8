// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks the driver's generic netlink family and prints what it says, a line a message:
 *   asknetlink get [INDEX]    one device, or none named
 *   asknetlink dump [INDEX]   all devices; a dump takes no attribute
 *   asknetlink events         what happens from "listening" on, for ever
 * Status 1: the driver refused, and said why.
 */
/* LINK: | libnl-3.0 libnl-genl-3.0 */
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kmod/uapi/kvmcap.h"

static const struct {
	int attr;
	const char *name;
} fields[] = {
	{ KVMCAP_A_INDEX, "index" },
	{ KVMCAP_A_SIGNAL, "signal" },
	{ KVMCAP_A_GENERATION, "generation" },
	{ KVMCAP_A_WIDTH, "width" },
	{ KVMCAP_A_HEIGHT, "height" },
	{ KVMCAP_A_STRIDE, "stride" },
	{ KVMCAP_A_FOURCC, "fourcc" },
	{ KVMCAP_A_REFRESH_MHZ, "refresh_mhz" },
	{ KVMCAP_A_SLOTS, "slots" },
	{ KVMCAP_A_READERS, "readers" },
	{ KVMCAP_A_SEQ, "seq" },
	{ KVMCAP_A_HW_SEQ, "hw_seq" },
	{ KVMCAP_A_FRAMES, "frames" },
	{ KVMCAP_A_OVERRUNS, "overruns" },
	{ KVMCAP_A_DMA_ERRORS, "dma_errors" },
	{ KVMCAP_A_BUSY, "busy" },
	{ KVMCAP_A_DIFF_NS, "diff_ns" },
	{ KVMCAP_A_MEMORY, "memory" },
};
static const char *const events[] = { "?",	   "lost",	  "regained", "mode_changed", "overrun",
				      "dma_error", "quarantined", "added",    "removed" };

static bool done, refusal;

static void die(const char *what, int error)
{
	fprintf(stderr, "asknetlink: %s: %s\n", what, nl_geterror(error));
	exit(2);
}

static int print_message(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[KVMCAP_A_MAX + 1];

	(void)arg;
	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, KVMCAP_A_MAX, NULL) < 0)
		return NL_SKIP;
	if (attrs[KVMCAP_A_EVENT]) {
		uint32_t event = nla_get_u32(attrs[KVMCAP_A_EVENT]);

		printf("event %s", event < sizeof(events) / sizeof(events[0]) ? events[event] : "?");
	} else {
		printf("state");
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct nlattr *attr = attrs[fields[i].attr];

		if (attr)
			printf(" %s %llu", fields[i].name,
			       nla_len(attr) == 8 ? (unsigned long long)nla_get_u64(attr) :
						    nla_get_u32(attr));
	}
	if (attrs[KVMCAP_A_REASON])
		printf(" reason \"%s\"", nla_get_string(attrs[KVMCAP_A_REASON]));
	puts("");
	fflush(stdout);
	return NL_OK;
}

/* The attributes of an extended acknowledgement (linux/netlink.h, enum nlmsgerr_attrs). */
static void print_refusal(int error, const struct nlmsghdr *header, const void *tlvs)
{
	int left = (int)(header->nlmsg_len - (size_t)((const char *)tlvs - (const char *)header));
	struct nlattr *text = NULL;

	if (header->nlmsg_flags & NLM_F_ACK_TLVS)
		text = nla_find(tlvs, left, NLMSGERR_ATTR_MSG);
	printf("refused %d: %s\n", error, text ? nla_get_string(text) : "");
	refusal = done = true;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	const struct nlmsghdr *header = (const void *)((const char *)error - NLMSG_HDRLEN);
	const char *tlvs = (const char *)(error + 1);

	(void)from, (void)arg;
	if (!(header->nlmsg_flags & NLM_F_CAPPED)) /* the request is in it, whole */
		tlvs += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
	print_refusal(error->error, header, tlvs);
	return NL_STOP;
}

/* The end of a dump tells how it went. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *header = nlmsg_hdr(msg);
	int error = 0;

	(void)arg;
	done = true;
	if (nlmsg_datalen(header) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(header), sizeof(error));
	if (error < 0)
		print_refusal(error, header, (const char *)nlmsg_data(header) + sizeof(error));
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	(void)msg, (void)arg;
	done = true;
	return NL_STOP;
}

/* Events answer nothing. */
static int any_number(struct nl_msg *msg, void *arg)
{
	(void)msg, (void)arg;
	return NL_OK;
}

static void ask(struct nl_sock *sock, int family, int flags, const char *index)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, KVMCAP_CMD_GET, KVMCAP_GENL_VERSION);
	if (index)
		nla_put_u32(msg, KVMCAP_A_INDEX, (uint32_t)strtoul(index, NULL, 0));
	if (nl_send_auto(sock, msg) < 0)
		die("send", -NLE_FAILURE);
	nlmsg_free(msg);
}

static void listen_to(struct nl_sock *sock)
{
	int group = genl_ctrl_resolve_grp(sock, KVMCAP_GENL_NAME, KVMCAP_GENL_MCGRP);

	if (group < 0 || nl_socket_add_membership(sock, group) < 0)
		die("group", group);
	puts("listening");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	const char *index = argc > 2 ? argv[2] : NULL;
	int one = 1, family, error;

	if (argc < 2 || genl_connect(sock))
		die("usage: get [INDEX], dump [INDEX] or events", -NLE_FAILURE);
	family = genl_ctrl_resolve(sock, KVMCAP_GENL_NAME);
	if (family < 0)
		die(KVMCAP_GENL_NAME, family);
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, print_message, NULL);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, NULL);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, NULL);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, NULL);
	if (!strcmp(argv[1], "events")) {
		listen_to(sock);
		nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_number, NULL);
	} else {
		ask(sock, family, !strcmp(argv[1], "dump") ? NLM_F_DUMP : NLM_F_ACK, index);
	}
	while (!done) {
		error = nl_recvmsgs(sock, cb);
		if (error < 0 && !done)
			die("answer", error);
	}
	return refusal;
}
