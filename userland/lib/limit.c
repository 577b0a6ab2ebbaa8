/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts failures and tells delays. Which failures share a record, and by which rule, their user decides. */
#include "lib/limit.h"

#define SECOND_NS 1000000000ULL

static void forgive(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	uint64_t regain_ns = rule->regain_s * SECOND_NS, steps;

	if (!limit->failures || now_ns < limit->since_ns) {
		limit->since_ns = now_ns;
		return;
	}
	steps = (now_ns - limit->since_ns) / regain_ns;
	limit->failures -= steps < limit->failures ? (uint32_t)steps : limit->failures;
	limit->since_ns += steps * regain_ns;
}

bool limit_open(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	forgive(limit, rule, now_ns);
	return now_ns >= limit->until_ns;
}

void limit_charge(struct limit *limit, const struct limit_rule *rule, uint64_t now_ns)
{
	uint32_t over;
	uint64_t delay_s;

	forgive(limit, rule, now_ns);
	if (limit->failures < UINT32_MAX)
		limit->failures++;
	if (limit->failures <= rule->free)
		return;
	over = limit->failures - rule->free - 1;
	delay_s = over < 32 ? 1ULL << over : rule->max_delay_s;
	if (delay_s > rule->max_delay_s)
		delay_s = rule->max_delay_s;
	limit->until_ns = now_ns + delay_s * SECOND_NS;
}

void limit_refund(struct limit *limit)
{
	if (limit->failures)
		limit->failures--;
	limit->until_ns = 0;
}
