/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of adoption. It believes one thing of whoever answers: that it holds the key that was found, as TLS 1.3
 * proves before a byte of a request is sent. The store and who may adopt are its callers'.
 */
#include "manager/adopt.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "manager/text.h"

#define ANSWER_MAX 65536
#define CONNECT_S 10L
#define UNDO_S 10
#define MS_NS 1000000ULL
#define SECOND_NS 1000000000ULL
#define HOST_SIZE 256
#define URL_SIZE 320
#define PASSWORD_SIZE 65 /* of 256 bits in hex, and NUL */

struct adoption {
	const struct adopt_request *request;
	struct adopt_answer *answer;
	CURL *curl;
	struct curl_slist *headers;
	char origin[URL_SIZE], base[URL_SIZE]; /* base: with the zone */
	uint64_t end_ns;
	EVP_PKEY *key; /* the Device's, once it has proved it */
	bool other;    /* it showed another one */
	char owner[32];
	bool claimed; /* by us, a moment ago */

	char body[ANSWER_MAX + 1];
	size_t len;
	bool too_long;
	long status;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct adoption *adoption, enum adopt_result result,
						       const char *fmt, ...)
{
	va_list args;

	adoption->answer->result = result;
	va_start(args, fmt);
	vsnprintf(adoption->answer->text, sizeof(adoption->answer->text), fmt, args);
	va_end(args);
	return false;
}

/* ---- who answers ---- */

/* In the place of OpenSSL's own judgement: names, dates and issuers say nothing here, the key says it all. */
static int verify(X509_STORE_CTX *ctx, void *arg)
{
	struct adoption *adoption = arg;
	X509 *peer = X509_STORE_CTX_get0_cert(ctx);
	EVP_PKEY *key = peer ? X509_get0_pubkey(peer) : NULL;
	uint8_t id[CERTIFICATE_ID_SIZE];
	char text[CA_ID_SIZE] = "";

	if (key && certificate_id(key, id))
		for (unsigned i = 0; i < sizeof(id); i++)
			snprintf(text + 2 * i, 3, "%02x", id[i]);
	if (strcmp(text, adoption->request->id) != 0) {
		adoption->other = true;
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
		return 0;
	}
	if (!adoption->key && EVP_PKEY_up_ref(key))
		adoption->key = key;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static CURLcode set_up_tls(CURL *curl, void *ctx, void *arg)
{
	(void)curl;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, arg);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

/* ---- one request ---- */

static size_t take(char *data, size_t size, size_t count, void *arg)
{
	struct adoption *adoption = arg;

	(void)size; /* always 1 */
	if (count > ANSWER_MAX - adoption->len) {
		adoption->too_long = true;
		return 0;
	}
	memcpy(adoption->body + adoption->len, data, count);
	adoption->len += count;
	return count;
}

static bool explain(struct adoption *adoption, CURLcode code)
{
	const struct adopt_request *request = adoption->request;

	if (adoption->other)
		return fail(
			adoption, ADOPT_OTHER,
			"The Device at %s has another key than the one that was found: it is not the same Device.",
			request->host);
	if (adoption->too_long)
		return fail(adoption, ADOPT_ODD, "What answers at %s sends more than any Device does.",
			    request->host);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return fail(adoption, ADOPT_UNREACHABLE,
			    "The Device at %s, port %u, does not answer in time.", request->host,
			    request->port);
	return fail(adoption, ADOPT_UNREACHABLE, "The Device at %s, port %u, cannot be spoken to: %s.",
		    request->host, request->port, curl_easy_strerror(code));
}

/* body: NULL for one without; wiped by the caller. The answer is in adoption. */
static bool perform(struct adoption *adoption, const char *method, const char *path, const char *body)
{
	CURL *curl = adoption->curl;
	uint64_t now = loop_now_ns();
	char url[URL_SIZE + 64];
	CURLcode code;

	if (now >= adoption->end_ns)
		return explain(adoption, CURLE_OPERATION_TIMEDOUT);
	snprintf(url, sizeof(url), "%s/api/v1/%s", adoption->base, path);
	adoption->len = 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)((adoption->end_ns - now) / MS_NS) + 1);
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(curl);
	adoption->body[adoption->len] = '\0';
	ERR_clear_error();
	if (code != CURLE_OK)
		return explain(adoption, code);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &adoption->status);
	return true;
}

