/*
 * Invariants
 *   1. A node's <now> is <durable> with all of its pending operations applied in order; so are names.
 *   2. A node lives until simfs_free(), even when no name leads to it: a crash may bring the name back.
 *   3. A stopped file system changes nothing any more until the crash.
 */
#include "fake/simfs.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "base/vec.h"

#include <errno.h>
#include <stdio.h>

enum { CALL_KINDS = 10 };

struct content {
    char *bytes;
    size_t len;
    size_t cap;
};

/* A pending write of <bytes> at <offset>, or (bytes NULL) a truncation to <offset>. */
struct change {
    char *bytes;
    size_t len;
    size_t offset;
};

struct node {
    bool is_folder;
    struct content now;
    struct content durable;
    VEC(struct change) pending;
    const struct handle *locked_by;
    int64_t spoiled_from;
    int64_t spoiled_to;
};

struct name {
    char path[SIMFS_PATH];
    struct node *now; /* NULL: no such file */
    struct node *durable;
};

/* What one call does to names: up to two at once, or not at all. */
struct renaming {
    struct name *names[2];
    struct node *nodes[2];
};

struct handle {
    struct node *node;
    unsigned flags;
    char path[SIMFS_PATH];
};

struct simfs {
    struct fs fs;
    struct lock lock;
    struct rng rng;
    struct name names[SIMFS_FILES];
    size_t name_count;
    VEC(struct node *) nodes;
    VEC(struct renaming) renamings; /* pending */
    struct handle handles[SIMFS_OPEN];
    int64_t capacity;
    bool read_only;
    bool stopped;
    unsigned changes;
    unsigned counts[CALL_KINDS];
    unsigned stop_at; /* value of <changes>; 0: never */
    unsigned fail_calls;
    unsigned fail_in;
    unsigned fail_times;
    int fail_errnum;
};

static struct simfs *simfs_of(const struct fs *fs)
{
    return container_of((struct fs *)(uintptr_t)fs, struct simfs, fs);
}

static void content_resize(struct content *c, size_t len)
{
    if (len > c->cap) {
        c->cap = len > 2 * c->cap ? len : 2 * c->cap;
        c->bytes = mem_resize(c->bytes, c->cap, 1);
    }
    if (len > c->len) {
        memset(c->bytes + c->len, 0, len - c->len);
    }
    c->len = len;
}

static void content_write(struct content *c, const char *bytes, size_t len, size_t offset)
{
    if (offset + len > c->len) {
        content_resize(c, offset + len);
    }
    if (len > 0) {
        memcpy(c->bytes + offset, bytes, len);
    }
}

static void content_copy(struct content *to, const struct content *from)
{
    content_resize(to, from->len);
    if (from->len > 0) {
        memcpy(to->bytes, from->bytes, from->len);
    }
}

static struct name *name_of(struct simfs *s, const char *path)
{
    for (size_t i = 0; i < s->name_count; i++) {
        if (strcmp(s->names[i].path, path) == 0) {
            return &s->names[i];
        }
    }
    INVARIANT(s->name_count < SIMFS_FILES && strlen(path) < SIMFS_PATH);
    struct name *name = &s->names[s->name_count++];
    (void)snprintf(name->path, sizeof(name->path), "%s", path);
    return name;
}

static struct node *node_new(struct simfs *s, bool is_folder)
{
    struct node *node = mem_new(struct node);

    node->is_folder = is_folder;
    vec_push(&s->nodes, node);
    return node;
}

static void node_forget_pending(struct node *node)
{
    for (size_t i = 0; i < node->pending.len; i++) {
        mem_free(node->pending.items[i].bytes);
    }
    node->pending.len = 0;
}

/* What stands before the call happens: 0, or why it fails. *ret_stops: it happens, and nothing after it. */
static int admit(struct simfs *s, unsigned call, bool *ret_stops) REQUIRES(&s->lock)
{
    *ret_stops = false;
    if (call != 0) {
        s->counts[(unsigned)__builtin_ctz(call) % CALL_KINDS]++;
    }
    if (s->stopped) {
        return -EIO;
    }
    if (call & SIMFS_CALL_CHANGE) {
        s->changes++;
        s->stopped = s->stop_at != 0 && s->changes >= s->stop_at;
        *ret_stops = s->stopped;
    }
    if (call & s->fail_calls) {
        s->fail_in -= s->fail_in > 0;
        if (s->fail_in == 0 && s->fail_times > 0) {
            s->fail_times--;
            return -s->fail_errnum;
        }
    }
    return (call & SIMFS_CALL_CHANGE & ~(unsigned)SIMFS_CALL_SYNC) && s->read_only ? -EROFS : 0;
}

