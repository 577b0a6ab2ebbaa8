// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * COSE_Sign1 around a small CBOR map (DISCOVERY.md): which items are right, and
 * signatures. Who may be listened to is the gate's.
 */
#include "lib/discovery.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "lib/item.h"

#define VERSION 1
#define SIGNATURE_SIZE 64

/* COSE_Sign1, tagged; {1: -7} (alg is ES256) protected, nothing unprotected. It has this one encoding. */
static const uint8_t head[] = { 0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa0 };
static const uint8_t *const protected = head + 3;
#define PROTECTED_SIZE 3
static const char context[] = "Signature1", external_aad[] = "kvmnet discovery 1";

enum {
	KEY_VERSION = 1,
	KEY_TYPE,
	KEY_ROLE,
	KEY_NONCE,
	KEY_KEY,
	KEY_BOOT,
	KEY_SEQUENCE,
	KEY_MODEL,
	KEY_FIRMWARE,
	KEY_NAME,
	KEY_PORT,
	KEY_STATE,
	KEY_MANAGER,
	KEY_PADDING,
};

#define BIT(key) (1u << (key))
#define NEEDED_OF_ALL \
	(BIT(KEY_VERSION) | BIT(KEY_TYPE) | BIT(KEY_ROLE) | BIT(KEY_NONCE) | BIT(KEY_KEY) | BIT(KEY_BOOT) | \
	 BIT(KEY_SEQUENCE))
#define NEEDED_OF_MANAGER (BIT(KEY_NAME) | BIT(KEY_PORT))
#define NEEDED_OF_DEVICE (NEEDED_OF_MANAGER | BIT(KEY_MODEL) | BIT(KEY_FIRMWARE) | BIT(KEY_STATE))

/* ---- fields ---- */

static bool number(const struct item *item, uint64_t min, uint64_t max, uint64_t *to)
{
	*to = item->value;
	return item->kind == ITEM_UINT && item->value >= min && item->value <= max;
}

static bool bytes(const struct item *item, uint8_t *to, size_t size)
{
	if (item->kind != ITEM_BYTES || item->value != size)
		return false;
	memcpy(to, item->bytes, size);
	return true;
}

/* The length of the character at text, or 0 when it is none or a control character (RFC 3629 section 4). */
static size_t character(const uint8_t *text, size_t len)
{
	static const uint32_t least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	size_t size = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	uint32_t code = size == 1 ? text[0] : text[0] & (0x7fu >> size);

	if (size > len || text[0] >= 0xf8 || (text[0] & 0xc0) == 0x80)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return code < least[size] || code == 0x7f || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ?
		       0 :
		       size;
}

static bool text_good(const uint8_t *text, size_t len)
{
	size_t size = 0;

	for (size_t i = 0; i < len; i += size) {
		size = character(text + i, len - i);
		if (!size)
			return false;
	}
	return len && len < DISCOVERY_TEXT_SIZE;
}

static bool text(const struct item *item, char to[DISCOVERY_TEXT_SIZE])
{
	if (item->kind != ITEM_TEXT || !text_good(item->bytes, item->value))
		return false;
	memcpy(to, item->bytes, item->value);
	to[item->value] = '\0';
	return true;
}

static bool zeros(const struct item *item)
{
	if (item->kind != ITEM_BYTES)
		return false;
	for (uint64_t i = 0; i < item->value; i++)
		if (item->bytes[i])
			return false;
	return true;
}

