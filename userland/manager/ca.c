/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who trusts whom: one key certifies, and it certifies names of two kinds, so that no certificate of a Device can
 * pass for the Manager's, nor the reverse. TLS is its users'.
 */
#include "manager/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/identity.h"
#include "lib/log.h"
#include "manager/text.h"

#define AUTHORITY_S (7305 * CERTIFICATE_DAY_S) /* 20 years */
#define ISSUED_S (398 * CERTIFICATE_DAY_S)     /* what browsers take at most */
#define DEVICE_NAME_SIZE 64
#define NAMES_SIZE (IDENTITY_NAMES_SIZE + sizeof(CA_MANAGER_NAME) + 8)

struct ca {
	struct identity_kind kind;
	struct identity *identity;
	char id[CA_ID_SIZE];
};

static bool hex_id(EVP_PKEY *key, char text[CA_ID_SIZE])
{
	uint8_t id[CERTIFICATE_ID_SIZE];

	if (!key || !certificate_id(key, id))
		return false;
	for (unsigned i = 0; i < sizeof(id); i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return true;
}

/* Half of the hash: a label of a name in DNS has at most 63 characters (RFC 1035 section 2.3.4). */
static void device_name(const char *id, char name[DEVICE_NAME_SIZE])
{
	snprintf(name, DEVICE_NAME_SIZE, "%.32s.device.kvmnet.internal", id);
}

/* ---- opening ---- */

/* The name is from the key alone: a certificate that is made again serves those who pinned the first. */
static X509 *issue_itself(void *arg, EVP_PKEY *key)
{
	static const struct certificate_extension extensions[] = CERTIFICATE_OF_AUTHORITY;
	char id[CA_ID_SIZE] = "", name[CERTIFICATE_NAME_MAX + 1];
	time_t from = certificate_now() - CERTIFICATE_DAY_S;
	const struct certificate_form form = {
		.common_name = name,
		.key = key,
		.from = from,
		.until = from + AUTHORITY_S,
		.extensions = extensions,
		.issuer_key = key,
	};

	(void)arg;
	if (!hex_id(key, id)) {
		certificate_log("the authority's key has no hash");
		return NULL;
	}
	snprintf(name, sizeof(name), "KVMnet Manager %.8s", id);
	return certificate_new(&form);
}

static bool is_authority(const struct ca *ca, const char *state_dir)
{
	X509 *certificate = ca_certificate(ca);

	if (X509_check_ca(certificate) == 1 && X509_verify(certificate, identity_key(ca->identity)) == 1)
		return true;
	ERR_clear_error();
	log_error(
		"%s/ca.crt is no certificate of an authority: put it back from a backup, or remove it and it is "
		"made again from ca.key",
		state_dir);
	return false;
}

/* Its key and name stay: what the one before is trusted for, this one is. One that cannot be stored is tried again at
 * the next start, of which there are years left. */
static void renew(struct ca *ca)
{
	if (ca_renewal(ca_certificate(ca)) < certificate_now() && !identity_renew(ca->identity))
		log_warn(
			"the authority has a new certificate for the same key: Devices have it once they are "
			"adopted again");
}

struct ca *ca_open(const char *state_dir)
{
	struct ca *ca = calloc(1, sizeof(*ca));

	if (!ca) {
		log_error("authority: out of memory");
		return NULL;
	}
	ca->kind = (struct identity_kind){ "ca", "the Manager's authority", issue_itself, ca };
	ca->identity = identity_open(state_dir, &ca->kind);
	if (ca->identity && is_authority(ca, state_dir) && hex_id(identity_key(ca->identity), ca->id)) {
		renew(ca);
		return ca;
	}
	ca_close(ca);
	return NULL;
}

void ca_close(struct ca *ca)
{
	if (ca)
		identity_close(ca->identity);
	free(ca);
}

const char *ca_id(const struct ca *ca)
{
	return ca->id;
}

X509 *ca_certificate(const struct ca *ca)
{
	return identity_certificate(ca->identity);
}

/* ---- times ---- */

static time_t seconds(const ASN1_TIME *time)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

time_t ca_starts(const X509 *certificate)
{
	return seconds(X509_get0_notBefore(certificate));
}

time_t ca_ends(const X509 *certificate)
{
	return seconds(X509_get0_notAfter(certificate));
}

bool ca_serial(const X509 *certificate, char text[CA_SERIAL_SIZE])
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	bool ok = hex && strlen(hex) < CA_SERIAL_SIZE;

	if (ok)
		strcpy(text, hex);
	OPENSSL_free(hex);
	BN_free(number);
	return ok;
}

