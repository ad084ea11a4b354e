/*
 * fs_memory.h - a file system in memory: what a log is kept in when nothing may be written to disk.
 *
 * It has what struct fs_ops asks for and no more; paths are texts, folders are made with mkdir. Everything
 * in it is gone with fs_memory_free(). Ownership: the creator's; handles are closed before it is freed.
 * Threads: any, one lock. Limits: <cap_bytes> of contents, in blocks of FS_MEMORY_BLOCK; past them writes
 * fail with -ENOSPC, as they do when the system has no memory.
 */
#ifndef TELEX_BASE_FS_MEMORY_H
#define TELEX_BASE_FS_MEMORY_H

#include "base/fs.h"

enum { FS_MEMORY_BLOCK = 64 * 1024 };

struct fs_memory;

struct fs_memory *fs_memory_new(int64_t cap_bytes);
void fs_memory_free(struct fs_memory *m); /* NULL is fine */
const struct fs *fs_memory_fs(struct fs_memory *m);

/* Bytes of all blocks held. */
int64_t fs_memory_used(struct fs_memory *m);

#endif
