// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends reports to the Target through /dev/hidg* (or a socket that stands for it) and takes its LEDs.
 * What is in the reports is report.c's, which key a Client meant is input.c's.
 *
 * Facts about f_hid (drivers/usb/gadget/function/f_hid.c) that this is built on:
 * - One report is in the kernel's hands (two with some controllers); the next write says EAGAIN until the
 *   Target's host has polled, for ever if it sleeps or does not listen.
 * - Before enumeration and after an unbind a write says ESHUTDOWN, and poll() no POLLOUT. Each sent report
 *   and each enumeration wakes poll(). So descriptors are watched edge-triggered: no call is needed to
 *   watch for what comes next.
 * - A write that the controller refuses wakes poll() too, with POLLOUT: dwc2 says EAGAIN as long as the
 *   host sleeps. Then the clock says when to try again, or the loop would spin.
 * - An open descriptor survives a rebind, but not a new gadget: then the node in /dev is another one.
 */
#include "device/hid.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "device/helper.h"
#include "device/report.h"
#include "device/udc.h"
#include "lib/log.h"

#define MS 1000000ull
#define PATIENCE_NS \
	(100 * MS)	     /* a host polls every 10 ms or faster; one that has not for so long may sleep */
#define STALE_NS (2000 * MS) /* input this old is not typed into whatever the Target shows by then */
#define WAKE_EVERY_NS (1000 * MS)
#define CONNECT_AGAIN_NS (100 * MS)
#define REFUSED_AGAIN_NS (50 * MS)
#define CLOSING_MS 100

#define NODE_EVENTS (IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVED_TO)

enum { KEYBOARD, POINTER, LANES };

/* One HID function: its descriptor and how its host does. */
struct lane {
	struct hid *hid;
	char path[PATH_MAX];
	const char *name; /* path's last part */
	bool is_socket;
	bool barred; /* EPERM */
	size_t report_bytes;
	int folder_watch;
	struct loop_source source; /* fd -1 while there is no device */
	struct loop_timer timer;
	struct loop_timer again; /* runs while the controller refuses: POLLOUT means nothing then */
	uint64_t busy_since_ns;	 /* a report is in the kernel's hands, or refused; 0: none */
	bool deaf;		 /* nobody took reports lately: only "all up" waits */
	bool by_person;		 /* somebody's input waits: worth waking a host, as our own "all up" is not */
};

struct hid {
	struct loop *loop;
	struct hid_events events;
	struct lane lanes[LANES];
	struct keyboard keyboard;
	struct pointer pointer;
	struct loop_source nodes; /* inotify */
	struct udc udc;
	bool follows_udc;
	bool configured;
	uint8_t leds;
	uint64_t woken_ns;
	uint64_t written, dropped;
};

static bool lane_is_keyboard(const struct lane *lane)
{
	return lane == &lane->hid->lanes[KEYBOARD];
}

static struct report_queue *lane_queue(struct lane *lane)
{
	return lane_is_keyboard(lane) ? &lane->hid->keyboard.queue : &lane->hid->pointer.queue;
}

static void lane_sent(struct lane *lane)
{
	if (lane_is_keyboard(lane))
		keyboard_sent(&lane->hid->keyboard);
	else
		pointer_sent(&lane->hid->pointer);
}

static void lane_forget(struct lane *lane)
{
	if (lane_is_keyboard(lane))
		keyboard_forget(&lane->hid->keyboard);
	else
		pointer_forget(&lane->hid->pointer);
}

static void lane_deafen(struct lane *lane)
{
	if (!lane->deaf)
		lane->hid->dropped += lane_queue(lane)->count;
	lane->deaf = true;
	lane->by_person = false;
	lane_forget(lane);
}

static bool lane_usable(const struct lane *lane)
{
	return lane->source.fd >= 0 && (!lane->hid->follows_udc || lane->hid->udc.configured);
}

static void update_configured(struct hid *hid)
{
	bool configured = lane_usable(&hid->lanes[KEYBOARD]);

	if (configured == hid->configured)
		return;
	hid->configured = configured;
	if (hid->events.configured)
		hid->events.configured(hid->events.arg, configured);
}

