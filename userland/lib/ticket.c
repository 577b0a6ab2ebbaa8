// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JWTs (RFC 7519) of one kind: signed with Ed25519 (RFC 8037), and nothing else
 * that a header might ask for. What may be done with one is its reader's.
 */
#include "lib/ticket.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/base64.h"

#define RAW_KEY_SIZE 32
#define SIGNATURE_SIZE 64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	unsigned right;
	const char *name;
} rights[] = {
	{ TICKET_VIEW, "view" },   { TICKET_CONTROL, "control" },     { TICKET_MEDIA, "media" },
	{ TICKET_POWER, "power" }, { TICKET_EXCLUSIVE, "exclusive" },
};

static bool text_valid(const char *text)
{
	size_t len = strlen(text);

	if (!len || len >= TICKET_NAME_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool hash_valid(const char *text)
{
	return strlen(text) == TICKET_HASH_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == TICKET_HASH_SIZE - 1;
}

static bool ticket_valid(const struct ticket *ticket)
{
	return hash_valid(ticket->manager) && hash_valid(ticket->device) && text_valid(ticket->user) &&
	       text_valid(ticket->target) && ticket->rights & TICKET_VIEW && ticket->issued > 0 &&
	       ticket->expires > ticket->issued && ticket->expires - ticket->issued <= TICKET_LONGEST_S;
}

/* ---- keys ---- */

static bool raw_key(EVP_PKEY *key, uint8_t raw[RAW_KEY_SIZE])
{
	size_t len = RAW_KEY_SIZE;

	return EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, raw, &len) == 1;
}

/* RFC 7638: the SHA-256 of the key's needed members, in order and without blanks. */
static bool thumbprint(const uint8_t raw[RAW_KEY_SIZE], char kid[TICKET_KID_SIZE])
{
	static const char head[] = "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"";
	char text[sizeof(head) + BASE64_LENGTH(RAW_KEY_SIZE) + 2];
	uint8_t hash[EVP_MAX_MD_SIZE];

	memcpy(text, head, sizeof(head) - 1);
	base64_encode(raw, RAW_KEY_SIZE, text + sizeof(head) - 1);
	strcat(text, "\"}");
	if (!EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL))
		return false;
	base64_encode(hash, 32, kid);
	return true;
}

json_t *ticket_keys_json(EVP_PKEY *key)
{
	char x[BASE64_LENGTH(RAW_KEY_SIZE) + 1], kid[TICKET_KID_SIZE];
	uint8_t raw[RAW_KEY_SIZE];

	if (!raw_key(key, raw) || !thumbprint(raw, kid))
		return NULL;
	base64_encode(raw, sizeof(raw), x);
	return json_pack("{s:[{s:s, s:s, s:s, s:s, s:s}]}", "keys", "kty", "OKP", "crv", "Ed25519", "use",
			 "sig", "kid", kid, "x", x);
}

static bool is(const json_t *object, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && !strcmp(text, value);
}

static bool add_key(struct ticket_keys *keys, const json_t *jwk)
{
	struct ticket_key *key = &keys->key[keys->count];
	const json_t *x = json_object_get(jwk, "x");
	uint8_t raw[RAW_KEY_SIZE];
	size_t len;

	if (!is(jwk, "kty", "OKP") || !is(jwk, "crv", "Ed25519") || !json_is_string(x) ||
	    !base64_decode(json_string_value(x), json_string_length(x), raw, sizeof(raw), &len) ||
	    len != sizeof(raw) || !thumbprint(raw, key->kid) || !is(jwk, "kid", key->kid))
		return false;
	key->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
	keys->count += !!key->key;
	return key->key;
}

const char *ticket_keys_parse(const json_t *set, struct ticket_keys *keys)
{
	const json_t *list = json_object_get(set, "keys"), *jwk;
	size_t i;

	memset(keys, 0, sizeof(*keys));
	if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > TICKET_KEYS_MAX)
		return "A set of keys for Tickets has 1 to 4 keys.";
	json_array_foreach(list, i, jwk)
	{
		if (add_key(keys, jwk))
			continue;
		ticket_keys_clear(keys);
		return "A key for Tickets is an Ed25519 key (RFC 8037) with its thumbprint (RFC 7638) as kid.";
	}
	return NULL;
}

