// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections by libldap, in its GnuTLS build (Debian 12) and its OpenSSL build (13), which differ in what they are
 * told and in how little they tell of a certificate that is refused. What is asked is directory.c's. */
#include "manager/directory_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/log.h"
#include "manager/text.h"

#define NAMES_SIZE 128
#define MESSAGE_MAX (16u << 20) /* bytes: a group of very many */
/* GnuTLS's own words (gnutls_priority_init(3)). */
#define GNUTLS_VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

bool directory_link_prepare(void)
{
	int version = 0;

	return !setenv("LDAPNOINIT", "1", 1) &&
	       ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS;
}

enum directory_result directory_link_fail(struct directory_link *link, const char *doing, int error)
{
	char *said = NULL, clean[256] = "";

	if (link->ldap)
		ldap_get_option(link->ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	if (said)
		text_clean(said, clean, sizeof(clean));
	ldap_memfree(said);
	snprintf(link->why, sizeof(link->why), "The directory %s: %s: %s%s%s%s.", link->settings->url, doing,
		 ldap_err2string(error), *clean ? " (" : "", clean, *clean ? ")" : "");
	return DIRECTORY_FAILED;
}

/* ---- connecting ---- */

/* Before anything comes. libldap makes room for as much as a message's head says that there is; and its OpenSSL build
 * would wait for the second half of a TLS record for ever. */
static int bound(LDAP *ldap, Sockbuf *buffer, LDAPURLDesc *server, struct sockaddr *address,
		 struct ldap_conncb *callback)
{
	const struct timeval wait = { .tv_sec = DIRECTORY_WAIT_S };
	ber_len_t most = MESSAGE_MAX;
	ber_socket_t fd = -1;

	(void)ldap, (void)server, (void)address, (void)callback;
	return ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most) != 1 ||
			       ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &fd) != 1 ||
			       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
			       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ?
		       -1 :
		       0;
}

static void unbound(LDAP *ldap, Sockbuf *buffer, struct ldap_conncb *callback)
{
	(void)ldap, (void)buffer, (void)callback;
}

static struct ldap_conncb bounds = { .lc_add = bound, .lc_del = unbound };

static bool is_gnutls(void)
{
	char *name = NULL;
	bool gnutls;

	ldap_get_option(NULL, LDAP_OPT_X_TLS_PACKAGE, &name);
	gnutls = name && !strcmp(name, "GnuTLS");
	ldap_memfree(name);
	return gnutls;
}

/* The context is made last, of all that was set before. */
static bool set_up_tls(LDAP *ldap, const char *ca_file, int require)
{
	const int oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, san = LDAP_OPT_X_TLS_TRY, client = 0;

	return ldap_set_option(ldap, LDAP_OPT_X_TLS_CACERTFILE, ca_file) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &require) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ldap, LDAP_OPT_X_TLS_REQUIRE_SAN, &san) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ldap, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest) == LDAP_OPT_SUCCESS &&
	       (!is_gnutls() ||
		ldap_set_option(ldap, LDAP_OPT_X_TLS_CIPHER_SUITE, GNUTLS_VERSIONS) == LDAP_OPT_SUCCESS) &&
	       ldap_set_option(ldap, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

/* The peer has a certificate as require has it: LDAP_OPT_X_TLS_DEMAND, or for a look at it LDAP_OPT_X_TLS_NEVER. */
static int connect_to(LDAP **ldap, const struct directory_settings *settings, const char *ca_file,
		      int require)
{
	const struct timeval wait = { .tv_sec = DIRECTORY_WAIT_S };
	const int version = LDAP_VERSION3;
	int error = ldap_initialize(ldap, settings->url);

	if (error)
		return error;
	if (ldap_set_option(*ldap, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(*ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(*ldap, LDAP_OPT_NETWORK_TIMEOUT, &wait) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(*ldap, LDAP_OPT_TIMEOUT, &wait) != LDAP_OPT_SUCCESS ||
	    ldap_set_option(*ldap, LDAP_OPT_CONNECT_CB, &bounds) != LDAP_OPT_SUCCESS ||
	    !set_up_tls(*ldap, ca_file, require))
		return LDAP_LOCAL_ERROR;
	return settings->ldaps ? ldap_connect(*ldap) : ldap_start_tls_s(*ldap, NULL, NULL);
}

/* ---- what is wrong with a certificate ---- */

static void list_names(X509 *certificate, char names[NAMES_SIZE])
{
	GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	char clean[NAMES_SIZE];
	size_t used = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);

		if (name->type != GEN_DNS)
			continue;
		text_clean((const char *)ASN1_STRING_get0_data(name->d.dNSName), clean, sizeof(clean));
		if (used + strlen(clean) + 3 > NAMES_SIZE)
			break;
		used += (size_t)snprintf(names + used, NAMES_SIZE - used, "%s%s", used ? ", " : "", clean);
	}
	if (!used)
		snprintf(names, NAMES_SIZE, "none");
	GENERAL_NAMES_free(list);
}

static void name_issuer(X509 *certificate, char name[NAMES_SIZE])
{
	char text[NAMES_SIZE] = "";

	X509_NAME_oneline(X509_get_issuer_name(certificate), text, sizeof(text));
	text_clean(text, name, NAMES_SIZE);
}

static X509_STORE *store_of(const char *ca)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(ca, -1);
	X509 *one;

	while (store && bio && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		X509_STORE_add_cert(store, one);
		X509_free(one);
	}
	ERR_clear_error();
	BIO_free(bio);
	return store;
}