static const char *take_field(struct discovery_message *to, uint64_t key, const struct item *item)
{
	uint64_t value = 0;

	switch (key) {
	case KEY_VERSION:
		return number(item, VERSION, VERSION, &value) ? NULL : "is of a version that is not known";
	case KEY_TYPE:
		if (!number(item, DISCOVERY_ANNOUNCE, DISCOVERY_ANSWER, &value))
			return "is of a type that is not known";
		to->type = (enum discovery_type)value;
		return NULL;
	case KEY_ROLE:
		if (!number(item, DISCOVERY_DEVICE, DISCOVERY_CLIENT, &value))
			return "has a sender whose role is not known";
		to->role = (enum discovery_role)value;
		return NULL;
	case KEY_NONCE:
		return bytes(item, to->nonce, sizeof(to->nonce)) ? NULL : "has a wrong nonce";
	case KEY_KEY:
		return bytes(item, to->key, sizeof(to->key)) && to->key[0] == POINT_CONVERSION_UNCOMPRESSED ?
			       NULL :
			       "has a wrong key";
	case KEY_BOOT:
		return number(item, 0, UINT64_MAX, &to->boot) ? NULL : "has a wrong boot counter";
	case KEY_SEQUENCE:
		return number(item, 0, UINT64_MAX, &to->sequence) ? NULL : "has a wrong sequence";
	case KEY_MODEL:
		return text(item, to->model) ? NULL : "has a wrong model";
	case KEY_FIRMWARE:
		return text(item, to->firmware) ? NULL : "has a wrong firmware version";
	case KEY_NAME:
		return text(item, to->name) ? NULL : "has a wrong name";
	case KEY_PORT:
		if (!number(item, 1, UINT16_MAX, &value))
			return "has a wrong port";
		to->https_port = (uint16_t)value;
		return NULL;
	case KEY_STATE:
		if (!number(item, DISCOVERY_UNCLAIMED, DISCOVERY_MANAGED, &value))
			return "has a state that is not known";
		to->state = (enum discovery_state)value;
		return NULL;
	case KEY_MANAGER:
		return bytes(item, to->manager, sizeof(to->manager)) ? NULL : "has a wrong Manager";
	default:
		return zeros(item) ? NULL : "has padding that is not zeros";
	}
}

/* What belongs together. */
static const char *judge(const struct discovery_message *message, uint32_t seen)
{
	uint32_t needed = NEEDED_OF_ALL;

	if (message->role == DISCOVERY_DEVICE)
		needed |= NEEDED_OF_DEVICE;
	else if (message->role == DISCOVERY_MANAGER)
		needed |= NEEDED_OF_MANAGER;
	else if (message->type != DISCOVERY_PROBE)
		return "is a Client's, who only probes";
	if ((seen & needed) != needed)
		return "lacks a field";
	if (message->role != DISCOVERY_DEVICE && seen & BIT(KEY_STATE))
		return "has a state without being a Device's";
	if ((message->state == DISCOVERY_MANAGED) != !!(seen & BIT(KEY_MANAGER)))
		return "has a Manager without being managed, or the other way round";
	return NULL;
}

static const char *parse_payload(struct item_reader *reader, struct discovery_message *message)
{
	struct item_key last = { 0 };
	struct item map, key, item;
	uint32_t seen = 0;
	const char *wrong = item_expect(reader, &map, ITEM_MAP);

	for (uint64_t i = 0; !wrong && i < map.value; i++) {
		wrong = item_next_key(reader, &last, &key);
		if (!wrong && key.kind != ITEM_UINT)
			wrong = "has a field without a number";
		if (!wrong && (key.value < KEY_VERSION || key.value > KEY_PADDING)) {
			wrong = item_skip(reader);
			continue;
		}
		if (!wrong)
			wrong = item_next(reader, &item);
		if (!wrong)
			wrong = take_field(message, key.value, &item);
		if (!wrong)
			seen |= BIT(key.value);
	}
	if (!wrong && reader->at != reader->end)
		wrong = "has bytes behind its fields";
	return wrong ? wrong : judge(message, seen);
}

