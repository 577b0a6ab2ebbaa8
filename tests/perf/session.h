/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A native kvmnetd in a folder of its own, and RFB Clients of it over implicit TLS; blocking.
 * Every failure ends the program with its reason.
 */
#ifndef KVMNET_TESTS_SESSION_H
#define KVMNET_TESTS_SESSION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/ssl.h>

struct daemon {
	char dir[64];
	char ring[96], ca[128];
	uint16_t port;
	pid_t pid;
	int keyboard, pointer; /* reports come out here */
};

struct client {
	SSL *ssl;
	SSL_CTX *ctx;
	int fd;
	uint8_t *sink; /* where pixels go */
};

void die(const char *what) __attribute__((noreturn));
uint64_t now_ns(void);

/* folder: where kvmnetd and claim were built. */
void daemon_start(struct daemon *daemon, const char *folder);
void daemon_stop(struct daemon *daemon);

/* encoding: 0 Raw, 16 ZRLE. */
void client_connect(struct client *client, const struct daemon *daemon, int32_t encoding);
void client_close(struct client *client);
void client_request(struct client *client, bool incremental, uint16_t width, uint16_t height);
void client_key(struct client *client, uint32_t keysym, bool down);
/* Reads one FramebufferUpdate; true when it had pixels. Returns its bytes. */
size_t client_update(struct client *client, bool *pixels);

#endif