void ticket_keys_clear(struct ticket_keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->key[i].key);
	memset(keys, 0, sizeof(*keys));
}

/* ---- signing ---- */

/* Appends the JSON as base64url; takes json. */
static bool append(char *text, json_t *json)
{
	char *plain = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t used = strlen(text);
	bool fits = plain &&
		    used + BASE64_LENGTH(strlen(plain)) + 2 + BASE64_LENGTH(SIGNATURE_SIZE) < TICKET_SIZE;

	if (fits)
		base64_encode((const uint8_t *)plain, strlen(plain), text + used);
	free(plain);
	json_decref(json);
	return fits;
}

json_t *ticket_rights_json(unsigned given)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < COUNT(rights); i++)
		if (given & rights[i].right)
			json_array_append_new(list, json_string(rights[i].name));
	return list;
}

static json_t *claims_of(const struct ticket *ticket)
{
	char id[BASE64_LENGTH(TICKET_ID_BYTES) + 1];

	base64_encode(ticket->id, TICKET_ID_BYTES, id);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "iss", ticket->manager, "aud",
			 ticket->device, "sub", ticket->user, "target", ticket->target, "jti", id, "iat",
			 (json_int_t)ticket->issued, "exp", (json_int_t)ticket->expires, "rights",
			 ticket_rights_json(ticket->rights));
}

static bool append_signature(char *text, EVP_PKEY *key)
{
	uint8_t signature[SIGNATURE_SIZE];
	size_t len = sizeof(signature), used = strlen(text);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text, used) == 1 &&
		  len == sizeof(signature);

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return false;
	text[used] = '.';
	base64_encode(signature, sizeof(signature), text + used + 1);
	return true;
}

char *ticket_sign(const struct ticket *ticket, EVP_PKEY *key)
{
	char *text = calloc(1, TICKET_SIZE), kid[TICKET_KID_SIZE];
	uint8_t raw[RAW_KEY_SIZE];
	bool ok = text && ticket_valid(ticket) && raw_key(key, raw) && thumbprint(raw, kid) &&
		  append(text, json_pack("{s:s, s:s, s:s}", "alg", "EdDSA", "kid", kid, "typ", "JWT"));

	if (ok)
		text[strlen(text)] = '.';
	if (ok && append(text, claims_of(ticket)) && append_signature(text, key))
		return text;
	free(text);
	return NULL;
}

/* ---- checking ---- */