static json_t *parse_answer(const struct adoption *adoption)
{
	json_t *answer = json_loadb(adoption->body, adoption->len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

static bool is_odd(struct adoption *adoption)
{
	return fail(
		adoption, ADOPT_ODD,
		"What answers at %s does not speak as a Device does (HTTP status %ld): has it another version?",
		adoption->request->host, adoption->status);
}

/* Whether the Device did as it was told; else its own sentence is passed on. */
static bool accepted(struct adoption *adoption)
{
	json_t *answer = NULL;
	const char *error;
	char clean[ADOPT_TEXT_SIZE - 160]; /* undo_claim() may add to it */

	if (adoption->status >= 200 && adoption->status < 300)
		return true;
	if (adoption->status >= 400)
		answer = parse_answer(adoption);
	error = json_string_value(json_object_get(answer, "error"));
	if (error && *error) {
		text_clean(error, clean, sizeof(clean));
		fail(adoption, ADOPT_REFUSED, "%s", clean);
		adoption->answer->status = (unsigned)adoption->status;
	} else {
		is_odd(adoption);
	}
	json_decref(answer);
	return false;
}

static void wipe_strings(json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) if (json_is_string(value))
		OPENSSL_cleanse((void *)(uintptr_t)json_string_value(value), json_string_length(value));
}

/* Takes body, which may hold secrets. */
static bool send_json(struct adoption *adoption, const char *path, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	bool ok = text ? perform(adoption, "POST", path, text) && accepted(adoption) :
			 fail(adoption, ADOPT_INVALID, "A name, code or password is not text in UTF-8.");

	wipe_strings(body);
	json_decref(body);
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
	return ok;
}

/* ---- the steps ---- */

static bool look(struct adoption *adoption)
{
	const struct adopt_request *request = adoption->request;
	const char *product;
	json_t *state, *claimed;
	bool ok = false;

	if (!perform(adoption, "GET", "state", NULL) || !accepted(adoption))
		return false;
	state = parse_answer(adoption);
	claimed = json_object_get(state, "claimed");
	product = json_string_value(json_object_get(state, "product"));
	if (!json_is_boolean(claimed) || !product || strcmp(product, "kvmnet") != 0)
		is_odd(adoption);
	else if (request->code && json_is_true(claimed))
		fail(adoption, ADOPT_INVALID,
		     "The Device at %s has an owner: give that owner's name and password instead of a claim code.",
		     request->host);
	else if (!request->code && !json_is_true(claimed))
		fail(adoption, ADOPT_INVALID,
		     "The Device at %s has no owner yet: give the claim code that its console shows.",
		     request->host);
	else
		ok = true;
	json_decref(state);
	return ok;
}

/* The password is for nobody: from then on the Manager's certificate opens the Device. */
static bool claim(struct adoption *adoption)
{
	unsigned char random[(PASSWORD_SIZE - 1) / 2];
	char password[PASSWORD_SIZE];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return fail(adoption, ADOPT_FAILED, "The Manager has no random numbers.");
	for (unsigned i = 0; i < sizeof(random); i++)
		snprintf(password + 2 * i, 3, "%02x", random[i]);
	adoption->claimed = send_json(adoption, "claim",
				      json_pack("{s:s, s:s, s:s}", "code", adoption->request->code, "user",
						adoption->owner, "password", password));
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(password, sizeof(password));
	return adoption->claimed;
}

static bool log_in(struct adoption *adoption)
{
	return send_json(adoption, "login",
			 json_pack("{s:s, s:s}", "user", adoption->request->user, "password",
				   adoption->request->password));
}

static json_t *adoption_body(const struct adopt_request *request, X509 *certificate)
{
	char *ca = certificate_text(ca_certificate(request->ca)), *own = certificate_text(certificate);
	json_t *addresses = json_array(), *body = NULL;

	for (const char *const *at = request->addresses; *at; at++)
		json_array_append_new(addresses, json_string(*at));
	if (ca && own)
		body = json_pack("{s:{s:s, s:s}, s:s, s:s, s:O}", "manager", "id", ca_id(request->ca), "name",
				 request->manager_name, "ca", ca, "certificate", own, "addresses", addresses);
	json_decref(addresses);
	free(ca);
	free(own);
	return body;
}

static bool hand_over(struct adoption *adoption)
{
	const struct adopt_request *request = adoption->request;
	X509 *certificate = ca_issue_device(request->ca, adoption->key, request->id, request->device_name,
					    request->after);

	if (!certificate)
		return fail(adoption, ADOPT_FAILED,
			    "The Manager cannot issue a certificate: its log says why.");
	if (!send_json(adoption, "adoption", adoption_body(request, certificate))) {
		X509_free(certificate);
		return false;
	}
	adoption->answer->certificate = certificate;
	return true;
}

/* A Device that was claimed and then not adopted has an owner whose password nobody knows: it is to forget both. */
static void undo_claim(struct adoption *adoption)
{
	struct adopt_answer why = *adoption->answer;
	size_t len = strlen(why.text);

	adoption->end_ns = loop_now_ns() + UNDO_S * SECOND_NS;
	if (!perform(adoption, "DELETE", "adoption", NULL) || !accepted(adoption))
		snprintf(
			why.text + len, sizeof(why.text) - len,
			" The Device now has the owner %s, whose password nobody knows: reset it before the next try.",
			adoption->owner);
	*adoption->answer = why;
}

static void run(struct adoption *adoption)
{
	if (!look(adoption) || !(adoption->request->code ? claim(adoption) : log_in(adoption)))
		return;
	if (!hand_over(adoption)) {
		if (adoption->claimed)
			undo_claim(adoption);
		return;
	}
	/* It is adopted, whatever comes of this: a log-in also ends by itself. */
	if (!perform(adoption, "POST", "logout", "") || !accepted(adoption))
		log_warn("the Device at %s did not end the log-in of its adoption: %s",
			 adoption->request->host, adoption->answer->text);
	adoption->answer->result = ADOPT_DONE;
	adoption->answer->text[0] = '\0';
}

/* ---- before and after ---- */

/* As a URL has it (RFC 3986 section 3.2.2, RFC 6874), and as the Device takes it for its own origin: no zone. */
static bool write_origin(struct adoption *adoption)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *host = adoption->request->host, *zone = strchr(host, '%');
	size_t len = zone ? (size_t)(zone - host) : strlen(host);
	bool six = strchr(host, ':') != NULL;
	char plain[HOST_SIZE], port[16] = "";

	if (!len || len >= sizeof(plain) - 2)
		return false;
	snprintf(plain, sizeof(plain), "%.*s", (int)len, host);
	if (plain[strspn(plain, six ? "0123456789abcdefABCDEF:." : letters)] ||
	    (zone && (!six || !zone[1] || strlen(zone) > 32 || zone[1 + strspn(zone + 1, letters)])))
		return false;
	if (adoption->request->port != 443)
		snprintf(port, sizeof(port), ":%u", adoption->request->port);
	snprintf(adoption->origin, URL_SIZE, six ? "https://[%s]%s" : "https://%s%s", plain, port);
	if (zone)
		snprintf(adoption->base, URL_SIZE, "https://[%s%%25%s]%s", plain, zone + 1, port);
	else
		strcpy(adoption->base, adoption->origin);
	return true;
}

