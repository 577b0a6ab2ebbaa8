// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gadget in configfs: its descriptors, how it is made, bound and taken down. Modules and nodes are
 * the helper's; the reports that these descriptors describe are report.c's.
 */
#include "device/gadget.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/hid.h"
#include "lib/log.h"

#define CONFIGFS "/sys/kernel/config"
#define GADGETS CONFIGFS "/usb_gadget"
#define GADGET GADGETS "/kvmnet"
#define UDC_CLASS "/sys/class/udc"
#define KEYBOARD GADGET "/functions/hid.keyboard"
#define POINTER GADGET "/functions/hid.pointer"

#define TEXT(s) (s), sizeof(s) - 1
#define BYTES(a) (a), sizeof(a)

/* HID 1.11 appendix B.1, with the usages up to 0xdd: those that Japanese and Korean keyboards have,
 * F13-F24, volume. Firmware never reads it: it uses the boot protocol. */
static const uint8_t keyboard_descriptor[] = {
	0x05, 0x01,	  /* Usage Page (Generic Desktop) */
	0x09, 0x06,	  /* Usage (Keyboard) */
	0xa1, 0x01,	  /* Collection (Application) */
	0x05, 0x07,	  /*   Usage Page (Keyboard) */
	0x19, 0xe0,	  /*   Usage Minimum (Left Control) */
	0x29, 0xe7,	  /*   Usage Maximum (Right GUI) */
	0x15, 0x00,	  /*   Logical Minimum (0) */
	0x25, 0x01,	  /*   Logical Maximum (1) */
	0x75, 0x01,	  /*   Report Size (1) */
	0x95, 0x08,	  /*   Report Count (8) */
	0x81, 0x02,	  /*   Input (Data, Variable, Absolute): modifiers */
	0x95, 0x01,	  /*   Report Count (1) */
	0x75, 0x08,	  /*   Report Size (8) */
	0x81, 0x01,	  /*   Input (Constant) */
	0x95, 0x05,	  /*   Report Count (5) */
	0x75, 0x01,	  /*   Report Size (1) */
	0x05, 0x08,	  /*   Usage Page (LEDs) */
	0x19, 0x01,	  /*   Usage Minimum (Num Lock) */
	0x29, 0x05,	  /*   Usage Maximum (Kana) */
	0x91, 0x02,	  /*   Output (Data, Variable, Absolute) */
	0x95, 0x01,	  /*   Report Count (1) */
	0x75, 0x03,	  /*   Report Size (3) */
	0x91, 0x01,	  /*   Output (Constant) */
	0x95, 0x06,	  /*   Report Count (6) */
	0x75, 0x08,	  /*   Report Size (8) */
	0x15, 0x00,	  /*   Logical Minimum (0) */
	0x26, 0xdd, 0x00, /*   Logical Maximum (0xdd) */
	0x05, 0x07,	  /*   Usage Page (Keyboard) */
	0x19, 0x00,	  /*   Usage Minimum (0) */
	0x2a, 0xdd, 0x00, /*   Usage Maximum (0xdd) */
	0x81, 0x00,	  /*   Input (Data, Array): six keys */
	0xc0,		  /* End Collection */
};

/* A mouse with absolute axes: what tablets of virtual machines are, so every system has a driver for it. */
static const uint8_t pointer_descriptor[] = {
	0x05, 0x01,	  /* Usage Page (Generic Desktop) */
	0x09, 0x02,	  /* Usage (Mouse) */
	0xa1, 0x01,	  /* Collection (Application) */
	0x09, 0x01,	  /*   Usage (Pointer) */
	0xa1, 0x00,	  /*   Collection (Physical) */
	0x05, 0x09,	  /*     Usage Page (Button) */
	0x19, 0x01,	  /*     Usage Minimum (1) */
	0x29, 0x05,	  /*     Usage Maximum (5) */
	0x15, 0x00,	  /*     Logical Minimum (0) */
	0x25, 0x01,	  /*     Logical Maximum (1) */
	0x95, 0x05,	  /*     Report Count (5) */
	0x75, 0x01,	  /*     Report Size (1) */
	0x81, 0x02,	  /*     Input (Data, Variable, Absolute) */
	0x95, 0x01,	  /*     Report Count (1) */
	0x75, 0x03,	  /*     Report Size (3) */
	0x81, 0x01,	  /*     Input (Constant) */
	0x05, 0x01,	  /*     Usage Page (Generic Desktop) */
	0x09, 0x30,	  /*     Usage (X) */
	0x09, 0x31,	  /*     Usage (Y) */
	0x15, 0x00,	  /*     Logical Minimum (0) */
	0x26, 0xff, 0x7f, /*     Logical Maximum (32767) */
	0x75, 0x10,	  /*     Report Size (16) */
	0x95, 0x02,	  /*     Report Count (2) */
	0x81, 0x02,	  /*     Input (Data, Variable, Absolute) */
	0x09, 0x38,	  /*     Usage (Wheel) */
	0x15, 0x81,	  /*     Logical Minimum (-127) */
	0x25, 0x7f,	  /*     Logical Maximum (127) */
	0x75, 0x08,	  /*     Report Size (8) */
	0x95, 0x01,	  /*     Report Count (1) */
	0x81, 0x06,	  /*     Input (Data, Variable, Relative) */
	0x05, 0x0c,	  /*     Usage Page (Consumer) */
	0x0a, 0x38, 0x02, /*     Usage (AC Pan) */
	0x81, 0x06,	  /*     Input (Data, Variable, Relative) */
	0xc0,		  /*   End Collection */
	0xc0,		  /* End Collection */
};

