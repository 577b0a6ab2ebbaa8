/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64url without padding (RFC 4648 section 5, RFC 7515 section 2): one text for each value, and no other is taken. */
#ifndef KVMNET_LIB_BASE64_H
#define KVMNET_LIB_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the text of len bytes, without NUL. */
#define BASE64_LENGTH(len) (((len)*4 + 2) / 3)

/* Writes BASE64_LENGTH(len) characters and NUL. */
void base64_encode(const uint8_t *data, size_t len, char *text);
/* false: a letter outside the alphabet, padding, bits left over that are not zero, or more than size bytes. */
bool base64_decode(const char *text, size_t text_len, uint8_t *data, size_t size, size_t *len);

#endif
