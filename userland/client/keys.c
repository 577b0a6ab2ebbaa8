// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of keys, in any case, to keysyms (X11/keysymdef.h). */
#include "client/keys.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define KEYSYM_TAB 0xff09
#define KEYSYM_RETURN 0xff0d
#define KEYSYM_F1 0xffbe

static const struct {
	const char *name;
	uint32_t keysym;
} names[] = {
	{ "Ctrl", 0xffe3 },	  { "Control", 0xffe3 },   { "Shift", 0xffe1 },	   { "Alt", 0xffe9 },
	{ "AltGr", 0xfe03 },	  { "Super", 0xffeb },	   { "Win", 0xffeb },	   { "Menu", 0xff67 },
	{ "Del", 0xffff },	  { "Delete", 0xffff },	   { "Ins", 0xff63 },	   { "Insert", 0xff63 },
	{ "Esc", 0xff1b },	  { "Escape", 0xff1b },	   { "Enter", 0xff0d },	   { "Return", 0xff0d },
	{ "Tab", 0xff09 },	  { "Backspace", 0xff08 }, { "Space", 0x20 },	   { "Home", 0xff50 },
	{ "End", 0xff57 },	  { "PageUp", 0xff55 },	   { "PageDown", 0xff56 }, { "Left", 0xff51 },
	{ "Up", 0xff52 },	  { "Right", 0xff53 },	   { "Down", 0xff54 },	   { "Print", 0xff61 },
	{ "Pause", 0xff13 },	  { "SysRq", 0xff15 },	   { "CapsLock", 0xffe5 }, { "NumLock", 0xff7f },
	{ "ScrollLock", 0xff14 },
};

uint32_t keys_of(char c)
{
	return c == '\n' ? KEYSYM_RETURN : c == '\t' ? KEYSYM_TAB : c >= ' ' && c <= '~' ? (uint32_t)c : 0;
}

static uint32_t named(const char *text, size_t len)
{
	unsigned number = 0;

	if (len == 1)
		return keys_of(*text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == len && !strncasecmp(names[i].name, text, len))
			return names[i].keysym;
	if ((*text != 'F' && *text != 'f') || len > 3)
		return 0;
	for (size_t i = 1; i < len; i++)
		number = text[i] >= '0' && text[i] <= '9' ? 10 * number + (unsigned)(text[i] - '0') : 100;
	return number >= 1 && number <= 24 && text[1] != '0' ? KEYSYM_F1 + number - 1 : 0;
}

unsigned keys_parse(const char *text, uint32_t keysyms[KEYS_MAX])
{
	unsigned count = 0;

	while (count < KEYS_MAX) {
		/* A "-" in the place of a name is that key. */
		size_t len = *text ? 1 + strcspn(text + 1, "-") : 0;

		keysyms[count] = len ? named(text, len) : 0;
		if (!keysyms[count++])
			return 0;
		text += len;
		if (!*text)
			return count;
		text++;
	}
	return 0;
}
