// SPDX-License-Identifier: GPL-2.0-or-later
/* Adoptions: one that is sound, and each way in which one is not; their file; renewals. */
/* LINK: userland/device/adoption.c userland/lib/certificate.c userland/lib/state.c userland/lib/log.c | jansson -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "device/adoption.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY CERTIFICATE_DAY_S

static EVP_PKEY *own, *ca_key, *other_key;
static X509 *ca;
static char id[ADOPTION_ID_SIZE], device[ADOPTION_DEVICE_SIZE], san[ADOPTION_DEVICE_SIZE + 4];
static char dir[] = "/tmp/kvmnet-adoption-XXXXXX";

static void hash_of(EVP_PKEY *key, char text[ADOPTION_ID_SIZE])
{
	uint8_t hash[CERTIFICATE_ID_SIZE];

	assert_true(certificate_id(key, hash));
	for (unsigned i = 0; i < sizeof(hash); i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
}

static X509 *make_ca(EVP_PKEY *key, const char *basic)
{
	const struct certificate_extension extensions[] = {
		{ NID_basic_constraints, basic },
		{ NID_key_usage, "critical,keyCertSign" },
		{ NID_subject_key_identifier, "hash" },
		{ 0 },
	};
	const struct certificate_form form = {
		.common_name = "Manager",
		.key = key,
		.from = certificate_now() - DAY,
		.until = certificate_now() + 20 * 365 * DAY,
		.extensions = extensions,
		.issuer_key = key,
	};

	return certificate_new(&form);
}

/* What a test changes of a certificate that is right. */
struct wish {
	EVP_PKEY *key;
	X509 *issuer;
	EVP_PKEY *issuer_key;
	const char *usage, *names;
	time_t from, until;
};

static X509 *make(const struct wish *wish)
{
	const struct certificate_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, wish->usage ? wish->usage : "serverAuth,clientAuth" },
		{ NID_subject_alt_name, wish->names ? wish->names : san },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid" },
		{ 0 },
	};
	const struct certificate_form form = {
		.common_name = "left",
		.key = wish->key ? wish->key : own,
		.from = wish->from ? wish->from : certificate_now() - DAY,
		.until = wish->until ? wish->until : certificate_now() + 398 * DAY,
		.extensions = extensions,
		.issuer = wish->issuer ? wish->issuer : ca,
		.issuer_key = wish->issuer_key ? wish->issuer_key : ca_key,
	};

	return certificate_new(&form);
}

static json_t *body_of(X509 *authority, X509 *certificate)
{
	char *ca_text = certificate_text(authority), *text = certificate_text(certificate);
	json_t *body = json_pack("{s:{s:s, s:s}, s:s, s:s, s:[s, s]}", "manager", "id", id, "name",
				 "Head office", "ca", ca_text, "certificate", text, "addresses", "10.0.0.1",
				 "manager.example:8443");

	free(ca_text);
	free(text);
	assert_non_null(body);
	return body;
}

/* Takes certificate. */
static struct adoption *parsed(X509 *authority, X509 *certificate)
{
	json_t *body = body_of(authority, certificate);
	struct adoption *adoption;

	assert_null(adoption_parse(body, &adoption));
	json_decref(body);
	X509_free(certificate);
	return adoption;
}

static void refused(const struct wish *wish, const char *words)
{
	struct adoption *adoption = parsed(ca, make(wish));
	const char *wrong = adoption_judge(adoption, own, time(NULL));

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, words));
	adoption_free(adoption);
}

static int open_all(void **state)
{
	(void)state;
	own = certificate_new_key();
	ca_key = certificate_new_key();
	other_key = certificate_new_key();
	ca = make_ca(ca_key, "critical,CA:TRUE,pathlen:0");
	hash_of(ca_key, id);
	assert_true(adoption_device_name(own, device));
	snprintf(san, sizeof(san), "DNS:%s", device);
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	EVP_PKEY_free(own);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	X509_free(ca);
	rmdir(dir);
	return 0;
}

/* ---- judgement ---- */

static void test_right(void **state)
{
	struct adoption *adoption = parsed(ca, make(&(struct wish){ 0 }));

	(void)state;
	assert_null(adoption_judge(adoption, own, time(NULL)));
	assert_string_equal(adoption->id, id);
	assert_string_equal(adoption->name, "Head office");
	assert_int_equal(adoption->address_count, 2);
	assert_string_equal(adoption->address[0].host, "10.0.0.1");
	assert_int_equal(adoption->address[0].port, 443);
	assert_string_equal(adoption->address[1].host, "manager.example");
	assert_int_equal(adoption->address[1].port, 8443);
	adoption_free(adoption);
}

