/*
 * Room on the file system: how much is left, a little that is kept in hand, and the bound on what was copied aside.
 *
 * The reserve is a file of its own. When cursors or names cannot be written for want of room it is removed and the write
 * tried again, so that a full disk never keeps segments from going; it is made anew when there is room.
 */
#include "log/log_int.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RESERVE_BYTES = 64 * 1024,
    QUARANTINE_FILES = 256,
    QUARANTINE_NAME = 64, /* bytes; ours are shorter */
    MIB = 1024 * 1024,
};
#define LOOK_NS NS_PER_S

static const char reserve_file[] = "reserve";

static void reserve_make(struct log *l)
{
    char path[PATH_MAX];
    int fd = -1;

    log_path(l, reserve_file, path);
    if (l->fs->ops->open(l->fs, path, FS_WRITE | FS_CREATE, &fd) != 0) {
        return;
    }
    char *zeros = mem_alloc0(1, RESERVE_BYTES);
    struct iovec part = {zeros, RESERVE_BYTES};
    l->reserved = l->fs->ops->pwritev(l->fs, fd, &part, 1, 0) == 0;
    (void)l->fs->ops->close(l->fs, fd);
    mem_free(zeros);
}

bool reserve_spend(struct log *l)
{
    char path[PATH_MAX];
    bool spent = l->reserved;

    if (spent) {
        log_path(l, reserve_file, path);
        spent = l->fs->ops->unlink(l->fs, path) == 0;
        l->reserved = false;
    }
    return spent;
}

/* Notes how much is left; the words are for whoever wants to append. */
static void note_free(struct log *l, int64_t free_bytes)
{
    bool low = free_bytes < l->min_free_bytes;

    lock_take(&l->lock);
    bool changed = low != l->low;
    l->low = low;
    l->free_bytes = free_bytes;
    (void)snprintf(l->low_reason, sizeof(l->low_reason),
                   "takes nothing in: its file system has %" PRIi64
                   " MiB left, and min_free_bytes keeps %" PRIi64 " MiB free; make room there",
                   free_bytes / MIB, l->min_free_bytes / MIB);
    cond_broadcast(&l->done);
    lock_give(&l->lock);
    if (changed) {
        trace_warn(&l->trace,
                   low ? "too little room is left, nothing more is taken in"
                       : "there is room again",
                   T_TEXT("log", l->name), T_I64("free_bytes", free_bytes),
                   T_I64("min_free_bytes", l->min_free_bytes));
    }
}

bool space_is_due(const struct log *l, int64_t now_ns)
{
    return now_ns - l->space_looked_ns >= LOOK_NS;
}

void space_look(struct log *l, int64_t now_ns)
{
    int64_t free_bytes = 0;

    l->space_looked_ns = now_ns;
    if (!l->reserved && !l->failing) {
        reserve_make(l);
    }
    if (l->min_free_bytes > 0 && l->fs->ops->free_bytes(l->fs, l->path, &free_bytes) == 0) {
        note_free(l, free_bytes);
    }
}

/* ---- the bound on the quarantine ---- */

struct aside {
    char name[QUARANTINE_NAME];
    int64_t bytes;
};

struct asides {
    VEC(struct aside) all;
};

static void visit_aside(void *arg, const char *name)
{
    struct asides *a = arg;
    struct aside one = {0};

    if (name[0] != '.' && strlen(name) < sizeof(one.name)) {
        memcpy(one.name, name, strlen(name));
        vec_push(&a->all, one);
    }
}

/* By serial number, which leads the name: the oldest first. */
static int compare_asides(const void *a, const void *b)
{
    const struct aside *x = a;
    const struct aside *y = b;

    return strcmp(x->name, y->name);
}

static void aside_path(const struct log *l, const struct aside *a, char path[PATH_MAX])
{
    char name[QUARANTINE_NAME + 16];

    (void)snprintf(name, sizeof(name), "quarantine/%s", a->name);
    log_path(l, name, path);
}

static int64_t aside_size(const struct log *l, const struct aside *a)
{
    char path[PATH_MAX];
    int64_t size = 0;
    int fd = -1;

    aside_path(l, a, path);
    if (l->fs->ops->open(l->fs, path, FS_READ, &fd) == 0) {
        (void)l->fs->ops->size(l->fs, fd, &size);
        (void)l->fs->ops->close(l->fs, fd);
    }
    return size;
}

static void drop_aside(struct log *l, const struct aside *a)
{
    char path[PATH_MAX];

    aside_path(l, a, path);
    if (l->fs->ops->unlink(l->fs, path) == 0) {
        metric_add(l->metrics.quarantine_dropped, 1);
        trace_warn(&l->trace, "quarantine is full, its oldest copy was removed",
                   T_TEXT("log", l->name), T_TEXT("file", a->name), T_I64("bytes", a->bytes));
    }
}

void quarantine_bound(struct log *l)
{
    struct asides a = {0};
    char folder[PATH_MAX];
    int64_t bytes = 0;

    log_path(l, "quarantine", folder);
    if (l->fs->ops->list(l->fs, folder, visit_aside, &a) != 0 || a.all.len == 0) {
        vec_release(&a.all);
        return;
    }
    qsort(a.all.items, a.all.len, sizeof(a.all.items[0]), compare_asides);
    for (size_t i = 0; i < a.all.len; i++) {
        a.all.items[i].bytes = aside_size(l, &a.all.items[i]);
        bytes += a.all.items[i].bytes;
    }
    for (size_t i = 0;
         i + 1 < a.all.len && (a.all.len - i > QUARANTINE_FILES || bytes > l->quarantine_bytes);
         i++) {
        drop_aside(l, &a.all.items[i]);
        bytes -= a.all.items[i].bytes;
    }
    vec_release(&a.all);
}