/* As TLS would: an X509_V_ERR. */
static int judge(X509 *certificate, const struct directory_settings *settings)
{
	X509_STORE *store = store_of(settings->ca);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int error = X509_V_ERR_OUT_OF_MEM;

	if (store && ctx && X509_STORE_CTX_init(ctx, store, certificate, NULL) == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
		if (X509_VERIFY_PARAM_set1_ip_asc(param, settings->host) != 1)
			X509_VERIFY_PARAM_set1_host(param, settings->host, 0);
		X509_verify_cert(ctx);
		error = X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return error;
}

static void say_of_certificate(struct directory_link *link, X509 *certificate)
{
	const struct directory_settings *settings = link->settings;
	int error = judge(certificate, settings);
	char names[NAMES_SIZE] = "";

	switch (error) {
	case X509_V_OK:
		return; /* then it was something else: what libldap says is all there is */
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(link->why, sizeof(link->why),
			 "The directory %s has a certificate that has expired: give it a new one.",
			 settings->url);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		snprintf(
			link->why, sizeof(link->why),
			"The directory %s has a certificate that is not valid yet: check the clocks of both machines.",
			settings->url);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		list_names(certificate, names);
		snprintf(
			link->why, sizeof(link->why),
			"The directory %s has a certificate for other names (%s): write one of these in the url, or give it a certificate for %s.",
			settings->url, names, settings->host);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		name_issuer(certificate, names);
		snprintf(
			link->why, sizeof(link->why),
			"The directory %s has a certificate of an authority that is not in the settings (%s): make sure that it is your directory, then add that authority's certificate to ca.",
			settings->url, names);
		break;
	default:
		snprintf(link->why, sizeof(link->why),
			 "The directory %s has a certificate that is not good: %s.", settings->url,
			 X509_verify_cert_error_string(error));
	}
}

/* libldap gives one code for whatever is wrong with TLS: so the certificate is fetched by a connection that is used for
 * nothing else, and on which nothing is sent. */
static void explain(struct directory_link *link, const char *ca_file)
{
	LDAP *look = NULL;
	struct berval der = { 0 };

	if (!connect_to(&look, link->settings, ca_file, LDAP_OPT_X_TLS_NEVER) &&
	    ldap_get_option(look, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val) {
		const unsigned char *at = (const unsigned char *)der.bv_val;
		X509 *certificate = d2i_X509(NULL, &at, (long)der.bv_len);

		if (certificate)
			say_of_certificate(link, certificate);
		X509_free(certificate);
	}
	ber_memfree(der.bv_val);
	if (look)
		ldap_unbind_ext_s(look, NULL, NULL);
}

/* ---- the link ---- */

static bool maybe_tls(int error)
{
	return error == LDAP_CONNECT_ERROR || error == LDAP_SERVER_DOWN || error == LDAP_LOCAL_ERROR;
}

enum directory_result directory_link_open(struct directory_link *link,
					  const struct directory_settings *settings, const char *ca_file)
{
	enum directory_result result;
	int error;

	memset(link, 0, sizeof(*link));
	link->settings = settings;
	error = connect_to(&link->ldap, settings, ca_file, LDAP_OPT_X_TLS_DEMAND);
	if (error) {
		directory_link_fail(
			link,
			settings->ldaps ?
				"it cannot be reached, or TLS 1.2 or newer cannot be agreed with it" :
				"it cannot be reached, or StartTLS with TLS 1.2 or newer cannot be agreed with it",
			error);
		directory_link_close(link);
		if (maybe_tls(error))
			explain(link, ca_file);
		return DIRECTORY_FAILED;
	}
	result = directory_link_bind(link, settings->bind_dn, settings->bind_password);
	if (result != DIRECTORY_WRONG)
		return result;
	snprintf(
		link->why, sizeof(link->why),
		"The directory %s does not take this Manager's own name and password: correct bind_dn and bind_password.",
		settings->url);
	return DIRECTORY_FAILED;
}

void directory_link_close(struct directory_link *link)
{
	if (link->ldap)
		ldap_unbind_ext_s(link->ldap, NULL, NULL);
	link->ldap = NULL;
}

LDAPMessage *directory_link_await(struct directory_link *link, const char *doing, int error, int number)
{
	struct timeval wait = { .tv_sec = DIRECTORY_WAIT_S };
	LDAPMessage *message = NULL;
	int kind;

	if (error) {
		directory_link_fail(link, doing, error);
		return NULL;
	}
	kind = ldap_result(link->ldap, number, LDAP_MSG_ONE, &wait, &message);
	if (kind > 0)
		return message;
	if (!kind)
		error = LDAP_TIMEOUT;
	else
		ldap_get_option(link->ldap, LDAP_OPT_RESULT_CODE, &error);
	directory_link_fail(link, doing, error);
	return NULL;
}

/* Which answers mean that this name and password are no log-in; others say nothing about them. */
static bool is_wrong(int code)
{
	switch (code) {
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_UNWILLING_TO_PERFORM:
	case LDAP_CONSTRAINT_VIOLATION:
		return true;
	default:
		return false;
	}
}

enum directory_result directory_link_bind(struct directory_link *link, const char *dn, const char *password)
{
	const struct berval secret = { .bv_len = strlen(password), .bv_val = (char *)password };
	LDAPMessage *message;
	int number = 0, error, code = LDAP_OTHER;

	if (!*dn || !*password)
		return DIRECTORY_WRONG;
	error = ldap_sasl_bind(link->ldap, dn, LDAP_SASL_SIMPLE, (struct berval *)&secret, NULL, NULL,
			       &number);
	message = directory_link_await(link, "it does not answer a bind", error, number);
	if (!message)
		return DIRECTORY_FAILED;
	error = ldap_parse_result(link->ldap, message, &code, NULL, NULL, NULL, NULL, 1);
	if (error || (code && !is_wrong(code)))
		return directory_link_fail(link, "it does not serve a bind", error ? error : code);
	return code ? DIRECTORY_WRONG : DIRECTORY_DONE;
}
