/*
 * fake/simfs.h - a file system in memory that forgets what was not synced.
 *
 * It keeps two states: what a running program sees, and what a power cut leaves. A write, truncation, creation, rename or
 * removal is pending until the file (or, for names, the folder) is synced. simfs_crash() decides for each pending thing
 * whether it reached the disk: none, all, or each 512-byte granule by chance, so that writes are lost, torn and
 * reordered. A failed sync forgets what was pending, as Linux does: the next sync succeeds and proves nothing.
 *
 * Ownership: the test's; everything opened through it dies with simfs_free(). Threads: any, one lock. Limits:
 * SIMFS_FILES names, SIMFS_OPEN handles, paths of SIMFS_PATH bytes; a breach is an INVARIANT.
 */
#ifndef TELEX_FAKE_SIMFS_H
#define TELEX_FAKE_SIMFS_H

#include "base/fs.h"

#include <stdint.h>

enum { SIMFS_FILES = 256, SIMFS_OPEN = 64, SIMFS_PATH = 128, SIMFS_GRANULE = 512 };

/* The calls that can be made to fail, as bits. */
enum simfs_call {
    SIMFS_CALL_OPEN = 1,
    SIMFS_CALL_READ = 2,
    SIMFS_CALL_WRITE = 4,
    SIMFS_CALL_SYNC = 8,
    SIMFS_CALL_TRUNCATE = 16,
    SIMFS_CALL_RENAME = 32,
    SIMFS_CALL_UNLINK = 64,
    SIMFS_CALL_MKDIR = 128,
    SIMFS_CALL_LIST = 256,
    SIMFS_CALL_CREATE = 512, /* an open that creates */
    SIMFS_CALL_CHANGE = 4 | 8 | 16 | 32 | 64 | 128 | 512,
    SIMFS_CALL_ANY = 1023,
};

enum simfs_loss { SIMFS_LOSE_ALL, SIMFS_KEEP_ALL, SIMFS_BY_CHANCE };

struct simfs;

struct simfs *simfs_new(uint64_t seed);
void simfs_free(struct simfs *s);
const struct fs *simfs_fs(struct simfs *s);

/* Bytes that files may hold together; -ENOSPC past that, after writing what fits. */
void simfs_set_capacity(struct simfs *s, int64_t bytes);

/* Every change is refused with -EROFS. */
void simfs_set_read_only(struct simfs *s, bool read_only);

/* The <nth> call (from 1) among <calls> from now on fails with -<errnum>, and <times> - 1 after it. */
void simfs_fail(struct simfs *s, unsigned calls, unsigned nth, unsigned times, int errnum);

/* Reads of any byte in [from, to) of <path> fail with -EIO from now on; an empty range makes the file well again. */
void simfs_spoil(struct simfs *s, const char *path, int64_t from, int64_t to);

/* Calls of <calls> so far. */
unsigned simfs_calls(struct simfs *s, unsigned calls);

/* The <nth> changing call from now on is the last: it happens in memory (a sync does not), and it and all after it give -EIO. */
void simfs_stop_at(struct simfs *s, unsigned nth);
bool simfs_is_stopped(struct simfs *s);

/* Changing calls so far. */
unsigned simfs_changes(struct simfs *s);

/* The power is cut and comes back: handles and locks are gone, files are what <loss> leaves. Injected failures are forgotten. */
void simfs_crash(struct simfs *s, enum simfs_loss loss);

/* What a running program would read at <path>; false when there is no such file. */
bool simfs_peek(struct simfs *s, const char *path, struct buf *out);

/* Puts a durable file there, whatever was there before. */
void simfs_put(struct simfs *s, const char *path, struct str bytes);

#endif
