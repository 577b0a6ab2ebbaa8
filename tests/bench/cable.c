// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bench's USB cable, from the appliance VM's gadget (usbip-vudc) to the Target VM's USB controller
 * (usb-redir): a true USB device there, seen by firmware and installers. This file joins both ends.
 */
/* LINK: userland/lib/loop.c userland/lib/log.c | -ljansson libusbredirparser-0.5 */
#include "cable.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

struct cable {
	struct loop *loop;
	struct port *port;
	struct plug *plug;
	struct control *control;
	struct loop_source signals;
	bool plugged;
};

static const char usage[] =
	"Usage: cable --appliance ADDRESS:PORT --target PATH --control PATH [--verbose]\n"
	"  --appliance  where vudcd of the appliance is reached\n"
	"  --target     UNIX socket for the Target's -chardev socket,path=PATH,reconnect=1 -device usb-redir\n"
	"  --control    UNIX socket for commands (cable_control.c)\n"
	"Says \"ready\" on standard output when it listens.\n";

struct port *cable_port(struct cable *cable)
{
	return cable->port;
}

struct plug *cable_plug(struct cable *cable)
{
	return cable->plug;
}

bool cable_is_plugged(const struct cable *cable)
{
	return cable->plugged;
}

/* As with a real cable the device has power while it is plugged and the Target is on. */
void cable_changed(struct cable *cable)
{
	bool power;

	if (!cable->port || !cable->plug || !cable->control) /* still being made, or freed */
		return;
	power = cable->plugged && plug_has_target(cable->plug);
	if (!power || !port_is_up(cable->port))
		plug_detach(cable->plug);
	if (power)
		port_open(cable->port);
	else
		port_close(cable->port);
	if (power && port_is_up(cable->port) && !plug_is_attached(cable->plug) &&
	    !plug_is_detaching(cable->plug))
		plug_attach(cable->plug);
	control_changed(cable->control);
}

void cable_set_plugged(struct cable *cable, bool plugged)
{
	cable->plugged = plugged;
	cable_changed(cable);
}

int cable_listen(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	unlink(path);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct cable *cable = (struct cable *)((char *)source - offsetof(struct cable, signals));

	(void)events;
	loop_stop(cable->loop);
}

static int watch_signals(struct cable *cable)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cable->signals = (struct loop_source){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
					       .events = EPOLLIN,
					       .ready = signal_ready };
	return cable->signals.fd < 0 ? -errno : loop_watch(cable->loop, &cable->signals);
}

/* "127.0.0.1:3240" */
static bool split_address(char *text, uint16_t *port)
{
	char *colon = strrchr(text, ':'), *end;
	unsigned long number = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!number || number > UINT16_MAX || *end)
		return false;
	*colon = '\0';
	*port = (uint16_t)number;
	return true;
}

static int run(struct cable *cable, const char *host, uint16_t tcp_port, const char *target,
	       const char *control)
{
	int error = watch_signals(cable);

	if (!error) {
		cable->port = port_new(cable->loop, cable, host, tcp_port);
		if (!cable->port)
			log_error("cable: \"%s\" is no IPv4 address", host);
		cable->plug = plug_new(cable->loop, cable, target);
		cable->control = control_new(cable->loop, cable, control);
		if (!cable->port || !cable->plug || !cable->control)
			error = -EINVAL;
	}
	if (!error) {
		puts("ready");
		fflush(stdout);
		error = loop_run(cable->loop);
		if (error)
			log_error("cable: %s", strerror(-error));
	}
	control_free(cable->control);
	cable->control = NULL;
	plug_free(cable->plug);
	port_free(cable->port);
	unlink(target);
	unlink(control);
	return error;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "appliance", required_argument, NULL, 'a' },
		{ "target", required_argument, NULL, 't' },
		{ "control", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct cable cable = { .plugged = true };
	char *appliance = NULL;
	const char *target = NULL, *control = NULL;
	uint16_t port = 0;
	int c, error;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'a')
			appliance = optarg;
		else if (c == 't')
			target = optarg;
		else if (c == 'c')
			control = optarg;
		else if (c == 'v')
			log_set_level(LOG_LEVEL_DEBUG);
	}
	if (!appliance || !target || !control || optind < argc || !split_address(appliance, &port)) {
		fputs(usage, stderr);
		return 2;
	}
	cable.loop = loop_new();
	if (!cable.loop) {
		perror("cable");
		return EXIT_FAILURE;
	}
	error = run(&cable, appliance, port, target, control);
	loop_free(cable.loop);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