static void take_leds(struct hid *hid, uint8_t leds)
{
	if (leds == hid->leds)
		return;
	hid->leds = leds;
	if (hid->events.leds)
		hid->events.leds(hid->events.arg, leds);
}

static void lane_close(struct lane *lane)
{
	struct hid *hid = lane->hid;

	if (lane->source.fd < 0)
		return;
	loop_unwatch(hid->loop, &lane->source);
	loop_timer_cancel(hid->loop, &lane->timer);
	loop_timer_cancel(hid->loop, &lane->again);
	close(lane->source.fd);
	lane->source.fd = -1;
	lane->busy_since_ns = 0;
	lane_deafen(lane);
	if (lane_is_keyboard(lane))
		take_leds(hid, 0);
	log_info("hid: %s is gone", lane->path);
	if (lane->is_socket)
		loop_timer_arm(hid->loop, &lane->timer, CONNECT_AGAIN_NS);
	update_configured(hid);
}

/* Asks the helper for remote wake-up. Whether it worked is seen by the host polling again. */
static void wake_host(struct lane *lane)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = HELPER_SOCKET };
	const char call = HELPER_WAKE;
	struct hid *hid = lane->hid;
	uint64_t now = loop_now_ns();
	int fd;

	if (!lane->by_person || !hid->follows_udc || (hid->woken_ns && now - hid->woken_ns < WAKE_EVERY_NS))
		return;
	hid->woken_ns = now;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, &call, sizeof(call), MSG_NOSIGNAL) < 0)
		log_warn("hid: asking %s to wake the Target: %s", HELPER_SOCKET, strerror(errno));
	else
		log_debug("hid: the Target does not poll, asked to wake it");
	if (fd >= 0)
		close(fd);
}

static void lane_busy(struct lane *lane)
{
	if (!lane->timer.due_ns)
		loop_timer_arm(lane->hid->loop, &lane->timer, PATIENCE_NS);
}

static void lane_watch_room(struct lane *lane, bool on)
{
	uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (on ? EPOLLOUT : 0);
	int error = loop_change(lane->hid->loop, &lane->source, events);

	if (error)
		log_error("hid: watching %s: %s", lane->path, strerror(-error));
	if (on)
		loop_timer_cancel(lane->hid->loop, &lane->again);
	else if (!lane->again.due_ns)
		loop_timer_arm(lane->hid->loop, &lane->again, REFUSED_AGAIN_NS);
}

static bool lane_has_room(const struct lane *lane)
{
	struct pollfd room = { .fd = lane->source.fd, .events = POLLOUT };

	return poll(&room, 1, 0) == 1 && room.revents & POLLOUT;
}

static void lane_failed(struct lane *lane, int error)
{
	if (lane->is_socket) {
		lane_close(lane);
		return;
	}
	if (error != ESHUTDOWN && !lane->deaf)
		log_warn("hid: writing %s: %s", lane->path, strerror(error));
	lane_deafen(lane);
	lane_watch_room(lane, !lane_has_room(lane));
}

static ssize_t lane_write(const struct lane *lane, const struct report *report)
{
	if (lane->is_socket)
		return send(lane->source.fd, report->bytes, lane->report_bytes, MSG_NOSIGNAL);
	return write(lane->source.fd, report->bytes, lane->report_bytes);
}

/* The host took what it was sent before: its patience starts anew. */
static void lane_taken(struct lane *lane)
{
	lane->busy_since_ns = 0;
	loop_timer_cancel(lane->hid->loop, &lane->timer);
}

static void lane_full(struct lane *lane, bool refused)
{
	lane_watch_room(lane, !refused);
	if (!lane->busy_since_ns)
		lane->busy_since_ns = loop_now_ns();
	if (lane->deaf)
		wake_host(lane);
	else
		lane_busy(lane);
}

