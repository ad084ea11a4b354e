/*
 * fs.h - the file operations that durability rests on, as an injected table.
 *
 * fs_system() is the real thing; tests inject one that counts, fails on demand, or loses and
 * reorders what was not synced (tests/fake/simfs). Every call returns 0 or -errno, as the kernel
 * reports it. Ownership: the creator owns the table; handles are closed by whoever opened them.
 * Threads: as the system's calls. Limits: the system's.
 */
#ifndef TELEX_BASE_FS_H
#define TELEX_BASE_FS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct fs;

enum fs_flags {
    FS_READ = 1,
    FS_WRITE = 2,
    FS_CREATE = 4,
    FS_EXCLUSIVE = 8,
    FS_TRUNCATE = 16,
    FS_DIRECTORY = 32
};

struct fs_ops {
    int (*open)(const struct fs *, const char *path, unsigned flags, int *ret_fd);
    int (*close)(const struct fs *, int fd);
    /* Both transfer everything or fail; a short read at end of file sets *ret_len. */
    int (*pread)(const struct fs *, int fd, void *bytes, size_t len, int64_t offset,
                 size_t *ret_len);
    int (*pwritev)(const struct fs *, int fd, const struct iovec *parts, int count, int64_t offset);
    int (*sync)(const struct fs *, int fd); /* fdatasync; fsync for a directory */
    int (*truncate)(const struct fs *, int fd, int64_t size);
    int (*size)(const struct fs *, int fd, int64_t *ret_size);
    int (*rename)(const struct fs *, const char *from, const char *to);
    /* The same where <to> is not there: else -EEXIST, and nothing happened. */
    int (*rename_new)(const struct fs *, const char *from, const char *to);
    int (*unlink)(const struct fs *, const char *path);
    int (*mkdir)(const struct fs *, const char *path); /* 0 when it is there already */
    int (*list)(const struct fs *, const char *path, void (*visit)(void *arg, const char *name),
                void *arg);
    int (*lock)(const struct fs *, int fd); /* exclusive, not waiting: -EWOULDBLOCK */
    int (*free_bytes)(const struct fs *, const char *path, int64_t *ret_bytes);
};

struct fs {
    const struct fs_ops *ops;
};

const struct fs *fs_system(void);

/* Makes what was created, renamed or removed in folder <path> durable: 0 or -errno. */
int fs_sync_folder(const struct fs *fs, const char *path);

/* Creates <path> and its parents; what is new is durable. */
MUST_USE bool fs_make_path(const struct fs *fs, struct str path, struct err *e);

/* Reads a whole file of at most <max_bytes> into <out>. */
MUST_USE bool fs_read_file(const struct fs *fs, struct str path, size_t max_bytes, struct buf *out,
                           struct err *e);

/* Writes a temporary file beside <path>, syncs it, renames it over <path> and syncs the folder: all
 * or nothing. */
MUST_USE bool fs_replace_file(const struct fs *fs, struct str path, struct str bytes,
                              struct err *e);

/*
 * The same for bytes that come piece by piece: begin, add, then commit or abandon. What goes wrong is kept and
 * told by commit.
 */
enum { FS_PATH_MAX = 4096 };

struct fs_replace {
    const struct fs *fs;
    int fd;
    int result;  /* 0 or -errno */
    bool is_new; /* <path> is not to be there yet */
    int64_t len;
    char path[FS_PATH_MAX];
    char temporary[FS_PATH_MAX];
};

MUST_USE bool fs_replace_begin(struct fs_replace *r, const struct fs *fs, struct str path,
                               struct err *e);
/* For a file that is not there yet, nor its temporary one, whose name is the caller's choice in the same folder. */
MUST_USE bool fs_replace_begin_new(struct fs_replace *r, const struct fs *fs, struct str path,
                                   struct str temporary, struct err *e);
void fs_replace_add(struct fs_replace *r, struct str bytes);

/* ERR_CONFLICT: a new file's name is somebody else's by now. The temporary file is gone then, as after other failures. */
MUST_USE bool fs_replace_commit(struct fs_replace *r, struct err *e);
void fs_replace_abandon(struct fs_replace *r);

#endif
