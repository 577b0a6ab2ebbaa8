// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Form, judgement and file of an adoption. The file is the body that brought it, and one flag.
 */
#include "device/adoption.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/log.h"
#include "lib/state.h"

#define FILE_NAME "adoption"
#define PORT 443
#define MEMBERS 4

/* ---- form ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);

	/* A NUL inside would make it another text for whoever reads it in C. */
	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= ADOPTION_NAME_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

static bool host_valid(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	struct in6_addr six;

	return *host &&
	       (host[strspn(host, letters)] == '\0' ? *host != '-' : inet_pton(AF_INET6, host, &six) == 1);
}

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned long number;
	char *end;

	if (*text < '1' || *text > '9')
		return false;
	number = strtoul(text, &end, 10);
	*port = (uint16_t)number;
	return !*end && number <= UINT16_MAX;
}

bool adoption_parse_address(const char *text, struct adoption_address *address)
{
	const char *host = text, *end = text + strlen(text), *colon = strchr(text, ':');

	address->port = PORT;
	if (*text == '[') {
		host++;
		end = strchr(text, ']');
		if (!end || !memchr(host, ':', (size_t)(end - host)) || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL; /* an IPv6 address alone */
	} else if (colon) {
		end = colon;
	}
	if (end == host || end - host >= ADOPTION_HOST_SIZE ||
	    (colon && !parse_port(colon + 1, &address->port)))
		return false;
	memcpy(address->host, host, (size_t)(end - host));
	address->host[end - host] = '\0';
	return host_valid(address->host);
}

static bool take_addresses(const json_t *list, struct adoption *adoption)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > ADOPTION_ADDRESSES)
		return false;
	json_array_foreach(list, i, entry)
	{
		const char *text = json_string_value(entry);

		if (!text || strlen(text) != json_string_length(entry) ||
		    !adoption_parse_address(text, &adoption->address[i]))
			return false;
		adoption->address_count++;
	}
	return true;
}

static X509 *take_certificate(const json_t *body, const char *name)
{
	const char *text = text_of(body, name);

	return text ? certificate_parse(text, strlen(text)) : NULL;
}

static bool id_valid(const char *id)
{
	return strlen(id) == ADOPTION_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == ADOPTION_ID_SIZE - 1;
}

static const char *take(const json_t *body, struct adoption *adoption)
{
	const json_t *manager = json_object_get(body, "manager");
	const char *id = text_of(manager, "id"), *name = text_of(manager, "name");

	if (json_object_size(body) != MEMBERS)
		return "The object has too many or too few members.";
	if (!id || !id_valid(id) || !name || !name_valid(name))
		return "The member manager must have an id, 64 hexadecimal digits, and a name of 1 to 64 bytes.";
	strcpy(adoption->id, id);
	strcpy(adoption->name, name);
	adoption->ca = take_certificate(body, "ca");
	adoption->certificate = take_certificate(body, "certificate");
	if (!adoption->ca || !adoption->certificate)
		return "The members ca and certificate must each be a certificate in PEM.";
	if (!take_addresses(json_object_get(body, "addresses"), adoption))
		return "The member addresses must be a list of 1 to 8 of the Manager's host names or addresses.";
	return NULL;
}

const char *adoption_parse(const json_t *body, struct adoption **adoption)
{
	const char *wrong;

	*adoption = calloc(1, sizeof(**adoption));
	if (!*adoption)
		return "The Device is out of memory.";
	wrong = json_is_object(body) ? take(body, *adoption) : "The body must be one JSON object.";
	if (!wrong)
		return NULL;
	adoption_free(*adoption);
	*adoption = NULL;
	return wrong;
}

void adoption_free(struct adoption *adoption)
{
	if (!adoption)
		return;
	X509_free(adoption->ca);
	X509_free(adoption->certificate);
	free(adoption);
}

/* ---- judgement ---- */

void adoption_hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

bool adoption_device_name(EVP_PKEY *key, char name[ADOPTION_DEVICE_SIZE])
{
	uint8_t id[CERTIFICATE_ID_SIZE];

	if (!certificate_id(key, id))
		return false;
	adoption_hex(id, CERTIFICATE_ID_SIZE / 2, name);
	strcat(name, ".device.kvmnet.internal");
	return true;
}

static const char *judge_ca(const struct adoption *adoption)
{
	uint8_t hash[CERTIFICATE_ID_SIZE];
	char id[ADOPTION_ID_SIZE];
	EVP_PKEY *key = X509_get0_pubkey(adoption->ca);

	if (!key || X509_check_ca(adoption->ca) != 1 || X509_verify(adoption->ca, key) != 1)
		return "The certificate of the Manager's CA is none of a CA that signed itself.";
	if (!certificate_id(key, hash))
		return "The certificate of the Manager's CA has no usable key.";
	adoption_hex(hash, sizeof(hash), id);
	return strcmp(id, adoption->id) ? "The Manager's id is not that of its CA's key." : NULL;
}