/* The JSON object between two dots; NULL: it is none. */
static json_t *part(const char *text, size_t len)
{
	uint8_t plain[TICKET_SIZE];
	size_t plain_len;
	json_t *json = NULL;

	if (base64_decode(text, len, plain, sizeof(plain), &plain_len))
		json = json_loadb((const char *)plain, plain_len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

/* The one that the header names. A header that asks for anything else asks for something that we do not do. */
static EVP_PKEY *key_of(const json_t *header, const struct ticket_keys *keys, const char **wrong)
{
	*wrong = "The Ticket is not one of the kind that this Device takes.";
	if (!is(header, "alg", "EdDSA") || !is(header, "typ", "JWT") || json_object_size(header) != 3 ||
	    !json_is_string(json_object_get(header, "kid")))
		return NULL;
	*wrong = "The Ticket is signed with a key that this Device does not know.";
	for (unsigned i = 0; i < keys->count; i++)
		if (is(header, "kid", keys->key[i].kid))
			return keys->key[i].key;
	return NULL;
}

static bool signed_by(EVP_PKEY *key, const char *text, size_t len, const char *signature,
		      size_t signature_len)
{
	uint8_t bytes[SIGNATURE_SIZE];
	size_t bytes_len;
	EVP_MD_CTX *ctx;
	bool ok;

	if (!base64_decode(signature, signature_len, bytes, sizeof(bytes), &bytes_len) ||
	    bytes_len != sizeof(bytes))
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, bytes, sizeof(bytes), (const uint8_t *)text, len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool take_text(const json_t *claims, const char *name, char *to, size_t size)
{
	const json_t *value = json_object_get(claims, name);

	if (!json_is_string(value) || json_string_length(value) >= size ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return false;
	memcpy(to, json_string_value(value), json_string_length(value) + 1);
	return true;
}

static bool take_id(const json_t *claims, uint8_t id[TICKET_ID_BYTES])
{
	const json_t *value = json_object_get(claims, "jti");
	size_t len;

	return json_is_string(value) &&
	       base64_decode(json_string_value(value), json_string_length(value), id, TICKET_ID_BYTES,
			     &len) &&
	       len == TICKET_ID_BYTES;
}

/* What a later version permits beyond these, this one does not give. */
static bool take_rights(const json_t *claims, unsigned *taken)
{
	const json_t *list = json_object_get(claims, "rights"), *entry;
	size_t i;

	*taken = 0;
	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, entry)
	{
		const char *name = json_string_value(entry);

		if (!name)
			return false;
		for (unsigned k = 0; k < COUNT(rights); k++)
			if (!strcmp(rights[k].name, name))
				*taken |= rights[k].right;
	}
	return true;
}

static bool take(const json_t *claims, struct ticket *ticket)
{
	const json_t *issued = json_object_get(claims, "iat"), *expires = json_object_get(claims, "exp");

	memset(ticket, 0, sizeof(*ticket));
	ticket->issued = json_integer_value(issued);
	ticket->expires = json_integer_value(expires);
	/* Bounds first: their difference is computed. */
	if (ticket->issued <= 0 || ticket->expires <= 0)
		return false;
	return take_text(claims, "iss", ticket->manager, sizeof(ticket->manager)) &&
	       take_text(claims, "aud", ticket->device, sizeof(ticket->device)) &&
	       take_text(claims, "sub", ticket->user, sizeof(ticket->user)) &&
	       take_text(claims, "target", ticket->target, sizeof(ticket->target)) &&
	       take_id(claims, ticket->id) && take_rights(claims, &ticket->rights) && ticket_valid(ticket);
}

static const char *judge(const struct ticket *ticket, const struct ticket_scope *scope)
{
	if (strcmp(ticket->manager, scope->manager))
		return "The Ticket comes from another Manager than this Device's.";
	if (strcmp(ticket->device, scope->device))
		return "The Ticket is for another Device.";
	if (ticket->issued - TICKET_SKEW_S > scope->now)
		return "The Ticket is not valid yet: the clocks of Manager and Device differ by more than 30 seconds.";
	if (ticket->expires + TICKET_SKEW_S <= scope->now)
		return "The Ticket has expired: open the Target in the Manager again.";
	return NULL;
}

const char *ticket_check(const char *text, size_t len, const struct ticket_scope *scope,
			 struct ticket *ticket)
{
	const char *end = text + len, *dot = memchr(text, '.', len);
	const char *second = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
	const char *wrong = "This is no Ticket: open the Target in the Manager.";
	json_t *header, *claims;
	EVP_PKEY *key;

	memset(ticket, 0, sizeof(*ticket));
	if (len >= TICKET_SIZE || !second || !(header = part(text, (size_t)(dot - text))))
		return wrong;
	key = key_of(header, scope->keys, &wrong);
	json_decref(header);
	if (!key)
		return wrong;
	if (!signed_by(key, text, (size_t)(second - text), second + 1, (size_t)(end - second - 1)))
		return "The Ticket's signature is wrong.";
	claims = part(dot + 1, (size_t)(second - dot - 1));
	wrong = claims && take(claims, ticket) ? judge(ticket, scope) :
						 "The Ticket does not say all that a Ticket says.";
	json_decref(claims);
	if (wrong)
		memset(ticket, 0, sizeof(*ticket));
	return wrong;
}