/* The DER of a P-256 SubjectPublicKeyInfo (RFC 5480) is always this and the point. */
static bool id_of(const uint8_t key[DISCOVERY_KEY_SIZE], uint8_t id[DISCOVERY_ID_SIZE])
{
	static const uint8_t start[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
					 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
					 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
	uint8_t der[sizeof(start) + DISCOVERY_KEY_SIZE];

	memcpy(der, start, sizeof(start));
	memcpy(der + sizeof(start), key, DISCOVERY_KEY_SIZE);
	return EVP_Digest(der, sizeof(der), id, NULL, EVP_sha256(), NULL);
}

const char *discovery_parse(const uint8_t *data, size_t len, struct discovery_message *message)
{
	struct item_reader reader, inner;
	struct item item;
	const char *wrong;

	memset(message, 0, sizeof(*message));
	if (len > DISCOVERY_MAX)
		return "is too large";
	if (len < sizeof(head) || memcmp(data, head, sizeof(head)))
		return "is not COSE_Sign1 with ES256 and nothing else";
	reader = (struct item_reader){ data + sizeof(head), data + len };
	wrong = item_expect(&reader, &item, ITEM_BYTES);
	if (wrong)
		return wrong;
	message->payload = item.bytes;
	message->payload_len = item.value;
	wrong = item_expect(&reader, &item, ITEM_BYTES);
	if (!wrong && (item.value != SIGNATURE_SIZE || reader.at != reader.end))
		wrong = "has no signature at its end";
	message->signature = item.bytes;
	inner = (struct item_reader){ message->payload, message->payload + message->payload_len };
	if (!wrong)
		wrong = parse_payload(&inner, message);
	if (!wrong && !id_of(message->key, message->id))
		wrong = "cannot be hashed: out of memory";
	return wrong;
}

/* ---- writing ---- */

static void put_number_field(struct item_writer *writer, unsigned key, uint64_t value)
{
	item_put_uint(writer, key);
	item_put_uint(writer, value);
}

static void put_bytes_field(struct item_writer *writer, unsigned key, const void *data, size_t len)
{
	item_put_uint(writer, key);
	item_put_bytes(writer, data, len);
}

static void put_text_field(struct item_writer *writer, unsigned key, const char *value)
{
	if (!*value)
		return;
	writer->full |= !text_good((const uint8_t *)value, strlen(value));
	item_put_uint(writer, key);
	item_put_text(writer, value);
}

/* The payload's length, or 0. */
static size_t put_payload(const struct discovery_message *m, const uint8_t key[DISCOVERY_KEY_SIZE],
			  size_t padding, uint8_t data[DISCOVERY_MAX])
{
	struct item_writer writer = { data, DISCOVERY_MAX, false };
	size_t fields = 7;

	fields += !!*m->model + !!*m->firmware + !!*m->name + !!m->https_port + !!m->state;
	fields += (m->state == DISCOVERY_MANAGED) + !!padding;
	item_put_map(&writer, fields);
	put_number_field(&writer, KEY_VERSION, VERSION);
	put_number_field(&writer, KEY_TYPE, m->type);
	put_number_field(&writer, KEY_ROLE, m->role);
	put_bytes_field(&writer, KEY_NONCE, m->nonce, sizeof(m->nonce));
	put_bytes_field(&writer, KEY_KEY, key, DISCOVERY_KEY_SIZE);
	put_number_field(&writer, KEY_BOOT, m->boot);
	put_number_field(&writer, KEY_SEQUENCE, m->sequence);
	put_text_field(&writer, KEY_MODEL, m->model);
	put_text_field(&writer, KEY_FIRMWARE, m->firmware);
	put_text_field(&writer, KEY_NAME, m->name);
	if (m->https_port)
		put_number_field(&writer, KEY_PORT, m->https_port);
	if (m->state)
		put_number_field(&writer, KEY_STATE, m->state);
	if (m->state == DISCOVERY_MANAGED)
		put_bytes_field(&writer, KEY_MANAGER, m->manager, sizeof(m->manager));
	if (padding)
		put_bytes_field(&writer, KEY_PADDING, NULL, padding);
	return writer.full ? 0 : (size_t)(writer.at - data);
}

/* RFC 9052 section 4.4. Larger than any message by what it adds. */
#define SIGNED_MAX (DISCOVERY_MAX + 64)

static size_t put_signed(const uint8_t *payload, size_t len, uint8_t data[SIGNED_MAX])
{
	struct item_writer writer = { data, SIGNED_MAX, false };

	item_put_array(&writer, 4);
	item_put_text(&writer, context);
	item_put_bytes(&writer, protected, PROTECTED_SIZE);
	item_put_bytes(&writer, external_aad, sizeof(external_aad) - 1);
	item_put_bytes(&writer, payload, len);
	return writer.full ? 0 : (size_t)(writer.at - data);
}

static size_t put_message(const uint8_t *payload, size_t len, const uint8_t signature[SIGNATURE_SIZE],
			  uint8_t data[DISCOVERY_MAX])
{
	struct item_writer writer = { data, DISCOVERY_MAX, false };

	item_put_raw(&writer, head, sizeof(head));
	item_put_bytes(&writer, payload, len);
	item_put_bytes(&writer, signature, SIGNATURE_SIZE);
	return writer.full ? 0 : (size_t)(writer.at - data);
}

/* ---- signatures ---- */

static EVP_PKEY *key_of(const uint8_t point[DISCOVERY_KEY_SIZE])
{
	char group[] = "P-256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, DISCOVERY_KEY_SIZE),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* COSE has r and s side by side (RFC 9053 section 2.1), OpenSSL has them in DER. */
static int to_der(const uint8_t raw[SIGNATURE_SIZE], unsigned char **der)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
	int len = 0;

	if (signature && r && s && ECDSA_SIG_set0(signature, r, s)) {
		len = i2d_ECDSA_SIG(signature, der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(signature);
	return len;
}

static bool from_der(const unsigned char *der, size_t len, uint8_t raw[SIGNATURE_SIZE])
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
	bool ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32) == 32 &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32) == 32;

	ECDSA_SIG_free(signature);
	return ok;
}

