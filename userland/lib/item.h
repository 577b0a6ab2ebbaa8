/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CBOR in its one deterministic encoding (RFC 8949 section 4.2.1), read and
 * written item by item, in place: nothing is allocated.
 */
#ifndef KVMNET_LIB_ITEM_H
#define KVMNET_LIB_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum item_kind {
	ITEM_OTHER, /* refused: floats, indefinite lengths, "undefined" */
	ITEM_UINT,
	ITEM_NEGINT,
	ITEM_BYTES,
	ITEM_TEXT,
	ITEM_ARRAY,
	ITEM_MAP,
	ITEM_TAG,
	ITEM_SIMPLE, /* true, false, null */
};

struct item {
	enum item_kind kind;
	uint64_t value; /* or the length, or the count */
	const uint8_t *bytes;
};

struct item_reader {
	const uint8_t *at, *end;
};

/* The key of a map that came last; zeros before the first one. */
struct item_key {
	const uint8_t *bytes;
	size_t len;
};

/* Each returns NULL, or what is wrong, to follow "a datagram that ". */
const char *item_next(struct item_reader *reader, struct item *item);
const char *item_expect(struct item_reader *reader, struct item *item, enum item_kind kind);
/* A number or text, behind the last one in the order of their bytes. */
const char *item_next_key(struct item_reader *reader, struct item_key *last, struct item *key);
/* A whole value, whatever it is: no tags, and arrays and maps up to four deep. */
const char *item_skip(struct item_reader *reader);

struct item_writer {
	uint8_t *at;
	size_t left;
	bool full; /* something did not fit: what was written is of no use */
};

void item_put_uint(struct item_writer *writer, uint64_t value);
void item_put_bytes(struct item_writer *writer, const void *data, size_t len); /* data NULL: zeros */
void item_put_text(struct item_writer *writer, const char *text);
void item_put_array(struct item_writer *writer, size_t count);
void item_put_map(struct item_writer *writer, size_t count);
/* What is encoded already. */
void item_put_raw(struct item_writer *writer, const void *data, size_t len);

#endif
