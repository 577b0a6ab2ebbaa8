// SPDX-License-Identifier: GPL-2.0-or-later
/* Discovery's messages: the vectors of DISCOVERY.md, and everything that is not quite a message. */
/* LINK: userland/lib/discovery.c userland/lib/item.c | libcbor -lcrypto */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include "lib/discovery.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Digits in pairs; everything else is skipped. */
static size_t unhex(const char *hex, size_t len, uint8_t *to, size_t size)
{
	size_t n = 0, half = 0;

	for (size_t i = 0; i < len; i++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, hex[i]);

		if (!hex[i] || !digit)
			continue;
		assert_true(half / 2 < size);
		to[half / 2] = (uint8_t)((half % 2 ? to[half / 2] << 4 : 0) | (digit - digits));
		n = ++half / 2;
	}
	assert_int_equal(half % 2, 0);
	return n;
}

/* The block of hexadecimal digits that follows a line of DISCOVERY.md. */
static size_t vector(const char *title, uint8_t *to, size_t size)
{
	static char document[65536];
	FILE *in = fopen("userland/lib/DISCOVERY.md", "r");
	char *start, *end;

	assert_non_null(in);
	document[fread(document, 1, sizeof(document) - 1, in)] = '\0';
	fclose(in);
	start = strstr(document, title);
	assert_non_null(start);
	start = strstr(start, "\n```\n");
	assert_non_null(start);
	end = strstr(start + 5, "```");
	assert_non_null(end);
	return unhex(start + 5, (size_t)(end - start) - 5, to, size);
}

static EVP_PKEY *vector_key(void)
{
	uint8_t scalar[32], public[DISCOVERY_KEY_SIZE];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){ "P-256" }, 0),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, sizeof(scalar)),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, sizeof(public)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(vector("\nPrivate key", scalar, sizeof(scalar)), sizeof(scalar));
	assert_int_equal(vector("\nPublic key:", public, sizeof(public)), sizeof(public));
	/* OpenSSL wants the number as this machine writes numbers. */
	for (unsigned i = 0; i < 16; i++) {
		uint8_t swapped = scalar[i];

		scalar[i] = scalar[31 - i];
		scalar[31 - i] = swapped;
	}
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static struct discovery_message an_announcement(void)
{
	struct discovery_message message = {
		.type = DISCOVERY_ANNOUNCE,
		.role = DISCOVERY_DEVICE,
		.boot = 7,
		.sequence = 300,
		.model = "KVMnet",
		.firmware = "0.1",
		.name = "rack-3-left",
		.https_port = 443,
		.state = DISCOVERY_MANAGED,
	};

	for (uint8_t i = 0; i < DISCOVERY_NONCE_SIZE; i++)
		message.nonce[i] = i;
	memset(message.manager, 0xab, sizeof(message.manager));
	return message;
}

static struct discovery_message a_probe(void)
{
	struct discovery_message message = {
		.type = DISCOVERY_PROBE,
		.role = DISCOVERY_CLIENT,
		.boot = 1,
		.sequence = 1,
	};

	memset(message.nonce, 0xc5, sizeof(message.nonce));
	return message;
}

static void assert_same(const struct discovery_message *got, const struct discovery_message *want)
{
	assert_int_equal(got->type, want->type);
	assert_int_equal(got->role, want->role);
	assert_memory_equal(got->nonce, want->nonce, sizeof(want->nonce));
	assert_true(got->boot == want->boot);
	assert_true(got->sequence == want->sequence);
	assert_string_equal(got->model, want->model);
	assert_string_equal(got->firmware, want->firmware);
	assert_string_equal(got->name, want->name);
	assert_int_equal(got->https_port, want->https_port);
	assert_int_equal(got->state, want->state);
	assert_memory_equal(got->manager, want->manager, sizeof(want->manager));
}

static void parse_well(const uint8_t *data, size_t len, struct discovery_message *message)
{
	const char *wrong = discovery_parse(data, len, message);

	if (wrong)
		fail_msg("a message that %s", wrong);
}

