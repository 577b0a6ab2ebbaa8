/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new store for each test: in a file of SQLite, or with STORE_SOCKET and STORE_USER in the environment in that MariaDB
 * server, which native/mariadb_store starts for it. */
#ifndef KVMNET_TESTS_STORE_FIXTURE_H
#define KVMNET_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manager/store.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

extern char path[96], seen[4096]; /* of SQLite's file; what was seen since the last expect() */
extern struct store *store;
extern struct store_server server; /* socket: NULL for SQLite */

void find_server(void); /* before the first test */
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);

struct store *open_store(void);
/* Closed and opened. */
void again(void);
/* What somebody else does to the database, who knows it. */
void meddle(const char *sql);
/* In both, where a table is: that connection has chosen no database. */
const char *at(void);

__attribute__((format(printf, 1, 2))) void see(const char *fmt, ...);
void see_user(const struct store_user *user, void *arg);
void see_device(const struct store_device *device, void *arg);
void see_event(const struct store_event *event, void *arg);
void see_group(const struct store_group *group, void *arg);
void expect(const char *what);

enum store_put put_group(int64_t *id, const char *name, const char *users, const char *members);

#endif
