// SPDX-License-Identifier: GPL-2.0-or-later
/* Tickets: the key of RFC 8037 appendix A, one that is right, and everything that is not quite a Ticket. */
/* LINK: userland/lib/ticket.c userland/lib/base64.c | jansson -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>

#include "lib/base64.h"
#include "lib/ticket.h"

#define MANAGER "5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4"
#define DEVICE "abababababababababababababababababababababababababababababababab"
#define NOW 1800000000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static EVP_PKEY *key;
static struct ticket_keys keys;
static struct ticket_scope scope = { .keys = &keys, .manager = MANAGER, .device = DEVICE, .now = NOW };

static const struct ticket good = {
	.id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.manager = MANAGER,
	.device = DEVICE,
	.user = "müller",
	.target = "rack 3, left",
	.rights = TICKET_VIEW | TICKET_CONTROL,
	.issued = NOW,
	.expires = NOW + TICKET_LONGEST_S,
};

static EVP_PKEY *private_key(const char *d)
{
	uint8_t raw[32];
	size_t len;

	assert_true(base64_decode(d, strlen(d), raw, sizeof(raw), &len) && len == sizeof(raw));
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, len);
}

static int open_keys(void **state)
{
	json_t *set;

	(void)state;
	key = private_key("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
	set = ticket_keys_json(key);
	assert_null(ticket_keys_parse(set, &keys));
	json_decref(set);
	return 0;
}

static int close_keys(void **state)
{
	(void)state;
	ticket_keys_clear(&keys);
	EVP_PKEY_free(key);
	return 0;
}

/* ---- base64url ---- */

/* RFC 4648 section 10, without its padding. */
static void test_base64(void **state)
{
	static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
	static const char *const wrong[] = { "Z",    "Zh",    "Zm9",  "Zg==", "Zm+v",
					     "Zm/v", "Zm9v ", "Zm\n", "Z=",   "Zm9vY" };
	uint8_t data[8];
	char text[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		base64_encode((const uint8_t *)"foobar", i, text);
		assert_string_equal(text, texts[i]);
		assert_int_equal(strlen(text), BASE64_LENGTH(i));
		assert_true(base64_decode(text, strlen(text), data, i, &len));
		assert_int_equal(len, i);
		assert_memory_equal(data, "foobar", i);
		if (i)
			assert_false(base64_decode(text, strlen(text), data, i - 1, &len));
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(base64_decode(wrong[i], strlen(wrong[i]), data, sizeof(data), &len));
	assert_false(base64_decode("Z\0g", 3, data, sizeof(data), &len));
	base64_encode((const uint8_t *)"\xfb\xff\xbe", 3, text);
	assert_string_equal(text, "-_--");
}

/* ---- keys ---- */

/* RFC 8037 appendices A.2 and A.3. */
static void test_thumbprint(void **state)
{
	(void)state;
	assert_int_equal(keys.count, 1);
	assert_string_equal(keys.key[0].kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

static void refuse_set(const char *text)
{
	struct ticket_keys parsed;
	json_t *set = json_loads(text, 0, NULL);

	assert_non_null(set);
	assert_non_null(ticket_keys_parse(set, &parsed));
	assert_int_equal(parsed.count, 0);
	json_decref(set);
}

#define X "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define KID "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\""
#define RIGHT "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X "," KID "}"

static void test_wrong_keys(void **state)
{
	struct ticket_keys parsed;
	json_t *set = json_loads("{\"keys\":[" RIGHT "," RIGHT "," RIGHT "," RIGHT "]}", 0, NULL);

	(void)state;
	assert_null(ticket_keys_parse(set, &parsed));
	assert_int_equal(parsed.count, TICKET_KEYS_MAX);
	ticket_keys_clear(&parsed);
	json_decref(set);
	refuse_set("{}");
	refuse_set("[]");
	refuse_set("{\"keys\":{}}");
	refuse_set("{\"keys\":[]}");
	refuse_set("{\"keys\":[7]}");
	refuse_set("{\"keys\":[" RIGHT "," RIGHT "," RIGHT "," RIGHT "," RIGHT "]}");
	refuse_set("{\"keys\":[" RIGHT ",{}]}");
	refuse_set("{\"keys\":[{\"kty\":\"RSA\",\"crv\":\"Ed25519\"," X "," KID "}]}");
	refuse_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\"," X "," KID "}]}");
	refuse_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," KID "}]}");
	refuse_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X "}]}");
	refuse_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," X ",\"kid\":\"other\"}]}");
	refuse_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qY\"," KID "}]}");
}

