/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INI files: a table of settings, each with its bounds; "FILE:LINE: what is wrong,
 * what is right" for each that is outside. libinih splits the lines.
 */
#ifndef KVMNET_LIB_INI_H
#define KVMNET_LIB_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define INI_ADDRESS_SIZE 64
#define INI_NAME_SIZE 65

struct ini_setting {
	const char *section, *key;
	/* NULL, or what is right, to follow "KEY: ". */
	const char *(*parse)(const char *value, void *field, const struct ini_setting *setting);
	size_t field; /* its offset in what is filled */
	uint32_t min, max;
	const char *right;
};

struct ini_format {
	const struct ini_setting *settings; /* at most 64 */
	unsigned count;
	const char *sections; /* "[one] [two]", for messages */
};

struct ini_parser;

/* Fills target from text. check, which may be NULL, is for what no line is wrong for by itself: it calls ini_complain().
 * name is what messages call the file. 0, or -1 after printing to err; target is then not to be used. */
int ini_parse_text(const struct ini_format *format, void *target,
		   void (*check)(struct ini_parser *parser, const void *target), const char *text, size_t len,
		   const char *name, FILE *err);
/* The file's text, malloc'd; NULL after printing to err why it cannot be read. */
char *ini_read_file(const char *path, size_t *len, FILE *err);
void __attribute__((format(printf, 2, 3))) ini_complain(struct ini_parser *parser, const char *fmt, ...);

/* Values. Texts that do not fit are refused. */
bool ini_copy(void *field, size_t size, const char *value);
const char *ini_path(const char *value, void *field, const struct ini_setting *setting);  /* char[PATH_MAX] */
const char *ini_level(const char *value, void *field, const struct ini_setting *setting); /* enum log_level */
const char *ini_address(const char *value, void *field, const struct ini_setting *setting); /* numeric */
const char *ini_flag(const char *value, void *field, const struct ini_setting *setting);    /* bool */
const char *ini_port(const char *value, void *field, const struct ini_setting *setting);    /* uint16_t */
const char *ini_number(const char *value, void *field, const struct ini_setting *setting);  /* uint32_t */
/* Printable ASCII: it stands in pages, logs and terminals. */
const char *ini_name(const char *value, void *field, const struct ini_setting *setting);

#endif
