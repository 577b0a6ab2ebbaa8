/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a request brings: its JSON body, its query, its cookie. Pure parsers of a span, for daemon and fuzzer alike. */
#ifndef KVMNET_LIB_BODY_H
#define KVMNET_LIB_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_FIELD_SIZE 257 /* a password of USER_PASSWORD_MAX bytes and NUL */
#define BODY_FIELDS_MAX 3

/* The object must have exactly these string members. Returns NULL, or what is wrong, for a person.
 * Secrets: wipe fields after use. */
const char *body_strings(const char *text, size_t len, const char *const names[], unsigned count,
			 char fields[][BODY_FIELD_SIZE]);
/* "NAME=N" alone, N up to INT64_MAX; "" is 0. */
bool body_query(const char *query, size_t len, const char *name, uint64_t *number);
/* The value of cookie name in a Cookie header (RFC 6265 4.2.1), pointing into it; NULL: it is not there. */
const char *body_cookie(const char *header, size_t len, const char *name, size_t *value_len);
/* A decimal number without sign or leading zero, that is all there is. */
bool body_number(const char *text, size_t len, uint64_t max, uint64_t *number);

#endif