bool discovery_verify(const struct discovery_message *message)
{
	uint8_t tbs[SIGNED_MAX];
	size_t tbs_len = put_signed(message->payload, message->payload_len, tbs);
	EVP_PKEY *key = key_of(message->key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int len = to_der(message->signature, &der);
	bool ok = tbs_len && key && ctx && len > 0 &&
		  EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, der, (size_t)len, tbs, tbs_len) == 1;

	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	/* What strangers send is not to grow the thread's queue of errors, nor to explain somebody else's. */
	ERR_clear_error();
	return ok;
}

static bool sign(EVP_PKEY *own, const uint8_t *payload, size_t len, uint8_t raw[SIGNATURE_SIZE])
{
	uint8_t tbs[SIGNED_MAX];
	unsigned char der[80]; /* P-256: at most 72 */
	size_t tbs_len = put_signed(payload, len, tbs), der_len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = tbs_len && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, own) == 1 &&
		  EVP_DigestSign(ctx, der, &der_len, tbs, tbs_len) == 1 && from_der(der, der_len, raw);

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static bool point_of(EVP_PKEY *own, uint8_t key[DISCOVERY_KEY_SIZE])
{
	char group[32] = "";
	unsigned char *point = NULL;
	size_t len = 0;
	bool ok;

	if (EVP_PKEY_get_group_name(own, group, sizeof(group), NULL) && !strcmp(group, SN_X9_62_prime256v1))
		len = EVP_PKEY_get1_encoded_public_key(own, &point);
	ok = len == DISCOVERY_KEY_SIZE && point[0] == POINT_CONVERSION_UNCOMPRESSED;
	if (ok)
		memcpy(key, point, DISCOVERY_KEY_SIZE);
	OPENSSL_free(point);
	return ok;
}

size_t discovery_seal(const struct discovery_message *message, EVP_PKEY *own, uint8_t data[DISCOVERY_MAX])
{
	uint8_t payload[DISCOVERY_MAX], key[DISCOVERY_KEY_SIZE], signature[SIGNATURE_SIZE] = { 0 };
	size_t len, total;

	if (!point_of(own, key))
		return 0;
	len = put_payload(message, key, 0, payload);
	/* Padding's own head comes on top. */
	total = len ? put_message(payload, len, signature, data) : 0;
	if (message->type == DISCOVERY_PROBE && total && total < DISCOVERY_PROBE_SIZE)
		len = put_payload(message, key, DISCOVERY_PROBE_SIZE - total, payload);
	if (!total || !len || !sign(own, payload, len, signature))
		return 0;
	return put_message(payload, len, signature, data);
}
