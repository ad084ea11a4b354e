#include "base/fs.h"

#include "base/attr.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What we keep may be confidential: the group may read it, others may not. */
enum { FILE_MODE = 0640, FOLDER_MODE = 0750, PARTS_AT_ONCE = 64, READ_STEP = 4096 };

static int result_of(int64_t value)
{
    return value < 0 ? -errno : 0;
}

static int open_flags(unsigned flags)
{
    static const struct {
        unsigned ours;
        int theirs;
    } table[] = {
        {FS_CREATE, O_CREAT},
        {FS_EXCLUSIVE, O_EXCL},
        {FS_TRUNCATE, O_TRUNC},
        {FS_DIRECTORY, O_DIRECTORY},
    };
    int result = flags & FS_WRITE ? (flags & FS_READ ? O_RDWR : O_WRONLY) : O_RDONLY;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        result |= flags & table[i].ours ? table[i].theirs : 0;
    }
    return result | O_CLOEXEC;
}

static int system_open(const struct fs *fs, const char *path, unsigned flags, int *ret_fd)
{
    (void)fs;
    int fd;

    do {
        fd = open(path, open_flags(flags), FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return -errno;
    }
    *ret_fd = fd;
    return 0;
}

static int system_close(const struct fs *fs, int fd)
{
    (void)fs;
    int result = result_of(close(fd));

    return result == -EINTR ? 0 : result; /* Linux has closed it even then */
}

static int system_pread(const struct fs *fs, int fd, void *bytes, size_t len, int64_t offset,
                        size_t *ret_len)
{
    (void)fs;
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)bytes + done, len - done, offset + (int64_t)done);
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    *ret_len = done;
    return 0;
}

/* Some of <count> parts, of which the first <skip> bytes are done. */
static ssize_t write_some(int fd, const struct iovec *parts, int count, size_t skip, int64_t offset)
{
    struct iovec now[PARTS_AT_ONCE];
    int n = count < PARTS_AT_ONCE ? count : PARTS_AT_ONCE;

    memcpy(now, parts, (size_t)n * sizeof(*parts));
    now[0].iov_base = (char *)now[0].iov_base + skip;
    now[0].iov_len -= skip;
    return pwritev(fd, now, n, offset);
}

static int system_pwritev(const struct fs *fs, int fd, const struct iovec *parts, int count,
                          int64_t offset)
{
    (void)fs;
    size_t skip = 0;

    while (count > 0) {
        if (parts->iov_len == skip) {
            parts++;
            count--;
            skip = 0;
            continue;
        }
        ssize_t n = write_some(fd, parts, count, skip, offset);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        size_t done = n > 0 ? (size_t)n : 0;
        offset += (int64_t)done;
        for (; done > 0 && done >= parts->iov_len - skip; parts++, count--, skip = 0) {
            done -= parts->iov_len - skip;
        }
        skip += done;
    }
    return 0;
}

static int system_sync(const struct fs *fs, int fd)
{
    (void)fs;
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    return result_of(S_ISDIR(info.st_mode) ? fsync(fd) : fdatasync(fd));
}

static int system_truncate(const struct fs *fs, int fd, int64_t size)
{
    (void)fs;
    return result_of(ftruncate(fd, size));
}

static int system_size(const struct fs *fs, int fd, int64_t *ret_size)
{
    (void)fs;
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    *ret_size = info.st_size;
    return 0;
}

static int system_rename(const struct fs *fs, const char *from, const char *to)
{
    (void)fs;
    return result_of(rename(from, to));
}

/* Folders that know no exclusive rename (NFS) know a second name of a file. */
static int link_and_unlink(const char *from, const char *to)
{
    struct stat info;

    if (link(from, to) == 0) {
        return result_of(unlink(from));
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -errno;
    }
    return lstat(to, &info) == 0 ? -EEXIST : result_of(rename(from, to)); /* nor that: FUSE */
}

static int system_rename_new(const struct fs *fs, const char *from, const char *to)
{
    (void)fs;
    int result = result_of(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));

    return result == -EINVAL || result == -ENOSYS ? link_and_unlink(from, to) : result;
}