static void test_certificates(void **state)
{
	const time_t now = time(NULL);
	X509 *stranger = make_ca(other_key, "critical,CA:TRUE,pathlen:0");

	(void)state;
	refused(&(struct wish){ .key = other_key }, "another key");
	refused(&(struct wish){ .names = "DNS:abababababababababababababababab.device.kvmnet.internal" },
		"another Device");
	refused(&(struct wish){ .names = "DNS:*.device.kvmnet.internal" }, "another Device");
	refused(&(struct wish){ .names = "DNS:" ADOPTION_MANAGER }, "another Device");
	refused(&(struct wish){ .usage = "serverAuth" }, "not one to log in");
	refused(&(struct wish){ .until = now - 1 }, "expired");
	refused(&(struct wish){ .from = now + 3600 }, "not valid yet");
	refused(&(struct wish){ .issuer = stranger, .issuer_key = other_key }, "not issued by");
	refused(&(struct wish){ .issuer_key = other_key }, "not issued by");
	X509_free(stranger);
}

/* Before there is a time, none is judged; all else is. */
static void test_no_clock(void **state)
{
	struct adoption *adoption = parsed(ca, make(&(struct wish){ .from = time(NULL) + DAY }));
	struct adoption *other = parsed(ca, make(&(struct wish){ .key = other_key }));

	(void)state;
	assert_non_null(adoption_judge(adoption, own, time(NULL)));
	assert_null(adoption_judge(adoption, own, 1000));
	assert_non_null(adoption_judge(other, own, 1000));
	adoption_free(adoption);
	adoption_free(other);
}

static void refused_ca(X509 *authority, const char *words)
{
	struct adoption *adoption = parsed(authority, make(&(struct wish){ 0 }));
	const char *wrong = adoption_judge(adoption, own, time(NULL));

	assert_non_null(wrong);
	assert_non_null(strstr(wrong, words));
	adoption_free(adoption);
	X509_free(authority);
}

static void test_authorities(void **state)
{
	(void)state;
	refused_ca(make_ca(other_key, "critical,CA:TRUE,pathlen:0"), "not that of its CA's key");
	refused_ca(make_ca(ca_key, "critical,CA:FALSE"), "none of a CA");
	/* The Manager's own certificate, or a Device's, makes nobody a CA. */
	refused_ca(make(&(struct wish){ .key = other_key }), "none of a CA");
}

/* ---- form ---- */

static void bad_form(json_t *body, const char *words)
{
	struct adoption *adoption;
	const char *wrong = adoption_parse(body, &adoption);

	assert_non_null(wrong);
	assert_null(adoption);
	assert_non_null(strstr(wrong, words));
	json_decref(body);
}

static json_t *changed(const char *path, const char *member, json_t *value)
{
	X509 *certificate = make(&(struct wish){ 0 });
	json_t *body = body_of(ca, certificate), *at = path ? json_object_get(body, path) : body;

	X509_free(certificate);
	if (value)
		json_object_set_new(at, member, value);
	else
		json_object_del(at, member);
	return body;
}

