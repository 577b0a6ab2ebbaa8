/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP request and its answer, as a JSON API sees them, and the rules that
 * every such API has. Knows no HTTP library.
 */
#ifndef KVMNET_LIB_WEB_REQUEST_H
#define KVMNET_LIB_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <jansson.h>

#include "lib/login.h"
#include "lib/peer.h"
#include "lib/user.h"

#define WEB_PATH_MAX 128
#define WEB_BODY 16384	   /* what a route takes, unless it needs more */
#define WEB_BODY_MAX 65536 /* the most that one may take */

enum web_method { WEB_GET, WEB_POST, WEB_PUT, WEB_DELETE, WEB_OTHER };

struct web_route {
	enum web_method method;
	const char *path; /* "*" stands for one part of it; at the end, for the rest */
	size_t body_max;  /* of JSON; 0: takes no body */
};

/* What a browser says about itself; strings are "" where a header is missing. */
struct web_caller {
	struct sockaddr_storage peer;
	char peer_text[PEER_TEXT_MAX];
	char host[256], origin[264], cookie[2048];
};

struct web_request {
	struct web_caller caller;
	enum web_method method;
	char path[WEB_PATH_MAX], query[256];
	char content_type[64];
	long content_length; /* -1: not told */
	uint64_t id;	     /* never used twice */
	const struct web_route *route;
	char parameter[WEB_PATH_MAX]; /* what the route's "*" stands for */
	uint32_t login;		      /* whose it is, set by the site; 0: nobody's */
	char user[USER_NAME_MAX + 1];
	unsigned rights; /* of that login */
	size_t body_len;
	char *body; /* malloc'd, not ended by NUL, there until the site ran; NULL: none */

	int status; /* of the answer; 0: not answered yet */
	char *json; /* its body, malloc'd, or NULL */
	char set_cookie[LOGIN_TOKEN_SIZE + 96];
	char allow[32];	     /* of a 405 */
	unsigned wait_s;     /* unanswered so long, it expires; 0: it waits as long as it takes */
	bool logins_changed; /* connections of logins that ended are to be closed */
};

/* These judge a request before its body. Each true: go on; else it is answered. */
/* The route with the request's path and method, of count structs that are size bytes each and begin with a web_route. */
bool web_find_route(struct web_request *request, const void *routes, size_t count, size_t size);
/* A page of another origin must not act for a person who is logged in here; and a body to come has a length. */
bool web_check_origin(struct web_request *request);
bool web_check_body(struct web_request *request);

/* Browsers send Origin with every request that is not a GET, and with every WebSocket. */
bool web_same_origin(const struct web_caller *caller);
/* The value of cookie name, in caller; NULL: it has none. */
const char *web_cookie(const struct web_caller *caller, const char *name, size_t *len);
/* Has the browser keep token, or with "" forget it. name begins with "__Host-". */
void web_set_cookie(struct web_request *request, const char *name, const char *token);

/* Takes json over, which may be NULL: no body. */
void web_answer(struct web_request *request, int status, json_t *json);
/* An answer {"error": text}. */
void web_error(struct web_request *request, int status, const char *text);
/* Wipes and frees its body. */
void web_forget_body(struct web_request *request);
/* Wipes what else it brought, too, and frees its answer. */
void web_forget(struct web_request *request);

#endif
