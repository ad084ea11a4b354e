/*
 * Invariants
 *   1. <files> is sorted by path and holds every name; a file lives while it has a name or a handle.
 *   2. <used> counts the blocks of all files, also of those without a name.
 */
#include "base/fs_memory.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/vec.h"

#include <errno.h>
#include <string.h>

struct memory_file {
    char *path; /* NULL: it has no name any more */
    bool is_folder;
    int lock_fd; /* who holds its lock; -1: nobody */
    size_t handles;
    int64_t size;
    VEC(char *) blocks; /* zeroed behind <size> */
};

struct fs_memory {
    struct fs fs; /* first */
    struct lock lock;
    int64_t cap GUARDED_BY(lock);
    int64_t used GUARDED_BY(lock);
    VEC(struct memory_file *) files GUARDED_BY(lock);
    VEC(struct memory_file *) handles GUARDED_BY(lock); /* by descriptor; NULL: free */
};

static struct fs_memory *of(const struct fs *fs)
{
    return (struct fs_memory *)(uintptr_t)fs;
}

/* ---- files ---- */

/* Where <path> stands or would stand. */
static size_t place_of(struct fs_memory *m, const char *path, bool *ret_found) REQUIRES(m->lock)
{
    size_t low = 0;
    size_t high = m->files.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(m->files.items[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = low < m->files.len && strcmp(m->files.items[low]->path, path) == 0;
    return low;
}

static struct memory_file *find(struct fs_memory *m, const char *path) REQUIRES(m->lock)
{
    bool found;
    size_t at = place_of(m, path, &found);

    return found ? m->files.items[at] : NULL;
}

static void insert(struct fs_memory *m, struct memory_file *f) REQUIRES(m->lock)
{
    bool found;
    size_t at = place_of(m, f->path, &found);

    vec_push(&m->files, f);
    for (size_t i = m->files.len - 1; i > at; i--) {
        m->files.items[i] = m->files.items[i - 1];
    }
    m->files.items[at] = f;
}

static struct memory_file *add(struct fs_memory *m, const char *path, bool is_folder)
    REQUIRES(m->lock)
{
    struct memory_file *f = mem_new(struct memory_file);

    f->path = mem_dup_text(path, strlen(path));
    f->is_folder = is_folder;
    f->lock_fd = -1;
    insert(m, f);
    return f;
}

static void cut(struct fs_memory *m, struct memory_file *f, int64_t size) REQUIRES(m->lock)
{
    size_t keep = (size_t)((size + FS_MEMORY_BLOCK - 1) / FS_MEMORY_BLOCK);

    while (f->blocks.len > keep) {
        mem_free(f->blocks.items[--f->blocks.len]);
        m->used -= FS_MEMORY_BLOCK;
    }
    size_t inside = (size_t)(size % FS_MEMORY_BLOCK);
    if (inside > 0 && f->blocks.len == keep) {
        memset(f->blocks.items[keep - 1] + inside, 0, FS_MEMORY_BLOCK - inside);
    }
    f->size = size;
}

static void free_unused(struct fs_memory *m, struct memory_file *f) REQUIRES(m->lock)
{
    if (f->path == NULL && f->handles == 0) {
        cut(m, f, 0);
        vec_release(&f->blocks);
        mem_free(f);
    }
}

static void forget_name(struct fs_memory *m, struct memory_file *f) REQUIRES(m->lock)
{
    bool found;
    size_t at = place_of(m, f->path, &found);

    m->files.len--;
    for (size_t i = at; i < m->files.len; i++) {
        m->files.items[i] = m->files.items[i + 1];
    }
    mem_free(TAKE(f->path));
    free_unused(m, f);
}

/* Has blocks up to <size>; false when there is no room for them. */
static bool grow(struct fs_memory *m, struct memory_file *f, int64_t size) REQUIRES(m->lock)
{
    while ((int64_t)f->blocks.len * FS_MEMORY_BLOCK < size) {
        char *block = m->used + FS_MEMORY_BLOCK <= m->cap ? mem_try_alloc(FS_MEMORY_BLOCK) : NULL;
        if (block == NULL) {
            return false;
        }
        memset(block, 0, FS_MEMORY_BLOCK);
        vec_push(&f->blocks, block);
        m->used += FS_MEMORY_BLOCK;
    }
    f->size = f->size > size ? f->size : size;
    return true;
}

/* Copies between <bytes> and the blocks at <offset>. */
static void copy(struct memory_file *f, char *bytes, size_t len, int64_t offset, bool to_file)
{
    while (len > 0) {
        size_t inside = (size_t)(offset % FS_MEMORY_BLOCK);
        size_t n = FS_MEMORY_BLOCK - inside < len ? FS_MEMORY_BLOCK - inside : len;
        char *at = f->blocks.items[offset / FS_MEMORY_BLOCK] + inside;
        memcpy(to_file ? at : bytes, to_file ? bytes : at, n);
        bytes += n;
        len -= n;
        offset += (int64_t)n;
    }
}

/* ---- handles ---- */

static struct memory_file *handle_of(struct fs_memory *m, int fd) REQUIRES(m->lock)
{
    return fd >= 0 && (size_t)fd < m->handles.len ? m->handles.items[fd] : NULL;
}

static int add_handle(struct fs_memory *m, struct memory_file *f) REQUIRES(m->lock)
{
    size_t fd = 0;

    while (fd < m->handles.len && m->handles.items[fd] != NULL) {
        fd++;
    }
    if (fd == m->handles.len) {
        vec_push(&m->handles, NULL);
    }
    m->handles.items[fd] = f;
    f->handles++;
    return (int)fd;
}

static int open_found(struct fs_memory *m, const char *path, unsigned flags, int *ret_fd)
    REQUIRES(m->lock)
{
    struct memory_file *f = find(m, path);

    if (f == NULL && (flags & FS_CREATE) == 0) {
        return -ENOENT;
    }
    if (f != NULL && (flags & FS_EXCLUSIVE) != 0) {
        return -EEXIST;
    }
    if (f != NULL && f->is_folder != ((flags & FS_DIRECTORY) != 0)) {
        return f->is_folder ? -EISDIR : -ENOTDIR;
    }
    if (f == NULL) {
        f = add(m, path, false);
    } else if ((flags & FS_TRUNCATE) != 0) {
        cut(m, f, 0);
    }
    *ret_fd = add_handle(m, f);
    return 0;
}

/* ---- the table ---- */

static int memory_open(const struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    int result = open_found(m, path, flags, ret_fd);
    lock_give(&m->lock);
    return result;
}

static int memory_close(const struct fs *fs, int fd)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    if (f != NULL) {
        m->handles.items[fd] = NULL;
        f->handles--;
        f->lock_fd = f->lock_fd == fd ? -1 : f->lock_fd;
        free_unused(m, f);
    }
    lock_give(&m->lock);
    return f != NULL ? 0 : -EBADF;
}

static int memory_pread(const struct fs *fs, int fd, void *bytes, size_t len, int64_t offset,
                        size_t *ret_len)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    int64_t left = f != NULL && f->size > offset ? f->size - offset : 0;
    size_t n = left < (int64_t)len ? (size_t)left : len;
    if (f != NULL) {
        copy(f, bytes, n, offset, false);
    }
    lock_give(&m->lock);
    *ret_len = n;
    return f != NULL ? 0 : -EBADF;
}

