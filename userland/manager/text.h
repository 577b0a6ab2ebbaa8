/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of others, made fit to be shown to people. */
#ifndef KVMNET_MANAGER_TEXT_H
#define KVMNET_MANAGER_TEXT_H

#include <stddef.h>

/* Copies as much of text as fits and is whole: UTF-8 in which controls, and what turns the direction of text or breaks
 * its line, and bytes that are no UTF-8 are '?'. */
void text_clean(const char *text, char *clean, size_t size);

#endif
