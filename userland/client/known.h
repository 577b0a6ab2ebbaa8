/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys that a person has confirmed, by place, in $XDG_CONFIG_HOME/kvmnet/known: lines "[HOST]:PORT ID". */
#ifndef KVMNET_CLIENT_KNOWN_H
#define KVMNET_CLIENT_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/certificate.h"

enum known_result { KNOWN_THERE, KNOWN_NOT, KNOWN_UNREADABLE };

#define KNOWN_PATH_SIZE 1024

/* The folder of the file; false: this machine does not say where people's settings are. */
bool known_dir(char dir[KNOWN_PATH_SIZE]);
/* UNREADABLE: it was said why. A line that is none is passed over. */
enum known_result known_find(const char *place, uint8_t id[CERTIFICATE_ID_SIZE]);
/* Adds one that is not there; false after saying why. */
bool known_add(const char *place, const uint8_t id[CERTIFICATE_ID_SIZE]);

/* 64 digits, small or large. */
bool known_parse_id(const char *text, size_t len, uint8_t id[CERTIFICATE_ID_SIZE]);

#endif