static int64_t total_of(const struct iovec *parts, int count)
{
    int64_t total = 0;

    for (int i = 0; i < count; i++) {
        total += (int64_t)parts[i].iov_len;
    }
    return total;
}

/* Growing a file zeroes what lies between; bytes are there whole or not at all. */
static int memory_pwritev(const struct fs *fs, int fd, const struct iovec *parts, int count,
                          int64_t offset)
{
    struct fs_memory *m = of(fs);
    int result = -EBADF;

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    if (f != NULL) {
        result = grow(m, f, offset + total_of(parts, count)) ? 0 : -ENOSPC;
    }
    for (int i = 0; result == 0 && i < count; i++) {
        copy(f, parts[i].iov_base, parts[i].iov_len, offset, true);
        offset += (int64_t)parts[i].iov_len;
    }
    lock_give(&m->lock);
    return result;
}

static int memory_sync(const struct fs *fs, int fd)
{
    (void)fs;
    (void)fd;
    return 0;
}

static int memory_truncate(const struct fs *fs, int fd, int64_t size)
{
    struct fs_memory *m = of(fs);
    int result = -EBADF;

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    if (f != NULL && size > f->size) {
        result = grow(m, f, size) ? 0 : -ENOSPC;
    } else if (f != NULL) {
        cut(m, f, size);
        result = 0;
    }
    lock_give(&m->lock);
    return result;
}

static int memory_size(const struct fs *fs, int fd, int64_t *ret_size)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    *ret_size = f != NULL ? f->size : 0;
    lock_give(&m->lock);
    return f != NULL ? 0 : -EBADF;
}

static int rename_found(struct fs_memory *m, const char *from, const char *to) REQUIRES(m->lock)
{
    struct memory_file *f = find(m, from);
    struct memory_file *old = find(m, to);

    if (f == NULL) {
        return -ENOENT;
    }
    if (old == f) {
        return 0;
    }
    if (old != NULL) {
        forget_name(m, old);
    }
    f->handles++; /* so that it outlives its name for a moment */
    forget_name(m, f);
    f->handles--;
    f->path = mem_dup_text(to, strlen(to));
    insert(m, f);
    return 0;
}

