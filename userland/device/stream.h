/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A non-blocking byte stream: a plain descriptor, or TLS on one. */
#ifndef KVMNET_DEVICE_STREAM_H
#define KVMNET_DEVICE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/ssl.h>

struct stream {
	int fd;
	SSL *ssl;	  /* NULL: plain */
	bool write_later; /* something waits for EPOLLOUT */
};

/* For TLS as a server: tls12 allows 1.2 with ECDHE and AEAD besides 1.3. NULL when OpenSSL refuses. */
SSL_CTX *stream_context(bool tls12);

/* From now on the stream is TLS; stream_handshake() until it is 0. 0 or -ENOMEM. */
int stream_start_tls(struct stream *stream, SSL_CTX *ctx);
/* 0 done, -EAGAIN, -EPROTO with the reason in why. */
int stream_handshake(struct stream *stream, const char **why);

/* Bytes moved, or -EAGAIN, or another -errno. read: 0 is the end. After any event, try both directions. */
ssize_t stream_read(struct stream *stream, void *buf, size_t len);
ssize_t stream_write(struct stream *stream, const void *buf, size_t len);
/* Tells the peer that nothing more follows. */
void stream_finish(struct stream *stream);
void stream_close(struct stream *stream);

#endif
