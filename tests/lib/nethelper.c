// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nethelper FOLDER: kvmnet-helper's network alone, which needs no machine to itself: its real calls and files, at
 * helper.h's socket, for the user it runs as. In systemd's place a line "reload" tells who drives it.
 */
/* LINK: userland/device/helper_network.c userland/device/helper_call.c userland/lib/network.c userland/lib/state.c
 *	 userland/lib/loop.c userland/lib/log.c */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/helper_call.h"
#include "device/helper_network.h"

static int reload(void)
{
	puts("reload");
	return 0;
}

int main(int argc, char **argv)
{
	struct loop *loop = loop_new();
	char state[256], run[256];

	if (argc != 2 || !loop)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(state, sizeof(state), "%s/state", argv[1]);
	snprintf(run, sizeof(run), "%s/run", argv[1]);
	network_open(loop, state, run, reload);
	if (call_listen(loop, HELPER_SOCKET, getuid(), getgid(), network_call))
		return 1;
	puts("ready");
	return loop_run(loop) ? 1 : 0;
}