static void renaming_apply_now(struct simfs *s, struct renaming r)
{
    for (size_t i = 0; i < 2 && r.names[i] != NULL; i++) {
        r.names[i]->now = r.nodes[i];
    }
    vec_push(&s->renamings, r);
}

static struct node *find_now(struct simfs *s, const char *path)
{
    return name_of(s, path)->now;
}

static int free_handle(struct simfs *s)
{
    for (int fd = 0; fd < SIMFS_OPEN; fd++) {
        if (s->handles[fd].node == NULL) {
            return fd;
        }
    }
    INVARIANT(false);
    return -1;
}

static int open_locked(struct simfs *s, const char *path, unsigned flags, int *ret_fd)
    REQUIRES(&s->lock)
{
    struct node *node = find_now(s, path);
    bool creates = node == NULL && (flags & FS_CREATE);
    bool stops = false;
    int result = admit(s, creates ? SIMFS_CALL_CREATE | SIMFS_CALL_OPEN : SIMFS_CALL_OPEN, &stops);

    if (result != 0) {
        return result;
    }
    if (node == NULL && !creates) {
        return -ENOENT;
    }
    if (node != NULL && (flags & FS_EXCLUSIVE)) {
        return -EEXIST;
    }
    if (node != NULL && node->is_folder != ((flags & FS_DIRECTORY) != 0)) {
        return node->is_folder ? -EISDIR : -ENOTDIR;
    }
    if (creates) {
        node = node_new(s, false);
        renaming_apply_now(s, (struct renaming){.names = {name_of(s, path)}, .nodes = {node}});
    }
    int fd = free_handle(s);
    s->handles[fd] = (struct handle){.node = node, .flags = flags};
    (void)snprintf(s->handles[fd].path, SIMFS_PATH, "%s", path);
    *ret_fd = fd;
    return stops ? -EIO : 0;
}

static int sim_open(const struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
    struct simfs *s = simfs_of(fs);

    INVARIANT(!(flags & FS_TRUNCATE) || (flags & FS_WRITE));
    lock_take(&s->lock);
    int result = open_locked(s, path, flags, ret_fd);
    lock_give(&s->lock);
    if (result == 0 && (flags & FS_TRUNCATE)) {
        result = fs->ops->truncate(fs, *ret_fd, 0);
    }
    return result;
}

static struct handle *handle_of(struct simfs *s, int fd)
{
    INVARIANT(fd >= 0 && fd < SIMFS_OPEN);
    return &s->handles[fd];
}

static int sim_close(const struct fs *fs, int fd)
{
    struct simfs *s = simfs_of(fs);

    lock_take(&s->lock);
    struct handle *h = handle_of(s, fd);
    int result = h->node == NULL ? -EBADF : 0;
    if (h->node != NULL && h->node->locked_by == h) {
        h->node->locked_by = NULL;
    }
    h->node = NULL;
    lock_give(&s->lock);
    return result;
}

static int sim_pread(const struct fs *fs, int fd, void *bytes, size_t len, int64_t offset,
                     size_t *ret_len)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct node *node = handle_of(s, fd)->node;
    int result = node == NULL ? -EBADF : admit(s, SIMFS_CALL_READ, &stops);
    if (result == 0 && offset < node->spoiled_to && offset + (int64_t)len > node->spoiled_from) {
        result = -EIO;
    }
    if (result == 0) {
        size_t from = (size_t)offset < node->now.len ? (size_t)offset : node->now.len;
        size_t n = len < node->now.len - from ? len : node->now.len - from;
        if (n > 0) {
            memcpy(bytes, node->now.bytes + from, n);
        }
        *ret_len = n;
    }
    lock_give(&s->lock);
    return result;
}

static int64_t used_bytes(const struct simfs *s)
{
    int64_t used = 0;

    for (size_t i = 0; i < s->name_count; i++) {
        used += s->names[i].now != NULL ? (int64_t)s->names[i].now->now.len : 0;
    }
    return used;
}

static void write_part(struct node *node, const char *bytes, size_t len, size_t offset)
{
    if (len > 0) {
        content_write(&node->now, bytes, len, offset);
        vec_push(&node->pending, ((struct change){mem_dup(bytes, len), len, offset}));
    }
}

