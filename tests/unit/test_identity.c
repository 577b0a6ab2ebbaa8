// SPDX-License-Identifier: GPL-2.0-or-later
/* An appliance's key and certificate: made once, kept, never replaced silently. */
/* LINK: userland/lib/identity.c userland/lib/certificate.c userland/lib/state.c userland/lib/log.c | -lssl -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/identity.h"

static char dir[64], key_path[96], certificate_path[96];
static const struct identity_kind device = { .stem = "device", .whose = "this Device" };

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/kvmnet-identity-XXXXXX");
	*state = mkdtemp(dir);
	snprintf(key_path, sizeof(key_path), "%s/device.key", dir);
	snprintf(certificate_path, sizeof(certificate_path), "%s/device.crt", dir);
	return !*state;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(key_path);
	unlink(certificate_path);
	return rmdir(dir); /* fails when a temporary file was left */
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	FILE *in = fopen(path, "r");
	size_t len;

	assert_non_null(in);
	len = fread(buf, 1, size, in);
	fclose(in);
	return len;
}

static void spill(const char *path, const char *data, size_t len)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(out);
}

static void test_made_once(void **state)
{
	struct identity *identity = identity_open(dir, &device);
	char before[96], after[96];
	struct stat st;

	(void)state;
	assert_non_null(identity);
	identity_fingerprint(identity, before);
	assert_int_equal(strlen(before), 95);
	identity_close(identity);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	identity = identity_open(dir, &device);
	assert_non_null(identity);
	identity_fingerprint(identity, after);
	assert_string_equal(before, after);
	identity_close(identity);
}

static void test_certificate(void **state)
{
	struct identity *identity = identity_open(dir, &device);
	X509 *certificate = identity_certificate(identity);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	char host[256] = "", name[256] = "";
	int days, seconds;

	(void)state;
	assert_true(EVP_PKEY_is_a(identity_key(identity), "EC"));
	assert_int_equal(EVP_PKEY_get_bits(identity_key(identity)), 256);
	assert_int_equal(X509_verify(certificate, identity_key(identity)), 1);
	assert_int_equal(X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_int_equal(X509_check_ca(certificate), 0);
	gethostname(host, sizeof(host) - 1);
	/* What no name in a certificate can be (RFC 5280 A.1: ub-common-name; RFC 952) becomes the product's. */
	if (!host[0] || strlen(host) > 64 || host[strspn(host, letters)])
		strcpy(host, "kvmnet");
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
	assert_string_equal(name, host);
	assert_int_equal(X509_check_host(certificate, host, 0, 0, NULL), 1);
	assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
				   X509_get0_notAfter(certificate)));
	assert_in_range(days, 3650, 3660);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0);
	identity_close(identity);
}

static void test_usable_for_tls(void **state)
{
	struct identity *identity = identity_open(dir, &device);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	(void)state;
	assert_int_equal(identity_use(identity, ctx), 0);
	SSL_CTX_free(ctx);
	identity_close(identity);
}

/* A power cut between the two files leaves the key: the same identity goes on. */
static void test_lost_certificate_is_made_from_the_key(void **state)
{
	struct identity *identity = identity_open(dir, &device);
	EVP_PKEY *key = EVP_PKEY_dup(identity_key(identity));

	(void)state;
	identity_close(identity);
	unlink(certificate_path);
	identity = identity_open(dir, &device);
	assert_non_null(identity);
	assert_int_equal(EVP_PKEY_eq(identity_key(identity), key), 1);
	EVP_PKEY_free(key);
	identity_close(identity);
}

static void test_lost_key_is_an_error(void **state)
{
	(void)state;
	identity_close(identity_open(dir, &device));
	unlink(key_path);
	assert_null(identity_open(dir, &device));
	assert_int_not_equal(access(key_path, F_OK), 0);
}

static void test_broken_files_are_errors(void **state)
{
	static char good[8192], bad[8192];
	const char *const paths[] = { key_path, certificate_path };

	(void)state;
	identity_close(identity_open(dir, &device));
	for (unsigned i = 0; i < 2; i++) {
		size_t len = slurp(paths[i], good, sizeof(good));

		for (unsigned kind = 0; kind < 4; kind++) {
			size_t bad_len = kind == 0 ? 0 : kind == 1 ? len / 2 : len;

			memcpy(bad, good, len);
			if (kind == 2)
				memset(bad + 40, 'A', 40);
			if (kind == 3)
				memset(bad, 0, len);
			spill(paths[i], bad, bad_len);
			assert_null(identity_open(dir, &device));
			/* It is as it was: for a person to judge. */
			assert_int_equal(slurp(paths[i], good + 4096, 4096), bad_len);
		}
		spill(paths[i], good, len);
	}
	identity_close(identity_open(dir, &device));
}

