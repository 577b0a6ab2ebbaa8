// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libcbor's items, and the rules that make an encoding the only one of its value.
 * Which items make a message is known to discovery.c.
 */
#include "lib/item.h"

#include <string.h>

#include <cbor.h>

#define DEPTH_MAX 4

static void set(void *item, enum item_kind kind, uint64_t value, const uint8_t *bytes)
{
	*(struct item *)item = (struct item){ kind, value, bytes };
}

#define NUMBER(name, type, kind) \
	static void name(void *item, type value) \
	{ \
		set(item, kind, value, NULL); \
	}
NUMBER(take_uint8, uint8_t, ITEM_UINT)
NUMBER(take_uint16, uint16_t, ITEM_UINT)
NUMBER(take_uint32, uint32_t, ITEM_UINT)
NUMBER(take_uint64, uint64_t, ITEM_UINT)
NUMBER(take_negint8, uint8_t, ITEM_NEGINT)
NUMBER(take_negint16, uint16_t, ITEM_NEGINT)
NUMBER(take_negint32, uint32_t, ITEM_NEGINT)
NUMBER(take_negint64, uint64_t, ITEM_NEGINT)
NUMBER(take_tag, uint64_t, ITEM_TAG)
NUMBER(take_array, size_t, ITEM_ARRAY)
NUMBER(take_map, size_t, ITEM_MAP)
NUMBER(take_boolean, bool, ITEM_SIMPLE)

static void take_bytes(void *item, cbor_data data, size_t len)
{
	set(item, ITEM_BYTES, len, data);
}

static void take_text(void *item, cbor_data data, size_t len)
{
	set(item, ITEM_TEXT, len, data);
}

static void take_null(void *item)
{
	set(item, ITEM_SIMPLE, 0, NULL);
}

/* Indefinite lengths, floats and "undefined" stay ITEM_OTHER. */
static struct cbor_callbacks callbacks(void)
{
	struct cbor_callbacks calls = cbor_empty_callbacks;

	calls.uint8 = take_uint8;
	calls.uint16 = take_uint16;
	calls.uint32 = take_uint32;
	calls.uint64 = take_uint64;
	calls.negint8 = take_negint8;
	calls.negint16 = take_negint16;
	calls.negint32 = take_negint32;
	calls.negint64 = take_negint64;
	calls.tag = take_tag;
	calls.array_start = take_array;
	calls.map_start = take_map;
	calls.boolean = take_boolean;
	calls.null = take_null;
	calls.byte_string = take_bytes;
	calls.string = take_text;
	return calls;
}

/* Of the shortest head that says this value. */
static size_t head_size(uint64_t value)
{
	return value < 24	   ? 1 :
	       value <= UINT8_MAX  ? 2 :
	       value <= UINT16_MAX ? 3 :
	       value <= UINT32_MAX ? 5 :
				     9;
}

const char *item_next(struct item_reader *reader, struct item *item)
{
	struct cbor_callbacks calls = callbacks();
	struct cbor_decoder_result result;
	size_t shortest;

	set(item, ITEM_OTHER, 0, NULL);
	result = cbor_stream_decode(reader->at, (size_t)(reader->end - reader->at), &calls, item);
	if (result.status != CBOR_DECODER_FINISHED)
		return "is cut short, or is no CBOR";
	if (item->kind == ITEM_OTHER)
		return "holds a kind of item that has no place in it";
	shortest = item->kind == ITEM_SIMPLE ? 1 : head_size(item->value);
	if (item->bytes)
		shortest += item->value;
	if (result.read != shortest)
		return "holds an item that is not in its shortest form";
	reader->at += result.read;
	return NULL;
}

const char *item_expect(struct item_reader *reader, struct item *item, enum item_kind kind)
{
	const char *wrong = item_next(reader, item);

	return wrong ? wrong : item->kind == kind ? NULL : "has an item of another kind than expected";
}

const char *item_next_key(struct item_reader *reader, struct item_key *last, struct item *key)
{
	const uint8_t *start = reader->at;
	const char *wrong = item_next(reader, key);
	size_t len = (size_t)(reader->at - start);

	if (wrong)
		return wrong;
	if (key->kind != ITEM_UINT && key->kind != ITEM_NEGINT && key->kind != ITEM_TEXT)
		return "has a map with keys that are neither numbers nor text";
	/* No item is the beginning of another one. */
	if (last->bytes && memcmp(last->bytes, start, len < last->len ? len : last->len) >= 0)
		return "has a map with keys twice or out of order";
	*last = (struct item_key){ start, len };
	return NULL;
}

static const char *skip(struct item_reader *reader, unsigned depth)
{
	struct item_key last = { 0 };
	struct item item, key;
	const char *wrong = item_next(reader, &item);

	if (wrong || (item.kind != ITEM_ARRAY && item.kind != ITEM_MAP))
		return wrong ? wrong : item.kind == ITEM_TAG ? "holds a tag" : NULL;
	if (depth == DEPTH_MAX)
		return "is nested too deeply";
	for (uint64_t i = 0; i < item.value && !wrong; i++) {
		if (item.kind == ITEM_MAP)
			wrong = item_next_key(reader, &last, &key);
		if (!wrong)
			wrong = skip(reader, depth + 1);
	}
	return wrong;
}

const char *item_skip(struct item_reader *reader)
{
	return skip(reader, 0);
}

/* ---- writing ---- */

static void wrote(struct item_writer *writer, size_t n)
{
	writer->full |= !n;
	writer->at += n;
	writer->left -= n;
}

void item_put_uint(struct item_writer *writer, uint64_t value)
{
	wrote(writer, cbor_encode_uint(value, writer->at, writer->left));
}

void item_put_raw(struct item_writer *writer, const void *data, size_t len)
{
	if (len > writer->left) {
		writer->full = true;
		return;
	}
	if (data)
		memcpy(writer->at, data, len);
	else
		memset(writer->at, 0, len);
	writer->at += len;
	writer->left -= len;
}

void item_put_bytes(struct item_writer *writer, const void *data, size_t len)
{
	wrote(writer, cbor_encode_bytestring_start(len, writer->at, writer->left));
	item_put_raw(writer, data, len);
}

void item_put_text(struct item_writer *writer, const char *text)
{
	wrote(writer, cbor_encode_string_start(strlen(text), writer->at, writer->left));
	item_put_raw(writer, text, strlen(text));
}

void item_put_array(struct item_writer *writer, size_t count)
{
	wrote(writer, cbor_encode_array_start(count, writer->at, writer->left));
}

void item_put_map(struct item_writer *writer, size_t count)
{
	wrote(writer, cbor_encode_map_start(count, writer->at, writer->left));
}
