/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rooms of the session thread share: one struct server, used on that thread alone. */
#ifndef KVMNET_DEVICE_SERVER_H
#define KVMNET_DEVICE_SERVER_H

#include <sys/socket.h>

#include "device/account.h"
#include "device/bus.h"
#include "device/capture.h"
#include "device/config.h"
#include "device/gate.h"
#include "device/hid.h"
#include "device/input.h"
#include "device/manager.h"
#include "device/plan.h"
#include "device/rfb.h"
#include "device/settings.h"
#include "lib/identity.h"
#include "lib/loop.h"
#include "lib/work.h"

struct beacon;
struct input_ports;
struct channel;
struct session;
struct status;

/* Who was let in, and what he may do. */
struct guest {
	char user[USER_NAME_MAX + 1];
	char peer[PEER_TEXT_MAX];
	struct sockaddr_storage address;
	unsigned rights; /* of rights.h */
	bool relay;	 /* a browser's, whose login port 443 watches over */
	uint64_t cookie; /* relay: the page's name for it */
};

struct server {
	struct loop *loop;
	const struct config *config;
	struct settings settings; /* of this thread; the page thread has its own */
	struct account_store *accounts;
	struct manager *manager;
	struct gate *gate;
	uint64_t boot; /* how often this Device was started; 0: it could not be counted */
	struct bus *bus;
	struct capture *capture;
	struct hid *hid;
	struct input input;
	struct work_pool *encoders, *verifiers;
	struct channel *channel;
	struct input_ports *input_ports;
	struct status *status;
	struct beacon *beacon; /* NULL: not to be found */

	struct capture_mode mode;  /* as last reported */
	struct plan_screen screen; /* what the follower knows */
	char host[64];
	char name[RFB_NAME_MAX + 1]; /* "HOST", or "HOST: why there is no picture" */

	struct session *sessions;
	unsigned session_count;
	uint32_t last_session_id;
	bool pumping, pump_again; /* update.c */
	struct loop_timer pump_timer;
};

/* channel.c: 0 or -1 after logging why. */
int channel_open(struct server *server, const struct identity *identity);
void channel_close(struct server *server);
/* Drops connections of user, or with "" of everybody, that are about to become sessions, or to have their password or
 * Ticket checked. */
void channel_drop_user(struct server *server, const char *user);
/* A logged-in person's RFB connection, relayed from port 443. Takes fd. */
void channel_relay(struct server *server, int fd, const struct guest *guest);

/* status.c: requests of the page thread. */
int status_open(struct server *server);
void status_close(struct server *server);
/* Answers who waits, if what they wait for is so now. */
void status_check(struct server *server);
/* Signal, Mode, LEDs, USB or the list of sessions changed: the page thread is told. */
void status_changed(struct server *server);

/* screen.c: what capture says, to all sessions. */
int screen_open(struct server *server);
const char *screen_signal_text(uint32_t signal);

/* This Device has another name. */
void screen_rename(struct server *server);
/* Its host name may be another one: DHCP gives it when it comes, or anew. */
void screen_look_host(struct server *server);

/* session.c: the Target's keyboard LEDs changed. */
void session_tell_leds(struct server *server);
/* The idle time-out is another one. */
void session_retime(struct server *server);

/* update.c */
void update_pump(struct server *server);
void update_init(struct server *server);

#endif
