/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFB 3.8 from the version to ClientInit (RFC 6143 7.1-7.3.1; VeNCrypt 0.2 as
 * in github.com/rfbproto/rfbproto): bytes in, bytes out, no socket.
 */
#ifndef KVMNET_DEVICE_HANDSHAKE_H
#define KVMNET_DEVICE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ticket.h"
#include "lib/user.h"

#define HANDSHAKE_SECRET_MAX (TICKET_SIZE - 1) /* a password, or a Ticket in its place */
#define HANDSHAKE_MESSAGE_MAX (USER_NAME_MAX + HANDSHAKE_SECRET_MAX) /* the longest that a Client sends */

/* How the Client came to us decides what it may do. */
enum handshake_way {
	HANDSHAKE_CLEAR, /* a stock viewer: VeNCrypt X509Plain only */
	HANDSHAKE_TLS,	 /* inside implicit TLS: VeNCrypt Plain */
	HANDSHAKE_RELAY, /* logged in on port 443 already: None */
};

enum handshake_state {
	HANDSHAKE_VERSION,
	HANDSHAKE_SECURITY,
	HANDSHAKE_VENCRYPT_VERSION,
	HANDSHAKE_VENCRYPT_SUBTYPE,
	HANDSHAKE_LENGTHS,
	HANDSHAKE_CREDENTIALS,
	HANDSHAKE_VERIFYING,
	HANDSHAKE_CLIENT_INIT,
	HANDSHAKE_OVER, /* done or failed */
};

enum handshake_event {
	HANDSHAKE_MORE,
	HANDSHAKE_START_TLS, /* send what is in out, then TLS; nothing may have come after used */
	HANDSHAKE_VERIFY,    /* ask about user and password, then handshake_verified() */
	HANDSHAKE_DONE,
	HANDSHAKE_FAILED, /* send what is in out, then close; error says why */
};

struct handshake {
	enum handshake_way way;
	enum handshake_state state;
	bool tls;	     /* VeNCrypt's TLS is up */
	const char *refusal; /* not NULL: nobody gets in, and this is why */
	const char *error;
	size_t user_len, password_len;
	char user[USER_NAME_MAX + 1];
	char password[HANDSHAKE_SECRET_MAX + 1];
	uint8_t out[512];
	size_t out_used;
};

/* refusal: a text that lives as long as the handshake, or NULL. */
void handshake_start(struct handshake *hs, enum handshake_way way, const char *refusal);
/* One step; *used bytes of the span were taken, the rest is for the next call (MORE: with more behind it). */
enum handshake_event handshake_feed(struct handshake *hs, const uint8_t *span, size_t len, size_t *used);
/* NULL: right. Wipes the password. */
void handshake_verified(struct handshake *hs, const char *refusal);
void handshake_wipe(struct handshake *hs);

#endif
