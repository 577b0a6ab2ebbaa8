/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the Manager asks a directory: everybody who is to be imported, and whether a password is right. Any thread;
 * blocks, for bounded times. The store, and what is made of the answer, are others'. */
#ifndef KVMNET_MANAGER_DIRECTORY_H
#define KVMNET_MANAGER_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/user.h"
#include "manager/directory_link.h"

#define DIRECTORY_ENTRIES_MAX 20000
#define DIRECTORY_READ_S 60 /* then the answer is partial */

struct directory_entry {
	char name[USER_NAME_MAX + 1]; /* "": it cannot be a user's, or the entry has none or several */
	char *dn, *key;		      /* as the directory has it, and one that is compared */
	uint64_t groups;	      /* a bit each of settings->groups whose member it is */
	bool member;		      /* of settings->group */
	bool twice; /* another entry has that name, but for its case: neither is anybody's */
};

struct directory_answer {
	struct directory_entry *entries; /* by key */
	size_t count, room;
	bool partial;		      /* there may be more: whoever is not in it is not gone */
	char why[DIRECTORY_WHY_SIZE]; /* it is partial, or failed */
};

/* DIRECTORY_DONE or _FAILED. answer: to be cleared in either case. state_dir: where the authorities' file is. */
enum directory_result directory_read(const struct directory_settings *settings, const char *state_dir,
				     struct directory_answer *answer);
void directory_answer_clear(struct directory_answer *answer);

/* Whether the directory can be reached and read, for who is about to depend on it. */
enum directory_result directory_probe(const struct directory_settings *settings, const char *state_dir,
				      char why[DIRECTORY_WHY_SIZE]);

/* Is there one entry of that name that would be imported, and is that its password? Takes as long for a name that there
 * is not, or that is "". */
enum directory_result directory_verify(const struct directory_settings *settings, const char *state_dir,
				       const char *name, const char *password, char why[DIRECTORY_WHY_SIZE]);

#endif
