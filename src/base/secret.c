/*
 * Invariants:
 *  1. <bytes> and <seen> change together, under the lock.
 *  2. No file is touched while the lock is held.
 *  3. Memory that held a secret is cleared before it is freed.
 */
#include "base/secret.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What tells that a file has been changed or replaced. */
struct identity {
    int64_t mtime_s;
    int64_t mtime_ns;
    int64_t size;
    uint64_t inode;
    uint64_t device;
};

struct secret {
    _Atomic uint32_t refs;
    struct lock lock;
    char *path; /* NULL: a text */
    char *bytes GUARDED_BY(&lock);
    size_t len GUARDED_BY(&lock);
    struct identity seen GUARDED_BY(&lock);
};

static struct identity identity_of(const struct stat *s)
{
    return (struct identity){
        .mtime_s = s->st_mtim.tv_sec,
        .mtime_ns = s->st_mtim.tv_nsec,
        .size = s->st_size,
        .inode = s->st_ino,
        .device = s->st_dev,
    };
}

static bool identity_eq(struct identity a, struct identity b)
{
    return a.mtime_s == b.mtime_s && a.mtime_ns == b.mtime_ns && a.size == b.size &&
           a.inode == b.inode && a.device == b.device;
}

static void clear_and_free(char *bytes, size_t len)
{
    if (bytes != NULL) {
        explicit_bzero(bytes, len);
        mem_free(bytes);
    }
}

/* Reads until end of file, at most <size> bytes; -errno on failure. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, bytes + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    return (ssize_t)len;
}

struct content {
    char *bytes;
    size_t len;
    struct identity identity;
};

static bool read_content(int fd, const char *path, struct content *ret, struct err *e)
{
    struct stat s;

    if (fstat(fd, &s) != 0) {
        return err_set_errno(e, ERR_IO, errno, "cannot read the secret in %s", path);
    }
    char *bytes = mem_alloc(SECRET_MAX + 1);
    ssize_t len = read_all(fd, bytes, SECRET_MAX + 1);
    if (len < 0 || len > SECRET_MAX) {
        clear_and_free(bytes, SECRET_MAX + 1);
        return len < 0 ? err_set_errno(e, ERR_IO, (int)-len, "cannot read the secret in %s", path)
                       : err_set(e, ERR_LIMIT, "the secret in %s has more than %d bytes", path,
                                 SECRET_MAX);
    }
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r')) {
        len--;
    }
    *ret = (struct content){mem_dup_text(bytes, (size_t)len), (size_t)len, identity_of(&s)};
    clear_and_free(bytes, SECRET_MAX + 1);
    return true;
}

static bool read_file(const char *path, struct content *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        return err_set_errno(e, ERR_IO, errno, "cannot read the secret in %s", path);
    }
    bool ok = read_content(fd, path, ret, e);
    (void)close(fd);
    return ok;
}

static struct secret *secret_new(char *path, struct content content)
{
    struct secret *s = mem_new(struct secret);

    atomic_init(&s->refs, 1);
    lock_init(&s->lock);
    s->path = path;
    s->bytes = content.bytes;
    s->len = content.len;
    s->seen = content.identity;
    return s;
}

struct secret *secret_from_text(struct str text)
{
    return secret_new(NULL,
                      (struct content){.bytes = mem_dup_text(text.ptr, text.len), .len = text.len});
}

bool secret_from_file(struct str path, struct secret **ret_secret, struct err *e)
{
    struct content content;
    char *name = mem_dup_text(path.ptr, path.len);

    if (!read_file(name, &content, e)) {
        mem_free(name);
        return false;
    }
    *ret_secret = secret_new(name, content);
    return true;
}

struct secret *secret_ref(struct secret *s)
{
    if (s != NULL) {
        (void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    }
    return s;
}

void secret_free(struct secret *s)
{
    if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        clear_and_free(s->bytes, s->len);
        mem_free(s->path);
        lock_release(&s->lock);
        mem_free(s);
    }
}

static bool has_changed(struct secret *s)
{
    struct stat now;

    if (s->path == NULL || stat(s->path, &now) != 0) {
        return false;
    }
    lock_take(&s->lock);
    bool same = identity_eq(s->seen, identity_of(&now));
    lock_give(&s->lock);
    return !same;
}

/* Takes over what the file holds now; keeps the old bytes when it cannot be read. */
void secret_reread(struct secret *s)
{
    struct content content;
    struct err ignored = ERR_INIT;

    if (s == NULL || s->path == NULL || !read_file(s->path, &content, &ignored)) {
        return;
    }
    lock_take(&s->lock);
    char *old = s->bytes;
    size_t old_len = s->len;
    s->bytes = content.bytes;
    s->len = content.len;
    s->seen = content.identity;
    lock_give(&s->lock);
    clear_and_free(old, old_len);
}

static void refresh(struct secret *s)
{
    if (has_changed(s)) {
        secret_reread(s);
    }
}

void secret_reveal(struct secret *s, struct buf *out)
{
    if (s == NULL) {
        return;
    }
    refresh(s);
    lock_take(&s->lock);
    buf_add(out, s->bytes, s->len);
    lock_give(&s->lock);
}

struct str secret_path(const struct secret *s)
{
    return s != NULL && s->path != NULL ? str_of(s->path) : STR("");
}

bool secret_is_empty(struct secret *s)
{
    if (s == NULL) {
        return true;
    }
    refresh(s);
    lock_take(&s->lock);
    bool empty = s->len == 0;
    lock_give(&s->lock);
    return empty;
}

bool secret_equals(struct secret *s, struct str candidate)
{
    unsigned char differs;

    if (s == NULL) {
        return false;
    }
    refresh(s);
    lock_take(&s->lock);
    differs = s->len != candidate.len;
    for (size_t i = 0; i < candidate.len; i++) {
        /* The time depends on the candidate's length only; bytes[len] is a NUL. */
        size_t at = i < s->len ? i : s->len;
        differs |= (unsigned char)(s->bytes[at] ^ candidate.ptr[i]);
    }
    lock_give(&s->lock);
    return differs == 0;
}

bool secret_is_same(struct secret *a, struct secret *b)
{
    if (a == b || a == NULL || b == NULL) {
        return a == b;
    }
    if (a->path != NULL || b->path != NULL) {
        return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
    }
    return secret_equals(a, str_make(b->bytes, b->len)); /* a text never changes */
}

bool secret_starts(struct secret *s, struct str prefix)
{
    if (s == NULL) {
        return false;
    }
    refresh(s);
    lock_take(&s->lock);
    bool starts = str_starts(str_make(s->bytes, s->len), prefix);
    lock_give(&s->lock);
    return starts;
}
