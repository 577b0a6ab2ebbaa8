/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP and ICMPv6 echo, by the kernel's sockets for it, which need no right (icmp(7), ping_group_range). */
#ifndef KVMNET_LIB_PING_H
#define KVMNET_LIB_PING_H

#include <stdint.h>
#include <sys/socket.h>

/* A socket to ask address with, or -1 with errno; EACCES: net.ipv4.ping_group_range must have this group. */
int ping_open(const struct sockaddr *address, socklen_t len);
/* Microseconds until the answer to that number on a socket of family; -1 with errno, ETIMEDOUT: none within wait_ms. */
int64_t ping_exchange(int fd, int family, uint16_t number, int wait_ms);

#endif
