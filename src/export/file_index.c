#include "export/file_index.h"

#include "base/attr.h"
#include "base/mem.h"
#include "wire/json.h"

#include <errno.h>

static void add_time_or_null(struct json_writer *w, const char *key, bool has, int64_t ns)
{
    json_key(w, str_of(key));
    if (has) {
        json_add_time(w, ns);
    } else {
        json_add_null(w);
    }
}

static void add_hash(const uint8_t *hash, struct buf *out)
{
    for (size_t i = 0; i < FILE_INDEX_HASH; i++) {
        buf_addf(out, "%02x", hash[i]);
    }
}

/* What there seldom is any of. */
static void add_count(struct json_writer *w, const char *key, uint64_t count)
{
    if (count > 0) {
        json_key(w, str_of(key));
        json_add_u64(w, count);
    }
}

static void add_line(const struct file_index_entry *entry, struct buf *out)
{
    AUTO(buf_release) struct buf hash = BUF_INIT(BUF_SMALL);
    bool has_times = entry->from_ns != INT64_MAX;
    struct json_writer w;

    add_hash(entry->sha256, &hash);
    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("name"));
    json_add_str(&w, entry->name);
    json_key(&w, STR("format"));
    json_add_text(&w, file_format_names[entry->kind.format]);
    json_key(&w, STR("compression"));
    json_add_text(&w, file_packing_names[entry->packing]);
    json_key(&w, STR("records"));
    json_add_u64(&w, entry->records);
    add_count(&w, "left_out", entry->left_out);
    add_count(&w, "rest", entry->rest);
    json_key(&w, STR("bytes"));
    json_add_i64(&w, entry->bytes);
    add_time_or_null(&w, "from", has_times, entry->from_ns);
    add_time_or_null(&w, "to", has_times, entry->to_ns);
    json_key(&w, STR("sha256"));
    json_add_str(&w, buf_str(&hash));
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

/* The index's end: from a line's start on where it is long, without a torn last line. */
struct index_end {
    struct str text;
    int64_t size; /* of all whole lines of the index */
};

static bool io_err(struct err *e, int result, const char *what, const char *path)
{
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot %s %s", what, path);
}

static bool read_end(const struct fs *fs, int fd, const char *path, struct buf *bytes,
                     struct index_end *ret, struct err *e)
{
    int64_t size = 0;
    size_t got = 0;

    if (!io_err(e, fs->ops->size(fs, fd, &size), "look at", path)) {
        return false;
    }
    size_t len = size < FILE_INDEX_LOOK ? (size_t)size : FILE_INDEX_LOOK;
    char *room = buf_reserve(bytes, len + 1);
    if (!io_err(e, fs->ops->pread(fs, fd, room, len, size - (int64_t)len, &got), "read", path)) {
        return false;
    }
    size_t whole = str_find_byte(str_make(room, got), '\0');
    while (whole > 0 && room[whole - 1] != '\n') {
        whole--;
    }
    *ret = (struct index_end){str_make(room, whole), size - (int64_t)len + (int64_t)whole};
    return true;
}

static bool has_line(struct str lines, struct str line)
{
    while (lines.len >= line.len) {
        size_t end = str_find_byte(lines, '\n') + 1;
        if (end == line.len && memcmp(lines.ptr, line.ptr, end) == 0) {
            return true;
        }
        end = end < lines.len ? end : lines.len;
        lines = str_make(lines.ptr + end, lines.len - end);
    }
    return false;
}

bool file_index_has(const struct fs *fs, const char *path, const struct file_index_entry *entry,
                    bool *ret_has, struct err *e)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    struct index_end end = {STR_NONE, 0};
    int fd = -1;

    int result = fs->ops->open(fs, path, FS_READ, &fd);
    if (result == -ENOENT) {
        *ret_has = false;
        return true;
    }
    if (!io_err(e, result, "open", path)) {
        return false;
    }
    bool ok = read_end(fs, fd, path, &bytes, &end, e);
    (void)fs->ops->close(fs, fd);
    if (ok) {
        add_line(entry, &line);
        *ret_has = has_line(end.text, buf_str(&line));
    }
    return ok;
}

static bool append(const struct fs *fs, int fd, const char *path, struct str line, int64_t at,
                   struct err *e)
{
    const struct iovec part = {.iov_base = (void *)(uintptr_t)line.ptr, .iov_len = line.len};

    /* a torn line of before is cut first: what is written may be shorter */
    return io_err(e, fs->ops->truncate(fs, fd, at), "cut", path) &&
           io_err(e, fs->ops->pwritev(fs, fd, &part, 1, at), "write", path) &&
           io_err(e, fs->ops->sync(fs, fd), "sync", path);
}

bool file_index_add(const struct fs *fs, const char *folder, const char *path,
                    const struct file_index_entry *entry, struct err *e)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    struct index_end end = {STR_NONE, 0};
    int fd = -1;

    add_line(entry, &line);
    if (!io_err(e, fs->ops->open(fs, path, FS_READ | FS_WRITE | FS_CREATE, &fd), "open", path)) {
        return false;
    }
    bool ok =
        read_end(fs, fd, path, &bytes, &end, e) &&
        (has_line(end.text, buf_str(&line)) || append(fs, fd, path, buf_str(&line), end.size, e)) &&
        io_err(e, fs_sync_folder(fs, folder), "sync", folder);
    (void)fs->ops->close(fs, fd);
    return ok;
}