static void test_form(void **state)
{
	char longer[200];
	json_t *nine = json_array();

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (int i = 0; i < 9; i++)
		json_array_append_new(nine, json_string("10.0.0.1"));
	bad_form(json_array(), "JSON object");
	bad_form(json_object(), "members");
	bad_form(changed(NULL, "sole_owner", json_true()), "members");
	bad_form(changed(NULL, "manager", json_string("x")), "manager");
	bad_form(changed("manager", "id", NULL), "manager");
	bad_form(changed("manager", "id", json_string("ABAB")), "manager");
	bad_form(changed("manager", "name", json_string("")), "manager");
	bad_form(changed("manager", "name", json_string("a\nb")), "manager");
	bad_form(changed("manager", "name", json_string(longer)), "manager");
	bad_form(changed("manager", "name", json_stringn("a\0b", 3)), "manager");
	bad_form(changed(NULL, "ca", NULL), "members");
	bad_form(changed(NULL, "ca", json_string("-----BEGIN CERTIFICATE-----\nAAAA\n")), "PEM");
	bad_form(changed(NULL, "certificate", json_integer(7)), "PEM");
	bad_form(changed(NULL, "addresses", NULL), "members");
	bad_form(changed(NULL, "addresses", json_array()), "addresses");
	bad_form(changed(NULL, "addresses", json_string("10.0.0.1")), "addresses");
	bad_form(changed(NULL, "addresses", json_pack("[i]", 7)), "addresses");
	bad_form(changed(NULL, "addresses", json_pack("[s]", longer)), "addresses");
	bad_form(changed(NULL, "addresses", nine), "addresses");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} right[] = {
		{ "10.0.0.1", "10.0.0.1", 443 },
		{ "10.0.0.1:1", "10.0.0.1", 1 },
		{ "manager.example:65535", "manager.example", 65535 },
		{ "2001:db8::1", "2001:db8::1", 443 },
		{ "[2001:db8::1]", "2001:db8::1", 443 },
		{ "[2001:db8::1]:8443", "2001:db8::1", 8443 },
	};
	static const char *const wrong[] = {
		"",
		":443",
		"a:",
		"a:0",
		"a:65536",
		"a:+1",
		"a:1x",
		"[::1",
		"[::1]x",
		"[::1]:",
		"[a]",
		"[]",
		"a b",
		"a/b",
		"user@a",
		"-a",
		"https://a",
		"::1::2",
		"a:1:b",
		"[10.0.0.1]:1",
		"a%b",
		"[fe80::1%eth0]",
		"\303\244.example",
	};
	struct adoption_address address;

	(void)state;
	for (size_t i = 0; i < COUNT(right); i++) {
		assert_true(adoption_parse_address(right[i].text, &address));
		assert_string_equal(address.host, right[i].host);
		assert_int_equal(address.port, right[i].port);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(adoption_parse_address(wrong[i], &address));
}

/* ---- file and renewal ---- */

static void damage(const char *text)
{
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/adoption", dir);
	out = fopen(path, "w");
	fputs(text, out);
	fclose(out);
}

static void test_file(void **state)
{
	struct adoption *adoption = parsed(ca, make(&(struct wish){ 0 })), *again;

	(void)state;
	assert_int_equal(adoption_load(dir, &again), 0);
	assert_null(again);
	adoption->sole_owner = true;
	assert_int_equal(adoption_store(dir, adoption), 0);
	assert_int_equal(adoption_load(dir, &again), 0);
	assert_string_equal(again->id, adoption->id);
	assert_string_equal(again->name, adoption->name);
	assert_int_equal(X509_cmp(again->ca, adoption->ca), 0);
	assert_int_equal(X509_cmp(again->certificate, adoption->certificate), 0);
	assert_memory_equal(again->address, adoption->address, sizeof(again->address));
	assert_true(again->sole_owner);
	adoption_free(again);
	adoption->sole_owner = false;
	assert_int_equal(adoption_store(dir, adoption), 0);
	assert_int_equal(adoption_load(dir, &again), 0);
	assert_false(again->sole_owner);
	adoption_free(again);
	adoption_free(adoption);
	damage("");
	assert_int_equal(adoption_load(dir, &again), -1);
	damage("{}");
	assert_int_equal(adoption_load(dir, &again), -1);
	assert_null(again);
	assert_int_equal(adoption_forget(dir), 0);
	assert_int_equal(adoption_forget(dir), 0);
	assert_int_equal(adoption_load(dir, &again), 0);
	assert_null(again);
}

static void test_renewal(void **state)
{
	const time_t start = certificate_now() - 10 * DAY;
	X509 *stranger = make_ca(other_key, "critical,CA:TRUE,pathlen:0");
	struct adoption *before = parsed(ca, make(&(struct wish){ .from = start }));
	struct adoption *same = parsed(ca, make(&(struct wish){ .from = start }));
	struct adoption *later = parsed(ca, make(&(struct wish){ .from = start + 1 }));
	struct adoption *other = parsed(stranger, make(&(struct wish){ .from = start + 1 }));

	(void)state;
	assert_true(adoption_renews(later, before));
	assert_false(adoption_renews(same, before));
	assert_false(adoption_renews(before, later));
	assert_false(adoption_renews(other, before));
	assert_false(adoption_renews(later, NULL));
	adoption_free(before);
	adoption_free(same);
	adoption_free(later);
	adoption_free(other);
	X509_free(stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),	 cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_no_clock), cmocka_unit_test(test_authorities),
		cmocka_unit_test(test_form),	 cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_file),	 cmocka_unit_test(test_renewal),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