_Static_assert(HID_KEYBOARD_REPORT == 8 && HID_POINTER_REPORT == 7 && HID_POINTER_MAX == 0x7fff,
	       "the descriptors describe the reports");

/* What is made, in this order; removed in reverse. A folder, a file's content, or a link's target. */
static const struct item {
	const char *path;
	const void *content;
	size_t length;
	const char *link;
} items[] = {
	{ GADGET, NULL, 0, NULL },
	{ GADGET "/idVendor", TEXT("0x1d6b"), NULL },  /* Linux Foundation */
	{ GADGET "/idProduct", TEXT("0x0104"), NULL }, /* Multifunction Composite Gadget */
	{ GADGET "/bcdDevice", TEXT("0x0100"), NULL },
	{ GADGET "/bcdUSB", TEXT("0x0200"), NULL },
	{ GADGET "/strings/0x409", NULL, 0, NULL },
	{ GADGET "/strings/0x409/manufacturer", TEXT("kvmnet"), NULL },
	{ GADGET "/strings/0x409/product", TEXT("kvmnet keyboard and pointer"), NULL },
	{ GADGET "/configs/c.1", NULL, 0, NULL },
	{ GADGET "/configs/c.1/bmAttributes", TEXT("0xa0"), NULL }, /* remote wake-up */
	{ GADGET "/configs/c.1/MaxPower", TEXT("100"), NULL },	    /* mA: what every port gives */
	{ KEYBOARD, NULL, 0, NULL },
	{ KEYBOARD "/subclass", TEXT("1"), NULL }, /* boot interface */
	{ KEYBOARD "/protocol", TEXT("1"), NULL }, /* keyboard */
	{ KEYBOARD "/report_length", TEXT("8"), NULL },
	{ KEYBOARD "/no_out_endpoint", TEXT("1"), NULL }, /* firmware sends LEDs by SET_REPORT only */
	{ KEYBOARD "/report_desc", BYTES(keyboard_descriptor), NULL },
	{ POINTER, NULL, 0, NULL },
	{ POINTER "/subclass", TEXT("0"), NULL },
	{ POINTER "/protocol", TEXT("0"), NULL },
	{ POINTER "/report_length", TEXT("7"), NULL },
	{ POINTER "/no_out_endpoint", TEXT("1"), NULL },
	{ POINTER "/report_desc", BYTES(pointer_descriptor), NULL },
	/* Interfaces are numbered in this order, and some firmware starts the first one only. */
	{ GADGET "/configs/c.1/keyboard", NULL, 0, KEYBOARD },
	{ GADGET "/configs/c.1/pointer", NULL, 0, POINTER },
};
#define ITEMS (sizeof(items) / sizeof(items[0]))

static int write_file(const char *path, const void *content, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, content, length);
	if (n < 0)
		error = -errno;
	else if ((size_t)n != length)
		error = -EIO;
	if (close(fd) < 0 && !error)
		error = -errno; /* configfs takes binary attributes at close */
	return error;
}

