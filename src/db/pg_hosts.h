/*
 * pg_hosts.h - the hosts of a connection string as lists that libpq takes: host, hostaddr, port.
 *
 * libpq goes to the next host or address when one refuses, never when one is silent. Who wants to wait for each a part of
 * the time turns the lists; a name of several addresses first becomes as many hosts of that name.
 *
 * Ownership: owns its lists. Threads: confined. Limits: PG_ADDRESSES_MAX addresses of a name.
 */
#ifndef TELEX_DB_PG_HOSTS_H
#define TELEX_DB_PG_HOSTS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { PG_ADDRESSES_MAX = 16 };

/* Items have commas between them; of <port> there may be one for all. Empty: not said. */
struct pg_hosts {
    struct buf host;
    struct buf hostaddr;
    struct buf port;
};

void pg_hosts_init(struct pg_hosts *h);
void pg_hosts_release(struct pg_hosts *h);

/* A setting of a connection string: kept if it is one of those. <arg>: a struct pg_hosts. */
void pg_hosts_take(void *arg, const char *name, const char *value);

/* Calls add() with each address of a name, as text; none: it is not known. */
typedef void pg_add_address(void *arg, const char *address);
typedef void pg_resolve(const char *name, pg_add_address *add, void *arg);

/* The system's; may take as long as its resolver does. */
void pg_resolve_name(const char *name, pg_add_address *add, void *arg);

/* A name of several addresses becomes that name with each of them, in order. Lists that do not fit together stay as they are,
 * libpq says what is wrong with them; so do names that are not known. */
void pg_hosts_expand(struct pg_hosts *h, pg_resolve *resolve);

size_t pg_hosts_count(const struct pg_hosts *h);

/* The first becomes the last. */
void pg_hosts_turn(struct pg_hosts *h);

#endif
