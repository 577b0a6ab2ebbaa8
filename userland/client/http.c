// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests with libcurl. Who is believed is trust.c's; what is asked for is the commands'. Answers are bounded in size
 * and time, and redirects are none.
 */
#include "client/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "client/ask.h"
#include "client/trust.h"
#include "lib/log.h"

#define ANSWER_MAX (16u << 20) /* of thousands of Devices, each with its status */
#define CONNECT_S 10L
#define URL_SIZE (ADDRESS_URL_SIZE + 256)
#define ERROR_SIZE 512

struct http {
	struct trust trust;
	CURL *curl;
	struct curl_slist *headers;
	enum http_kind kind;
	json_t *state;
	bool logged_in;
	char user[ASK_SIZE];

	char *body; /* of the answer */
	size_t len, size;
	bool too_long;
	long status;
};

/* ---- one request ---- */

static size_t take(char *data, size_t size, size_t count, void *arg)
{
	struct http *http = arg;
	size_t wanted = http->len + count;
	char *longer;

	(void)size; /* always 1 */
	http->too_long = wanted > ANSWER_MAX;
	if (http->too_long)
		return 0;
	if (wanted > http->size) {
		longer = OPENSSL_clear_realloc(http->body, http->size, 2 * wanted);
		if (!longer)
			return 0;
		http->body = longer;
		http->size = 2 * wanted;
	}
	memcpy(http->body + http->len, data, count);
	http->len = wanted;
	return count;
}

static CURLcode set_up_tls(CURL *curl, void *ctx, void *arg)
{
	(void)curl;
	return trust_use(arg, ctx) ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

static enum cli_status explain(const struct http *http, CURLcode code)
{
	const char *name = http->trust.address.name;

	if (http->trust.refused)
		return trust_explain(&http->trust);
	if (http->too_long)
		return cli_fail(CLI_FAILED, "kvmnet: %s sends more than any Device or Manager does", name);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return cli_fail(CLI_NO_PEER,
				"kvmnet: %s does not answer in time: is that the address, or "
				"would a longer --timeout do?",
				name);
	if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
		return cli_fail(CLI_NO_PEER, "kvmnet: %s broke off in the middle of an answer: try again",
				name);
	return cli_fail(CLI_NO_PEER, "kvmnet: %s cannot be spoken to: %s", name, curl_easy_strerror(code));
}

static CURLcode perform(struct http *http, const char *method, const char *path, const char *body)
{
	CURL *curl = http->curl;
	char url[URL_SIZE];
	CURLcode code;

	snprintf(url, sizeof(url), "%s/api/v1/%s", http->trust.address.base, path);
	http->len = 0;
	http->trust.refused = false;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(curl);
	ERR_clear_error();
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http->status);
	return code;
}

/* ---- answers ---- */

enum cli_status http_odd(const struct http *http)
{
	return cli_fail(
		CLI_FAILED,
		"kvmnet: %s does not answer as a Device or a Manager does (HTTP status %ld): has it another "
		"version?",
		http->trust.address.name, http->status);
}

/* Whoever sends that has wiped what was in it. */
static json_t *parse(const struct http *http)
{
	json_t *answer = http->len ? json_loadb(http->body, http->len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

static enum cli_status refused(const struct http *http, const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	bool by_right = http->status == 401 || http->status == 403 || http->status == 429;
	char clean[ERROR_SIZE];

	if (http->status < 400 || !error || !*error)
		return http_odd(http);
	return cli_fail(by_right ? CLI_REFUSED : CLI_FAILED, "kvmnet: %s: %s", http->trust.address.name,
			log_clean(clean, sizeof(clean), error));
}

static enum cli_status judge(struct http *http, json_t **answer)
{
	json_t *parsed = parse(http);
	enum cli_status status = CLI_DONE;

	if (http->status < 200 || http->status >= 300)
		status = refused(http, parsed);
	else if (http->status != 204 && !parsed)
		status = http_odd(http);
	if (answer && status == CLI_DONE)
		*answer = parsed;
	else
		json_decref(parsed);
	return status;
}

static void wipe_strings(json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) if (json_is_string(value))
		OPENSSL_cleanse((void *)(uintptr_t)json_string_value(value), json_string_length(value));
}

enum cli_status http_ask(struct http *http, const char *method, const char *path, json_t *body,
			 json_t **answer)
{
	bool sends = strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (answer)
		*answer = NULL;
	if (text || !body)
		code = perform(http, method, path, text ? text : sends ? "" : NULL);
	wipe_strings(body);
	json_decref(body);
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
	return code == CURLE_OK ? judge(http, answer) : explain(http, code);
}

const json_t *http_list(const struct http *http, const json_t *answer, const char *name)
{
	const json_t *list = json_object_get(answer, name);

	if (json_is_array(list))
		return list;
	http_odd(http);
	return NULL;
}

/* ---- coming and going ---- */

static bool add_header(struct http *http, const char *line)
{
	struct curl_slist *longer = curl_slist_append(http->headers, line);

	if (longer)
		http->headers = longer;
	return longer != NULL;
}

static bool set_up(struct http *http, const struct cli *cli)
{
	CURL *curl = http->curl = curl_easy_init();
	char origin[ADDRESS_URL_SIZE + 16];

	snprintf(origin, sizeof(origin), "Origin: %s", http->trust.address.origin);
	if (!curl || !add_header(http, origin) || !add_header(http, "Content-Type: application/json") ||
	    !add_header(http, "Expect:"))
		return false;
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)cli->timeout_s);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_COOKIEFILE, ""); /* the log-in, in memory */
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L); /* trust.c asks for more than a name */
	/* What must not be let go unset. */
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, &http->trust) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, set_up_tls) == CURLE_OK;
}