static int write_locked(struct simfs *s, struct node *node, const struct iovec *parts, int count,
                        size_t offset) REQUIRES(&s->lock)
{
    for (int i = 0; i < count; i++) {
        size_t end = offset + parts[i].iov_len;
        int64_t grows = end > node->now.len ? (int64_t)(end - node->now.len) : 0;
        int64_t room = s->capacity - used_bytes(s);
        bool full = grows > room;
        size_t len =
            full ? parts[i].iov_len - (size_t)(grows - (room > 0 ? room : 0)) : parts[i].iov_len;
        write_part(node, parts[i].iov_base, len, offset);
        if (full) {
            return -ENOSPC;
        }
        offset = end;
    }
    return 0;
}

static int sim_pwritev(const struct fs *fs, int fd, const struct iovec *parts, int count,
                       int64_t offset)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct handle *h = handle_of(s, fd);
    int result =
        h->node == NULL || !(h->flags & FS_WRITE) ? -EBADF : admit(s, SIMFS_CALL_WRITE, &stops);
    if (result == 0) {
        result = write_locked(s, h->node, parts, count, (size_t)offset);
    }
    lock_give(&s->lock);
    return stops ? -EIO : result;
}

static int sim_truncate(const struct fs *fs, int fd, int64_t size)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct handle *h = handle_of(s, fd);
    int result =
        h->node == NULL || !(h->flags & FS_WRITE) ? -EBADF : admit(s, SIMFS_CALL_TRUNCATE, &stops);
    if (result == 0) {
        content_resize(&h->node->now, (size_t)size);
        vec_push(&h->node->pending, ((struct change){NULL, 0, (size_t)size}));
    }
    lock_give(&s->lock);
    return stops ? -EIO : result;
}

static bool is_in_folder(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    if (slash == NULL) {
        return strcmp(folder, ".") == 0 && strcmp(path, ".") != 0;
    }
    return len == strlen(folder) && strncmp(path, folder, len) == 0;
}

static void renaming_reach_disk(struct renaming *r)
{
    for (size_t i = 0; i < 2 && r->names[i] != NULL; i++) {
        r->names[i]->durable = r->nodes[i];
    }
}

/* All that is pending in <folder> (any folder if NULL) reaches the disk. */
static void sync_names(struct simfs *s, const char *folder)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->renamings.len; i++) {
        struct renaming *r = &s->renamings.items[i];
        if (folder == NULL || is_in_folder(r->names[0]->path, folder)) {
            renaming_reach_disk(r);
        } else {
            s->renamings.items[kept++] = *r;
        }
    }
    s->renamings.len = kept;
}

/* One pending change reaches the disk, or each granule of it by chance. */
static void change_reach_disk(struct simfs *s, struct node *node, const struct change *c,
                              bool by_chance)
{
    if (c->bytes == NULL) {
        if (!by_chance || rng_below(&s->rng, 2)) {
            content_resize(&node->durable, c->offset);
        }
        return;
    }
    for (size_t at = 0; at < c->len;) {
        size_t to_edge = SIMFS_GRANULE - (c->offset + at) % SIMFS_GRANULE;
        size_t n = to_edge < c->len - at ? to_edge : c->len - at;
        if (!by_chance || rng_below(&s->rng, 2)) {
            content_write(&node->durable, c->bytes + at, n, c->offset + at);
        }
        at += n;
    }
}

static void node_lose(struct simfs *s, struct node *node, enum simfs_loss loss)
{
    for (size_t i = 0; loss != SIMFS_LOSE_ALL && i < node->pending.len; i++) {
        change_reach_disk(s, node, &node->pending.items[i], loss == SIMFS_BY_CHANCE);
    }
    node_forget_pending(node);
}

static int sync_locked(struct simfs *s, const struct handle *h) REQUIRES(&s->lock)
{
    bool stops = false;
    int result = admit(s, SIMFS_CALL_SYNC, &stops);

    if (stops) {
        return -EIO;
    }
    if (result != 0) {
        node_lose(s, h->node, SIMFS_BY_CHANCE);
        return result;
    }
    if (h->node->is_folder) {
        sync_names(s, h->path);
    } else {
        node_lose(s, h->node, SIMFS_KEEP_ALL);
    }
    return 0;
}

static int sim_sync(const struct fs *fs, int fd)
{
    struct simfs *s = simfs_of(fs);

    lock_take(&s->lock);
    const struct handle *h = handle_of(s, fd);
    int result = h->node == NULL ? -EBADF : sync_locked(s, h);
    lock_give(&s->lock);
    return result;
}