/* ---- Tickets ---- */

static const char *check_text(const char *text)
{
	struct ticket ticket;
	const char *wrong = ticket_check(text, strlen(text), &scope, &ticket);

	assert_int_equal(!!wrong, !ticket.rights);
	return wrong;
}

/* A Ticket with any header and claims, signed all the same. */
static char *forge(const char *header, const char *claims, EVP_PKEY *by)
{
	static char text[4096];
	uint8_t signature[64];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(BASE64_LENGTH(strlen(header) + strlen(claims)) + 100 < sizeof(text));
	base64_encode((const uint8_t *)header, strlen(header), text);
	strcat(text, ".");
	base64_encode((const uint8_t *)claims, strlen(claims), text + strlen(text));
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, by), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, (uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	strcat(text, ".");
	base64_encode(signature, len, text + strlen(text));
	return text;
}

static void test_right(void **state)
{
	char *text = ticket_sign(&good, key);
	struct ticket ticket;

	(void)state;
	assert_non_null(text);
	assert_true(strlen(text) < TICKET_SIZE);
	assert_null(ticket_check(text, strlen(text), &scope, &ticket));
	assert_memory_equal(ticket.id, good.id, sizeof(ticket.id));
	assert_string_equal(ticket.user, good.user);
	assert_string_equal(ticket.target, good.target);
	assert_int_equal(ticket.rights, good.rights);
	assert_int_equal(ticket.issued, good.issued);
	assert_int_equal(ticket.expires, good.expires);
	free(text);
}

/* Each bit of it counts. */
static void test_flipped_bits(void **state)
{
	char *text = ticket_sign(&good, key);
	size_t len = strlen(text);
	struct ticket ticket;

	(void)state;
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			assert_non_null(ticket_check(text, len, &scope, &ticket));
			text[i] ^= (char)(1 << bit);
		}
	for (size_t i = 0; i < len; i++)
		assert_non_null(ticket_check(text, i, &scope, &ticket));
	assert_null(ticket_check(text, len, &scope, &ticket));
	free(text);
}

static void test_time(void **state)
{
	char *text = ticket_sign(&good, key);

	(void)state;
	scope.now = good.issued - TICKET_SKEW_S;
	assert_null(check_text(text));
	scope.now--;
	assert_string_equal(check_text(text),
			    "The Ticket is not valid yet: the clocks of Manager and Device differ by "
			    "more than 30 seconds.");
	scope.now = good.expires + TICKET_SKEW_S - 1;
	assert_null(check_text(text));
	scope.now++;
	assert_string_equal(check_text(text),
			    "The Ticket has expired: open the Target in the Manager again.");
	scope.now = 0; /* a Device whose clock was never set */
	assert_non_null(check_text(text));
	scope.now = NOW;
	free(text);
}

static void test_for_others(void **state)
{
	struct ticket other = good;
	EVP_PKEY *stranger = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *text;

	(void)state;
	memcpy(other.device, MANAGER, sizeof(other.device));
	text = ticket_sign(&other, key);
	assert_string_equal(check_text(text), "The Ticket is for another Device.");
	free(text);
	other = good;
	memcpy(other.manager, DEVICE, sizeof(other.manager));
	text = ticket_sign(&other, key);
	assert_string_equal(check_text(text), "The Ticket comes from another Manager than this Device's.");
	free(text);
	text = ticket_sign(&good, stranger);
	assert_string_equal(check_text(text),
			    "The Ticket is signed with a key that this Device does not know.");
	free(text);
	EVP_PKEY_free(stranger);
}

#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"," KID "}"
#define IDS "\"iss\":\"" MANAGER "\",\"aud\":\"" DEVICE "\""
#define WHO "\"sub\":\"a\",\"target\":\"b\""
#define JTI "\"jti\":\"AQIDBAUGBwgJCgsMDQ4PEA\""
#define TIMES "\"iat\":1800000000,\"exp\":1800000060"
#define VIEW "\"rights\":[\"view\"]"

static void test_headers(void **state)
{
	static const char *const wrong[] = {
		"{\"alg\":\"none\",\"typ\":\"JWT\"," KID "}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"," KID "}",
		"{\"alg\":\"EdDSA\"," KID "}",
		"{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":7}",
		"{\"alg\":\"EdDSA\",\"typ\":\"JWT\"," KID ",\"crit\":[\"exp\"]}",
		"{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"typ\":\"JWT\"," KID "}",
		"[\"EdDSA\"]",
		"",
	};

	(void)state;
	assert_null(check_text(forge(HEADER, "{" IDS "," WHO "," JTI "," TIMES "," VIEW "}", key)));
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_non_null(
			check_text(forge(wrong[i], "{" IDS "," WHO "," JTI "," TIMES "," VIEW "}", key)));
	assert_non_null(check_text(""));
	assert_non_null(check_text("."));
	assert_non_null(check_text(".."));
	assert_non_null(check_text("e30.e30"));
	assert_non_null(check_text("e30.e30."));
}

