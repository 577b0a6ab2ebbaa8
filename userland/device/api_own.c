// SPDX-License-Identifier: GPL-2.0-or-later
/* What the owner's page shows of this Device itself: who it is, and its log. */
#include "device/api_parts.h"

#include <time.h>

#include <openssl/x509.h>

#include "device/log_tail.h"

#define TIME_SIZE 24

static void answer(struct web_request *request, json_t *json)
{
	if (json)
		web_answer(request, 200, json);
	else
		web_error(request, 503, "The Device is out of memory.");
}

void api_run_log(struct api *api, struct web_request *request)
{
	(void)api;
	answer(request, json_pack("{s:o}", "lines", log_tail_json()));
}

void api_run_identity(struct api *api, struct web_request *request)
{
	const X509 *certificate = identity_certificate(api->identity);
	char fingerprint[96], until[TIME_SIZE] = "";
	struct tm end;

	identity_fingerprint(api->identity, fingerprint);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1)
		strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &end);
	answer(request, json_pack("{s:s, s:s}", "fingerprint", fingerprint, "not_after", until));
}
