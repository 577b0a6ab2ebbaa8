/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person calls keys, as X11 keysyms. Pure. */
#ifndef KVMNET_CLIENT_KEYS_H
#define KVMNET_CLIENT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#define KEYS_MAX 5 /* at once */

/* Of "Ctrl-Alt-Del", "F11", "a": how many, in the order of pressing; 0: one of them is not known. */
unsigned keys_parse(const char *text, uint32_t keysyms[KEYS_MAX]);
/* Of a character of ASCII, a tab or the end of a line; 0: there is no key for it. */
uint32_t keys_of(char c);

#endif
