// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the key that a session was opened with, and looks its comment up. Whether it may come in is sshd's to say. */
#include "manager-shell/administrator.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/log.h"

#define KEY_TEXT_MAX 8192 /* RSA of 16384 bits has less than 3000 */
#define FILE_MAX (256 << 10)
#define BLANKS " \t\r\n"

/* "SHA256:" and base64 without padding, as ssh-keygen -l prints it; false: no base64. */
static bool fingerprint(const char *blob, size_t len, char key[SHELL_KEY_SIZE])
{
	unsigned char raw[KEY_TEXT_MAX], hash[EVP_MAX_MD_SIZE], text[96];
	unsigned hash_len;
	int raw_len, n;

	if (!len || len > KEY_TEXT_MAX || len % 4)
		return false;
	raw_len = EVP_DecodeBlock(raw, (const unsigned char *)blob, (int)len);
	raw_len -= (blob[len - 1] == '=') + (blob[len - 2] == '=');
	if (raw_len < 4) /* not even the length of its type */
		return false;
	if (!EVP_Digest(raw, (size_t)raw_len, hash, &hash_len, EVP_sha256(), NULL))
		return false;
	n = EVP_EncodeBlock(text, hash, (int)hash_len);
	while (n && text[n - 1] == '=')
		n--;
	snprintf(key, SHELL_KEY_SIZE, "SHA256:%.*s", n, (const char *)text);
	return true;
}

/* The rest of the line in keys on which blob is a word, cleaned; false: none, or empty. */
static bool comment_of(const char *keys, const char *blob, size_t len, char who[SHELL_WHO_SIZE])
{
	while (*keys) {
		size_t line = strcspn(keys, "\n");
		const char *end = keys + line, *word = keys;

		while (word < end && *keys != '#') {
			size_t n = strcspn(word, BLANKS);
			const char *next = word + n + strspn(word + n, " \t\r");

			if (n == len && !memcmp(word, blob, len)) {
				char text[SHELL_WHO_SIZE];

				n = strcspn(next, "\r\n");
				snprintf(text, sizeof(text), "%.*s",
					 (int)(n > sizeof(text) ? sizeof(text) : n), next);
				log_clean(who, SHELL_WHO_SIZE, text);
				return *who;
			}
			word = next < end ? next : end;
		}
		keys = *end ? end + 1 : end;
	}
	return false;
}

void administrator_parse(const char *auth, const char *keys, struct shell_query *query)
{
	static const char method[] = "publickey ";
	size_t n;

	strcpy(query->who, "unknown");
	strcpy(query->key, "unknown");
	if (strncmp(auth, method, sizeof(method) - 1))
		return;
	auth += sizeof(method) - 1;
	auth += strcspn(auth, BLANKS); /* its type */
	auth += strspn(auth, " \t");
	n = strcspn(auth, BLANKS);
	if (fingerprint(auth, n, query->key) && !comment_of(keys, auth, n, query->who))
		snprintf(query->who, sizeof(query->who), "%s", query->key);
}

/* Its text; "" when it cannot be read. */
static char *read_file(const char *path)
{
	char *text = calloc(1, FILE_MAX + 1);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	size_t len = 0;
	ssize_t n = 1;

	while (text && fd >= 0 && n > 0 && len < FILE_MAX) {
		n = read(fd, text + len, FILE_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

void administrator_find(struct shell_query *query)
{
	char *auth = read_file(getenv("SSH_USER_AUTH")), *keys = read_file(ADMINISTRATOR_KEYS);

	administrator_parse(auth ? auth : "", keys ? keys : "", query);
	free(auth);
	free(keys);
}
