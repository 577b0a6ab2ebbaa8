/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The claim code: whoever reads it on the console becomes the owner. Takes no
 * lock: who shares a claim has one.
 */
#ifndef KVMNET_LIB_CLAIM_H
#define KVMNET_LIB_CLAIM_H

#include <stdbool.h>

#include "lib/guess.h"

#define CLAIM_LETTERS 12		    /* of 32: 60 bits */
#define CLAIM_CODE_SIZE (CLAIM_LETTERS + 3) /* "ABCD-EFGH-JKLM" and NUL */
#define CLAIM_TRIES 20			    /* wrong ones in all, then there is a new code */

struct claim {
	char code[CLAIM_CODE_SIZE];
	unsigned wrong;
	bool busy; /* one at a time has the code right and is being stored */
};

enum claim_result {
	CLAIM_RIGHT, /* the caller's alone until claim_end() */
	CLAIM_WRONG,
	CLAIM_LIMITED, /* too many wrong tries, another has it right, or there is none */
};

/* Makes a code; false: no randomness. */
bool claim_start(struct claim *claim);
/* One try at the code. fresh: "", or a new code that holds from now on: claim_show() it. */
enum claim_result claim_try(struct claim *claim, struct guess *guess, const char *typed,
			    char fresh[CLAIM_CODE_SIZE]);
/* owned: there is an owner now, and no code any more; else others may try again. */
void claim_end(struct claim *claim, bool owned);
/* As people type it: small letters, without hyphens or with blanks. */
bool claim_matches(const char code[CLAIM_CODE_SIZE], const char *typed);

/* On the console: what a person needs to become the owner, and to know whom the browser talks to. what: "Device". */
void claim_print(const char *what, const char *host, unsigned port, const char *code,
		 const char *fingerprint);
/* Likewise a code that takes the place of one guessed at; wipes it. */
void claim_show(const char *what, char code[CLAIM_CODE_SIZE]);

#endif
