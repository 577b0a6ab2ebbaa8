/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key and its certificate on the disk: made once, read at each start, the key
 * never replaced. TLS settings beyond the two belong to the listeners.
 */
#include "lib/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME_SIZE 64
#define SELF_SIGNED_S (3653 * CERTIFICATE_DAY_S)

struct identity {
	const struct identity_kind *kind;
	char *dir;
	char key_file[FILE_NAME_SIZE], certificate_file[FILE_NAME_SIZE];
	EVP_PKEY *key;
	X509 *certificate;
};

/* The host name where it is a name that a certificate can carry, else a fixed word. */
static void host_name(char buf[CERTIFICATE_NAME_MAX + 1])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !name[0] || strlen(name) > CERTIFICATE_NAME_MAX ||
	    name[strspn(name, allowed)])
		snprintf(name, sizeof(name), "kvmnet");
	memcpy(buf, name, strlen(name) + 1);
}

/* The second name is from the key's hash: the certificate's own cannot stand inside it. */
bool identity_names(EVP_PKEY *key, char host[CERTIFICATE_NAME_MAX + 1], char names[IDENTITY_NAMES_SIZE])
{
	uint8_t id[CERTIFICATE_ID_SIZE];

	host_name(host);
	if (!certificate_id(key, id))
		return false;
	snprintf(names, IDENTITY_NAMES_SIZE, "DNS:%s,DNS:kvmnet-%02x%02x%02x%02x.local", host, id[0], id[1],
		 id[2], id[3]);
	return true;
}

static X509 *self_signed(EVP_PKEY *key)
{
	char host[CERTIFICATE_NAME_MAX + 1], names[IDENTITY_NAMES_SIZE];
	const struct certificate_extension extensions[] = {
		{ NID_subject_alt_name, names },
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "serverAuth" },
		{ NID_subject_key_identifier, "hash" },
		{ 0 },
	};
	time_t now = certificate_now();
	const struct certificate_form form = {
		.common_name = host,
		.key = key,
		.from = now - CERTIFICATE_DAY_S, /* Clients whose clock is behind */
		.until = now + SELF_SIGNED_S,
		.extensions = extensions,
		.issuer_key = key,
	};

	if (identity_names(key, host, names))
		return certificate_new(&form);
	certificate_log("the key has no hash");
	return NULL;
}

static EVP_PKEY *read_key(const struct identity *identity, bool *missing)
{
	char advice[256];

	snprintf(advice, sizeof(advice),
		 "put it back from a backup, or remove it and %s to give %s a new identity",
		 identity->certificate_file, identity->kind->whose);
	return certificate_read_key(identity->dir, identity->key_file, "EC", advice, missing);
}

static X509 *read_certificate(const struct identity *identity, bool *missing)
{
	char advice[256];

	snprintf(advice, sizeof(advice),
		 "put it back from a backup, or remove it and it is made again from %s", identity->key_file);
	return certificate_read(identity->dir, identity->certificate_file, advice, missing);
}

static bool make_key(struct identity *identity)
{
	identity->key = certificate_new_key();
	return identity->key && !certificate_write_key(identity->dir, identity->key_file, identity->key);
}

int identity_renew(struct identity *identity)
{
	const struct identity_kind *kind = identity->kind;
	X509 *fresh = kind->issue ? kind->issue(kind->arg, identity->key) : self_signed(identity->key);

	if (!fresh || certificate_write(identity->dir, identity->certificate_file, fresh)) {
		X509_free(fresh);
		return -1;
	}
	X509_free(identity->certificate);
	identity->certificate = fresh;
	return 0;
}

static bool belong_together(const struct identity *identity)
{
	if (X509_check_private_key(identity->certificate, identity->key) == 1)
		return true;
	ERR_clear_error();
	log_error("%s/%s does not belong to %s: put both back from one backup, or remove %s and it is made "
		  "again from the key",
		  identity->dir, identity->certificate_file, identity->key_file, identity->certificate_file);
	return false;
}

/* The key is the identity. It is stored first: a power cut between the two leaves a key whose certificate is
 * made at the next start; a certificate alone is a lost key, which only a person can judge. */
static bool load_or_make(struct identity *identity)
{
	bool no_key, no_certificate;

	identity->key = read_key(identity, &no_key);
	if (!identity->key && !no_key)
		return false;
	identity->certificate = read_certificate(identity, &no_certificate);
	if (!identity->certificate && !no_certificate)
		return false;
	if (no_key && !no_certificate) {
		log_error("%s/%s is missing beside %s: put it back from a backup, or remove %s to give %s a "
			  "new identity",
			  identity->dir, identity->key_file, identity->certificate_file,
			  identity->certificate_file, identity->kind->whose);
		return false;
	}
	if (no_key && !make_key(identity))
		return false;
	if (no_certificate && identity_renew(identity))
		return false;
	if (no_key)
		log_info("identity: made a new key and certificate in %s", identity->dir);
	else if (no_certificate)
		log_warn("identity: made a new certificate for the key in %s", identity->dir);
	return belong_together(identity);
}

struct identity *identity_open(const char *state_dir, const struct identity_kind *kind)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (identity)
		identity->dir = strdup(state_dir);
	if (!identity || !identity->dir) {
		log_error("identity: out of memory");
		free(identity);
		return NULL;
	}
	identity->kind = kind;
	snprintf(identity->key_file, FILE_NAME_SIZE, "%s.key", kind->stem);
	snprintf(identity->certificate_file, FILE_NAME_SIZE, "%s.crt", kind->stem);
	if (!state_prepare(state_dir) && load_or_make(identity))
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
	free(identity->dir);
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
	certificate_log("identity: the key and certificate cannot be used for TLS");
	return -1;
}
