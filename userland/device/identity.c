/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This Device's key and certificate: made once, read at each start, never
 * replaced by itself. TLS settings beyond key and certificate belong to the listeners.
 */
#include "device/identity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/log.h"
#include "lib/state.h"

#define KEY_FILE "device.key"
#define CERTIFICATE_FILE "device.crt"
#define FILE_MAX 65536
#define DAY_S (24L * 60 * 60)
/* 2026-01-01: a board without a clock starts in 1970, and a certificate that ended in 1980 would serve nobody. */
#define EARLIEST_S 1767225600L
#define COMMON_NAME_MAX 64 /* RFC 5280 appendix A.1, ub-common-name */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

static void log_openssl(const char *what)
{
	char text[256];
	unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "unknown error");
	ERR_clear_error();
	log_error("identity: %s: %s", what, text);
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!extension)
		return false;
	ok = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

/* The host name where it is a name that a certificate can carry, else a fixed word. */
static void host_name(char buf[COMMON_NAME_MAX + 1])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !name[0] || strlen(name) > COMMON_NAME_MAX ||
	    name[strspn(name, allowed)])
		snprintf(name, sizeof(name), "kvmnet");
	memcpy(buf, name, strlen(name) + 1);
}

/* kvmnet-XXXXXXXX.local, from the key's hash: the certificate's own hash cannot stand inside it. */
static bool local_name(EVP_PKEY *key, char *buf, size_t size)
{
	unsigned char *der = NULL, hash[EVP_MAX_MD_SIZE];
	int len = i2d_PUBKEY(key, &der);
	bool ok = len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL);

	OPENSSL_free(der);
	if (ok)
		snprintf(buf, size, "kvmnet-%02x%02x%02x%02x.local", hash[0], hash[1], hash[2], hash[3]);
	return ok;
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[16];
	BIGNUM *number;
	bool ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f; /* RFC 5280 4.1.2.2: positive */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return ok;
}

static bool set_validity(X509 *certificate)
{
	time_t now = time(NULL), from;

	if (now < EARLIEST_S)
		now = EARLIEST_S;
	from = now - DAY_S; /* Clients whose clock is behind */
	return X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &from) &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), 3653, 0, &now);
}

static bool set_names(X509 *certificate, EVP_PKEY *key)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	char host[COMMON_NAME_MAX + 1], local[40], names[160];

	host_name(host);
	if (!local_name(key, local, sizeof(local)))
		return false;
	snprintf(names, sizeof(names), "DNS:%s,DNS:%s", host, local);
	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (unsigned char *)host, -1, -1, 0) &&
	       X509_set_issuer_name(certificate, subject) &&
	       add_extension(certificate, NID_subject_alt_name, names);
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
	    set_validity(certificate) && X509_set_pubkey(certificate, key) && set_names(certificate, key) &&
	    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	    add_extension(certificate, NID_subject_key_identifier, "hash") &&
	    X509_sign(certificate, key, EVP_sha256()))
		return certificate;
	log_openssl("the certificate cannot be made");
	X509_free(certificate);
	return NULL;
}

static int store_pem(const char *dir, const char *name, BIO *pem, bool encoded)
{
	char *data;
	long len = pem ? BIO_get_mem_data(pem, &data) : 0;

	if (!encoded || len <= 0) {
		log_openssl("it cannot be encoded");
		return -1;
	}
	return state_write(dir, name, data, (size_t)len);
}

static int store_key(const char *dir, EVP_PKEY *key)
{
	BIO *pem = BIO_new(BIO_s_secmem());
	int result = store_pem(dir, KEY_FILE, pem,
			       pem && PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL));

	BIO_free(pem);
	return result;
}

static int store_certificate(const char *dir, X509 *certificate)
{
	BIO *pem = BIO_new(BIO_s_mem());
	int result = store_pem(dir, CERTIFICATE_FILE, pem, pem && PEM_write_bio_X509(pem, certificate));

	BIO_free(pem);
	return result;
}

/* A password prompt must never appear for a key file that somebody encrypted. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

/* *missing: there is no such file, which is not logged. */
static BIO *open_pem(const char *dir, const char *name, char **data, size_t *len, bool *missing)
{
	*data = state_read(dir, name, FILE_MAX, len);
	*missing = !*data && errno == ENOENT;
	return *data ? BIO_new_mem_buf(*data, (int)*len) : NULL;
}

