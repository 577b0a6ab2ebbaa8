// SPDX-License-Identifier: GPL-2.0-or-later
/* The members of the directory's settings and their bounds. Distinguished names are libldap's to judge. */
#include "manager/directory_settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldap.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/body.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Text of 1 to size - 1 bytes; with optional also "". */
static bool take(const json_t *json, const char *name, char *text, size_t size, bool optional)
{
	const json_t *member = json_object_get(json, name);
	size_t len = json_string_length(member);

	if (!json_is_string(member) || len >= size || (!len && !optional) ||
	    strlen(json_string_value(member)) != len)
		return false;
	memcpy(text, json_string_value(member), len + 1);
	return true;
}

static bool take_dn(const json_t *json, const char *name, char *text, bool optional)
{
	LDAPDN dn = NULL;
	bool good;

	if (!take(json, name, text, DIRECTORY_DN_SIZE, optional))
		return false;
	if (!*text)
		return true;
	good = ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && dn;
	ldap_dnfree(dn);
	return good;
}

/* "HOST", "HOST:PORT" or "[IPV6]:PORT", and nothing behind it: what else a URL can have, these settings have. */
static bool take_host(const char *text, char *host)
{
	bool bracket = *text == '[';
	size_t len = strspn(text + bracket, bracket ? "0123456789abcdefABCDEF:." : LETTERS DIGITS ".-");
	const char *rest = text + bracket + len;
	uint64_t port;

	if (!len || len >= DIRECTORY_HOST_SIZE || (bracket && *rest++ != ']'))
		return false;
	memcpy(host, text + bracket, len);
	host[len] = '\0';
	/* libldap would ask its certificate for this machine's own name. */
	if (!strcasecmp(host, "localhost"))
		return false;
	return !*rest || (*rest == ':' && body_number(rest + 1, strlen(rest + 1), UINT16_MAX, &port) && port);
}

static bool take_url(const json_t *json, struct directory_settings *settings)
{
	const char *url = settings->url;

	if (!take(json, "url", settings->url, sizeof(settings->url), false))
		return false;
	settings->ldaps = !strncmp(url, "ldaps://", 8);
	if (!settings->ldaps && strncmp(url, "ldap://", 7))
		return false;
	return take_host(url + (settings->ldaps ? 8 : 7), settings->host);
}

/* libcrypto would ask the console for one. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

/* One or more certificates, each of which can be read. */
static bool take_ca(const json_t *json, struct directory_settings *settings)
{
	unsigned count = 0;
	BIO *bio = NULL;
	X509 *one;
	bool all;

	if (take(json, "ca", settings->ca, sizeof(settings->ca), false))
		bio = BIO_new_mem_buf(settings->ca, -1);
	if (!bio)
		return false;
	for (; (one = PEM_read_bio_X509(bio, NULL, no_password, NULL)); count++)
		X509_free(one);
	all = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	return count && all;
}

/* One filter in its brackets: what is put beside it must not end up within it. Brackets in values are \28 and \29
 * (RFC 4515 section 3), so all that are there count. */
static bool take_filter(const json_t *json, struct directory_settings *settings)
{
	unsigned depth = 0;

	if (!take(json, "filter", settings->filter, sizeof(settings->filter), false) ||
	    settings->filter[0] != '(')
		return false;
	for (const char *at = settings->filter; *at; at++) {
		if (*at == '(')
			depth++;
		if (*at == ')' && !--depth)
			return !at[1];
	}
	return false;
}

/* A short name of RFC 4512 section 2.5: it becomes part of filters. */
static bool take_attribute(const json_t *json, struct directory_settings *settings)
{
	const char *name = settings->name_attribute;

	return take(json, "name_attribute", settings->name_attribute, sizeof(settings->name_attribute),
		    false) &&
	       strspn(name, LETTERS) && strspn(name, LETTERS DIGITS "-") == strlen(name);
}

static bool take_type(const json_t *json, struct directory_settings *settings)
{
	const char *name = json_string_value(json_object_get(json, "type"));

	if (name && !strcmp(name, "user"))
		settings->type = ACCOUNT_USER;
	if (name && !strcmp(name, "viewonly"))
		settings->type = ACCOUNT_VIEWONLY;
	return settings->type;
}

static bool take_groups(const json_t *json, struct directory_settings *settings)
{
	const json_t *list = json_object_get(json, "groups"), *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > DIRECTORY_GROUPS_MAX)
		return false;
	json_array_foreach(list, i, entry)
	{
		const json_t *group = json_object_get(entry, "group");

		if (json_object_size(entry) != 2 || !json_is_integer(group) ||
		    json_integer_value(group) < 1 ||
		    !take_dn(entry, "directory", settings->groups[i].dn, false))
			return false;
		settings->groups[i].group = json_integer_value(group);
	}
	settings->group_count = (unsigned)json_array_size(list);
	return true;
}

static const char *fill(const json_t *json, struct directory_settings *settings)
{
	if (json_object_size(json) != 10)
		return "The settings of the directory are url, ca, bind_dn, bind_password, base, filter, group, "
		       "name_attribute, type and groups, and nothing else.";
	if (!take_url(json, settings))
		return "The member url must be ldap://HOST or ldaps://HOST, which may be followed by :PORT; with "
		       "ldap:// StartTLS is used. For localhost write the name of this machine.";
	if (!take_ca(json, settings))
		return "The member ca must be the PEM certificates, up to 32 KiB, of the authorities that the "
		       "directory's certificate may come from.";
	if (!take_dn(json, "bind_dn", settings->bind_dn, false) ||
	    !take(json, "bind_password", settings->bind_password, sizeof(settings->bind_password), false))
		return "The members bind_dn and bind_password must be the distinguished name and the password that "
		       "this Manager reads the directory with. The password may be left out while url, ca and "
		       "bind_dn stay as they are.";
	if (!take_dn(json, "base", settings->base, false))
		return "The member base must be the distinguished name of the entry below which people are.";
	if (!take_filter(json, settings))
		return "The member filter must be one LDAP filter in brackets, such as (objectClass=person).";
	if (!take_dn(json, "group", settings->group, true))
		return "The member group must be the distinguished name of a group of the directory, or empty.";
	if (!take_attribute(json, settings))
		return "The member name_attribute must be the attribute with the name that a person logs in with, "
		       "such as uid or sAMAccountName.";
	if (!take_type(json, settings))
		return "The member type, of accounts that are new, must be user or viewonly.";
	if (!take_groups(json, settings))
		return "The member groups must be a list of up to 64 objects with directory, the distinguished name "
		       "of a group there, and group, the number of a User Group.";
	return NULL;
}

struct directory_settings *directory_settings_new(const json_t *json, const char **wrong)
{
	struct directory_settings *settings = calloc(1, sizeof(*settings));

	*wrong = settings ? fill(json, settings) : "The Manager is out of memory.";
	if (!*wrong)
		return settings;
	directory_settings_free(settings);
	return NULL;
}

void directory_settings_free(struct directory_settings *settings)
{
	if (settings)
		OPENSSL_cleanse(settings, sizeof(*settings));
	free(settings);
}

bool directory_settings_may_keep(const json_t *old, const json_t *fresh)
{
	static const char *const names[] = { "url", "ca", "bind_dn" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!json_equal(json_object_get(old, names[i]), json_object_get(fresh, names[i])))
			return false;
	return true;
}
