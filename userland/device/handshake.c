// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state machine from the version to ClientInit. Passwords are checked by
 * the caller; TLS is started by the caller.
 */
#include "device/handshake.h"

#include <string.h>

#include <openssl/crypto.h>

#include "device/rfb.h"

#define SECURITY_NONE 1
#define SECURITY_VENCRYPT 19
#define VENCRYPT_PLAIN 256
#define VENCRYPT_X509PLAIN 262

static void put(struct handshake *hs, const void *bytes, size_t len)
{
	if (len > sizeof(hs->out) - hs->out_used)
		len = sizeof(hs->out) - hs->out_used;
	memcpy(hs->out + hs->out_used, bytes, len);
	hs->out_used += len;
}

static void put_u8(struct handshake *hs, uint8_t value)
{
	put(hs, &value, 1);
}

static void put_u32(struct handshake *hs, uint32_t value)
{
	uint8_t bytes[4];

	rfb_put_u32(bytes, value);
	put(hs, bytes, 4);
}

static void put_reason(struct handshake *hs, const char *reason)
{
	put_u32(hs, (uint32_t)strlen(reason));
	put(hs, reason, strlen(reason));
}

static enum handshake_event fail(struct handshake *hs, const char *error)
{
	hs->error = error;
	hs->state = HANDSHAKE_OVER;
	handshake_wipe(hs);
	return HANDSHAKE_FAILED;
}

/* SecurityResult (RFC 6143 7.1.3). */
static enum handshake_event fail_result(struct handshake *hs, const char *reason)
{
	put_u32(hs, 1);
	put_reason(hs, reason);
	return fail(hs, reason);
}

void handshake_start(struct handshake *hs, enum handshake_way way, const char *refusal)
{
	memset(hs, 0, sizeof(*hs));
	hs->way = way;
	hs->refusal = refusal;
	put(hs, "RFB 003.008\n", 12);
}

void handshake_wipe(struct handshake *hs)
{
	OPENSSL_cleanse(hs->password, sizeof(hs->password));
}

static bool digits(const uint8_t *p)
{
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' && p[2] >= '0' && p[2] <= '9';
}

static unsigned number(const uint8_t *p)
{
	return (p[0] - '0') * 100u + (p[1] - '0') * 10u + (p[2] - '0');
}

static enum handshake_event version(struct handshake *hs, const uint8_t *p)
{
	static const char too_old[] = "This server needs RFB 3.8: update the viewer.";

	if (memcmp(p, "RFB ", 4) || p[7] != '.' || p[11] != '\n' || !digits(p + 4) || !digits(p + 8))
		return fail(hs, "not an RFB version");
	if (number(p + 4) < 3 || (number(p + 4) == 3 && number(p + 8) < 7)) {
		/* 3.3 reads the server's choice as 32 bits (RFC 6143 appendix A.1). */
		put_u32(hs, 0);
		put_reason(hs, too_old);
		return fail(hs, too_old);
	}
	if (number(p + 4) == 3 && number(p + 8) == 7)
		hs->refusal = too_old;
	if (hs->refusal) {
		put_u8(hs, 0);
		put_reason(hs, hs->refusal);
		return fail(hs, hs->refusal);
	}
	put_u8(hs, 1);
	put_u8(hs, hs->way == HANDSHAKE_RELAY ? SECURITY_NONE : SECURITY_VENCRYPT);
	hs->state = HANDSHAKE_SECURITY;
	return HANDSHAKE_MORE;
}

static enum handshake_event security(struct handshake *hs, uint8_t type)
{
	if (hs->way == HANDSHAKE_RELAY) {
		if (type != SECURITY_NONE)
			return fail_result(hs, "Only the security type None was offered here.");
		put_u32(hs, 0);
		hs->state = HANDSHAKE_CLIENT_INIT;
		return HANDSHAKE_MORE;
	}
	if (type != SECURITY_VENCRYPT)
		return fail_result(hs, "This server speaks TLS only: use a viewer with VeNCrypt X509Plain.");
	put(hs, "\0\2", 2);
	hs->state = HANDSHAKE_VENCRYPT_VERSION;
	return HANDSHAKE_MORE;
}