static void test_mismatched_pair_is_an_error(void **state)
{
	static char old[8192];
	size_t len;

	(void)state;
	identity_close(identity_open(dir, &device));
	len = slurp(certificate_path, old, sizeof(old));
	unlink(key_path);
	unlink(certificate_path);
	identity_close(identity_open(dir, &device));
	spill(certificate_path, old, len);
	assert_null(identity_open(dir, &device));
}

static void test_other_keys_are_refused(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	FILE *out = fopen(key_path, "w");

	(void)state;
	assert_true(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
	fclose(out);
	EVP_PKEY_free(key);
	assert_null(identity_open(dir, &device));
}

/* As a Manager's: a CA, and one that it certifies, each of a name of its own. */
static X509 *issue(void *arg, EVP_PKEY *key)
{
	const struct certificate_extension extensions[] = {
		{ NID_basic_constraints, arg ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, arg ? "critical,digitalSignature" : "critical,keyCertSign" },
		{ NID_subject_key_identifier, "hash" },
		{ arg ? NID_authority_key_identifier : 0, "keyid:always" },
		{ 0 },
	};
	const struct certificate_form form = {
		.common_name = arg ? "Ger\xc3\xa4t" : "CA",
		.key = key,
		.from = certificate_now(),
		.until = certificate_now() + CERTIFICATE_DAY_S,
		.extensions = extensions,
		.issuer = arg ? identity_certificate(arg) : NULL,
		.issuer_key = arg ? identity_key(arg) : key,
	};

	return certificate_new(&form);
}

static void test_issued_by_another(void **state)
{
	const struct identity_kind ca_kind = { "device", "this test", issue, NULL };
	struct identity *ca = identity_open(dir, &ca_kind), *identity;
	const struct identity_kind kind = { "issued", "this test", issue, ca };
	char path[96], before[96], after[96], name[65];
	EVP_PKEY *key;

	(void)state;
	assert_int_equal(X509_check_ca(identity_certificate(ca)), 1);
	identity = identity_open(dir, &kind);
	assert_non_null(identity);
	key = identity_key(identity);
	assert_int_equal(X509_verify(identity_certificate(identity), identity_key(ca)), 1);
	assert_int_equal(X509_check_issued(identity_certificate(ca), identity_certificate(identity)),
			 X509_V_OK);
	X509_NAME_get_text_by_NID(X509_get_subject_name(identity_certificate(identity)), NID_commonName, name,
				  sizeof(name));
	assert_string_equal(name, "Ger\xc3\xa4t");
	identity_fingerprint(identity, before);
	assert_int_equal(identity_renew(identity), 0);
	identity_fingerprint(identity, after);
	assert_string_not_equal(before, after);
	assert_ptr_equal(identity_key(identity), key);
	identity_close(identity);
	identity = identity_open(dir, &kind);
	identity_fingerprint(identity, before);
	assert_string_equal(before, after);
	identity_close(identity);
	identity_close(ca);
	snprintf(path, sizeof(path), "%s/issued.key", dir);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/issued.crt", dir);
	assert_int_equal(unlink(path), 0);
}

/* A renewal that cannot be stored is none: what was shown before is shown on. */
static void test_unstored_renewal_is_none(void **state)
{
	struct identity *identity = identity_open(dir, &device);
	char before[96], after[96], temporary[96];

	(void)state;
	identity_fingerprint(identity, before);
	snprintf(temporary, sizeof(temporary), "%s/.device.crt.new", dir);
	assert_int_equal(mkdir(temporary, 0700), 0);
	assert_int_equal(identity_renew(identity), -1);
	assert_int_equal(rmdir(temporary), 0);
	identity_fingerprint(identity, after);
	assert_string_equal(before, after);
	identity_close(identity);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_made_once),
		CASE(test_certificate),
		CASE(test_usable_for_tls),
		CASE(test_lost_certificate_is_made_from_the_key),
		CASE(test_lost_key_is_an_error),
		CASE(test_broken_files_are_errors),
		CASE(test_mismatched_pair_is_an_error),
		CASE(test_other_keys_are_refused),
		CASE(test_issued_by_another),
		CASE(test_unstored_renewal_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
