/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One Device or Manager, as a client of its API: requests, answers within bounds, a log-in for this run alone. */
#ifndef KVMNET_CLIENT_HTTP_H
#define KVMNET_CLIENT_HTTP_H

#include "client/cli.h"

struct http;

enum http_kind { HTTP_DEVICE = 1, HTTP_MANAGER, HTTP_ANY };

/* Connects, judges the peer and looks what it is; kind: what it is to be. NULL after saying why, in *status. */
struct http *http_open(const struct cli *cli, const char *place, enum http_kind kind,
		       enum cli_status *status);
/* The same, and logs in, as the options say. */
struct http *http_enter(const struct cli *cli, const char *place, enum http_kind kind,
			enum cli_status *status);
/* Ends the log-in. http may be NULL. */
void http_close(struct http *http);

enum http_kind http_kind(const struct http *http);
/* What everybody may know of it; borrowed. */
const json_t *http_state(const struct http *http);
const char *http_place(const struct http *http);
const char *http_user(const struct http *http); /* who is logged in */
/* Its claim logs in: there is a log-in to end. */
void http_claimed(struct http *http);

/* path: behind /api/v1/. Takes body, which may be NULL, and wipes the strings in it. CLI_DONE when it was accepted, else
 * it was said why. *answer, unless NULL: an object that the caller gets, or NULL where there is none. */
enum cli_status http_ask(struct http *http, const char *method, const char *path, json_t *body,
			 json_t **answer);
/* The list in it of that name; NULL after saying that this is no answer. */
const json_t *http_list(const struct http *http, const json_t *answer, const char *name);
/* CLI_FAILED, after saying so. */
enum cli_status http_odd(const struct http *http);

#endif