static void test_vectors(void **state)
{
	static const char *const titles[] = { "\nAnnouncement by", "\nProbe by" };
	const struct discovery_message wanted[] = { an_announcement(), a_probe() };
	EVP_PKEY *key = vector_key();

	(void)state;
	for (unsigned i = 0; i < COUNT(titles); i++) {
		uint8_t fixed[DISCOVERY_MAX], sealed[DISCOVERY_MAX], id[DISCOVERY_ID_SIZE];
		struct discovery_message read, written;
		size_t len = vector(titles[i], fixed, sizeof(fixed)), sealed_len;

		parse_well(fixed, len, &read);
		assert_same(&read, &wanted[i]);
		assert_true(discovery_verify(&read));
		assert_int_equal(vector("\nId:", id, sizeof(id)), sizeof(id));
		assert_memory_equal(read.id, id, sizeof(id));
		/* All but the signature, which has a random part. */
		sealed_len = discovery_seal(&wanted[i], key, sealed);
		assert_int_equal(sealed_len, len);
		assert_memory_equal(sealed, fixed, len - 64);
		parse_well(sealed, sealed_len, &written);
		assert_true(discovery_verify(&written));
	}
	EVP_PKEY_free(key);
}

/* What a TLS client pins. */
static void test_id_is_the_certificates_pin(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct discovery_message message = a_probe(), read;
	uint8_t data[DISCOVERY_MAX], hash[EVP_MAX_MD_SIZE];
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	(void)state;
	parse_well(data, discovery_seal(&message, key, data), &read);
	assert_true(EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL));
	assert_memory_equal(read.id, hash, sizeof(read.id));
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}

static void fill(char text[DISCOVERY_TEXT_SIZE])
{
	memset(text, 'x', DISCOVERY_TEXT_SIZE - 1);
	text[DISCOVERY_TEXT_SIZE - 1] = '\0';
}

/* The largest answer to the smallest probe. */
static void test_no_answer_is_larger_than_a_probe(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct discovery_message answer = an_announcement(), probe = a_probe(), read;
	uint8_t data[DISCOVERY_MAX];
	size_t len;

	(void)state;
	probe.boot = probe.sequence = 0;
	len = discovery_seal(&probe, key, data);
	assert_in_range(len, DISCOVERY_PROBE_SIZE, DISCOVERY_PROBE_SIZE + 8);
	answer.type = DISCOVERY_ANSWER;
	answer.boot = answer.sequence = UINT64_MAX;
	answer.https_port = UINT16_MAX;
	fill(answer.model);
	fill(answer.firmware);
	fill(answer.name);
	len = discovery_seal(&answer, key, data);
	assert_in_range(len, 1, DISCOVERY_PROBE_SIZE);
	parse_well(data, len, &read);
	assert_same(&read, &answer);
	/* A probe that says so much by itself needs no more. */
	answer.type = DISCOVERY_PROBE;
	len = discovery_seal(&answer, key, data);
	assert_in_range(len, DISCOVERY_PROBE_SIZE, DISCOVERY_PROBE_SIZE + 8);
	EVP_PKEY_free(key);
}

static void test_other_keys_sign_nothing(void **state)
{
	static const char *const groups[] = { "P-384", "secp256k1" };
	struct discovery_message message = a_probe();
	uint8_t data[DISCOVERY_MAX];

	(void)state;
	for (unsigned i = 0; i < COUNT(groups); i++) {
		EVP_PKEY *key = EVP_EC_gen(groups[i]);

		assert_int_equal(discovery_seal(&message, key, data), 0);
		EVP_PKEY_free(key);
	}
}

static void test_truncated_anywhere(void **state)
{
	uint8_t data[DISCOVERY_MAX];
	struct discovery_message message;
	size_t len = vector("\nAnnouncement by", data, sizeof(data));

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* so that the sanitizer sees its end */

		memcpy(exact, data, cut);
		assert_non_null(discovery_parse(exact, cut, &message));
		free(exact);
	}
	data[len] = 0;
	assert_non_null(discovery_parse(data, len + 1, &message));
}

