// SPDX-License-Identifier: GPL-2.0-or-later
/* Gives the daemon's group its device nodes as the kernel announces them (netlink uevents). */
#include "device/helper_node.h"

#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

#define UEVENT_GROUP 1 /* the kernel's own messages; udev's are on 2 */

static const struct {
	const char *prefix;
	mode_t mode;
} devices[] = {
	{ "kvmcap", 0640 }, /* mapped read-only, commands need no write */
	{ "hidg", 0660 },
};

static struct {
	struct loop_source source;
	gid_t group;
	void (*udc_changed)(void);
} nodes;

/* name: of the kernel, below /dev; others than the daemon's devices are left alone. */
static void node_permit(const char *name)
{
	char path[64];
	struct stat st;

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (strncmp(name, devices[i].prefix, strlen(devices[i].prefix)) || strchr(name, '/'))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "/dev/%s", name) >= sizeof(path) ||
		    lstat(path, &st) < 0 || !S_ISCHR(st.st_mode) ||
		    (st.st_gid == nodes.group && (st.st_mode & 0777) == devices[i].mode))
			return;
		if (lchown(path, 0, nodes.group) < 0 || chmod(path, devices[i].mode) < 0)
			log_error("nodes: %s: %s", path, strerror(errno));
	}
}

void node_permit_all(void)
{
	DIR *dir = opendir("/dev");
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		node_permit(entry->d_name);
	closedir(dir);
}

/* The value of a "KEY=value" string in a message of strings, or NULL. */
static const char *property(const char *message, size_t length, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = message; at < message + length; at += strlen(at) + 1) {
		if (!strncmp(at, key, n) && at[n] == '=')
			return at + n + 1;
	}
	return NULL;
}

static bool is(const char *value, const char *wanted)
{
	return value && !strcmp(value, wanted);
}

static void uevent_ready(struct loop_source *source, uint32_t events)
{
	char message[8192];
	struct sockaddr_nl from;
	socklen_t from_length = sizeof(from);
	bool added;
	ssize_t n;

	(void)events;
	n = recvfrom(source->fd, message, sizeof(message) - 1, MSG_DONTWAIT, (struct sockaddr *)&from,
		     &from_length);
	if (n < 0 && errno == ENOBUFS) { /* some were lost: look for ourselves */
		node_permit_all();
		nodes.udc_changed();
	}
	if (n <= 0 || from.nl_pid != 0) /* only the kernel is believed */
		return;
	message[n] = '\0';
	added = is(property(message, (size_t)n, "ACTION"), "add");
	if (added && property(message, (size_t)n, "DEVNAME"))
		node_permit(property(message, (size_t)n, "DEVNAME"));
	/* "change": a gadget was bound to it, or taken off it (drivers/usb/gadget/udc/core.c). */
	if (is(property(message, (size_t)n, "SUBSYSTEM"), "udc") &&
	    (added || is(property(message, (size_t)n, "ACTION"), "change")))
		nodes.udc_changed();
}

int node_watch(struct loop *loop, gid_t group, void (*udc_changed)(void))
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP };
	int error = 0,
	    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	nodes.group = group;
	nodes.udc_changed = udc_changed;
	nodes.source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = uevent_ready };
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	if (!error)
		error = loop_watch(loop, &nodes.source);
	if (error) {
		log_error("nodes: following the kernel's events: %s", strerror(-error));
		if (fd >= 0)
			close(fd);
	}
	return error;
}