static int system_unlink(const struct fs *fs, const char *path)
{
    (void)fs;
    return result_of(unlink(path));
}

static int system_mkdir(const struct fs *fs, const char *path)
{
    (void)fs;
    int result = result_of(mkdir(path, FOLDER_MODE));
    struct stat info;

    if (result == -EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return 0;
    }
    return result;
}

static int system_list(const struct fs *fs, const char *path,
                       void (*visit)(void *arg, const char *name), void *arg)
{
    (void)fs;
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);

    if (count < 0) {
        return -errno;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            visit(arg, name);
        }
        mem_free(entries[i]);
    }
    mem_free(entries);
    return 0;
}

static int system_lock(const struct fs *fs, int fd)
{
    (void)fs;
    return result_of(flock(fd, LOCK_EX | LOCK_NB));
}

static int system_free_bytes(const struct fs *fs, const char *path, int64_t *ret_bytes)
{
    (void)fs;
    struct statvfs info;

    if (statvfs(path, &info) != 0) {
        return -errno;
    }
    *ret_bytes = (int64_t)(info.f_bavail * info.f_frsize);
    return 0;
}

static const struct fs_ops system_ops = {
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwritev = system_pwritev,
    .sync = system_sync,
    .truncate = system_truncate,
    .size = system_size,
    .rename = system_rename,
    .rename_new = system_rename_new,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .list = system_list,
    .lock = system_lock,
    .free_bytes = system_free_bytes,
};
static const struct fs system_fs = {.ops = &system_ops};

const struct fs *fs_system(void)
{
    return &system_fs;
}

/* A C string of <path> and <suffix>. */
static bool path_text(struct str path, const char *suffix, char text[PATH_MAX], struct err *e)
{
    if (path.len == 0 || path.len + strlen(suffix) >= PATH_MAX) {
        return err_set(e, ERR_IO, "a path of %zu bytes cannot be used", path.len);
    }
    if (str_find_byte(path, '\0') != path.len) {
        return err_set(e, ERR_IO, "a path holds a NUL byte");
    }
    (void)snprintf(text, PATH_MAX, "%.*s%s", STR_FMT(path), suffix);
    return true;
}

/* Reads an open file to its end; 0, -errno, or -EFBIG past the cap. */
static int read_to_end(const struct fs *fs, int fd, size_t max_bytes, struct buf *out)
{
    size_t total = 0;

    for (;;) {
        char bytes[READ_STEP];
        size_t len = 0;
        int result = fs->ops->pread(fs, fd, bytes, READ_STEP, (int64_t)total, &len);
        if (result != 0) {
            return result;
        }
        buf_add(out, bytes, len);
        total += len;
        if (total > max_bytes || !buf_ok(out)) {
            return -EFBIG;
        }
        if (len < READ_STEP) {
            return 0;
        }
    }
}

bool fs_read_file(const struct fs *fs, struct str path, size_t max_bytes, struct buf *out,
                  struct err *e)
{
    char text[PATH_MAX];
    size_t before = out->len;
    int fd = -1;

    if (!path_text(path, "", text, e)) {
        return false;
    }
    int result = fs->ops->open(fs, text, FS_READ, &fd);
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", text);
    }
    result = read_to_end(fs, fd, max_bytes, out);
    (void)fs->ops->close(fs, fd);
    if (result != 0) {
        buf_truncate(out, before);
    }
    if (result == -EFBIG) {
        return err_set(e, ERR_LIMIT, "%s is larger than the %zu bytes allowed", text, max_bytes);
    }
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s", text);
}

int fs_sync_folder(const struct fs *fs, const char *path)
{
    int fd = -1;
    int result = fs->ops->open(fs, path, FS_READ | FS_DIRECTORY, &fd);

    if (result == 0) {
        result = fs->ops->sync(fs, fd);
        (void)fs->ops->close(fs, fd);
    }
    return result;
}

/* Syncs the folder that <path> is in. */
static int sync_parent(const struct fs *fs, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);

    (void)snprintf(folder, sizeof(folder), "%.*s", len > 0 ? len : 1, len > 0 ? path : ".");
    return fs_sync_folder(fs, folder);
}