static void test_claims(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"[]",
		"",
		"{" WHO "," JTI "," TIMES "," VIEW "}",
		"{" IDS "," JTI "," TIMES "," VIEW "}",
		"{" IDS "," WHO "," TIMES "," VIEW "}",
		"{" IDS "," WHO "," JTI "," VIEW "}",
		"{" IDS "," WHO "," JTI "," TIMES "}",
		"{" IDS "," WHO "," JTI "," TIMES ",\"rights\":[]}",
		"{" IDS "," WHO "," JTI "," TIMES ",\"rights\":[\"control\"]}",
		"{" IDS "," WHO "," JTI "," TIMES ",\"rights\":[\"view\",7]}",
		"{" IDS "," WHO "," JTI "," TIMES ",\"rights\":\"view\"}",
		"{" IDS "," WHO "," JTI ",\"iat\":1800000000,\"exp\":1800000061," VIEW "}",
		"{" IDS "," WHO "," JTI ",\"iat\":1800000000,\"exp\":1800000000," VIEW "}",
		"{" IDS "," WHO "," JTI ",\"iat\":1800000000.5,\"exp\":1800000060," VIEW "}",
		"{" IDS "," WHO "," JTI ",\"iat\":-9223372036854775807,\"exp\":1800000060," VIEW "}",
		"{" IDS "," WHO "," JTI ",\"iat\":9223372036854775800,\"exp\":9223372036854775807," VIEW "}",
		"{" IDS "," WHO "," JTI ",\"iat\":9223372036854775808,\"exp\":1800000060," VIEW "}",
		"{" IDS ",\"sub\":\"\",\"target\":\"b\"," JTI "," TIMES "," VIEW "}",
		"{" IDS ",\"sub\":\"a\\u0000b\",\"target\":\"b\"," JTI "," TIMES "," VIEW "}",
		"{" IDS ",\"sub\":\"a\\n\",\"target\":\"b\"," JTI "," TIMES "," VIEW "}",
		"{" IDS ",\"sub\":[\"a\"],\"target\":\"b\"," JTI "," TIMES "," VIEW "}",
		"{" IDS "," WHO ",\"sub\":\"root\"," JTI "," TIMES "," VIEW "}",
		"{" IDS "," WHO ",\"jti\":\"AQIDBAUGBwgJCgsMDQ4P\"," TIMES "," VIEW "}",
		"{" IDS "," WHO ",\"jti\":\"AQIDBAUGBwgJCgsMDQ4PEBE\"," TIMES "," VIEW "}",
		"{\"iss\":\"" MANAGER "\",\"aud\":[\"" DEVICE "\"]," WHO "," JTI "," TIMES "," VIEW "}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_non_null(check_text(forge(HEADER, wrong[i], key)));
	assert_null(check_text(
		forge(HEADER, "{" IDS "," WHO "," JTI "," TIMES ",\"rights\":[\"view\",\"fly\"],\"later\":1}",
		      key)));
}

static void test_cannot_be_signed(void **state)
{
	struct ticket wrong = good;
	EVP_PKEY *other = EVP_EC_gen("P-256");

	(void)state;
	assert_null(ticket_sign(&good, other));
	assert_null(ticket_keys_json(other));
	EVP_PKEY_free(other);
	wrong.rights = TICKET_CONTROL;
	assert_null(ticket_sign(&wrong, key));
	wrong = good;
	wrong.user[0] = '\0';
	assert_null(ticket_sign(&wrong, key));
	wrong = good;
	wrong.expires++;
	assert_null(ticket_sign(&wrong, key));
	wrong = good;
	wrong.device[0] = 'A';
	assert_null(ticket_sign(&wrong, key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),	     cmocka_unit_test(test_thumbprint),
		cmocka_unit_test(test_wrong_keys),   cmocka_unit_test(test_right),
		cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_time),
		cmocka_unit_test(test_for_others),   cmocka_unit_test(test_headers),
		cmocka_unit_test(test_claims),	     cmocka_unit_test(test_cannot_be_signed),
	};

	return cmocka_run_group_tests(tests, open_keys, close_keys);
}