static bool add_header(struct adoption *adoption, const char *line)
{
	struct curl_slist *longer = curl_slist_append(adoption->headers, line);

	if (longer)
		adoption->headers = longer;
	return longer != NULL;
}

static bool set_up(struct adoption *adoption)
{
	CURL *curl = adoption->curl = curl_easy_init();
	char origin[URL_SIZE + 16];

	snprintf(origin, sizeof(origin), "Origin: %s", adoption->origin);
	if (!curl || !add_header(adoption, origin) ||
	    !add_header(adoption, "Content-Type: application/json") || !add_header(adoption, "Expect:"))
		return fail(adoption, ADOPT_FAILED, "The Manager is out of memory.");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, adoption->headers);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_COOKIEFILE, ""); /* the log-in, for this one alone */
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, adoption);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L); /* verify() asks for more than a name */
	/* What must not be let go unset. */
	if (curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, adoption) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, set_up_tls) != CURLE_OK)
		return fail(adoption, ADOPT_FAILED, "The Manager's libcurl cannot verify a Device's key.");
	return true;
}

int adopt_prepare(void)
{
	const curl_version_info_data *version;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		log_error("libcurl cannot be used: out of memory?");
		return -1;
	}
	version = curl_version_info(CURLVERSION_NOW);
	if (version->ssl_version && !strncmp(version->ssl_version, "OpenSSL/", 8))
		return 0;
	log_error("libcurl speaks TLS by %s: install the one for OpenSSL (libcurl4)",
		  version->ssl_version ? version->ssl_version : "nothing");
	return -1;
}

void adopt(const struct adopt_request *request, struct adopt_answer *answer)
{
	struct adoption *adoption = calloc(1, sizeof(*adoption));

	*answer = (struct adopt_answer){ .result = ADOPT_FAILED, .text = "The Manager is out of memory." };
	if (!adoption)
		return;
	adoption->request = request;
	adoption->answer = answer;
	adoption->end_ns = loop_now_ns() + request->seconds * SECOND_NS;
	snprintf(adoption->owner, sizeof(adoption->owner), "manager-%.8s", ca_id(request->ca));
	if (!request->code && (!request->user || !request->password))
		fail(adoption, ADOPT_INVALID,
		     "Give the Device's claim code, or its owner's name and password.");
	else if (!request->port || request->port > UINT16_MAX || !write_origin(adoption))
		fail(adoption, ADOPT_INVALID, "The Device's address is none.");
	else if (set_up(adoption))
		run(adoption);
	curl_easy_cleanup(adoption->curl);
	curl_slist_free_all(adoption->headers);
	EVP_PKEY_free(adoption->key);
	OPENSSL_cleanse(adoption, sizeof(*adoption));
	free(adoption);
}
