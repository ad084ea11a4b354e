/*
 * sources.h - the kinds of event sources, one file each.
 *
 * Ownership: static tables. Threads: const. Limits: each kind's own.
 */
#ifndef TELEX_EVENTS_SOURCES_SOURCES_H
#define TELEX_EVENTS_SOURCES_SOURCES_H

#include "events/source.h"

extern const struct source_kind source_embedded;
extern const struct source_kind source_sqlite;
extern const struct source_kind source_postgresql;
extern const struct source_kind source_outbox;
extern const struct source_kind source_mongodb;
extern const struct source_kind source_kafka;
extern const struct source_kind source_file;

#endif