static void test_flipped_bit_anywhere(void **state)
{
	static const char *const titles[] = { "\nAnnouncement by", "\nProbe by" };
	uint8_t data[DISCOVERY_MAX];
	struct discovery_message message;

	(void)state;
	for (unsigned i = 0; i < COUNT(titles); i++) {
		size_t len = vector(titles[i], data, sizeof(data));

		for (size_t bit = 0; bit < len * 8; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!discovery_parse(data, len, &message) && discovery_verify(&message))
				fail_msg("%s: bit %zu makes no difference", titles[i], bit);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* ---- payloads that nobody of us writes ---- */

#define NONCE "04 50 000102030405060708090a0b0c0d0e0f"
#define POINT "11111111111111111111111111111111"
#define KEY "05 58 41 04" POINT POINT POINT POINT

/* Field by field, an unclaimed Device's announcement; a test puts something else in one place. */
static const char *const plain[] = {
	"01 01", "02 01",    "03 01",	 NONCE,	     KEY,	   "06 07",
	"07 08", "08 61 4d", "09 61 46", "0a 61 4e", "0b 19 01bb", "0c 01",
};

struct payload {
	uint8_t data[DISCOVERY_MAX];
	size_t len;
};

static void add(struct payload *to, const char *hex)
{
	to->len += unhex(hex, strlen(hex), to->data + to->len, sizeof(to->data) - to->len);
}

/* With a signature of zeros: parsing does not look at it. */
static const char *parse_payload(const struct payload *payload, struct discovery_message *message)
{
	static struct payload whole;

	whole.len = 0;
	add(&whole, "d2 84 43 a10126 a0 59");
	whole.data[whole.len++] = (uint8_t)(payload->len >> 8);
	whole.data[whole.len++] = (uint8_t)payload->len;
	assert_in_range(payload->len, 256, sizeof(whole.data) - whole.len - 66);
	memcpy(whole.data + whole.len, payload->data, payload->len);
	whole.len += payload->len;
	add(&whole, "58 40" POINT POINT POINT POINT);
	return discovery_parse(whole.data, whole.len, message);
}

/* The plain fields with one replaced, extra ones behind them, and padding that makes the payload's length two bytes. */
static const char *parse_fields(int place, const char *hex, const char *extra,
				struct discovery_message *message)
{
	struct payload payload = { .len = 1 };
	unsigned fields = 1;

	for (int i = 0; i < (int)COUNT(plain); i++) {
		const char *field = i == place ? hex : plain[i];

		add(&payload, field);
		fields += !!*field;
	}
	payload.len += unhex("0e 58 f0", 8, payload.data + payload.len, 3) + 0xf0;
	add(&payload, extra);
	payload.data[0] = (uint8_t)(0xa0 | (fields + !!*extra));
	return parse_payload(&payload, message);
}

static void test_every_field_has_bounds(void **state)
{
	static const struct {
		int place;
		const char *hex, *wrong;
	} cases[] = {
		{ 0, "01 00", "version" },
		{ 0, "01 02", "version" },
		{ 0, "01 20", "version" },
		{ 0, "01 41 01", "version" },
		{ 0, "", "lacks" },
		{ 1, "02 00", "type" },
		{ 1, "02 04", "type" },
		{ 1, "02 61 31", "type" },
		{ 1, "", "lacks" },
		{ 2, "03 00", "role" },
		{ 2, "03 04", "role" },
		{ 2, "03 03", "only probes" },
		{ 2, "03 02", "state without" },
		{ 2, "", "only probes" },
		{ 3, "04 4f 000102030405060708090a0b0c0d0e", "nonce" },
		{ 3, "04 51 000102030405060708090a0b0c0d0e0f10", "nonce" },
		{ 3, "04 70 000102030405060708090a0b0c0d0e0f", "nonce" },
		{ 3, "", "lacks" },
		{ 4, "05 58 41 02" POINT POINT POINT POINT, "key" },
		{ 4, "05 58 21 02" POINT POINT, "key" },
		{ 4, "05 58 42 04" POINT POINT POINT POINT "00", "key" },
		{ 4, "05 00", "key" },
		{ 4, "", "lacks" },
		{ 5, "06 20", "boot" },
		{ 5, "06 41 07", "boot" },
		{ 5, "", "lacks" },
		{ 6, "07 20", "sequence" },
		{ 6, "07 f6", "sequence" },
		{ 6, "", "lacks" },
		{ 7, "08 60", "model" },
		{ 7, "08 41 4d", "model" },
		{ 7, "08 61 0a", "model" },
		{ 7, "08 61 7f", "model" },
		{ 7, "08 62 c285", "model" },	  /* a C1 control */
		{ 7, "08 62 c180", "model" },	  /* overlong */
		{ 7, "08 63 e08080", "model" },	  /* overlong */
		{ 7, "08 63 eda080", "model" },	  /* a surrogate */
		{ 7, "08 64 f4908080", "model" }, /* beyond the last character */
		{ 7, "08 64 f0808080", "model" },
		{ 7, "08 61 80", "model" },
		{ 7, "08 61 ff", "model" },
		{ 7, "08 62 e282", "model" },
		{ 7, "08 78 41" POINT POINT POINT POINT "11", "model" },
		{ 7, "", "lacks" },
		{ 8, "09 60", "firmware" },
		{ 8, "", "lacks" },
		{ 9, "0a 62 1b5b", "name" },
		{ 9, "", "lacks" },
		{ 10, "0b 00", "port" },
		{ 10, "0b 1a 00010000", "port" },
		{ 10, "0b 63 343433", "port" },
		{ 10, "", "lacks" },
		{ 11, "0c 00", "state" },
		{ 11, "0c 04", "state" },
		{ 11, "0c 03", "without being managed" },
		{ 11, "", "lacks" },
	};
	struct discovery_message message;

	(void)state;
	assert_null(parse_fields(-1, "", "", &message));
	for (unsigned i = 0; i < COUNT(cases); i++) {
		const char *wrong = parse_fields(cases[i].place, cases[i].hex, "", &message);

		if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("%s: %s, expected %s", cases[i].hex, wrong ? wrong : "is taken",
				 cases[i].wrong);
	}
}

/* One message has one encoding. */
static void test_only_the_shortest_form_in_order(void **state)
{
	static const struct {
		int place;
		const char *hex, *wrong;
	} cases[] = {
		{ 5, "06 18 07", "shortest" },
		{ 5, "06 19 0007", "shortest" },
		{ 5, "06 1a 00000007", "shortest" },
		{ 5, "06 1b 0000000000000007", "shortest" },
		{ 5, "18 06 07", "shortest" },
		{ 5, "06 1b 00000000ffffffff", "shortest" },
		{ 7, "08 78 01 4d", "shortest" },
		{ 7, "08 7f 61 4d ff", "kind of item" },
		{ 3, "04 5f 50 000102030405060708090a0b0c0d0e0f ff", "kind of item" },
		{ 5, "06 f9 4700", "kind of item" },
		{ 5, "06 c1 07", "boot" },
		{ 6, "06 08", "twice or out of order" },
		{ 6, "05 08", "twice or out of order" },
		{ 6, "20 08", "without a number" },
		{ 6, "61 37 08", "without a number" },
		{ 6, "41 07 08", "neither numbers nor text" },
	};
	struct discovery_message message;

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		const char *wrong = parse_fields(cases[i].place, cases[i].hex, "", &message);

		if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("%s: %s, expected %s", cases[i].hex, wrong ? wrong : "is taken",
				 cases[i].wrong);
	}
}

static void test_later_fields_are_passed_over(void **state)
{
	static const char *const known_later[] = {
		"0f 00",
		"18 64 61 41",
		"0f f5",
		"0f f6",
		"0f 20",
		"0f 84 01 02 41 00 60",
		"0f a2 01 02 61 61 a1 00 80",
	};
	static const struct {
		const char *hex, *wrong;
	} cases[] = {
		{ "0f a2 02 01 01 01", "out of order" },
		{ "0f a2 01 01 01 01", "twice" },
		{ "0f 81 81 81 81 81 00", "nested too deeply" },
		{ "0f 9b ffffffffffffffff", "cut short" },
		{ "0f bb ffffffffffffffff", "cut short" },
		{ "0f 5b ffffffffffffffff", "cut short" },
		{ "0f 82 00", "cut short" },
		{ "0f f7", "kind of item" },
		{ "0f fb 3ff199999999999a", "kind of item" },
		{ "0f c0 60", "tag" },
		{ "0f 9f ff", "kind of item" },
		{ "0f 00 00", "behind its fields" },
		{ "0f", "cut short" },
	};
	struct discovery_message message;

	(void)state;
	for (unsigned i = 0; i < COUNT(known_later); i++) {
		const char *wrong = parse_fields(-1, "", known_later[i], &message);

		if (wrong)
			fail_msg("%s: %s", known_later[i], wrong);
	}
	for (unsigned i = 0; i < COUNT(cases); i++) {
		const char *wrong = parse_fields(-1, "", cases[i].hex, &message);

		if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("%s: %s, expected %s", cases[i].hex, wrong ? wrong : "is taken",
				 cases[i].wrong);
	}
}

static void test_padding_is_zeros(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct discovery_message probe = a_probe(), message;
	uint8_t data[DISCOVERY_MAX];
	size_t len = discovery_seal(&probe, key, data);

	(void)state;
	data[len - 66 - 1] = 1;
	assert_string_equal(discovery_parse(data, len, &message), "has padding that is not zeros");
	EVP_PKEY_free(key);
}

/* What surrounds the payload: nothing but what we write. */
static void test_envelope(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *wrong;
	} cases[] = {
		{ 0, 0xd1, "COSE_Sign1" }, /* COSE_Mac0 */
		{ 1, 0x9f, "COSE_Sign1" }, /* of indefinite length */
		{ 5, 0x27, "COSE_Sign1" }, /* EdDSA */
		{ 6, 0xa1, "COSE_Sign1" }, /* with an unprotected header */
		{ 7, 0x78, "another kind" }, { 7, 0x5f, "kind of item" }, { 7, 0x98, "another kind" },
	};
	uint8_t data[DISCOVERY_MAX + 1];
	struct discovery_message message;
	size_t len = vector("\nAnnouncement by", data, sizeof(data));

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint8_t before = data[cases[i].at];
		const char *wrong;

		data[cases[i].at] = cases[i].value;
		wrong = discovery_parse(data, len, &message);
		if (!wrong || !strstr(wrong, cases[i].wrong))
			fail_msg("byte %zu: %s, expected %s", cases[i].at, wrong ? wrong : "is taken",
				 cases[i].wrong);
		data[cases[i].at] = before;
	}
	assert_string_equal(discovery_parse(data, DISCOVERY_MAX + 1, &message), "is too large");
}

/* A good signature over the same bytes by somebody else, and a point that is on no curve. */
static void test_only_the_senders_own_signature(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	struct discovery_message message = an_announcement(), read;
	uint8_t mine[DISCOVERY_MAX], theirs[DISCOVERY_MAX];
	size_t len = discovery_seal(&message, key, mine);

	(void)state;
	assert_int_equal(discovery_seal(&message, other, theirs), len);
	memcpy(mine + len - 64, theirs + len - 64, 64);
	parse_well(mine, len, &read);
	assert_false(discovery_verify(&read));
	assert_null(parse_fields(-1, "", "", &read));
	assert_false(discovery_verify(&read));
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_id_is_the_certificates_pin),
		cmocka_unit_test(test_no_answer_is_larger_than_a_probe),
		cmocka_unit_test(test_other_keys_sign_nothing),
		cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_flipped_bit_anywhere),
		cmocka_unit_test(test_every_field_has_bounds),
		cmocka_unit_test(test_only_the_shortest_form_in_order),
		cmocka_unit_test(test_later_fields_are_passed_over),
		cmocka_unit_test(test_padding_is_zeros),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_only_the_senders_own_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
