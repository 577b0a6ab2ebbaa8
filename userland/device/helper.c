// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvmnet-helper: the root side of the appliance. Sets addresses, loads modules, makes the USB gadget, and then
 * takes a few fixed calls from the daemon (helper.h). It never sees data from the network.
 */
#include "device/helper.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "device/gadget.h"
#include "device/helper_call.h"
#include "device/helper_module.h"
#include "device/helper_network.h"
#include "device/helper_node.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/version.h"

#define ACCOUNT "kvmnet" /* the daemon's user and group */

static struct {
	struct loop *loop;
	struct gadget gadget;
	struct loop_source signals;
} helper;

struct options {
	const char *module, *udc;
};

static const char usage[] =
	"Usage: kvmnet-helper [OPTION]...\n"
	"Sets this Device's addresses, loads the capture driver, gives the Target a USB keyboard and\n"
	"pointer, and serves kvmnetd.\n"
	"\n"
	"  --module NAME|PATH  the capture driver (default kvmcap)\n"
	"  --udc NAME          the USB device controller, of /sys/class/udc (default: the first)\n"
	"  --help, --version\n";

/* Prints what is wrong and ends; -1 is "go on". */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "module", required_argument, NULL, 'm' },
		{ "udc", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'm':
			options->module = optarg;
			break;
		case 'u':
			options->udc = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("kvmnet-helper " KVMNET_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "kvmnet-helper: \"%s\" is not understood\n%s", argv[optind], usage);
		return 2;
	}
	if (options->udc && (strchr(options->udc, '/') || !options->udc[0])) {
		fprintf(stderr, "kvmnet-helper: --udc takes a name of /sys/class/udc, not \"%s\"\n",
			options->udc);
		return 2;
	}
	return -1;
}

static uint8_t wake(void)
{
	int error = gadget_wake(&helper.gadget);

	log_debug("wake-up of the Target: %s", strerror(-error));
	return (uint8_t)-error;
}

static size_t take_call(const uint8_t *message, size_t len, uint8_t answer[CALL_ANSWER_MAX])
{
	if (len != 1 || message[0] != HELPER_WAKE)
		return network_call(message, len, answer);
	answer[0] = wake();
	return 1;
}

static int give_gadget(void)
{
	int error = 0;

	if (!helper.gadget.made) {
		error = module_load("libcomposite");
		if (!error)
			error = module_load("usb_f_hid");
		if (!error)
			error = gadget_make(&helper.gadget);
	}
	return error ? error : gadget_bind(&helper.gadget);
}

static void udc_changed(void)
{
	give_gadget();
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) == sizeof(info))
		loop_stop(helper.loop);
}

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	helper.signals = (struct loop_source){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
					       .events = EPOLLIN,
					       .ready = signal_ready };
	return helper.signals.fd < 0 ? -errno : loop_watch(helper.loop, &helper.signals);
}

static int start(const struct options *options)
{
	const struct passwd *user = getpwnam(ACCOUNT);
	const struct group *group = getgrnam(ACCOUNT);
	int error;

	if (!user || !group) {
		log_error("there is no user and group \"" ACCOUNT "\": see sysusers.d/kvmnet.conf");
		return -ENOENT;
	}
	/* First: the network waits for it. */
	network_open(helper.loop, NETWORK_STATE_DIR, NETWORK_RUN_DIR, networkd_reload);
	error = node_watch(helper.loop, group->gr_gid, udc_changed);
	if (error)
		return error;
	/* The one goes on without the other: what is missing of picture and input is told, and no reason to end. */
	module_load(options->module);
	node_permit_all();
	if (give_gadget())
		log_warn("no keyboard and pointer yet, waiting for a USB device controller%s%s",
			 options->udc ? " " : "", options->udc ? options->udc : "");
	mkdir("/run/kvmnet", 0755); /* for a system without systemd, which makes it otherwise */
	return call_listen(helper.loop, HELPER_SOCKET, user->pw_uid, group->gr_gid, take_call);
}

int main(int argc, char **argv)
{
	struct options options = { .module = "kvmcap" };
	int status = parse_options(argc, argv, &options), error;

	if (status >= 0)
		return status;
	helper.loop = loop_new();
	error = helper.loop ? watch_signals() : -errno;
	if (error) {
		log_error("starting: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	helper.gadget.wanted = options.udc;
	error = start(&options);
	if (!error) {
		sd_notify(0, "READY=1");
		error = loop_run(helper.loop);
		sd_notify(0, "STOPPING=1");
		call_close(helper.loop);
		network_close();
	}
	if (helper.gadget.made)
		gadget_remove(&helper.gadget);
	module_unload_all();
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
