// SPDX-License-Identifier: GPL-2.0-or-later
/* The Manager's authority: made once, what it issues, and whom it knows again. */
/* LINK: userland/manager/ca.c userland/manager/text.c userland/lib/identity.c userland/lib/certificate.c userland/lib/state.c
 * userland/lib/log.c | -lssl -lcrypto */
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
#include <openssl/x509v3.h>

#include "lib/identity.h"
#include "manager/ca.h"

static char dir[64];
static struct ca *ca;
static EVP_PKEY *key; /* a Device's */
static char key_id[CA_ID_SIZE], found[CA_ID_SIZE];
static time_t ended;

static void path_of(char *path, const char *name)
{
	snprintf(path, 96, "%s/%s", dir, name);
}

static void to_hex(EVP_PKEY *of, char text[CA_ID_SIZE])
{
	uint8_t id[CERTIFICATE_ID_SIZE];

	assert_true(certificate_id(of, id));
	for (unsigned i = 0; i < sizeof(id); i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/kvmnet-ca-XXXXXX");
	*state = mkdtemp(dir);
	ca = ca_open(dir);
	key = certificate_new_key();
	if (!ca || !key)
		return -1;
	to_hex(key, key_id);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "ca.key", "ca.crt", "manager.key", "manager.crt" };
	char path[96];

	(void)state;
	ca_close(ca);
	ca = NULL;
	EVP_PKEY_free(key);
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		path_of(path, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void common_name(X509 *certificate, char name[128])
{
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, 128);
}

static void test_authority(void **state)
{
	X509 *certificate = ca_certificate(ca);
	char id[CA_ID_SIZE];
	int days, seconds;

	(void)state;
	assert_int_equal(X509_check_ca(certificate), 1);
	assert_int_equal(X509_get_pathlen(certificate), 0);
	assert_int_equal(X509_get_key_usage(certificate), KU_KEY_CERT_SIGN);
	assert_true(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate),
				   X509_get0_notAfter(certificate)));
	assert_int_equal(days, 7305);
	to_hex(X509_get0_pubkey(certificate), id);
	assert_string_equal(ca_id(ca), id);
}

/* A Manager whose ca.crt is lost stays the same one to Devices that pinned the first. */
static void test_same_after_a_start_and_a_loss(void **state)
{
	X509 *device = ca_issue_device(ca, key, key_id, "rack 1", 0);
	char id[CA_ID_SIZE], path[96];

	(void)state;
	strcpy(id, ca_id(ca));
	for (int lost = 0; lost < 2; lost++) {
		ca_close(ca);
		path_of(path, "ca.crt");
		if (lost)
			assert_int_equal(unlink(path), 0);
		ca = ca_open(dir);
		assert_non_null(ca);
		assert_string_equal(ca_id(ca), id);
		assert_int_equal(ca_judge_device(ca, device, found, &ended), CA_OK);
	}
	X509_free(device);
}

/* Puts a certificate of the same authority into ca.crt that began and ends so many days from now. */
static void age(long began, long ends)
{
	static const struct certificate_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, "critical,keyCertSign" },
		{ NID_subject_key_identifier, "hash" },
		{ 0 },
	};
	EVP_PKEY *own = certificate_read_key(dir, "ca.key", "EC", "", &(bool){ false });
	char name[128];
	const struct certificate_form form = {
		.common_name = name,
		.key = own,
		.from = certificate_now() + began * CERTIFICATE_DAY_S,
		.until = certificate_now() + ends * CERTIFICATE_DAY_S,
		.extensions = extensions,
		.issuer_key = own,
	};
	X509 *old;

	common_name(ca_certificate(ca), name);
	old = certificate_new(&form);
	assert_non_null(old);
	assert_int_equal(certificate_write(dir, "ca.crt", old), 0);
	X509_free(old);
	EVP_PKEY_free(own);
	ca_close(ca);
	ca = NULL;
}

static bool certifies(X509 *authority, X509 *device)
{
	X509_STORE *trusted = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	assert_int_equal(X509_STORE_add_cert(trusted, authority), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, trusted, device, NULL), 1);
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(trusted);
	return ok;
}

