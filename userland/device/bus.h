/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two bounded queues between the session thread (ports 900-902, input, HID)
 * and the page thread (port 443). Nothing else is shared between them.
 */
#ifndef KVMNET_DEVICE_BUS_H
#define KVMNET_DEVICE_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/peer.h"
#include "lib/user.h"

#define BUS_DEPTH 64
#define BUS_SESSIONS 32
#define BUS_WHY_SIZE 100 /* fits a WebSocket's close (RFC 6455 5.5) */

struct bus;
struct settings;

/* Page thread to session thread. */
enum bus_request_type {
	BUS_OPEN, /* fd: one end of a socketpair that carries a channel of a logged-in person; passes ownership */
	BUS_STATUS,	/* is answered, once capture's hw_seq >= min_hw_seq and every session is current */
	BUS_CANCEL,	/* the asker of cookie is gone: it is answered at once */
	BUS_DISCONNECT, /* end session_id; its person is told by user */
	BUS_PASSWORD,	/* user has a new one: end the sessions that the old one opened */
	BUS_OWNER,	/* this Device has another owner or Manager now */
	BUS_GUESTS,	/* the Manager takes back what user's Tickets opened, or with no user everybody's */
	BUS_SETTINGS,	/* settings hold from now on */
};

/* CHANNELS.md. */
enum bus_channel { BUS_VIDEO, BUS_KEYBOARD, BUS_MOUSE };

struct bus_request {
	enum bus_request_type type;
	enum bus_channel channel; /* BUS_OPEN */
	uint64_t cookie;	  /* the asker's own, comes back in the answer */
	int fd;
	char user[USER_NAME_MAX + 1];
	char peer[PEER_TEXT_MAX];
	struct sockaddr_storage address; /* BUS_OPEN: peer's */
	unsigned rights;		 /* BUS_OPEN: of rights.h */
	uint64_t min_hw_seq;		 /* 0: at once */
	uint32_t session_id;
	struct settings *settings; /* malloc'd; passes ownership */
};

struct bus_session {
	uint32_t id;
	char user[USER_NAME_MAX + 1];
	char peer[PEER_TEXT_MAX];
	char encoding[16];
	uint64_t since_ms;	 /* how long it is open */
	uint64_t video_bytes;	 /* bytes of framebuffer updates handed to its socket or relay */
	uint64_t updates;	 /* framebuffer updates sent */
	uint64_t hw_seq;	 /* the newest Frame it has in whole, as the hardware counts */
	uint64_t keys, pointers; /* input events taken from it */
	unsigned rights;	 /* of rights.h */
};

struct bus_status {
	uint32_t signal; /* enum kvmcap_signal */
	uint32_t width, height, refresh_mhz, generation;
	uint64_t seq, hw_seq, frames, overruns;
	bool usb_configured; /* the Target's USB host has configured our keyboard and pointer */
	uint8_t leds;	     /* HID keyboard LEDs: bit 0 Num, 1 Caps, 2 Scroll */
	uint32_t session_count;
	struct bus_session sessions[BUS_SESSIONS];
};

/* Session thread to page thread: one for each BUS_STATUS. */
struct bus_answer {
	uint64_t cookie;
	struct bus_status status;
};

/* Session thread to page thread: a session that BUS_OPEN began has ended. */
struct bus_end {
	uint64_t cookie;	/* BUS_OPEN's */
	char why[BUS_WHY_SIZE]; /* for its person */
};

struct bus *bus_new(void); /* NULL with errno */
void bus_free(struct bus *bus);

/* false when the queue is full, or when BUS_DEPTH answers are owed already: the asker says so to its Client (503),
 * nothing blocks, and an answer always finds room. */
bool bus_ask(struct bus *bus, const struct bus_request *request);
bool bus_take_request(struct bus *bus, struct bus_request *request);
int bus_request_fd(struct bus *bus); /* readable (eventfd) while there are requests */

void bus_answer(struct bus *bus, const struct bus_answer *answer);
bool bus_take_answer(struct bus *bus, struct bus_answer *answer);
/* Before the session's descriptor is closed. When BUS_DEPTH wait to be taken it is dropped: that is no more than a word. */
void bus_end(struct bus *bus, uint64_t cookie, const char *why);
bool bus_take_end(struct bus *bus, struct bus_end *end);
/* Signal, Mode, LEDs or the list of sessions changed; many times is once for who looks later. */
void bus_change(struct bus *bus);
bool bus_take_change(struct bus *bus);
/* Called on the session thread after each bus_answer(), bus_end() and bus_change(), to wake the page thread
 * (lws_cancel_service). */
void bus_on_answer(struct bus *bus, void (*wake)(void *arg), void *arg);

#endif
