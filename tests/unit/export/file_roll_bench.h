/*
 * file_roll_bench.h - files one after the other on a bench: a file system in memory, a clock, rows that are counted in the end.
 *
 * Ownership: the fixture owns what it made; roll_release() lets go of it. Threads: confined. Limits: ROWS_MAX rows, FILES_MAX
 * names.
 */
#ifndef TELEX_TESTS_FILE_ROLL_BENCH_H
#define TELEX_TESTS_FILE_ROLL_BENCH_H

#include "base/clock.h"
#include "base/env.h"
#include "export/exporter_options.h"
#include "export/file_sink.h"
#include "fake/clock.h"
#include "fake/simfs.h"

enum { ROWS_MAX = 64, FILES_MAX = 32, NAME_MAX_BYTES = 128 };

#define BEGAN_NS (INT64_C(1705314600) * NS_PER_S) /* 2024-01-15T10:30:00Z */
#define HOUR_NS (3600 * NS_PER_S)

struct roll_fixture {
    struct simfs *simfs;
    struct fake_clock clock;
    struct env env;
    struct exporter_place place;
    struct exporter_common config;
    struct file_roll_config roll;
    struct sink *sink;
    struct outcome out;
    bool shortens;       /* lines are those of spool_lines.h */
    int given;           /* rows handed over */
    bool kept[ROWS_MAX]; /* rows that were acknowledged */
};

struct roll_names {
    size_t count;
    char names[FILES_MAX][NAME_MAX_BYTES];
};

void roll_init(struct roll_fixture *f, struct file_kind kind);
void roll_release(struct roll_fixture *f);
bool roll_open_sink(struct roll_fixture *f); /* anew */
void roll_deliver(struct roll_fixture *f, uint32_t rows);
bool roll_flush(struct roll_fixture *f);

void roll_list(struct roll_fixture *f, struct roll_names *ret);
bool roll_peek(struct roll_fixture *f, const char *name, struct buf *out);
bool roll_has(const struct roll_names *names, const char *name);
size_t roll_visible(const struct roll_names *names);

/* How often each row stands in the files that others see, where they are such that it can be counted. */
bool roll_is_countable(const struct roll_fixture *f);
void roll_count_rows(struct roll_fixture *f, const struct roll_names *names, int *counts);

/* Each line of the index is of a file that is there and is as it says; returns how many. */
size_t roll_check_index(struct roll_fixture *f);

#endif
