/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on guesses: who fails often waits longer and longer. Records are
 * counters in buckets chosen by a keyed hash, so that memory is bounded and
 * nothing that a guesser does can push his own record out.
 */
#ifndef KVMNET_LIB_LIMIT_H
#define KVMNET_LIB_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit_rule {
	uint32_t free; /* failures without a delay; then 1 s, 2 s, 4 s ... */
	uint32_t max_delay_s;
	uint32_t regain_s; /* one failure is forgotten each regain_s */
};

struct limit {
	uint32_t failures;
	uint64_t since_ns; /* when failures was last brought up to date */
	uint64_t until_ns; /* refused until then */
};

/* May this one try now? Changes nothing but what time has forgiven. */
bool limit_open(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns);
/* Counts a failure. Done before the try, so that tries at once do not slip through together... */
void limit_charge(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns);
/* ... and taken back when it succeeds. */
void limit_refund(struct limit *limit);

#endif
