// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Follows /sys/class/udc/NAME/state, on which the kernel reports each change by sysfs_notify()
 * (drivers/usb/gadget/udc/core.c, usb_gadget_state_work). Binding a gadget is gadget.c's.
 */
#include "device/udc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/log.h"

#define UDC_CLASS "/sys/class/udc"

/* One line of a sysfs file without its end, or "" when it cannot be read. */
static void read_line(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool has_gadget(const char *name)
{
	char path[PATH_MAX], function[64];
	int fd;

	snprintf(path, sizeof(path), UDC_CLASS "/%s/function", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	read_line(fd, function, sizeof(function));
	close(fd);
	return function[0] != '\0';
}

/* The folder of the UDC that a gadget is bound to. */
static bool find_bound(char *path, size_t size)
{
	DIR *dir = opendir(UDC_CLASS);
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !has_gadget(entry->d_name))
			continue;
		snprintf(path, size, UDC_CLASS "/%s", entry->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

static void take_state(struct udc *udc)
{
	char state[32];

	/* The UDC's driver went away: the read fails, and so does every later one of this descriptor. */
	if (pread(udc->source.fd, state, 1, 0) < 0 && errno == ENODEV) {
		udc_close(udc);
		return;
	}
	read_line(udc->source.fd, state, sizeof(state));
	log_debug("usb: the controller's state is \"%s\"", state);
	/* Some controllers report "suspended"; most stay "configured" while the host sleeps. */
	udc->configured = !strcmp(state, "configured") || !strcmp(state, "suspended");
}

static void notified(struct loop_source *source, uint32_t events)
{
	struct udc *udc = (struct udc *)((char *)source - offsetof(struct udc, source));

	(void)events;
	take_state(udc);
	udc->changed(udc);
}

void udc_init(struct udc *udc, struct loop *loop, const char *path, void (*changed)(struct udc *udc))
{
	*udc = (struct udc){ .loop = loop, .path = path, .source = { .fd = -1 }, .changed = changed };
}

void udc_look(struct udc *udc)
{
	char folder[PATH_MAX / 2], path[PATH_MAX];
	int error;

	if (udc->source.fd >= 0)
		take_state(udc); /* it may be the file of a controller that went and came back */
	if (udc->source.fd >= 0)
		return;
	if (udc->path[0])
		snprintf(folder, sizeof(folder), "%s", udc->path);
	else if (!find_bound(folder, sizeof(folder)))
		return;
	snprintf(path, sizeof(path), "%s/state", folder);
	udc->source = (struct loop_source){ .fd = open(path, O_RDONLY | O_CLOEXEC),
					    .events = EPOLLPRI,
					    .ready = notified };
	if (udc->source.fd < 0) {
		log_warn("usb: %s: %s", path, strerror(errno));
		return;
	}
	error = loop_watch(udc->loop, &udc->source);
	if (error) {
		log_error("usb: watching %s: %s", path, strerror(-error));
		close(udc->source.fd);
		udc->source.fd = -1;
		return;
	}
	take_state(udc); /* a read also arms the next notification */
	log_info("usb: following %s", folder);
}

void udc_close(struct udc *udc)
{
	if (udc->source.fd >= 0) {
		loop_unwatch(udc->loop, &udc->source);
		close(udc->source.fd);
	}
	udc->source.fd = -1;
	udc->configured = false;
}