static int sim_size(const struct fs *fs, int fd, int64_t *ret_size)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct node *node = handle_of(s, fd)->node;
    int result = node == NULL ? -EBADF : admit(s, 0, &stops);
    if (result == 0) {
        *ret_size = (int64_t)node->now.len;
    }
    lock_give(&s->lock);
    return result;
}

static int rename_to(const struct fs *fs, const char *from, const char *to, bool replaces)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    struct node *node = find_now(s, from);
    int result = admit(s, SIMFS_CALL_RENAME, &stops);
    result = result == 0 && node == NULL ? -ENOENT : result;
    result = result == 0 && !replaces && find_now(s, to) != NULL ? -EEXIST : result;
    if (result == 0) {
        renaming_apply_now(s, (struct renaming){.names = {name_of(s, from), name_of(s, to)},
                                                .nodes = {NULL, node}});
    }
    lock_give(&s->lock);
    return stops ? -EIO : result;
}

static int sim_rename(const struct fs *fs, const char *from, const char *to)
{
    return rename_to(fs, from, to, true);
}

static int sim_rename_new(const struct fs *fs, const char *from, const char *to)
{
    return rename_to(fs, from, to, false);
}

static int sim_unlink(const struct fs *fs, const char *path)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct node *node = find_now(s, path);
    int result = admit(s, SIMFS_CALL_UNLINK, &stops);
    result = result == 0 && node == NULL ? -ENOENT : result;
    if (result == 0) {
        renaming_apply_now(s, (struct renaming){.names = {name_of(s, path)}});
    }
    lock_give(&s->lock);
    return stops ? -EIO : result;
}

static int sim_mkdir(const struct fs *fs, const char *path)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;
    int result = 0;

    lock_take(&s->lock);
    const struct node *node = find_now(s, path);
    if (node != NULL) {
        result = node->is_folder ? 0 : -EEXIST;
    } else if ((result = admit(s, SIMFS_CALL_MKDIR, &stops)) == 0) {
        renaming_apply_now(
            s, (struct renaming){.names = {name_of(s, path)}, .nodes = {node_new(s, true)}});
    }
    lock_give(&s->lock);
    return stops ? -EIO : result;
}

static int sim_list(const struct fs *fs, const char *path,
                    void (*visit)(void *arg, const char *name), void *arg)
{
    struct simfs *s = simfs_of(fs);
    bool stops = false;

    lock_take(&s->lock);
    const struct node *folder = find_now(s, path);
    int result = admit(s, SIMFS_CALL_LIST, &stops);
    result = result == 0 && (folder == NULL || !folder->is_folder) ? -ENOENT : result;
    size_t count = result == 0 ? s->name_count : 0;
    for (size_t i = 0; i < count; i++) {
        char name[SIMFS_PATH] = "";
        if (s->names[i].now != NULL && is_in_folder(s->names[i].path, path)) {
            (void)snprintf(name, sizeof(name), "%s", strrchr(s->names[i].path, '/') + 1);
        }
        lock_give(&s->lock);
        if (name[0] != '\0') {
            visit(arg, name);
        }
        lock_take(&s->lock);
    }
    lock_give(&s->lock);
    return result;
}

static int sim_lock(const struct fs *fs, int fd)
{
    struct simfs *s = simfs_of(fs);

    lock_take(&s->lock);
    const struct handle *h = handle_of(s, fd);
    int result = h->node == NULL                                         ? -EBADF
                 : h->node->locked_by != NULL && h->node->locked_by != h ? -EWOULDBLOCK
                                                                         : 0;
    if (result == 0) {
        h->node->locked_by = h;
    }
    lock_give(&s->lock);
    return result;
}

static int sim_free_bytes(const struct fs *fs, const char *path, int64_t *ret_bytes)
{
    struct simfs *s = simfs_of(fs);

    (void)path;
    lock_take(&s->lock);
    *ret_bytes = s->capacity - used_bytes(s);
    lock_give(&s->lock);
    return 0;
}

static const struct fs_ops simfs_ops = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .size = sim_size,
    .rename = sim_rename,
    .rename_new = sim_rename_new,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .list = sim_list,
    .lock = sim_lock,
    .free_bytes = sim_free_bytes,
};

struct simfs *simfs_new(uint64_t seed)
{
    struct simfs *s = mem_new(struct simfs);

