/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds certificates and reads and writes them and their keys. TLS is its users'. */
#include "lib/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_MAX 65536
/* 2026-01-01: a certificate that was made in 1970 and ended in 1980 would serve nobody. */
#define EARLIEST_S 1767225600L

void certificate_log(const char *what)
{
	char text[256] = "unknown error";
	unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	log_error("%s: %s", what, text);
}

EVP_PKEY *certificate_new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!key)
		certificate_log("no key can be made");
	return key;
}

time_t certificate_now(void)
{
	time_t now = time(NULL);

	return now < EARLIEST_S ? EARLIEST_S : now;
}

bool certificate_id(EVP_PKEY *key, uint8_t id[CERTIFICATE_ID_SIZE])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	bool ok = len > 0 && EVP_Digest(der, (size_t)len, id, NULL, EVP_sha256(), NULL);

	OPENSSL_free(der);
	return ok;
}

static bool add_extension(X509 *certificate, X509 *issuer, const struct certificate_extension *wanted)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, wanted->nid, wanted->value);
	if (!extension)
		return false;
	ok = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
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

static bool fill(X509 *certificate, const struct certificate_form *form)
{
	X509 *issuer = form->issuer ? form->issuer : certificate;
	const struct certificate_extension *extension = form->extensions;
	time_t from = form->from, until = form->until;

	if (!X509_set_version(certificate, X509_VERSION_3) || !set_serial(certificate) ||
	    !X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &from) ||
	    !X509_time_adj_ex(X509_getm_notAfter(certificate), 0, 0, &until) ||
	    !X509_set_pubkey(certificate, form->key) ||
	    !X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
					(const unsigned char *)form->common_name, -1, -1, 0) ||
	    !X509_set_issuer_name(certificate, X509_get_subject_name(issuer)))
		return false;
	for (; extension->nid; extension++)
		if (!add_extension(certificate, issuer, extension))
			return false;
	return X509_sign(certificate, form->issuer_key, EVP_sha256());
}

X509 *certificate_new(const struct certificate_form *form)
{
	X509 *certificate = X509_new();

	if (certificate && fill(certificate, form))
		return certificate;
	certificate_log("a certificate cannot be made");
	X509_free(certificate);
	return NULL;
}

/* A password prompt must never appear for a key that somebody encrypted. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

static EVP_PKEY *parse_key(const char *text, size_t len, const char *type)
{
	BIO *pem = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL) : NULL;

	BIO_free(pem);
	ERR_clear_error();
	if (key && EVP_PKEY_is_a(key, type))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

X509 *certificate_parse(const char *text, size_t len)
{
	BIO *pem = BIO_new_mem_buf(text, (int)len);
	X509 *certificate = pem ? PEM_read_bio_X509(pem, NULL, no_password, NULL) : NULL;

	BIO_free(pem);
	ERR_clear_error();
	return certificate;
}

/* What was encoded, if it was; the memory is pem's. */
static const char *encoded(BIO *pem, int written, size_t *len)
{
	char *data = NULL;
	long size = written > 0 ? BIO_get_mem_data(pem, &data) : 0;

	*len = size > 0 ? (size_t)size : 0;
	if (*len)
		return data;
	certificate_log("a key or certificate cannot be encoded");
	return NULL;
}

char *certificate_text(X509 *certificate)
{
	BIO *pem = BIO_new(BIO_s_mem());
	size_t len;
	const char *data = encoded(pem, pem ? PEM_write_bio_X509(pem, certificate) : 0, &len);
	char *text = data ? strndup(data, len) : NULL;

	BIO_free(pem);
	return text;
}

int certificate_write_key(const char *dir, const char *name, EVP_PKEY *key)
{
	BIO *pem = BIO_new(BIO_s_secmem());
	size_t len;
	const char *data = encoded(
		pem, pem ? PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) : 0, &len);
	int result = data ? state_write(dir, name, data, len) : -1;

	BIO_free(pem);
	return result;
}

int certificate_write(const char *dir, const char *name, X509 *certificate)
{
	char *text = certificate_text(certificate);
	int result = text ? state_write(dir, name, text, strlen(text)) : -1;

	free(text);
	return result;
}

static char *read_file(const char *dir, const char *name, size_t *len, bool *missing)
{
	char *text = state_read(dir, name, FILE_MAX, len);

	*missing = !text && errno == ENOENT;
	return text;
}

EVP_PKEY *certificate_read_key(const char *dir, const char *name, const char *type, const char *advice,
			       bool *missing)
{
	size_t len = 0;
	char *text = read_file(dir, name, &len, missing);
	EVP_PKEY *key = text ? parse_key(text, len, type) : NULL;

	if (text && !key)
		log_error("%s/%s holds no usable %s key: %s", dir, name, type, advice);
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
	return key;
}

X509 *certificate_read(const char *dir, const char *name, const char *advice, bool *missing)
{
	size_t len = 0;
	char *text = read_file(dir, name, &len, missing);
	X509 *certificate = text ? certificate_parse(text, len) : NULL;

	if (text && !certificate)
		log_error("%s/%s holds no certificate: %s", dir, name, advice);
	free(text);
	return certificate;
}
