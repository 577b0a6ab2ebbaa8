/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Manager's log once more, in files that administrators fetch by SFTP and read by "logs". Any thread may call. */
#ifndef KVMNET_MANAGER_LOG_FILE_H
#define KVMNET_MANAGER_LOG_FILE_H

#include <stdio.h>

#define LOG_FILE_NAME "manager.log"
#define LOG_FILE_MAX (4 << 20) /* bytes; then it becomes manager.log.1, and so on */
#define LOG_FILES_OLD 3

/* From now on each line goes there too. Where there is no such folder there are no files. */
void log_file_open(const char *dir);
void log_file_close(void);
/* The last lines of the newest two files. -1: there are none. */
int log_file_tail(unsigned lines, FILE *out);

#endif