static int memory_rename(const struct fs *fs, const char *from, const char *to)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    int result = rename_found(m, from, to);
    lock_give(&m->lock);
    return result;
}

static int memory_rename_new(const struct fs *fs, const char *from, const char *to)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    int result = find(m, to) != NULL ? -EEXIST : rename_found(m, from, to);
    lock_give(&m->lock);
    return result;
}

static int memory_unlink(const struct fs *fs, const char *path)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = find(m, path);
    bool is_file = f != NULL && !f->is_folder;
    if (is_file) {
        forget_name(m, f);
    }
    lock_give(&m->lock);
    return is_file ? 0 : (f != NULL ? -EISDIR : -ENOENT);
}

static int memory_mkdir(const struct fs *fs, const char *path)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = find(m, path);
    bool is_there = f != NULL;
    bool is_folder = f == NULL || f->is_folder;
    if (!is_there) {
        (void)add(m, path, true);
    }
    lock_give(&m->lock);
    return is_folder ? 0 : -EEXIST;
}

/* The name of <path> in folder <folder>; NULL when it is not in there itself. */
static const char *name_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (strncmp(path, folder, len) != 0 || path[len] != '/') {
        return NULL;
    }
    const char *name = path + len + 1;
    return strchr(name, '/') == NULL ? name : NULL;
}

/* Names are visited without the lock. */
static int memory_list(const struct fs *fs, const char *path,
                       void (*visit)(void *arg, const char *name), void *arg)
{
    struct fs_memory *m = of(fs);
    VEC(char *) names = {0};

    lock_take(&m->lock);
    struct memory_file *folder = find(m, path);
    bool is_folder = folder != NULL && folder->is_folder;
    for (size_t i = 0; is_folder && i < m->files.len; i++) {
        const char *name = name_in(m->files.items[i]->path, path);
        if (name != NULL) {
            vec_push(&names, mem_dup_text(name, strlen(name)));
        }
    }
    lock_give(&m->lock);
    for (size_t i = 0; i < names.len; i++) {
        visit(arg, names.items[i]);
        mem_free(names.items[i]);
    }
    vec_release(&names);
    return is_folder ? 0 : -ENOENT;
}

static int memory_lock(const struct fs *fs, int fd)
{
    struct fs_memory *m = of(fs);

    lock_take(&m->lock);
    struct memory_file *f = handle_of(m, fd);
    bool is_free = f != NULL && (f->lock_fd < 0 || f->lock_fd == fd);
    if (is_free) {
        f->lock_fd = fd;
    }
    lock_give(&m->lock);
    return f == NULL ? -EBADF : (is_free ? 0 : -EWOULDBLOCK);
}

static int memory_free_bytes(const struct fs *fs, const char *path, int64_t *ret_bytes)
{
    struct fs_memory *m = of(fs);

    (void)path;
    lock_take(&m->lock);
    *ret_bytes = m->cap - m->used;
    lock_give(&m->lock);
    return 0;
}

static const struct fs_ops memory_ops = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .pwritev = memory_pwritev,
    .sync = memory_sync,
    .truncate = memory_truncate,
    .size = memory_size,
    .rename = memory_rename,
    .rename_new = memory_rename_new,
    .unlink = memory_unlink,
    .mkdir = memory_mkdir,
    .list = memory_list,
    .lock = memory_lock,
    .free_bytes = memory_free_bytes,
};

struct fs_memory *fs_memory_new(int64_t cap_bytes)
{
    struct fs_memory *m = mem_new(struct fs_memory);

    m->fs.ops = &memory_ops;
    m->cap = cap_bytes;
    lock_init(&m->lock);
    lock_take(&m->lock);
    (void)add(m, "/", true);
    lock_give(&m->lock);
    return m;
}

static void free_all(struct fs_memory *m)
{
    lock_take(&m->lock);
    while (m->files.len > 0) {
        forget_name(m, m->files.items[m->files.len - 1]);
    }
    vec_release(&m->files);
    vec_release(&m->handles);
    lock_give(&m->lock);
}

void fs_memory_free(struct fs_memory *m)
{
    if (m == NULL) {
        return;
    }
    free_all(m);
    lock_release(&m->lock);
    mem_free(m);
}

const struct fs *fs_memory_fs(struct fs_memory *m)
{
    return &m->fs;
}

int64_t fs_memory_used(struct fs_memory *m)
{
    lock_take(&m->lock);
    int64_t used = m->used;
    lock_give(&m->lock);
    return used;
}
