// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads and writes of one connection, TLS or not. Who is at the other end, and
 * what the bytes mean, is not known here.
 */
#include "device/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

SSL_CTX *stream_context(bool tls12)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return NULL;
	/* No resumption: no state goes to the next connection, and TigerVNC 1.12 hangs on TLS 1.3 tickets. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	    SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

int stream_start_tls(struct stream *stream, SSL_CTX *ctx)
{
	stream->ssl = SSL_new(ctx);
	if (!stream->ssl || SSL_set_fd(stream->ssl, stream->fd) != 1)
		return -ENOMEM;
	SSL_set_accept_state(stream->ssl);
	return 0;
}

/* What a result of OpenSSL below 1 means: -EAGAIN, 0 for the end, -EPROTO. */
static int ssl_result(struct stream *stream, int n)
{
	switch (SSL_get_error(stream->ssl, n)) {
	case SSL_ERROR_WANT_WRITE:
		stream->write_later = true;
		return -EAGAIN;
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return -EPROTO;
	}
}

int stream_handshake(struct stream *stream, const char **why)
{
	unsigned long code;
	int n, err;

	ERR_clear_error();
	n = SSL_do_handshake(stream->ssl);
	if (n == 1)
		return 0;
	err = ssl_result(stream, n);
	if (err == -EAGAIN)
		return err;
	code = ERR_peek_error();
	*why = code ? ERR_reason_error_string(code) : "connection lost";
	if (!*why)
		*why = "protocol error";
	return -EPROTO;
}

ssize_t stream_read(struct stream *stream, void *buf, size_t len)
{
	size_t done;
	ssize_t n;
	int result;

	if (!stream->ssl) {
		n = recv(stream->fd, buf, len, MSG_DONTWAIT);
		return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
	}
	ERR_clear_error();
	result = SSL_read_ex(stream->ssl, buf, len, &done);
	return result == 1 ? (ssize_t)done : ssl_result(stream, result);
}

ssize_t stream_write(struct stream *stream, const void *buf, size_t len)
{
	size_t done;
	ssize_t n;
	int result;

	stream->write_later = false;
	if (!stream->ssl) {
		n = send(stream->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		stream->write_later = true;
		return -EAGAIN;
	}
	ERR_clear_error();
	result = SSL_write_ex(stream->ssl, buf, len, &done);
	if (result == 1)
		return (ssize_t)done;
	result = ssl_result(stream, result);
	return result ? result : -EPIPE;
}

void stream_finish(struct stream *stream)
{
	if (stream->ssl && SSL_is_init_finished(stream->ssl)) {
		ERR_clear_error();
		SSL_shutdown(stream->ssl);
	}
	shutdown(stream->fd, SHUT_WR);
}

void stream_close(struct stream *stream)
{
	SSL_free(stream->ssl);
	stream->ssl = NULL;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}