static enum handshake_event vencrypt_version(struct handshake *hs, const uint8_t *p)
{
	if (p[0] != 0 || p[1] != 2) {
		put_u8(hs, 255);
		return fail(hs, "VeNCrypt of another version than 0.2");
	}
	put_u8(hs, 0);
	put_u8(hs, 1);
	put_u32(hs, hs->way == HANDSHAKE_TLS ? VENCRYPT_PLAIN : VENCRYPT_X509PLAIN);
	hs->state = HANDSHAKE_VENCRYPT_SUBTYPE;
	return HANDSHAKE_MORE;
}

static enum handshake_event vencrypt_subtype(struct handshake *hs, uint32_t subtype)
{
	if (hs->way == HANDSHAKE_TLS) {
		if (subtype != VENCRYPT_PLAIN)
			return fail_result(hs, "Inside TLS only VeNCrypt Plain is offered.");
		hs->state = HANDSHAKE_LENGTHS;
		return HANDSHAKE_MORE;
	}
	if (subtype != VENCRYPT_X509PLAIN) {
		put_u8(hs, 0);
		return fail(hs, "a VeNCrypt subtype other than X509Plain");
	}
	put_u8(hs, 1);
	hs->tls = true;
	hs->state = HANDSHAKE_LENGTHS;
	return HANDSHAKE_START_TLS;
}

static enum handshake_event lengths(struct handshake *hs, const uint8_t *p)
{
	uint32_t user = rfb_get_u32(p), password = rfb_get_u32(p + 4);

	if (user > USER_NAME_MAX || password > HANDSHAKE_SECRET_MAX)
		return fail_result(hs, "User name or password is too long.");
	hs->user_len = user;
	hs->password_len = password;
	hs->state = HANDSHAKE_CREDENTIALS;
	return HANDSHAKE_MORE;
}

static enum handshake_event credentials(struct handshake *hs, const uint8_t *p)
{
	/* A NUL inside would check another text than was sent. */
	if (memchr(p, 0, hs->user_len + hs->password_len))
		return fail_result(hs, "User name or password holds a NUL.");
	memcpy(hs->user, p, hs->user_len);
	hs->user[hs->user_len] = '\0';
	memcpy(hs->password, p + hs->user_len, hs->password_len);
	hs->password[hs->password_len] = '\0';
	hs->state = HANDSHAKE_VERIFYING;
	return HANDSHAKE_VERIFY;
}

void handshake_verified(struct handshake *hs, const char *refusal)
{
	handshake_wipe(hs);
	if (refusal) {
		fail_result(hs, refusal);
		return;
	}
	put_u32(hs, 0);
	hs->state = HANDSHAKE_CLIENT_INIT;
}

static size_t needed(const struct handshake *hs)
{
	switch (hs->state) {
	case HANDSHAKE_VERSION:
		return 12;
	case HANDSHAKE_VENCRYPT_VERSION:
		return 2;
	case HANDSHAKE_VENCRYPT_SUBTYPE:
		return 4;
	case HANDSHAKE_LENGTHS:
		return 8;
	case HANDSHAKE_CREDENTIALS:
		return hs->user_len + hs->password_len;
	default: /* SECURITY, CLIENT_INIT */
		return 1;
	}
}

enum handshake_event handshake_feed(struct handshake *hs, const uint8_t *span, size_t len, size_t *used)
{
	*used = 0;
	if (hs->state == HANDSHAKE_VERIFYING || hs->state == HANDSHAKE_OVER || len < needed(hs))
		return HANDSHAKE_MORE;
	*used = needed(hs);
	switch (hs->state) {
	case HANDSHAKE_VERSION:
		return version(hs, span);
	case HANDSHAKE_SECURITY:
		return security(hs, span[0]);
	case HANDSHAKE_VENCRYPT_VERSION:
		return vencrypt_version(hs, span);
	case HANDSHAKE_VENCRYPT_SUBTYPE:
		return vencrypt_subtype(hs, rfb_get_u32(span));
	case HANDSHAKE_LENGTHS:
		return lengths(hs, span);
	case HANDSHAKE_CREDENTIALS:
		return credentials(hs, span);
	default: /* ClientInit: everyone shares the screen, whatever the flag says */
		hs->state = HANDSHAKE_OVER;
		return HANDSHAKE_DONE;
	}
}
