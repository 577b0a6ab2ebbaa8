// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judgement in the place of OpenSSL's own, as TLS 1.3 asks for it before a byte of ours is sent. Keys that a
 * person confirmed are kept by known.c.
 */
#include "client/trust.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "client/ask.h"
#include "client/known.h"

#define MANAGER_NAME "manager.kvmnet.internal" /* in each Manager's certificate: lib/LINK.md */
#define TEXT_SIZE (3 * CERTIFICATE_ID_SIZE + 1)

/* ---- what is believed ---- */

/* "AB:CD:..." of a certificate, or the 64 digits of a key. */
static bool parse_pin(const char *text, uint8_t pin[CERTIFICATE_ID_SIZE])
{
	char digits[2 * CERTIFICATE_ID_SIZE];
	size_t len = 0;

	for (; *text; text++) {
		if (*text == ':' && len && len % 2 == 0 && text[1])
			continue;
		if (len == sizeof(digits))
			return false;
		digits[len++] = *text;
	}
	return known_parse_id(digits, len, pin);
}

static enum cli_status open_ca(struct trust *trust, const char *file)
{
	trust->way = TRUST_CA;
	trust->store = X509_STORE_new();
	if (trust->store && X509_STORE_load_file(trust->store, file) == 1)
		return CLI_DONE;
	ERR_clear_error();
	return cli_fail(CLI_FAILED, "kvmnet: %s: no certificate in PEM can be read there", file);
}

enum cli_status trust_open(struct trust *trust, const struct cli *cli, const char *place)
{
	*trust = (struct trust){ .way = TRUST_NOBODY };
	if (!address_parse(place, &trust->address))
		return cli_fail(CLI_USAGE, "kvmnet: %s: no address: give HOST, HOST:PORT or [ADDRESS6]:PORT",
				place);
	if (cli->ca)
		return open_ca(trust, cli->ca);
	if (cli->pin) {
		trust->way = TRUST_PIN;
		return parse_pin(cli->pin, trust->pin) ?
			       CLI_DONE :
			       cli_fail(CLI_USAGE, "kvmnet: --pin is a SHA-256: 64 digits, or AB:CD:... as a "
						   "console shows it");
	}
	switch (known_find(trust->address.name, trust->pin)) {
	case KNOWN_UNREADABLE:
		return CLI_FAILED;
	case KNOWN_THERE:
		trust->way = TRUST_KNOWN;
		return CLI_DONE;
	default:
		return CLI_DONE;
	}
}

bool trust_pin(struct trust *trust, const char *id)
{
	trust->way = TRUST_PIN;
	return known_parse_id(id, strlen(id), trust->pin);
}

void trust_close(struct trust *trust)
{
	X509_STORE_free(trust->store);
	trust->store = NULL;
}

/* ---- who answers ---- */

/* In the certificate is the name by which it was asked for, or the one that only Managers have. */
static bool has_name(X509 *peer, const char *host)
{
	return X509_check_host(peer, host, 0, 0, NULL) == 1 || X509_check_ip_asc(peer, host, 0) == 1 ||
	       X509_check_host(peer, MANAGER_NAME, 0, 0, NULL) == 1;
}

static bool believed(struct trust *trust, X509_STORE_CTX *ctx, X509 *peer)
{
	EVP_PKEY *key = X509_get0_pubkey(peer);

	if (!key || !certificate_id(key, trust->id) ||
	    X509_digest(peer, EVP_sha256(), trust->fingerprint, NULL) != 1)
		return false;
	trust->judged = true;
	switch (trust->way) {
	case TRUST_CA:
		return X509_verify_cert(ctx) == 1 && has_name(peer, trust->address.host);
	case TRUST_PIN:
		return !memcmp(trust->pin, trust->id, sizeof(trust->pin)) ||
		       !memcmp(trust->pin, trust->fingerprint, sizeof(trust->pin));
	case TRUST_KNOWN:
		return !memcmp(trust->pin, trust->id, sizeof(trust->pin));
	default:
		return false;
	}
}

static int judge(X509_STORE_CTX *ctx, void *arg)
{
	struct trust *trust = arg;
	X509 *peer = X509_STORE_CTX_get0_cert(ctx);

	trust->judged = false;
	trust->refused = !peer || !believed(trust, ctx, peer);
	X509_STORE_CTX_set_error(ctx, trust->refused ? X509_V_ERR_CERT_REJECTED : X509_V_OK);
	return !trust->refused;
}

bool trust_use(struct trust *trust, SSL_CTX *ctx)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, judge, trust);
	if (trust->store)
		SSL_CTX_set1_cert_store(ctx, trust->store);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1;
}

/* ---- what is said about that ---- */

static const char *digits(const uint8_t id[CERTIFICATE_ID_SIZE], char text[TEXT_SIZE])
{
	for (unsigned i = 0; i < CERTIFICATE_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return text;
}

/* "AB:CD:...", as a console shows it. */
static const char *pairs(const uint8_t hash[CERTIFICATE_ID_SIZE], char text[TEXT_SIZE])
{
	for (unsigned i = 0; i < CERTIFICATE_ID_SIZE; i++)
		snprintf(text + 3 * i, 4, i + 1 < CERTIFICATE_ID_SIZE ? "%02X:" : "%02X", hash[i]);
	return text;
}

bool trust_learn(struct trust *trust)
{
	char fingerprint[TEXT_SIZE], id[TEXT_SIZE];

	if (trust->way != TRUST_NOBODY || !trust->judged || !ask_possible())
		return false;
	fprintf(stderr,
		"The key at %s is not known yet.\n"
		"  certificate's SHA-256: %s\n"
		"  id of the key:         %s\n"
		"A console shows the first until the claim; a Manager, discover and devices show the second.\n",
		trust->address.name, pairs(trust->fingerprint, fingerprint), digits(trust->id, id));
	if (!ask_yes("Is it the right one?") || !known_add(trust->address.name, trust->id))
		return false;
	memcpy(trust->pin, trust->id, sizeof(trust->pin));
	trust->way = TRUST_KNOWN;
	return true;
}

enum cli_status trust_explain(const struct trust *trust)
{
	const char *name = trust->address.name;
	char text[TEXT_SIZE], dir[KNOWN_PATH_SIZE];

	digits(trust->id, text);
	if (!trust->judged)
		return cli_fail(CLI_NO_PEER, "kvmnet: %s shows no certificate that can be judged", name);
	if (trust->way == TRUST_CA)
		return cli_fail(CLI_NO_PEER,
				"kvmnet: the certificate of %s is not this CA's, or not for this host; "
				"its key's id is %s",
				name, text);
	if (trust->way == TRUST_PIN)
		return cli_fail(CLI_NO_PEER,
				"kvmnet: %s has another key than the one that is to be believed: it has %s",
				name, text);
	if (trust->way == TRUST_KNOWN && known_dir(dir))
		return cli_fail(
			CLI_NO_PEER,
			"kvmnet: %s HAS ANOTHER KEY THAN BEFORE: %s\n"
			"Somebody may be in between. If it was replaced, take its line out of %s/known",
			name, text, dir);
	return cli_fail(CLI_NO_PEER,
			"kvmnet: the key of %s is not known: its id is %s\n"
			"Compare it and give --pin, or --ca, or confirm it once at a terminal",
			name, text);
}
