// SPDX-License-Identifier: GPL-2.0-or-later
/* usbip's 48-byte headers, big endian. Who sends them is cable_port.c's. */
#include "cable_usbip.h"

#include <string.h>

enum { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };

/* Offsets of usbip_header_basic, then of the command's own part. */
enum {
	COMMAND = 0,
	SEQ = 4,
	DIRECTION = 12,
	ENDPOINT = 16,
	SUBMIT_LENGTH = 24,
	SUBMIT_SETUP = 40,
	UNLINK_SEQ = 20,
	STATUS = 20,
	ACTUAL_LENGTH = 24,
	PACKETS = 32,
};

static void put32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint32_t usbip_seq(uint32_t count, bool in)
{
	return count << 1 | in;
}

bool usbip_seq_in(uint32_t seq)
{
	return seq & 1;
}

void usbip_submit(uint8_t header[USBIP_HEADER], uint32_t seq, uint8_t endpoint, const uint8_t *setup,
		  uint32_t length)
{
	memset(header, 0, USBIP_HEADER);
	put32(header + COMMAND, CMD_SUBMIT);
	put32(header + SEQ, seq);
	put32(header + DIRECTION, usbip_seq_in(seq));
	put32(header + ENDPOINT, endpoint & 15);
	put32(header + SUBMIT_LENGTH, length);
	if (setup)
		memcpy(header + SUBMIT_SETUP, setup, 8);
}

void usbip_unlink(uint8_t header[USBIP_HEADER], uint32_t seq, uint32_t victim)
{
	memset(header, 0, USBIP_HEADER);
	put32(header + COMMAND, CMD_UNLINK);
	put32(header + SEQ, seq);
	put32(header + UNLINK_SEQ, victim);
}

ssize_t usbip_parse(const uint8_t *span, size_t size, struct usbip_reply *reply)
{
	uint32_t command, packets;

	if (size < USBIP_HEADER)
		return 0;
	command = get32(span + COMMAND);
	*reply = (struct usbip_reply){ .unlinked = command == RET_UNLINK,
				       .seq = get32(span + SEQ),
				       .status = (int32_t)get32(span + STATUS),
				       .data = span + USBIP_HEADER };
	if (command == RET_UNLINK)
		return USBIP_HEADER;
	if (command != RET_SUBMIT)
		return -1;
	packets = get32(span + PACKETS);
	if (packets != 0 && packets != UINT32_MAX) /* isochronous: never asked for */
		return -1;
	if (!usbip_seq_in(reply->seq))
		return USBIP_HEADER;
	reply->length = get32(span + ACTUAL_LENGTH);
	if (reply->length > USBIP_MAX_DATA)
		return -1;
	if (size - USBIP_HEADER < reply->length)
		return 0;
	return (ssize_t)(USBIP_HEADER + reply->length);
}