static bool speaks_openssl(void)
{
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

	return version->ssl_version && !strncmp(version->ssl_version, "OpenSSL/", 8);
}

static enum cli_status look(struct http *http, enum http_kind wanted)
{
	const char *product;
	enum cli_status status;
	CURLcode code = perform(http, "GET", "state", NULL);

	if (code != CURLE_OK && http->trust.refused && trust_learn(&http->trust))
		code = perform(http, "GET", "state", NULL);
	status = code == CURLE_OK ? judge(http, &http->state) : explain(http, code);
	if (status != CLI_DONE)
		return status;
	product = json_string_value(json_object_get(http->state, "product"));
	if (!product || !json_is_boolean(json_object_get(http->state, "claimed")))
		return http_odd(http);
	http->kind = !strcmp(product, "kvmnet")		? HTTP_DEVICE :
		     !strcmp(product, "kvmnet-manager") ? HTTP_MANAGER :
							  0;
	if (!http->kind)
		return http_odd(http);
	if (http->kind & wanted)
		return CLI_DONE;
	return cli_fail(CLI_FAILED, "kvmnet: %s is a %s: this command is for a %s", http->trust.address.name,
			http->kind == HTTP_DEVICE ? "Device" : "Manager",
			http->kind == HTTP_DEVICE ? "Manager" : "Device");
}

struct http *http_open(const struct cli *cli, const char *place, enum http_kind kind, enum cli_status *status)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !speaks_openssl()) {
		*status = cli_fail(CLI_FAILED,
				   "kvmnet: no memory, or libcurl is not the one for OpenSSL (libcurl4)");
		free(http);
		return NULL;
	}
	*status = trust_open(&http->trust, cli, place);
	if (*status == CLI_DONE && !set_up(http, cli))
		*status = cli_fail(CLI_FAILED, "kvmnet: libcurl cannot be set up: out of memory?");
	if (*status == CLI_DONE)
		*status = look(http, kind);
	if (*status == CLI_DONE)
		return http;
	http_close(http);
	return NULL;
}

static enum cli_status log_in(struct http *http, const struct cli *cli)
{
	enum cli_status status = ask_text("User name", cli->user, "--user", http->user);
	char password[ASK_SIZE] = "";
	json_t *body;

	if (status == CLI_DONE)
		status = ask_password("Password", cli->password_file, "--password-file", false, password);
	if (status == CLI_DONE) {
		body = json_pack("{s:s, s:s}", "user", http->user, "password", password);
		status = body ? http_ask(http, "POST", "login", body, NULL) :
				cli_fail(CLI_USAGE, "kvmnet: the name or the password is not UTF-8");
	}
	OPENSSL_cleanse(password, sizeof(password));
	http->logged_in = status == CLI_DONE;
	return status;
}

struct http *http_enter(const struct cli *cli, const char *place, enum http_kind kind,
			enum cli_status *status)
{
	struct http *http = http_open(cli, place, kind, status);

	if (!http)
		return NULL;
	*status = log_in(http, cli);
	if (*status == CLI_DONE)
		return http;
	http_close(http);
	return NULL;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	if (http->logged_in) /* it also ends by itself, so nobody need know whether this went well */
		perform(http, "POST", "logout", "");
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	trust_close(&http->trust);
	json_decref(http->state);
	OPENSSL_clear_free(http->body, http->size);
	free(http);
}

enum http_kind http_kind(const struct http *http)
{
	return http->kind;
}

const json_t *http_state(const struct http *http)
{
	return http->state;
}

const char *http_place(const struct http *http)
{
	return http->trust.address.name;
}

const char *http_user(const struct http *http)
{
	return http->user;
}

void http_claimed(struct http *http)
{
	http->logged_in = true;
}
