/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON merge patches (RFC 7396): what changed of an object, and applying it. Objects here hold no null. */
#ifndef KVMNET_LIB_MERGE_H
#define KVMNET_LIB_MERGE_H

#include <jansson.h>

/* The patch that makes to of from, both objects: {} when they are the same. A new reference; NULL: out of memory. */
json_t *merge_diff(const json_t *from, const json_t *to);
/* Applies patch to target, both objects. 0, or -1: out of memory, and target is then not to be used. */
int merge_apply(json_t *target, const json_t *patch);

#endif
