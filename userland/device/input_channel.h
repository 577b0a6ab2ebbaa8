/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session's keys and pointer on connections of their own, as CHANNELS.md has them. */
#ifndef KVMNET_DEVICE_INPUT_CHANNEL_H
#define KVMNET_DEVICE_INPUT_CHANNEL_H

#include "device/server.h"

struct input_channel;
struct session;

enum input_kind { INPUT_KEYBOARD, INPUT_MOUSE, INPUT_KINDS };

/* Opens the ports behind the first one. 0, or -1 after logging why; input_channel_close() either way. */
int input_channel_open(struct server *server, const struct identity *identity);
void input_channel_close(struct server *server);
/* One that is relayed from port 443. Takes fd. */
void input_channel_relay(struct server *server, int fd, enum input_kind kind, const struct guest *guest);

/* The session ends: so do its channels. */
void input_channel_end(struct session *session);
/* The Target's keyboard LEDs changed. */
void input_channel_tell_leds(struct server *server);

#endif
