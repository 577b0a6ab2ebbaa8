// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a Frame takes to a Client, and a key to the Target: kvmnetd natively
 * on the user-space ring, over TLS on the loopback. One JSON line a figure.
 */
/* LINK: tests/perf/session.c tests/lib/feeder.c | openssl */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/feeder.h"
#include "tests/perf/session.h"

#define WIDTH 1920
#define HEIGHT 1080
#define FRAMES 300
#define KEYS 500
#define FRAME_NS 16666667u /* 60 Hz */
#define KEY_NS 7000000u	   /* no multiple of it divides a Frame */

static struct daemon daemon_;
static struct feeder feeder;
static double samples[1000];
static atomic_bool stop_flood;

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, double value, const char *unit, double goal)
{
	printf("{\"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\", \"goal\": ", name, value, unit);
	if (goal > 0)
		printf("%g", goal);
	else
		printf("null");
	printf(", \"better\": \"lower\"}\n");
	fflush(stdout);
}

/* Mean and 99th percentile of samples; returns the mean. */
static double report(const char *name, unsigned n, double goal)
{
	char text[96];
	double sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += samples[i];
	qsort(samples, n, sizeof(samples[0]), compare);
	snprintf(text, sizeof(text), "%s, mean", name);
	print(text, sum / n, "ms", goal);
	snprintf(text, sizeof(text), "%s, p99", name);
	print(text, samples[n * 99 / 100], "ms", 0);
	return sum / n;
}

static void sleep_until(uint64_t due)
{
	struct timespec t = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void feed_one(void)
{
	uint32_t slot;

	feeder_draw(&feeder, FEEDER_FULL);
	if (feeder_write(&feeder, &slot) || feeder_done(&feeder, slot, true))
		die("a Frame");
}

/* A request whose update is here: from now on only changes come. */
static void settle(struct client *client)
{
	bool pixels = false;

	while (!pixels) {
		client_request(client, false, WIDTH, HEIGHT);
		client_update(client, &pixels);
	}
}

/* From the hardware's "Frame complete" to its update's last byte, read by the Client. */
static void time_frames(const char *name, enum feeder_scene scene, int32_t encoding, double goal)
{
	struct client client;
	uint64_t due;
	char text[96];
	size_t bytes = 0;

	client_connect(&client, &daemon_, encoding);
	settle(&client);
	due = now_ns();
	for (unsigned i = 0; i < FRAMES; i++) {
		uint32_t slot;
		uint64_t start;
		bool pixels;

		client_request(&client, true, WIDTH, HEIGHT);
		feeder_draw(&feeder, scene);
		if (feeder_write(&feeder, &slot))
			die("a Slot");
		sleep_until(due += FRAME_NS);
		start = now_ns();
		if (feeder_done(&feeder, slot, false))
			die("a Frame");
		bytes += client_update(&client, &pixels);
		samples[i] = (double)(now_ns() - start) / 1e6;
		if (due < now_ns())
			due = now_ns();
	}
	client_close(&client);
	snprintf(text, sizeof(text), "frame to socket, %s", name);
	report(text, FRAMES, goal);
	snprintf(text, sizeof(text), "bytes an update, %s", name);
	print(text, (double)bytes / FRAMES / 1000, "kB", 0);
}

/* What another machine does in truth: it does not compete with the Device for its processors. */
static void stand_aside(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
}

static void *flood_pictures(void *arg)
{
	struct client *client = arg;
	bool pixels;

	stand_aside();
	while (!stop_flood) {
		client_request(client, true, WIDTH, HEIGHT);
		client_update(client, &pixels);
	}
	return NULL;
}

static void *flood_frames(void *arg)
{
	uint64_t due = now_ns();

	(void)arg;
	stand_aside();
	while (!stop_flood) {
		uint32_t slot;

		feeder_draw(&feeder, FEEDER_SCROLL);
		if (feeder_write(&feeder, &slot) || feeder_done(&feeder, slot, false))
			die("a Frame");
		sleep_until(due += FRAME_NS);
		if (due < now_ns())
			due = now_ns();
	}
	return NULL;
}

/* From a key on the wire to its report at the Target's side of the USB socket. */
static double time_keys(const char *name, double goal)
{
	struct client client;
	uint64_t due;

	client_connect(&client, &daemon_, 16);
	due = now_ns();
	for (unsigned i = 0; i < KEYS; i++) {
		char report_bytes[16];
		uint64_t start;

		sleep_until(due += KEY_NS);
		start = now_ns();
		client_key(&client, 'a', i % 2 == 0);
		if (recv(daemon_.keyboard, report_bytes, sizeof(report_bytes), 0) != 8)
			die("a report");
		samples[i] = (double)(now_ns() - start) / 1e6;
	}
	client_close(&client);
	return report(name, KEYS, goal);
}

static void time_keys_under_load(double idle_mean)
{
	pthread_t pictures, frames;
	struct client client;
	double mean;

	client_connect(&client, &daemon_, 0);
	settle(&client);
	if (pthread_create(&frames, NULL, flood_frames, NULL) ||
	    pthread_create(&pictures, NULL, flood_pictures, &client))
		die("threads");
	mean = time_keys("key to report, video saturated", 0);
	/* The flood of Frames ends last: a Client that waits for one more gets it. */
	stop_flood = true;
	pthread_join(frames, NULL);
	feed_one();
	pthread_join(pictures, NULL);
	client_close(&client);
	print("key to report, video saturated against idle", mean / idle_mean, "x", 2);
}

int main(int argc, char **argv)
{
	double idle;

	daemon_start(&daemon_, argc > 1 ? argv[1] : "build");
	/* Both ends of what is timed are other machines in truth: what they wait for a processor here is no figure of the Device's.
	 * Without root it stays in. */
	setpriority(PRIO_PROCESS, 0, -15);
	if (feeder_connect(&feeder, daemon_.ring, 1) || feeder_mode(&feeder, WIDTH, HEIGHT))
		die(daemon_.ring);
	feed_one();
	time_frames("typing, ZRLE", FEEDER_TYPING, 16, 3);
	time_frames("typing, Raw", FEEDER_TYPING, 0, 3);
	time_frames("scroll, ZRLE", FEEDER_SCROLL, 16, 0);
	idle = time_keys("key to report", 0.2);
	time_keys_under_load(idle);
	feeder_close(&feeder);
	daemon_stop(&daemon_);
	return EXIT_SUCCESS;
}