static void lane_flush(struct lane *lane)
{
	const struct report *report;
	bool again = false;

	while (lane_usable(lane) && (report = report_next(lane_queue(lane)))) {
		if (lane_write(lane, report) >= 0) {
			lane_watch_room(lane, true);
			lane_taken(lane);
			lane->deaf = false;
			lane->hid->written++;
			lane_sent(lane);
			lane->busy_since_ns = loop_now_ns();
			lane_busy(lane);
			again = false;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			lane_failed(lane, errno);
			return;
		}
		if (!again && lane_has_room(lane)) { /* perhaps the last report was sent just now */
			again = true;
			continue;
		}
		lane_full(lane, again && lane_has_room(lane));
		return;
	}
}

static void lane_try_again(struct loop_timer *again)
{
	lane_watch_room((struct lane *)((char *)again - offsetof(struct lane, again)), true);
}

/* True when an event may be queued; one that follows a stall tries first whether it is over. */
static bool lane_hears(struct lane *lane)
{
	lane->by_person = true;
	if (lane->deaf)
		lane_flush(lane);
	if (lane->deaf)
		lane->hid->dropped++;
	return !lane->deaf;
}

/* Output reports: the keyboard's is one byte of LEDs (HID 1.11 appendix B.1), the pointer has none. */
static void lane_read(struct lane *lane)
{
	uint8_t report[64];
	ssize_t n;

	for (;;) {
		n = read(lane->source.fd, report, sizeof(report));
		if (n > 0 && lane_is_keyboard(lane))
			take_leds(lane->hid, report[0] & 0x1f);
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n == 0 && lane->is_socket)
			lane_close(lane);
		return;
	}
}

static void lane_ready(struct loop_source *source, uint32_t events)
{
	struct lane *lane = (struct lane *)((char *)source - offsetof(struct lane, source));

	if (events & EPOLLIN)
		lane_read(lane);
	if (lane->source.fd < 0)
		return;
	if (lane->is_socket && (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))) {
		lane_close(lane);
		return;
	}
	if (!(events & EPOLLOUT))
		return;
	if (!lane_queue(lane)->count) {
		lane_taken(lane);
		lane->by_person = false;
	}
	lane_flush(lane);
}

static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, few = 1; /* the kernel's minimum, a few reports: like a USB host that holds two */

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))) {
		close(fd);
		errno = ENOTTY;
		return -1;
	}
	return fd;
}

static void lane_absent(struct lane *lane, int error)
{
	struct loop *loop = lane->hid->loop;

	/* EACCES: the node is new, its group is still to come (helper_node.c) and will be noticed. */
	if (error != ENOENT && error != ECONNREFUSED && error != EACCES)
		log_warn("hid: %s: %s", lane->path, strerror(error));
	if (error == ECONNREFUSED || error == EAGAIN)
		loop_timer_arm(loop, &lane->timer, CONNECT_AGAIN_NS);
	if (error != EPERM)
		return;
	/* kvmnetd.service: a device whose driver came after our start, only a new process may use. One that was
	 * barred at our start already would be again. */
	if (!lane->barred)
		loop_fail(loop, EPERM);
	lane->barred = true;
}

static void lane_open(struct lane *lane)
{
	struct hid *hid = lane->hid;
	int error, fd = lane->is_socket ? open_socket(lane->path) : open_device(lane->path);

	if (fd < 0) {
		lane_absent(lane, errno);
		return;
	}
	lane->source = (struct loop_source){ .fd = fd, .ready = lane_ready };
	lane->source.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	error = loop_watch(hid->loop, &lane->source);
	if (error) {
		log_error("hid: watching %s: %s", lane->path, strerror(-error));
		close(fd);
		lane->source.fd = -1;
		return;
	}
	log_info("hid: using %s", lane->path);
	if (hid->follows_udc)
		udc_look(&hid->udc);
	update_configured(hid);
}