/* In the last third of its time, and not before; who has the old or the new one trusts what either issued. */
static void test_authority_is_renewed(void **state)
{
	X509 *before, *first, *second;

	(void)state;
	age(-100, 51);
	ca = ca_open(dir);
	assert_true(ca_ends(ca_certificate(ca)) < certificate_now() + 52 * CERTIFICATE_DAY_S);
	age(-100, 49);
	before = certificate_read(dir, "ca.crt", "", &(bool){ false });
	assert_non_null(before);
	ca = ca_open(dir);
	assert_non_null(ca);
	assert_true(ca_ends(ca_certificate(ca)) > certificate_now() + 7000 * CERTIFICATE_DAY_S);
	assert_int_equal(
		X509_NAME_cmp(X509_get_subject_name(before), X509_get_subject_name(ca_certificate(ca))), 0);
	first = ca_issue_device(ca, key, key_id, "rack 1", 0);
	assert_true(certifies(before, first) && certifies(ca_certificate(ca), first));
	/* Kept: the next start has it. */
	ca_close(ca);
	second = certificate_read(dir, "ca.crt", "", &(bool){ false });
	ca = ca_open(dir);
	assert_non_null(ca);
	assert_int_equal(X509_cmp(ca_certificate(ca), second), 0);
	assert_int_equal(ca_judge_device(ca, first, found, &ended), CA_OK);
	X509_free(before);
	X509_free(first);
	X509_free(second);
}

/* There are years left, in which it can be stored. */
static void test_unstored_authority_goes_on(void **state)
{
	char temporary[96];

	(void)state;
	age(-100, 49);
	path_of(temporary, ".ca.crt.new");
	assert_int_equal(mkdir(temporary, 0700), 0);
	ca = ca_open(dir);
	assert_int_equal(rmdir(temporary), 0);
	assert_non_null(ca);
	assert_true(ca_ends(ca_certificate(ca)) < certificate_now() + 50 * CERTIFICATE_DAY_S);
}

static void test_other_certificate_is_no_authority(void **state)
{
	X509 *manager = ca_issue_manager(ca, X509_get0_pubkey(ca_certificate(ca)));

	(void)state;
	assert_non_null(manager);
	assert_int_equal(certificate_write(dir, "ca.crt", manager), 0);
	X509_free(manager);
	ca_close(ca);
	ca = ca_open(dir);
	assert_null(ca);
}

static void test_manager_certificate(void **state)
{
	const struct identity_kind kind = { "manager", "this Manager", ca_issue_manager, ca };
	struct identity *identity = identity_open(dir, &kind);
	X509 *certificate;
	char host[CERTIFICATE_NAME_MAX + 1], names[IDENTITY_NAMES_SIZE];

	(void)state;
	assert_non_null(identity);
	certificate = identity_certificate(identity);
	assert_true(identity_names(identity_key(identity), host, names));
	assert_int_equal(X509_check_host(certificate, CA_MANAGER_NAME, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, host, 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(certificate, strrchr(names, ':') + 1, 0, 0, NULL), 1);
	assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
	assert_int_equal(X509_check_ca(certificate), 0);
	assert_int_equal(X509_verify(certificate, X509_get0_pubkey(ca_certificate(ca))), 1);
	assert_int_equal(ca_ends(certificate) - ca_starts(certificate), 398 * CERTIFICATE_DAY_S);
	assert_int_equal(ca_judge_device(ca, certificate, found, &ended), CA_NOT_OURS);
	assert_true(ca_renewal(certificate) > time(NULL));
	assert_true(ca_renewal(certificate) < ca_ends(certificate));
	identity_close(identity);
}

static void test_device_certificate(void **state)
{
	X509 *certificate = ca_issue_device(ca, key, key_id, "rack 1", 0), *next;
	char name[128];

	(void)state;
	assert_non_null(certificate);
	common_name(certificate, name);
	assert_string_equal(name, "rack 1");
	snprintf(name, sizeof(name), "%.32s.device.kvmnet.internal", key_id);
	assert_int_equal(X509_check_host(certificate, name, 0, 0, NULL), 1);
	assert_int_not_equal(X509_check_host(certificate, CA_MANAGER_NAME, 0, 0, NULL), 1);
	assert_int_equal(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER | XKU_SSL_CLIENT);
	assert_int_equal(X509_check_ca(certificate), 0);
	assert_int_equal(ca_judge_device(ca, certificate, found, &ended), CA_OK);
	assert_string_equal(found, key_id);
	assert_int_equal(ended, ca_ends(certificate));
	next = ca_issue_device(ca, key, key_id, "rack 1", ca_starts(certificate));
	assert_true(ca_starts(next) > ca_starts(certificate));
	assert_true(ca_starts(next) <= time(NULL));
	assert_null(ca_issue_device(ca, key, key_id, "rack 1", time(NULL) + 60));
	assert_null(ca_issue_device(ca, key, ca_id(ca), "rack 1", 0));
	X509_free(next);
	X509_free(certificate);
}

static void test_names_are_cleaned(void **state)
{
	static const char e50[] =
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
	char longest[128], cut[128];
	const struct {
		const char *given, *carried;
	} rows[] = {
		{ "", "KVMnet Device" }, { "Ger\xc3\xa4t", "Ger\xc3\xa4t" }, { "a\nb\x7f", "a?b?" },
		{ "\xff\xc3", "??" },	 { "\xed\xa0\x80", "???" },	     { "x\xe2\x80\xaey", "x?y" },
		{ longest, cut },
	};

	(void)state;
	snprintf(longest, sizeof(longest), "a%s%s", e50, e50);
	snprintf(cut, sizeof(cut), "%.63s", longest);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		X509 *certificate = ca_issue_device(ca, key, key_id, rows[i].given, 0);
		unsigned char *text = NULL;
		X509_NAME *subject = X509_get_subject_name(certificate);

		assert_non_null(certificate);
		ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0)));
		assert_string_equal((char *)text, rows[i].carried);
		OPENSSL_free(text);
		X509_free(certificate);
	}
}

