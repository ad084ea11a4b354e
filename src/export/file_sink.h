/*
 * file_sink.h - the one leaf over files; a file exporter is a pure function from rows to lines.
 *
 * With a roll (file_roll.h) the file is a spool that others do not see, and files are made of it one after the other.
 *
 * Lines are appended and synced before they count as delivered; a write that fails is taken back, so
 * that the file ends in a whole line. The file is opened for each delivery: when somebody moved or
 * removed it, the next one makes a new one. A torn end (a crash) is moved to <path>.torn before
 * anything is appended.
 *
 * Ownership: the exporter's table and config are borrowed. Threads: as sink.h; a lock on the file
 * keeps other processes out. Limits: FILE_SINK_BYTES per write and sync, which lines may pass by one.
 */
#ifndef TELEX_EXPORT_FILE_SINK_H
#define TELEX_EXPORT_FILE_SINK_H

#include "base/buf.h"
#include "export/exporter.h"
#include "export/file_roll.h"
#include "export/sink.h"
#include "export/validate.h"

struct fs;

enum { FILE_SINK_BYTES = 1024 * 1024 };

struct file_exporter {
    /*
     * Appends lines of rows from *row on to <lines>, until there are FILE_SINK_BYTES, and moves *row
     * past them. Rows that cannot be written are excepted in <out>; with false all rows up to *row
     * are rejected, or all there are when it did not move.
     */
    bool (*next_lines)(const void *config, void *state, struct view view, uint32_t *row,
                       struct buf *lines, struct outcome *out, struct err *e);
    /* As that of struct http_exporter. */
    bool (*validate)(const void *config, const struct sent_rows *sent, struct str lines,
                     struct err *e);
    /* For lines that refer to others, of a file that is rolled; or NULL. Before next_lines: its lines go to <at> of spool
     * number <spool>. After it: they are there or not; gives the bytes that they are shorter than their JSON. */
    void (*begin_lines)(void *state, uint64_t spool, int64_t at);
    int64_t (*end_lines)(void *state, bool is_there);
    /* What one leaf keeps from call to call, which next_lines gets; or NULL: nothing. */
    void *(*open_state)(const struct exporter_place *place, const void *config);
    void (*close_state)(void *state);
};

/* Where the file is. */
struct file_target {
    const struct fs *fs;
    struct str folder; /* made when it is not there */
    struct str name;
    const struct file_roll_config *roll; /* or NULL: one file, for ever */
};

/*
 * Opens a leaf for <exporter>, whose config begins with struct exporter_common. Makes folder and file
 * and mends the file's end, so that what cannot work is told at once.
 */
MUST_USE bool file_sink_open(const struct file_exporter *exporter, const struct file_target *target,
                             const struct exporter_place *place, const void *config,
                             struct sink **ret_sink, struct err *e);

#endif