/* The host has not taken a report for PATIENCE_NS, or the peer of a socket is to be tried again. */
static void lane_expired(struct loop_timer *timer)
{
	struct lane *lane = (struct lane *)((char *)timer - offsetof(struct lane, timer));
	uint64_t waited;

	if (lane->source.fd < 0) {
		lane_open(lane);
		return;
	}
	if (!lane->busy_since_ns)
		return;
	if (lane_usable(lane))
		wake_host(lane);
	if (lane->deaf || !lane_queue(lane)->count)
		return;
	waited = loop_now_ns() - lane->busy_since_ns;
	if (waited >= STALE_NS) {
		log_info("hid: the Target does not read %s, dropping %u reports", lane->path,
			 lane_queue(lane)->count);
		lane_deafen(lane);
		return;
	}
	loop_timer_arm(lane->hid->loop, timer, STALE_NS - waited);
}

/* Something happened to the node's name in its folder. */
static void lane_node_changed(struct lane *lane)
{
	struct stat there, ours;

	if (lane->source.fd >= 0 && !lane->is_socket &&
	    (stat(lane->path, &there) < 0 || fstat(lane->source.fd, &ours) < 0 ||
	     there.st_ino != ours.st_ino || there.st_dev != ours.st_dev))
		lane_close(lane);
	if (lane->source.fd < 0)
		lane_open(lane);
}

static void nodes_ready(struct loop_source *source, uint32_t events)
{
	struct hid *hid = (struct hid *)((char *)source - offsetof(struct hid, nodes));
	_Alignas(struct inotify_event) char buf[4096];
	const struct inotify_event *event;
	ssize_t n;

	(void)events;
	n = read(source->fd, buf, sizeof(buf));
	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const struct inotify_event *)(buf + at);
		for (int i = 0; i < LANES; i++) {
			struct lane *lane = &hid->lanes[i];

			if ((event->mask & IN_Q_OVERFLOW) || (event->wd == lane->folder_watch && event->len &&
							      !strcmp(event->name, lane->name)))
				lane_node_changed(lane);
		}
	}
}

/* Each notification is an enumeration, a reset, an unplug: what waited was meant for what was before. */
static void udc_changed(struct udc *udc)
{
	struct hid *hid = (struct hid *)((char *)udc - offsetof(struct hid, udc));

	for (int i = 0; i < LANES; i++)
		lane_deafen(&hid->lanes[i]);
	/* A host that takes us anew tells its LEDs, unless they are dark: and perhaps it has told them already. */
	if (!hid->udc.configured)
		take_leds(hid, 0);
	update_configured(hid);
	for (int i = 0; i < LANES; i++)
		lane_flush(&hid->lanes[i]);
}

/* Takes the path apart and watches its folder, so that a node that appears is noticed. */
static bool lane_init(struct lane *lane, struct hid *hid, const char *path, size_t report_bytes)
{
	static const char prefix[] = "unix:";
	char folder[PATH_MAX];
	const char *slash;
	size_t length;

	lane->hid = hid;
	lane->report_bytes = report_bytes;
	lane->source.fd = -1;
	lane->timer.expired = lane_expired;
	lane->again.expired = lane_try_again;
	lane->is_socket = !strncmp(path, prefix, sizeof(prefix) - 1);
	if (lane->is_socket)
		path += sizeof(prefix) - 1;
	length = strlen(path);
	slash = strrchr(path, '/');
	if (!slash || !slash[1] || length >= sizeof(lane->path)) {
		log_error("hid: \"%s\" is no absolute path", path);
		return false;
	}
	memcpy(lane->path, path, length + 1);
	lane->name = lane->path + (slash - path) + 1;
	memcpy(folder, path, (size_t)(slash - path) + 1);
	folder[slash - path + 1] = '\0';
	lane->folder_watch = inotify_add_watch(hid->nodes.fd, folder, NODE_EVENTS);
	if (lane->folder_watch < 0) {
		log_error("hid: watching %s for %s: %s", folder, lane->name, strerror(errno));
		return false;
	}
	lane_deafen(lane);
	return true;
}

static bool nodes_watch(struct hid *hid)
{
	int error;

	hid->nodes.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	hid->nodes.events = EPOLLIN;
	hid->nodes.ready = nodes_ready;
	error = hid->nodes.fd < 0 ? -errno : loop_watch(hid->loop, &hid->nodes);
	if (!error)
		return true;
	log_error("hid: inotify: %s", strerror(-error));
	if (hid->nodes.fd >= 0)
		close(hid->nodes.fd);
	return false;
}