/* Makes a folder that may be there already; a new one is durable. */
static int make_folder(const struct fs *fs, const char *path)
{
    int fd = -1;
    int there = fs->ops->open(fs, path, FS_READ | FS_DIRECTORY, &fd);

    if (there == 0) {
        (void)fs->ops->close(fs, fd);
        return 0;
    }
    int result = fs->ops->mkdir(fs, path);
    return result == 0 && there == -ENOENT ? sync_parent(fs, path) : result;
}

bool fs_make_path(const struct fs *fs, struct str path, struct err *e)
{
    char text[PATH_MAX];

    if (!path_text(path, "", text, e)) {
        return false;
    }
    for (size_t i = 1; i <= path.len; i++) {
        if (text[i] != '/' && text[i] != '\0') {
            continue;
        }
        char kept = text[i];
        text[i] = '\0';
        int result = make_folder(fs, text);
        if (result != 0) {
            return err_set_errno(e, ERR_IO, -result, "cannot make folder %s", text);
        }
        text[i] = kept;
    }
    return true;
}

bool fs_replace_begin(struct fs_replace *r, const struct fs *fs, struct str path, struct err *e)
{
    *r = (struct fs_replace){.fs = fs, .fd = -1};
    if (!path_text(path, "", r->path, e) || !path_text(path, ".tmp", r->temporary, e)) {
        return false;
    }
    int result = fs->ops->open(fs, r->temporary, FS_WRITE | FS_CREATE | FS_TRUNCATE, &r->fd);
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot write %s", r->path);
}

bool fs_replace_begin_new(struct fs_replace *r, const struct fs *fs, struct str path,
                          struct str temporary, struct err *e)
{
    *r = (struct fs_replace){.fs = fs, .fd = -1, .is_new = true};
    if (!path_text(path, "", r->path, e) || !path_text(temporary, "", r->temporary, e)) {
        return false;
    }
    int result = fs->ops->open(fs, r->temporary, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &r->fd);
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot write %s", r->temporary);
}

void fs_replace_add(struct fs_replace *r, struct str bytes)
{
    const struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};

    if (r->result == 0 && bytes.len > 0) {
        r->result = r->fs->ops->pwritev(r->fs, r->fd, &part, 1, r->len);
        r->len += (int64_t)bytes.len;
    }
}

/* The temporary file is complete, or its first error is kept. */
static void finish_temporary(struct fs_replace *r)
{
    r->result = r->result == 0 ? r->fs->ops->sync(r->fs, r->fd) : r->result;
    int closed = r->fs->ops->close(r->fs, r->fd);
    r->result = r->result == 0 ? closed : r->result;
}

static int publish(const struct fs_replace *r)
{
    const struct fs_ops *ops = r->fs->ops;

    return (r->is_new ? ops->rename_new : ops->rename)(r->fs, r->temporary, r->path);
}

bool fs_replace_commit(struct fs_replace *r, struct err *e)
{
    finish_temporary(r);
    r->result = r->result == 0 ? publish(r) : r->result;
    bool is_taken = r->is_new && r->result == -EEXIST;
    r->result = r->result == 0 ? sync_parent(r->fs, r->path) : r->result;
    if (r->result == 0) {
        return true;
    }
    (void)r->fs->ops->unlink(r->fs, r->temporary);
    return err_set_errno(e, is_taken ? ERR_CONFLICT : ERR_IO, -r->result, "cannot write %s",
                         r->path);
}

void fs_replace_abandon(struct fs_replace *r)
{
    (void)r->fs->ops->close(r->fs, r->fd);
    (void)r->fs->ops->unlink(r->fs, r->temporary);
}

bool fs_replace_file(const struct fs *fs, struct str path, struct str bytes, struct err *e)
{
    struct fs_replace r;

    if (!fs_replace_begin(&r, fs, path, e)) {
        return false;
    }
    fs_replace_add(&r, bytes);
    return fs_replace_commit(&r, e);
}