/* Length, or -errno. */
static ssize_t read_file(const char *path, void *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

static void read_line(const char *path, char *buf, size_t size)
{
	ssize_t n = read_file(path, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static int make_item(const struct item *item)
{
	if (item->link)
		return symlink(item->link, item->path) < 0 ? -errno : 0;
	if (item->content)
		return write_file(item->path, item->content, item->length);
	return mkdir(item->path, 0755) < 0 ? -errno : 0;
}

static bool item_is_made(const struct item *item)
{
	uint8_t is[512];
	struct stat st;
	ssize_t n;

	if (item->link || !item->content)
		return lstat(item->path, &st) == 0;
	n = read_file(item->path, is, sizeof(is) - 1);
	if (n < 0)
		return false;
	is[n] = '\0';
	if (item->content == keyboard_descriptor || item->content == pointer_descriptor)
		return (size_t)n == item->length && !memcmp(is, item->content, item->length);
	is[strcspn((char *)is, "\n")] = '\0';
	/* Numbers are read back in the kernel's own spelling. */
	if (strspn(item->content, "0123456789") > 0)
		return strtoul((char *)is, NULL, 0) == strtoul(item->content, NULL, 0);
	return !strcmp((char *)is, item->content);
}

static void remove_items(void)
{
	for (size_t i = ITEMS; i--;) {
		if (items[i].link)
			unlink(items[i].path);
		else if (!items[i].content && rmdir(items[i].path) < 0 && errno != ENOENT)
			log_error("gadget: removing %s: %s", items[i].path, strerror(errno));
	}
}

/* systemd mounts configfs; a system without it has us. */
static int ensure_configfs(void)
{
	if (!access(GADGETS, F_OK))
		return 0;
	if (mount("configfs", CONFIGFS, "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 &&
	    errno != EBUSY) {
		log_error("gadget: mounting %s: %s", CONFIGFS, strerror(errno));
		return -errno;
	}
	if (access(GADGETS, F_OK) < 0) {
		log_error("gadget: %s is missing: is the module libcomposite loaded?", GADGETS);
		return -ENOENT;
	}
	return 0;
}

static bool udc_exists(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), UDC_CLASS "/%s", name);
	return !access(path, F_OK);
}

static void gadget_unbind(struct gadget *gadget)
{
	write_file(GADGET "/UDC", "\n", 1); /* ENODEV: it was not bound */
	gadget->udc[0] = '\0';
}

/* True when what an earlier helper left is what we would make: then the Target notices nothing. */
static bool take_over(struct gadget *gadget)
{
	for (size_t i = 0; i < ITEMS; i++) {
		if (!item_is_made(&items[i]))
			return false;
	}
	read_line(GADGET "/UDC", gadget->udc, sizeof(gadget->udc));
	if (gadget->udc[0] &&
	    ((gadget->wanted && strcmp(gadget->udc, gadget->wanted)) || !udc_exists(gadget->udc)))
		gadget_unbind(gadget);
	return true;
}

int gadget_make(struct gadget *gadget)
{
	int error = ensure_configfs();

	if (error)
		return error;
	if (!access(GADGET, F_OK)) {
		if (take_over(gadget)) {
			log_info("gadget: taking over the one that is there");
			gadget->made = true;
			return 0;
		}
		gadget_remove(gadget);
	}
	for (size_t i = 0; i < ITEMS; i++) {
		error = make_item(&items[i]);
		if (error) {
			log_error("gadget: making %s: %s", items[i].path, strerror(-error));
			remove_items();
			return error;
		}
	}
	gadget->made = true;
	return 0;
}

/* The first UDC by name, or the wanted one. */
static bool find_udc(const struct gadget *gadget, char *name, size_t size)
{
	struct dirent **list;
	int n;

	name[0] = '\0';
	if (gadget->wanted) {
		snprintf(name, size, "%s", gadget->wanted);
		return udc_exists(name);
	}
	n = scandir(UDC_CLASS, &list, NULL, alphasort);
	if (n < 0)
		return false;
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' && !name[0])
			snprintf(name, size, "%s", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return name[0] != '\0';
}

int gadget_bind(struct gadget *gadget)
{
	char name[NAME_MAX + 1];
	int error;

	if (gadget->udc[0] && udc_exists(gadget->udc))
		return 0;
	gadget->udc[0] = '\0';
	if (!find_udc(gadget, name, sizeof(name)))
		return -ENODEV;
	error = write_file(GADGET "/UDC", name, strlen(name));
	if (error) {
		log_error("gadget: binding to %s: %s", name, strerror(-error));
		return error;
	}
	memcpy(gadget->udc, name, sizeof(name));
	log_info("gadget: keyboard and pointer are on %s", name);
	return 0;
}

void gadget_remove(struct gadget *gadget)
{
	gadget_unbind(gadget);
	remove_items();
	gadget->made = false;
}

int gadget_wake(const struct gadget *gadget)
{
	char path[PATH_MAX];

	if (!gadget->udc[0])
		return -ENODEV;
	snprintf(path, sizeof(path), UDC_CLASS "/%s/srp", gadget->udc);
	return write_file(path, "1", 1);
}
