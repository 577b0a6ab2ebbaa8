/* SPDX-License-Identifier: GPL-2.0-or-later */
/* P-256 keys and X.509 certificates: made, told apart, kept as PEM in STATE_DIR. Who gets which is not known here. */
#ifndef KVMNET_LIB_CERTIFICATE_H
#define KVMNET_LIB_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openssl/x509.h>

#define CERTIFICATE_ID_SIZE 32
#define CERTIFICATE_DAY_S (24L * 60 * 60)
#define CERTIFICATE_NAME_MAX 64 /* bytes of a common name: RFC 5280 appendix A.1, ub-common-name */

/* In OpenSSL's words (x509v3_config): a value must not be built from what strangers chose, unless it was checked. */
struct certificate_extension {
	int nid; /* 0: the end */
	const char *value;
};

/* Initializers of a list of them: of an authority for ends alone, and of one that both serves and asks by TLS under names,
 * a subjectAltName. */
#define CERTIFICATE_OF_AUTHORITY \
	{ \
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" }, \
			{ NID_key_usage, "critical,keyCertSign" }, { NID_subject_key_identifier, "hash" }, \
			{ 0 }, \
	}
#define CERTIFICATE_OF_BOTH_ENDS(names) \
	{ \
		{ NID_subject_alt_name, names }, { NID_basic_constraints, "critical,CA:FALSE" }, \
			{ NID_key_usage, "critical,digitalSignature" }, \
			{ NID_ext_key_usage, "clientAuth,serverAuth" }, \
			{ NID_subject_key_identifier, "hash" }, \
			{ NID_authority_key_identifier, "keyid:always" }, { 0 }, \
	}

struct certificate_form {
	const char *common_name; /* UTF-8 */
	EVP_PKEY *key;		 /* whose it is */
	time_t from, until;
	const struct certificate_extension *extensions;
	X509 *issuer; /* NULL: its own */
	EVP_PKEY *issuer_key;
};

EVP_PKEY *certificate_new_key(void); /* NULL after logging why */
/* With a random serial number and SHA-256. NULL after logging why. */
X509 *certificate_new(const struct certificate_form *form);
/* The time, but never one that a certificate could not start at: a board without a clock is in 1970. */
time_t certificate_now(void);
/* SHA-256 of the key's SubjectPublicKeyInfo: what its holder is known by. */
bool certificate_id(EVP_PKEY *key, uint8_t id[CERTIFICATE_ID_SIZE]);

/* The first one in text; NULL: none. */
X509 *certificate_parse(const char *text, size_t len);
/* As PEM, malloc'd; NULL after logging why. */
char *certificate_text(X509 *certificate);

/* Files of dir, mode 0600. Writers give 0, or -1 after logging. Readers give NULL after logging, with advice for a file
 * that holds something else; *missing: there is none, which is not logged. */
int certificate_write_key(const char *dir, const char *name, EVP_PKEY *key);
int certificate_write(const char *dir, const char *name, X509 *certificate);
/* type: "EC" or "ED25519". */
EVP_PKEY *certificate_read_key(const char *dir, const char *name, const char *type, const char *advice,
			       bool *missing);
X509 *certificate_read(const char *dir, const char *name, const char *advice, bool *missing);

/* Logs that it failed and OpenSSL's reason, which is then forgotten. */
void certificate_log(const char *what);

#endif
