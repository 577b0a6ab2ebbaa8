// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A trial is nowhere but in memory and in /run: whatever ends in the middle of it, what was kept before is
 * what comes back.
 */
#include "device/helper_network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/state.h"

#define SECOND_NS 1000000000ULL
/* The answer to who asked is to be on its way before his address goes. */
#define DELAY_NS SECOND_NS
/* A way back that fails is tried again, ever more seldom. */
#define AGAIN_NS (5 * SECOND_NS)
#define LONGEST_NS (3600 * SECOND_NS)
#define FILE_NAME "network"
#define FILE_FORMAT 1
/* Before the image's own, and before those that other packages bring. */
#define UNIT_START "05-kvmnet-"
#define UNIT_END ".network"
#define UNIT_SIZE 40
#define TEXT_SIZE 1024

enum phase { NONE, DECIDED, HOLDS, ENDING };

/* The file of what is kept. */
struct kept {
	uint8_t format, count;
	struct network_settings of[HELPER_INTERFACES];
};

static struct {
	struct loop *loop;
	const char *state_dir, *run_dir;
	int (*reload)(void);
	struct kept kept;
	enum phase phase; /* of the trial */
	struct network_settings trial;
	uint64_t end_ns; /* of it */
	const char *why; /* of ENDING: for the log */
	uint64_t again_ns;
	bool untold; /* networkd has not read what is there now */
	struct loop_timer timer;
} network;

/* ---- systemd.network(5) ---- */

struct writer {
	char *at;
	size_t left;
	bool full;
};

static void add(struct writer *writer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct writer *writer, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(writer->at, writer->left, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= writer->left) {
		writer->full = true;
		return;
	}
	writer->at += len;
	writer->left -= (size_t)len;
}

static void add_static(struct writer *writer, const struct network_family *family, int af)
{
	char text[INET6_ADDRSTRLEN];

	if (family->way != NETWORK_STATIC)
		return;
	add(writer, "Address=%s/%u\n", inet_ntop(af, family->address, text, sizeof(text)), family->prefix);
	if (!network_is_zero(family->gateway, sizeof(family->gateway)))
		add(writer, "Gateway=%s\n", inet_ntop(af, family->gateway, text, sizeof(text)));
}

int network_file(const struct network_settings *settings, char *text, size_t size)
{
	struct writer writer = { text, size, false };
	char mac[NETWORK_MAC_TEXT_SIZE], address[INET6_ADDRSTRLEN];

	network_mac_text(settings->mac, mac);
	add(&writer,
	    "# Written by kvmnet-helper: the Device's page changes it.\n[Match]\nMACAddress=%s\n[Network]\n",
	    mac);
	add(&writer, "DHCP=%s\n", settings->v4.way == NETWORK_AUTO ? "ipv4" : "no");
	/* DHCPv6 is begun by a router that says so. */
	add(&writer, "IPv6AcceptRA=%s\n", settings->v6.way == NETWORK_AUTO ? "yes" : "no");
	add(&writer, "LinkLocalAddressing=%s\n", settings->v6.way == NETWORK_OFF ? "no" : "ipv6");
	add_static(&writer, &settings->v4, AF_INET);
	add_static(&writer, &settings->v6, AF_INET6);
	for (unsigned i = 0; i < settings->dns_count; i++)
		add(&writer, "DNS=%s\n",
		    inet_ntop(settings->dns[i].version == 6 ? AF_INET6 : AF_INET, settings->dns[i].address,
			      address, sizeof(address)));
	if (settings->dns_count)
		add(&writer, "[DHCPv4]\nUseDNS=no\n[DHCPv6]\nUseDNS=no\n[IPv6AcceptRA]\nUseDNS=no\n");
	return writer.full ? -1 : 0;
}

