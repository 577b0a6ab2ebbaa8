// SPDX-License-Identifier: GPL-2.0-or-later
/* A ring of lines that every thread writes to. What a line says is whoever logs it. */
#include "device/log_tail.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

#define TEXT_SIZE 240
#define TIME_SIZE 24

struct line {
	time_t time;
	const char *level; /* a constant of the log's */
	char text[TEXT_SIZE];
};

static struct {
	pthread_mutex_t mutex;
	unsigned long written;
	struct line lines[LOG_TAIL_LINES];
} tail = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void copy_line(const char *level, const char *text, unsigned long len)
{
	char whole[TEXT_SIZE];
	struct line *line;

	if (len >= sizeof(whole))
		len = sizeof(whole) - 1;
	memcpy(whole, text, len);
	whole[len] = '\0';
	pthread_mutex_lock(&tail.mutex);
	line = &tail.lines[tail.written++ % LOG_TAIL_LINES];
	line->time = time(NULL);
	line->level = level;
	log_clean(line->text, sizeof(line->text), whole);
	pthread_mutex_unlock(&tail.mutex);
}

void log_tail_open(void)
{
	log_set_copy(copy_line);
}

static json_t *line_json(const struct line *line)
{
	char when[TIME_SIZE];
	struct tm utc;

	gmtime_r(&line->time, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_pack("{s:s, s:s, s:s}", "time", when, "level", line->level, "text", line->text);
}

json_t *log_tail_json(void)
{
	json_t *list = json_array();
	unsigned long first;
	size_t size = 0;

	pthread_mutex_lock(&tail.mutex);
	first = tail.written > LOG_TAIL_LINES ? tail.written - LOG_TAIL_LINES : 0;
	for (unsigned long i = tail.written; i-- > first;) {
		json_t *line = line_json(&tail.lines[i % LOG_TAIL_LINES]);

		size += json_dumpb(line, NULL, 0, JSON_COMPACT) + 1;
		if (size > LOG_TAIL_BYTES)
			first = i;
		else
			json_array_insert(list, 0, line);
		json_decref(line);
	}
	pthread_mutex_unlock(&tail.mutex);
	return list;
}
