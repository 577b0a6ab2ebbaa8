/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One Client past authentication: its connection, what it asked for, what it lacks. */
#ifndef KVMNET_DEVICE_SESSION_H
#define KVMNET_DEVICE_SESSION_H

#include "device/encode.h"
#include "device/input_channel.h"
#include "device/server.h"
#include "device/stream.h"
#include "device/token.h"

#define SESSION_INPUT 4096

struct session {
	struct session *next, **prev;
	struct server *server;
	struct stream stream;
	struct loop_source source;
	struct loop_timer timer; /* idle time-out, or more input that is here already */
	struct input_client input;
	struct token tokens[INPUT_KINDS];
	struct input_channel *channels[INPUT_KINDS]; /* NULL: on this connection alone */
	bool ended;				     /* closed; the memory waits for its encoder */
	bool more_input;

	uint32_t id;
	struct guest guest;
	uint64_t since_ns, last_input_ns;
	uint64_t video_bytes, updates, keys, pointers;

	struct rfb_reader reader;
	struct rfb_encodings encodings;
	struct pixel_map map;
	uint8_t in[SESSION_INPUT];
	size_t in_used;

	struct plan plan;
	struct work_job job;
	bool encoding;	 /* a worker owns task */
	bool update_out; /* what is unsent is an update */
	bool pixels_out; /* with pixels, that plan_sent() is about */
	bool holds_frame;
	struct capture_frame frame;
	struct encode_task task;
	size_t sent; /* of task.out.used */
};

/* Takes the stream, or closes it. rest: bytes that came behind ClientInit. */
void session_start(struct server *server, struct stream *stream, const struct guest *guest,
		   const uint8_t *rest, size_t rest_len);
/* why: for the log. */
void session_end(struct session *session, const char *why);
/* A key or pointer event, here or on a channel of its own. */
void session_take_input(struct session *session, const struct rfb_message *message);
struct session *session_find(struct server *server, uint32_t id);
bool session_can_resize(const struct session *session);
/* Nothing pending, nothing under way, and the Client waits for what is next. */
bool session_current(const struct session *session);
void session_describe(const struct session *session, struct bus_session *to);

/* update.c: writes what waits; false when the session was ended. */
bool update_send(struct session *session);
void update_release(struct session *session);

#endif