static void unit_name(const struct network_settings *settings, char name[UNIT_SIZE])
{
	const uint8_t *mac = settings->mac;

	snprintf(name, UNIT_SIZE, UNIT_START "%02x%02x%02x%02x%02x%02x" UNIT_END, mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

/* ---- what networkd reads ---- */

static struct network_settings *find_kept(const uint8_t mac[NETWORK_MAC_SIZE])
{
	for (unsigned i = 0; i < network.kept.count; i++)
		if (!memcmp(network.kept.of[i].mac, mac, NETWORK_MAC_SIZE))
			return &network.kept.of[i];
	return NULL;
}

static bool is_there(const char *name, const char *text)
{
	size_t len = 0;
	char *there = state_read(network.run_dir, name, TEXT_SIZE, &len);
	bool same = there && len == strlen(text) && !memcmp(there, text, len);

	free(there);
	return same;
}

/* 0, or -1 after logging. */
static int put_unit(const struct network_settings *settings)
{
	char name[UNIT_SIZE], text[TEXT_SIZE], path[PATH_MAX];

	unit_name(settings, name);
	if (network_file(settings, text, sizeof(text))) {
		log_error("network: the settings of %s are too long", name);
		return -1;
	}
	if (is_there(name, text))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", network.run_dir, name);
	if (state_write(network.run_dir, name, text, strlen(text)))
		return -1;
	network.untold = true;
	/* networkd runs as a user of its own. */
	if (chmod(path, 0644)) {
		log_error("network: %s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

/* Ours that belong to nothing that is kept. 0, or -1 after logging. */
static int remove_strangers(void)
{
	DIR *dir = opendir(network.run_dir);
	struct dirent *entry;
	int result = 0;

	while (dir && (entry = readdir(dir))) {
		bool wanted = strncmp(entry->d_name, UNIT_START, strlen(UNIT_START));

		for (unsigned i = 0; i < network.kept.count && !wanted; i++) {
			char name[UNIT_SIZE];

			unit_name(&network.kept.of[i], name);
			wanted = !strcmp(entry->d_name, name);
		}
		if (wanted)
			continue;
		if (state_remove(network.run_dir, entry->d_name))
			result = -1;
		else
			network.untold = true;
	}
	if (dir)
		closedir(dir);
	return result;
}

/* networkd of what is there. 0, or -1: it was logged. */
static int tell(void)
{
	if (network.untold && network.reload())
		return -1;
	network.untold = false;
	return 0;
}

/* What is kept and nothing else, as long as there is no trial. 0, or -1: it is tried again. */
static int put_kept(void)
{
	int result = remove_strangers();

	for (unsigned i = 0; i < network.kept.count; i++)
		if (put_unit(&network.kept.of[i]))
			result = -1;
	if (tell())
		result = -1;
	network.phase = result ? ENDING : NONE;
	network.why = "it failed before";
	if (result)
		loop_timer_arm(network.loop, &network.timer, network.again_ns);
	network.again_ns = result ? network.again_ns * 2 : AGAIN_NS;
	if (network.again_ns > LONGEST_NS)
		network.again_ns = LONGEST_NS;
	return result;
}

/* ---- what is kept ---- */

static void load(void)
{
	struct kept *kept = &network.kept;
	size_t len = 0;
	char *data = state_read(network.state_dir, FILE_NAME, sizeof(*kept), &len);
	bool sound = data && len == sizeof(*kept);

	if (sound)
		memcpy(kept, data, sizeof(*kept));
	sound = sound && kept->format == FILE_FORMAT && kept->count <= HELPER_INTERFACES;
	for (unsigned i = 0; sound && i < kept->count; i++)
		sound = !network_check(&kept->of[i]);
	if (data && !sound)
		log_error("%s/" FILE_NAME " is damaged: every interface gets its addresses by itself",
			  network.state_dir);
	if (!sound)
		memset(kept, 0, sizeof(*kept));
	free(data);
}

static int store(const struct kept *kept)
{
	return state_write(network.state_dir, FILE_NAME, kept, sizeof(*kept));
}

/* ---- the trial ---- */

static int end_trial(const char *why)
{
	log_warn("network: back to what is kept: %s", why);
	return put_kept();
}

static void begin_trial(void)
{
	network.phase = HOLDS;
	if (put_unit(&network.trial) || tell()) {
		end_trial("the new settings could not be set");
		return;
	}
	loop_timer_arm(network.loop, &network.timer, HELPER_TRIAL_S * SECOND_NS);
}

static void expired(struct loop_timer *timer)
{
	(void)timer;
	if (network.phase == DECIDED)
		begin_trial();
	else if (network.phase == HOLDS)
		end_trial("nobody confirmed the new settings");
	else if (network.phase == ENDING)
		end_trial(network.why);
}

uint8_t network_try(const struct network_settings *settings)
{
	const char *wrong = network_check(settings);

	if (wrong) {
		log_warn("network: settings are refused: %s", wrong);
		return EINVAL;
	}
	if (!find_kept(settings->mac) && network.kept.count == HELPER_INTERFACES)
		return ENOSPC;
	if ((network.phase == HOLDS || network.phase == ENDING) && end_trial("other settings are tried"))
		return EIO;
	network.trial = *settings;
	network.phase = DECIDED;
	network.end_ns = loop_now_ns() + DELAY_NS + HELPER_TRIAL_S * SECOND_NS;
	loop_timer_arm(network.loop, &network.timer, DELAY_NS);
	return 0;
}

uint8_t network_keep(void)
{
	struct kept kept = network.kept;
	struct network_settings *place = find_kept(network.trial.mac);

	if (network.phase == NONE || network.phase == ENDING)
		return ENOENT;
	if (network.phase == DECIDED)
		return EAGAIN;
	kept.format = FILE_FORMAT;
	kept.of[place ? (unsigned)(place - network.kept.of) : kept.count++] = network.trial;
	if (store(&kept))
		return EIO;
	network.kept = kept;
	network.phase = NONE;
	loop_timer_cancel(network.loop, &network.timer);
	log_info("network: the new settings are kept");
	return 0;
}

uint8_t network_return(void)
{
	if (network.phase == NONE || network.phase == ENDING)
		return ENOENT;
	network.phase = network.phase == DECIDED ? NONE : ENDING;
	network.why = "it was asked for";
	loop_timer_cancel(network.loop, &network.timer);
	if (network.phase == ENDING)
		loop_timer_arm(network.loop, &network.timer, DELAY_NS);
	return 0;
}

uint8_t network_forget(void)
{
	const struct kept none = { .format = FILE_FORMAT };

	if (store(&none))
		return EIO;
	network.kept = none;
	network.phase = ENDING;
	network.why = "it was asked for";
	loop_timer_arm(network.loop, &network.timer, DELAY_NS);
	return 0;
}

void network_look(struct helper_network *look)
{
	uint64_t now = loop_now_ns();

	memset(look, 0, sizeof(*look));
	look->count = network.kept.count;
	memcpy(look->kept, network.kept.of, sizeof(look->kept));
	if (network.phase != DECIDED && network.phase != HOLDS)
		return;
	look->trial = network.trial;
	look->trial_holds = network.phase == HOLDS;
	look->trial_left_s =
		network.end_ns > now ? (uint8_t)((network.end_ns - now + SECOND_NS - 1) / SECOND_NS) : 1;
}

size_t network_call(const uint8_t *message, size_t len, uint8_t answer[CALL_ANSWER_MAX])
{
	struct network_settings settings;
	struct helper_network look;

	answer[0] = EINVAL;
	if (len == 1 + sizeof(settings) && message[0] == HELPER_TRY) {
		memcpy(&settings, message + 1, sizeof(settings));
		answer[0] = network_try(&settings);
	} else if (len == 1 && message[0] == HELPER_KEEP) {
		answer[0] = network_keep();
	} else if (len == 1 && message[0] == HELPER_RETURN) {
		answer[0] = network_return();
	} else if (len == 1 && message[0] == HELPER_FORGET) {
		answer[0] = network_forget();
	} else if (len == 1 && message[0] == HELPER_LOOK) {
		network_look(&look);
		answer[0] = 0;
		memcpy(answer + 1, &look, sizeof(look));
		return 1 + sizeof(look);
	}
	return 1;
}

void network_open(struct loop *loop, const char *state_dir, const char *run_dir, int (*reload)(void))
{
	network.loop = loop;
	network.state_dir = state_dir;
	network.run_dir = run_dir;
	network.reload = reload;
	network.timer.expired = expired;
	network.again_ns = AGAIN_NS;
	network.untold = false;
	mkdir(run_dir, 0755); /* for a system without tmpfiles.d, which makes it otherwise */
	if (!state_prepare(state_dir))
		load();
	put_kept();
}

void network_close(void)
{
	if (network.phase == HOLDS || network.phase == ENDING)
		end_trial("the helper ends");
	loop_timer_cancel(network.loop, &network.timer);
	network.phase = NONE;
}