static const char *verify_text(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "The certificate for this Device, or the Manager's CA, has expired. Is the clock right here and there?";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "The certificate for this Device, or the Manager's CA, is not valid yet. Is the clock right here and "
		       "there?";
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return "The certificate names another Device.";
	case X509_V_ERR_INVALID_PURPOSE:
		return "The certificate is not one to log in to a Manager with.";
	default:
		return "The certificate was not issued by the Manager's CA.";
	}
}

/* By that CA and no other, directly; as what a Device shows to its Manager. */
static bool set_up(X509_STORE_CTX *ctx, X509_STORE *store, const struct adoption *adoption, const char *name,
		   time_t now)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_add_cert(store, adoption->ca) != 1 ||
	    X509_STORE_CTX_init(ctx, store, adoption->certificate, NULL) != 1)
		return false;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_depth(param, 0);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (now == certificate_now())
		X509_VERIFY_PARAM_set_time(param, now);
	else
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
	return X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) == 1 &&
	       X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

static const char *judge_certificate(const struct adoption *adoption, const char *name, time_t now)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const char *wrong = "The Device is out of memory.";

	if (store && ctx && set_up(ctx, store, adoption, name, now))
		wrong = X509_verify_cert(ctx) == 1 ? NULL : verify_text(X509_STORE_CTX_get_error(ctx));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return wrong;
}

const char *adoption_judge(const struct adoption *adoption, EVP_PKEY *own, time_t now)
{
	const char *wrong = judge_ca(adoption);
	EVP_PKEY *key = X509_get0_pubkey(adoption->certificate);
	char name[ADOPTION_DEVICE_SIZE];

	ERR_clear_error();
	if (wrong)
		return wrong;
	if (!key || EVP_PKEY_eq(key, own) != 1)
		return "The certificate is for another key than this Device's.";
	if (!adoption_device_name(own, name))
		return "The Device is out of memory.";
	return judge_certificate(adoption, name, now);
}

/* By the key: in 20 years the certificate is another. */
bool adoption_same_authority(const struct adoption *adoption, const struct adoption *before)
{
	return before && EVP_PKEY_eq(X509_get0_pubkey(adoption->ca), X509_get0_pubkey(before->ca)) == 1;
}

bool adoption_renews(const struct adoption *adoption, const struct adoption *before)
{
	return adoption_same_authority(adoption, before) &&
	       ASN1_TIME_compare(X509_get0_notBefore(adoption->certificate),
				 X509_get0_notBefore(before->certificate)) > 0;
}

/* ---- file ---- */

json_t *adoption_addresses_json(const struct adoption_address *address, unsigned count)
{
	json_t *list = json_array();

	for (; list && count; count--, address++) {
		char text[ADOPTION_HOST_SIZE + 10];

		snprintf(text, sizeof(text), strchr(address->host, ':') ? "[%s]:%u" : "%s:%u", address->host,
			 address->port);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *json_of(const struct adoption *adoption)
{
	char *ca = certificate_text(adoption->ca), *certificate = certificate_text(adoption->certificate);
	json_t *json = NULL;

	if (ca && certificate)
		json = json_pack("{s:{s:s, s:s}, s:s, s:s, s:o, s:b}", "manager", "id", adoption->id, "name",
				 adoption->name, "ca", ca, "certificate", certificate, "addresses",
				 adoption_addresses_json(adoption->address, adoption->address_count),
				 "sole_owner", adoption->sole_owner);
	free(ca);
	free(certificate);
	return json;
}

int adoption_store(const char *state_dir, const struct adoption *adoption)
{
	json_t *json = json_of(adoption);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	bool fits = text && strlen(text) <= ADOPTION_TEXT_MAX;
	int result = fits ? state_write(state_dir, FILE_NAME, text, strlen(text)) : -1;

	if (!text)
		log_error("adoption: out of memory");
	else if (!fits)
		log_error("adoption: what the Manager brought is too large to be kept");
	json_decref(json);
	free(text);
	return result;
}

/* A file that cannot be understood is not taken for "no Manager": the next comer could have the Device. */
int adoption_load(const char *state_dir, struct adoption **adoption)
{
	const char *wrong = "it is no JSON";
	size_t len;
	char *text = state_read(state_dir, FILE_NAME, ADOPTION_TEXT_MAX, &len);
	bool sole_owner;
	json_t *json;

	*adoption = NULL;
	if (!text)
		return errno == ENOENT ? 0 : -1;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	sole_owner = json_is_true(json_object_get(json, "sole_owner"));
	json_object_del(json, "sole_owner");
	if (json)
		wrong = adoption_parse(json, adoption);
	if (*adoption)
		(*adoption)->sole_owner = sole_owner;
	json_decref(json);
	if (!wrong)
		return 0;
	log_error("%s/" FILE_NAME
		  " is damaged (%s): put it back from a backup, or remove it and adopt this Device anew",
		  state_dir, wrong);
	return -1;
}

int adoption_forget(const char *state_dir)
{
	return state_remove(state_dir, FILE_NAME);
}