struct hid *hid_open(struct loop *loop, const char *keyboard, const char *pointer, const char *udc,
		     const struct hid_events *events)
{
	struct hid *hid = calloc(1, sizeof(*hid));

	if (!hid) {
		log_error("hid: out of memory");
		return NULL;
	}
	hid->loop = loop;
	hid->events = *events;
	udc_init(&hid->udc, loop, udc, udc_changed);
	if (!nodes_watch(hid)) {
		free(hid);
		return NULL;
	}
	if (!lane_init(&hid->lanes[KEYBOARD], hid, keyboard, HID_KEYBOARD_REPORT) ||
	    !lane_init(&hid->lanes[POINTER], hid, pointer, HID_POINTER_REPORT)) {
		loop_unwatch(loop, &hid->nodes);
		close(hid->nodes.fd);
		free(hid);
		return NULL;
	}
	hid->follows_udc = strcmp(udc, "none") != 0 && !hid->lanes[KEYBOARD].is_socket;
	for (int i = 0; i < LANES; i++)
		lane_open(&hid->lanes[i]);
	return hid;
}

/* The one place that waits, and not for long: a daemon that ends leaves no key down. */
static void lane_finish(struct lane *lane)
{
	uint64_t deadline = loop_now_ns() + CLOSING_MS * MS;
	struct pollfd ready = { .fd = lane->source.fd, .events = POLLOUT };

	lane_deafen(lane);
	lane_flush(lane);
	while (lane_usable(lane) && lane->deaf && !lane->again.due_ns && loop_now_ns() < deadline) {
		if (poll(&ready, 1, CLOSING_MS) <= 0)
			return;
		lane_flush(lane);
	}
}

static void all_up(struct hid *hid)
{
	keyboard_all_up(&hid->keyboard);
	pointer_all_up(&hid->pointer);
	for (int i = 0; i < LANES; i++) {
		if (hid->lanes[i].deaf)
			lane_forget(&hid->lanes[i]);
		lane_flush(&hid->lanes[i]);
	}
}

void hid_close(struct hid *hid)
{
	if (!hid)
		return;
	hid->events = (struct hid_events){ 0 };
	all_up(hid);
	for (int i = 0; i < LANES; i++) {
		lane_finish(&hid->lanes[i]);
		lane_close(&hid->lanes[i]);
		loop_timer_cancel(hid->loop, &hid->lanes[i].timer);
	}
	udc_close(&hid->udc);
	loop_unwatch(hid->loop, &hid->nodes);
	close(hid->nodes.fd);
	free(hid);
}

void hid_key(struct hid *hid, uint8_t usage, bool down)
{
	struct lane *lane = &hid->lanes[KEYBOARD];

	if (!lane_hears(lane)) {
		keyboard_key_unheard(&hid->keyboard, usage, down);
		return;
	}
	if (!keyboard_key(&hid->keyboard, usage, down))
		hid->dropped++;
	lane_flush(lane);
}

void hid_pointer(struct hid *hid, uint8_t buttons, uint16_t x, uint16_t y, int8_t wheel, int8_t hwheel)
{
	struct lane *lane = &hid->lanes[POINTER];

	buttons &= 0x1f;
	x = x > HID_POINTER_MAX ? HID_POINTER_MAX : x;
	y = y > HID_POINTER_MAX ? HID_POINTER_MAX : y;
	if (!lane_hears(lane)) {
		pointer_event_unheard(&hid->pointer, buttons, x, y);
		return;
	}
	if (!pointer_event(&hid->pointer, buttons, x, y, wheel, hwheel))
		hid->dropped++;
	lane_flush(lane);
}

bool hid_configured(const struct hid *hid)
{
	return hid->configured;
}

uint8_t hid_leds(const struct hid *hid)
{
	return hid->leds;
}

void hid_counts(const struct hid *hid, uint64_t *written, uint64_t *dropped)
{
	*written = hid->written;
	*dropped = hid->dropped;
}