static EVP_PKEY *read_key(const char *dir, bool *missing)
{
	EVP_PKEY *key = NULL;
	size_t len = 0;
	char *data;
	BIO *pem = open_pem(dir, KEY_FILE, &data, &len, missing);

	if (pem)
		key = PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL);
	if (key && !EVP_PKEY_is_a(key, "EC")) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (pem && !key)
		log_error(
			"%s/" KEY_FILE
			" holds no usable P-256 key: put it back from a backup, or remove it and " CERTIFICATE_FILE
			" to give this Device a new identity",
			dir);
	ERR_clear_error();
	BIO_free(pem);
	if (data)
		OPENSSL_cleanse(data, len);
	free(data);
	return key;
}

static X509 *read_certificate(const char *dir, bool *missing)
{
	X509 *certificate = NULL;
	size_t len = 0;
	char *data;
	BIO *pem = open_pem(dir, CERTIFICATE_FILE, &data, &len, missing);

	if (pem)
		certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
	if (pem && !certificate)
		log_error("%s/" CERTIFICATE_FILE
			  " holds no certificate: put it back from a backup, or remove it "
			  "and it is made again from " KEY_FILE,
			  dir);
	ERR_clear_error();
	BIO_free(pem);
	free(data);
	return certificate;
}

static bool make_key(struct identity *identity, const char *dir)
{
	identity->key = EVP_EC_gen("P-256");
	if (!identity->key) {
		log_openssl("no key can be made");
		return false;
	}
	return !store_key(dir, identity->key);
}

static bool make_certificate_file(struct identity *identity, const char *dir)
{
	identity->certificate = make_certificate(identity->key);
	return identity->certificate && !store_certificate(dir, identity->certificate);
}

/* The key is the identity. It is stored first: a power cut between the two leaves a key whose certificate is
 * made at the next start; a certificate alone is a lost key, which only a person can judge. */
static bool load_or_make(struct identity *identity, const char *dir)
{
	bool no_key, no_certificate;

	identity->key = read_key(dir, &no_key);
	if (!identity->key && !no_key)
		return false;
	identity->certificate = read_certificate(dir, &no_certificate);
	if (!identity->certificate && !no_certificate)
		return false;
	if (no_key && !no_certificate) {
		log_error("%s/" KEY_FILE " is missing beside " CERTIFICATE_FILE
			  ": put it back from a backup, or remove " CERTIFICATE_FILE
			  " to give this Device a new identity",
			  dir);
		return false;
	}
	if (no_key && !make_key(identity, dir))
		return false;
	if (no_certificate && !make_certificate_file(identity, dir))
		return false;
	if (no_key)
		log_info("identity: made a new key and certificate in %s", dir);
	else if (no_certificate)
		log_warn("identity: made a new certificate for the key in %s", dir);
	if (X509_check_private_key(identity->certificate, identity->key) != 1) {
		ERR_clear_error();
		log_error("%s/" CERTIFICATE_FILE " does not belong to " KEY_FILE
			  ": put both back from one backup, or "
			  "remove " CERTIFICATE_FILE " and it is made again from the key",
			  dir);
		return false;
	}
	return true;
}

struct identity *identity_open(const char *state_dir)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (!identity) {
		log_error("identity: out of memory");
		return NULL;
	}
	if (!state_prepare(state_dir) && load_or_make(identity, state_dir))
		return identity;
	identity_close(identity);
	return NULL;
}

void identity_close(struct identity *identity)
{
	if (!identity)
		return;
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	free(identity);
}

void identity_fingerprint(const struct identity *identity, char buf[96])
{
	unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };

	X509_digest(identity->certificate, EVP_sha256(), hash, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(buf + 3 * i, 4, i < 31 ? "%02X:" : "%02X", hash[i]);
}

EVP_PKEY *identity_key(const struct identity *identity)
{
	return identity->key;
}

X509 *identity_certificate(const struct identity *identity)
{
	return identity->certificate;
}

int identity_use(const struct identity *identity, SSL_CTX *ctx)
{
	if (SSL_CTX_use_certificate(ctx, identity->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, identity->key) == 1 && SSL_CTX_check_private_key(ctx) == 1)
		return 0;
	log_openssl("the key and certificate cannot be used for TLS");
	return -1;
}
