/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Manager keeps: users, Devices, wanted settings, the directory's, audit. Which database holds it is not known outside of the
 * file that implements this. Any thread may call; one is served at a time.
 *
 * Functions give 0, or -1 after logging why: then nothing was changed, unless it is a server that was lost before it
 * said so. What a callback is given lives until it
 * returns, and it must not call the store.
 */
#ifndef KVMNET_MANAGER_STORE_H
#define KVMNET_MANAGER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct store_user {
	const char *name;
	const char *type; /* "administrator", "user" or "viewonly" */
	const char
		*hash; /* of the password: Argon2id, in its own text form; "": none, he is not checked here */
	const char *entry; /* in the directory that he was imported from; "": none */
	bool gone;	   /* it was not there any more at the last import */
};

struct store_device {
	const char *id; /* lower case hex */
	const char *name, *address, *model, *firmware, *state;
	const char *serial; /* of its certificate, hex */
	const char *adopted_at, *adopted_by;
	int64_t port;
	int64_t starts, ends; /* its certificate; seconds since 1970 */
	int64_t settings_revision;
};

struct store_event {
	int64_t number;	  /* later ones have larger ones */
	const char *time; /* RFC 3339, UTC */
	const char *who, *what, *device, *text;
};

/* STATE_DIR/manager.db, made where there is none. NULL after logging why, with advice for a file that is damaged or of
 * a newer version. */
struct store *store_open(const char *state_dir);

/* A database of a MariaDB server, 10.6 or later. The texts outlive the store. */
struct store_server {
	const char *socket; /* a UNIX socket's path, by which the server knows who asks; unless there is */
	const char *host;   /* a name or address: TLS, which proves both sides; "" for the socket */
	uint16_t port;
	const char *ca, *certificate, *key; /* of TLS: paths */
	const char *database, *user;
};

/* Likewise; its tables are made where there are none. A connection that is lost is made again with the next call. */
struct store *store_connect(const struct store_server *server);
void store_close(struct store *store);

/* Calls each for those that there are: all, or at most the one of that name. */
typedef void store_user_fn(const struct store_user *user, void *arg);
int store_users(struct store *store, store_user_fn *each, void *arg);
int store_user(struct store *store, const char *name, store_user_fn *each, void *arg);
/* Only while there is no user at all, so that two claims cannot both win. */
int store_add_first_user(struct store *store, const struct store_user *user, bool *added);
int store_add_user(struct store *store, const struct store_user *user,
		   bool *added); /* false: the name is taken */
/* false: there is none of that name, or it is the last administrator with a password, which stays one, or the keeper. */
int store_set_user_type(struct store *store, const char *name, const char *type, bool *changed);
int store_remove_user(struct store *store, const char *name, bool *removed);
int store_set_user_hash(struct store *store, const char *name, const char *hash, bool *changed);

typedef void store_device_fn(const struct store_device *device, void *arg);
int store_devices(struct store *store, store_device_fn *each, void *arg);
int store_device(struct store *store, const char *id, store_device_fn *each, void *arg);
int store_put_device(struct store *store, const struct store_device *device);
int store_set_device_revision(struct store *store, const char *id, int64_t revision, bool *changed);
/* It has another certificate. */
int store_set_device_certificate(struct store *store, const char *id, const char *serial, int64_t starts,
				 int64_t ends, bool *changed);
int store_remove_device(struct store *store, const char *id, bool *removed);

/* User Groups and Target Sets. What is removed is in none any more. */
struct store_group {
	int64_t id; /* never used twice */
	const char *name;
	const char *users, *sets; /* JSON: a list of names, and of Target Sets' ids */
};

struct store_set {
	int64_t id; /* likewise */
	const char *name;
	const char *devices; /* JSON: a list of ids */
};

enum store_put {
	STORE_PUT,
	STORE_MISSING, /* there is none of that id */
	STORE_TAKEN,   /* another one has that name */
	STORE_UNKNOWN, /* a member that there is not */
};

typedef void store_group_fn(const struct store_group *group, void *arg);
typedef void store_set_fn(const struct store_set *set, void *arg);
int store_groups(struct store *store, store_group_fn *each, void *arg);
int store_sets(struct store *store, store_set_fn *each, void *arg);
/* All of it, or nothing. *id: 0 for a new one, which is given its id. */
int store_put_group(struct store *store, int64_t *id, const struct store_group *group, enum store_put *put);
int store_put_set(struct store *store, int64_t *id, const struct store_set *set, enum store_put *put);
int store_remove_group(struct store *store, int64_t id, bool *removed);
int store_remove_set(struct store *store, int64_t id, bool *removed);

/* Calls each for the Devices whose Target is in a set that goes with one of user's groups. */
typedef void store_permitted_fn(const char *device, void *arg);
int store_permitted(struct store *store, const char *user, store_permitted_fn *each, void *arg);

/* JSON, malloc'd; "{}" with revision 0 before the first. */
int store_settings(struct store *store, char **wanted, int64_t *revision);
/* Gives them the next revision. */
int store_put_settings(struct store *store, const char *wanted, int64_t *revision);

/* The directory: its settings as JSON, "" before there are any; and the keeper, the only one whom External
 * Authentication mode checks here, "" in Local mode. Both malloc'd; settings hold a password: wipe them. */
int store_directory(struct store *store, char **settings, char **keeper);
int store_put_directory(struct store *store, const char *settings);
/* "": Local mode. false: it is on already, or External Authentication mode is, or there are no settings, or he is no
 * administrator with a password. */
int store_set_keeper(struct store *store, const char *name, bool *changed);

/* What an import does to one user. */
struct store_change {
	enum {
		STORE_CHANGE_ADD,    /* of type, from entry */
		STORE_CHANGE_ENTRY,  /* it is there, and is entry */
		STORE_CHANGE_GONE,   /* it is not there any more */
		STORE_CHANGE_JOIN,   /* group */
		STORE_CHANGE_LEAVE,  /* group */
		STORE_CHANGE_REMOVE, /* one that is gone; not the last administrator, nor the keeper */
	} what;
	const char *name, *type, *entry;
	int64_t group;
};

/* All, in their order, or nothing. */
int store_import(struct store *store, const struct store_change *changes, size_t count);

#define STORE_EVENTS_MAX 100000 /* that are kept: the latest */

/* device: its id, or NULL. */
int store_add_event(struct store *store, const char *who, const char *what, const char *device,
		    const char *text);
/* The latest first: those with a number below before (0: all), at most limit. */
typedef void store_event_fn(const struct store_event *event, void *arg);
int store_events(struct store *store, int64_t before, unsigned limit, store_event_fn *each, void *arg);

#endif