    s->fs.ops = &simfs_ops;
    lock_init(&s->lock);
    rng_seed(&s->rng, seed);
    s->capacity = INT64_MAX;
    static const char *const roots[] = {"/", "."};
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct name *root = name_of(s, roots[i]);
        root->now = node_new(s, true);
        root->durable = root->now;
    }
    return s;
}

void simfs_free(struct simfs *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->nodes.len; i++) {
        struct node *node = s->nodes.items[i];
        node_forget_pending(node);
        vec_release(&node->pending);
        mem_free(node->now.bytes);
        mem_free(node->durable.bytes);
        mem_free(node);
    }
    vec_release(&s->nodes);
    vec_release(&s->renamings);
    lock_release(&s->lock);
    mem_free(s);
}

const struct fs *simfs_fs(struct simfs *s)
{
    return &s->fs;
}

void simfs_set_capacity(struct simfs *s, int64_t bytes)
{
    lock_take(&s->lock);
    s->capacity = bytes;
    lock_give(&s->lock);
}

void simfs_set_read_only(struct simfs *s, bool read_only)
{
    lock_take(&s->lock);
    s->read_only = read_only;
    lock_give(&s->lock);
}

void simfs_fail(struct simfs *s, unsigned calls, unsigned nth, unsigned times, int errnum)
{
    lock_take(&s->lock);
    s->fail_calls = calls;
    s->fail_in = nth;
    s->fail_times = times;
    s->fail_errnum = errnum;
    lock_give(&s->lock);
}

void simfs_stop_at(struct simfs *s, unsigned nth)
{
    lock_take(&s->lock);
    s->stop_at = s->changes + nth;
    lock_give(&s->lock);
}

bool simfs_is_stopped(struct simfs *s)
{
    lock_take(&s->lock);
    bool stopped = s->stopped;
    lock_give(&s->lock);
    return stopped;
}

unsigned simfs_changes(struct simfs *s)
{
    lock_take(&s->lock);
    unsigned changes = s->changes;
    lock_give(&s->lock);
    return changes;
}

static void lose_names(struct simfs *s, enum simfs_loss loss) REQUIRES(&s->lock)
{
    for (size_t i = 0; i < s->renamings.len; i++) {
        if (loss == SIMFS_KEEP_ALL || (loss == SIMFS_BY_CHANCE && rng_below(&s->rng, 2))) {
            renaming_reach_disk(&s->renamings.items[i]);
        }
    }
    s->renamings.len = 0;
    for (size_t i = 0; i < s->name_count; i++) {
        s->names[i].now = s->names[i].durable;
    }
}

void simfs_crash(struct simfs *s, enum simfs_loss loss)
{
    lock_take(&s->lock);
    for (size_t i = 0; i < s->nodes.len; i++) {
        struct node *node = s->nodes.items[i];
        node_lose(s, node, loss);
        content_copy(&node->now, &node->durable);
        node->locked_by = NULL;
    }
    lose_names(s, loss);
    memset(s->handles, 0, sizeof(s->handles));
    s->stopped = false;
    s->stop_at = 0;
    s->fail_calls = 0;
    s->read_only = false;
    lock_give(&s->lock);
}

bool simfs_peek(struct simfs *s, const char *path, struct buf *out)
{
    lock_take(&s->lock);
    const struct node *node = find_now(s, path);
    if (node != NULL) {
        buf_add(out, node->now.bytes, node->now.len);
    }
    lock_give(&s->lock);
    return node != NULL;
}

void simfs_spoil(struct simfs *s, const char *path, int64_t from, int64_t to)
{
    lock_take(&s->lock);
    struct node *node = find_now(s, path);
    INVARIANT(node != NULL);
    node->spoiled_from = from;
    node->spoiled_to = to;
    lock_give(&s->lock);
}

unsigned simfs_calls(struct simfs *s, unsigned calls)
{
    unsigned count = 0;

    lock_take(&s->lock);
    for (unsigned i = 0; i < CALL_KINDS; i++) {
        count += calls >> i & 1 ? s->counts[i] : 0;
    }
    lock_give(&s->lock);
    return count;
}

void simfs_put(struct simfs *s, const char *path, struct str bytes)
{
    lock_take(&s->lock);
    struct name *name = name_of(s, path);
    struct node *node = node_new(s, false);
    content_write(&node->now, bytes.ptr, bytes.len, 0);
    content_write(&node->durable, bytes.ptr, bytes.len, 0);
    name->now = node;
    name->durable = node;
    lock_give(&s->lock);
}