/* As the authority would, but with what the form has: a bug of its own must not let a stranger in. */
static enum ca_verdict judge(const char *names, const char *use, time_t from, time_t until, bool by_other)
{
	const struct certificate_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid:always" },
		{ NID_subject_alt_name, names },
		{ use ? NID_ext_key_usage : 0, use },
		{ 0 },
	};
	bool missing;
	EVP_PKEY *own = certificate_read_key(dir, "ca.key", "EC", "", &missing),
		 *other = certificate_new_key();
	const struct certificate_form form = {
		"x", key, from, until, extensions, ca_certificate(ca), by_other ? other : own,
	};
	X509 *certificate = certificate_new(&form);
	enum ca_verdict verdict = ca_judge_device(ca, certificate, found, &ended);

	X509_free(certificate);
	EVP_PKEY_free(own);
	EVP_PKEY_free(other);
	return verdict;
}

static void test_strangers(void **state)
{
	char names[80];
	time_t now = time(NULL), hour = 3600;

	(void)state;
	snprintf(names, sizeof(names), "DNS:%.32s.device.kvmnet.internal", key_id);
	assert_int_equal(judge(names, "clientAuth", now - hour, now + hour, false), CA_OK);
	assert_int_equal(judge(names, "clientAuth", now - hour, now + hour, true), CA_NOT_OURS);
	assert_int_equal(judge(names, "serverAuth", now - hour, now + hour, false), CA_NOT_OURS);
	assert_int_equal(judge(names, NULL, now - hour, now + hour, false), CA_NOT_OURS);
	assert_string_equal(found, "");
	assert_int_equal(judge("DNS:*.device.kvmnet.internal", "clientAuth", now - hour, now + hour, false),
			 CA_NOT_OURS);
	assert_int_equal(judge("DNS:manager.kvmnet.internal", "clientAuth", now - hour, now + hour, false),
			 CA_NOT_OURS);
	assert_int_equal(ca_judge_device(ca, ca_certificate(ca), found, &ended), CA_NOT_OURS);
	assert_int_equal(judge(names, "clientAuth", now - 2 * hour, now - hour, false), CA_EXPIRED);
	assert_int_equal(ended, now - hour);
	assert_string_equal(found, key_id);
	assert_int_equal(judge(names, "clientAuth", now + hour, now + 2 * hour, false), CA_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_authority),
		CASE(test_same_after_a_start_and_a_loss),
		CASE(test_authority_is_renewed),
		CASE(test_unstored_authority_goes_on),
		CASE(test_other_certificate_is_no_authority),
		CASE(test_manager_certificate),
		CASE(test_device_certificate),
		CASE(test_names_are_cleaned),
		CASE(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