time_t ca_renewal(const X509 *certificate)
{
	time_t end = ca_ends(certificate);

	return end - (end - ca_starts(certificate)) / 3;
}

/* ---- issuing ---- */

static X509 *issue(const struct ca *ca, struct certificate_form *form)
{
	form->until = form->from + ISSUED_S;
	form->issuer = ca_certificate(ca);
	form->issuer_key = identity_key(ca->identity);
	return certificate_new(form);
}

X509 *ca_issue_manager(void *arg, EVP_PKEY *key)
{
	char host[CERTIFICATE_NAME_MAX + 1], own[IDENTITY_NAMES_SIZE], names[NAMES_SIZE];
	const struct certificate_extension extensions[] = {
		{ NID_subject_alt_name, names },
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "serverAuth" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid:always" },
		{ 0 },
	};
	struct certificate_form form = {
		.common_name = host,
		.key = key,
		.from = certificate_now() -
			CERTIFICATE_DAY_S, /* Devices and browsers whose clock is behind */
		.extensions = extensions,
	};

	if (!identity_names(key, host, own)) {
		certificate_log("the Manager's key has no hash");
		return NULL;
	}
	snprintf(names, sizeof(names), "DNS:" CA_MANAGER_NAME ",%s", own);
	return issue(arg, &form);
}

/* A day back for Devices whose clock is behind; a Device takes only one that starts later than what it has. */
static bool choose_start(time_t after, time_t *from)
{
	time_t now = certificate_now();

	*from = now - CERTIFICATE_DAY_S;
	if (after < *from)
		return true;
	*from = after + 1;
	if (*from <= now)
		return true;
	log_error(
		"a Device has a certificate from the future, and none can follow it: is this machine's clock "
		"right?");
	return false;
}

X509 *ca_issue_device(const struct ca *ca, EVP_PKEY *key, const char *id, const char *name, time_t after)
{
	char own[CA_ID_SIZE], dns[DEVICE_NAME_SIZE], names[DEVICE_NAME_SIZE + 8];
	char clean[CERTIFICATE_NAME_MAX + 1];
	const struct certificate_extension extensions[] = CERTIFICATE_OF_BOTH_ENDS(names);
	struct certificate_form form = { .common_name = clean, .key = key, .extensions = extensions };

	if (!hex_id(key, own) || strcmp(own, id) != 0) {
		ERR_clear_error();
		log_error("a Device's certificate is not issued: its key is not the one of its id");
		return NULL;
	}
	if (!choose_start(after, &form.from))
		return NULL;
	device_name(id, dns);
	snprintf(names, sizeof(names), "DNS:%s", dns);
	text_clean(*name ? name : "KVMnet Device", clean, sizeof(clean));
	return issue(ca, &form);
}

/* ---- judging ---- */

/* Time is judged apart, to say it in words. A start in the future is let pass: it was set here, so it is this
 * machine's clock that was set back, and links must outlive that. */
static bool certified(const struct ca *ca, X509 *peer)
{
	X509_STORE *trusted = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = trusted && ctx && X509_STORE_add_cert(trusted, ca_certificate(ca)) == 1 &&
		  X509_STORE_CTX_init(ctx, trusted, peer, NULL) == 1;

	if (ok) {
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT);
		ok = X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1 &&
		     X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(trusted);
	return ok;
}

static bool names_key(X509 *peer, char id[CA_ID_SIZE])
{
	const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
	char name[DEVICE_NAME_SIZE];

	if (!hex_id(X509_get0_pubkey(peer), id))
		return false;
	device_name(id, name);
	return X509_check_host(peer, name, 0, flags, NULL) == 1;
}

enum ca_verdict ca_judge_device(const struct ca *ca, X509 *peer, char id[CA_ID_SIZE], time_t *ended)
{
	/* A purpose alone also passes certificates that say nothing of their use: those are none of ours. */
	uint32_t use = peer ? X509_get_extended_key_usage(peer) : UINT32_MAX;
	bool ours = use != UINT32_MAX && (use & XKU_SSL_CLIENT) && certified(ca, peer) && names_key(peer, id);

	ERR_clear_error();
	if (!ours) {
		id[0] = '\0';
		return CA_NOT_OURS;
	}
	*ended = ca_ends(peer);
	return *ended < time(NULL) ? CA_EXPIRED : CA_OK;
}
