/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adopts one Device, as a client of its API. Blocks: for a worker. What comes of it is kept by the caller. */
#ifndef KVMNET_MANAGER_ADOPT_H
#define KVMNET_MANAGER_ADOPT_H

#include "manager/ca.h"

#define ADOPT_SECONDS 60 /* the usual request.seconds */
#define ADOPT_TEXT_SIZE 512

enum adopt_result {
	ADOPT_DONE,
	ADOPT_INVALID,	   /* the request cannot be right */
	ADOPT_UNREACHABLE, /* nobody answers there, or not in time */
	ADOPT_OTHER,	   /* somebody else answers there */
	ADOPT_REFUSED,	   /* by the Device: answer.status is its HTTP status */
	ADOPT_ODD,	   /* it answers what no Device does */
	ADOPT_FAILED,	   /* here */
};

struct adopt_request {
	const struct ca *ca;
	const char *host; /* a name or an address, with its zone ("fe80::1%eth0") where it needs one */
	unsigned port, seconds;
	const char *id; /* the Device's, as it was found */
	/* Its administrator's authority: code, or else user and password. Wiped by the caller. */
	const char *code, *user, *password;
	const char *device_name;
	const char *manager_name;
	const char *const *addresses; /* of the Manager: "host" or "host:port", up to a NULL */
	time_t after;		      /* its certificate starts later */
};

struct adopt_answer {
	enum adopt_result result;
	unsigned status;
	char text[ADOPT_TEXT_SIZE]; /* a sentence for the administrator; ADOPT_DONE: empty */
	X509 *certificate;	    /* ADOPT_DONE: the Device's, the caller's from now on */
};

/* To be called once, before there are threads. 0, or -1 after logging. */
int adopt_prepare(void);
void adopt(const struct adopt_request *request, struct adopt_answer *answer);

#endif
