#include "events/sources/file_part.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool is_packed(const char *path)
{
    return str_ends(str_of(path), STR(".gz"));
}

/* ---- one file ---- */

/* The hash of the first line; 0 while it has no end. */
static uint64_t tag_of(const char *bytes, size_t len)
{
    const char *end = memchr(bytes, '\n', len);

    if (end == NULL && len < TAG_BYTES) {
        return 0;
    }
    size_t line = end != NULL ? (size_t)(end - bytes) : len;
    uint64_t hash = str_hash(str_make(bytes, line), 0);
    return hash != 0 ? hash : 1;
}

static uint64_t read_tag(const struct file_part *p)
{
    char bytes[TAG_BYTES];
    ssize_t len = 0;

    if (p->packed == NULL) {
        len = pread(p->fd, bytes, sizeof(bytes), 0);
    } else if (gzrewind(p->packed) == 0) {
        len = gzread(p->packed, bytes, sizeof(bytes));
        (void)gzseek(p->packed, (z_off_t)p->offset, SEEK_SET);
    }
    return len > 0 ? tag_of(bytes, (size_t)len) : 0;
}

void file_part_look(struct file_part *p)
{
    if (p->tag == 0) {
        p->tag = read_tag(p);
    }
}

bool file_part_is_cut(const struct file_part *p, uint64_t read)
{
    int64_t size = file_part_size(p);

    return size < (int64_t)read || (p->tag != 0 && p->packed == NULL && read_tag(p) != p->tag);
}

int64_t file_part_size(const struct file_part *p)
{
    struct stat st;

    return p->packed != NULL || fstat(p->fd, &st) != 0 ? INT64_MAX : (int64_t)st.st_size;
}

bool file_part_open(const char *path, struct file_part *ret, bool *ret_is_there, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *ret_is_there = false;
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR || err_set_errno(e, ERR_IO, errno, "%s", path);
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(e, ERR_CONFIG, "%s is no regular file", path);
    }
    *ret = (struct file_part){.path = mem_dup_text(path, strlen(path)),
                              .fd = fd,
                              .inode = (uint64_t)st.st_ino,
                              .mtime_ns = mtime_of(&st)};
    if (is_packed(path)) {
        int copy = dup(fd);
        ret->packed = copy >= 0 ? gzdopen(copy, "rb") : NULL;
        if (ret->packed == NULL) {
            file_part_close(ret);
            return err_set(e, ERR_IO, "%s cannot be unpacked", path);
        }
    }
    file_part_look(ret);
    *ret_is_there = true;
    return true;
}

void file_part_close(struct file_part *p)
{
    if (p->path != NULL) {
        if (p->packed != NULL) {
            (void)gzclose(p->packed);
        }
        (void)close(p->fd);
        mem_free(p->path);
        *p = (struct file_part){0};
    }
}

static bool read_packed(struct file_part *p, char *out, size_t max, size_t *ret_len, struct err *e)
{
    int got = gzread(p->packed, out, (unsigned)max);
    int code = 0;

    if (got < 0) {
        return err_set(e, ERR_PARSE, "%s cannot be unpacked behind byte %llu: %s", p->path,
                       (unsigned long long)p->offset, gzerror(p->packed, &code));
    }
    p->offset += (uint64_t)got;
    *ret_len = (size_t)got;
    return true;
}

bool file_part_read(struct file_part *p, char *out, size_t max, size_t *ret_len, struct err *e)
{
    if (p->packed != NULL) {
        return read_packed(p, out, max, ret_len, e);
    }
    ssize_t got = pread(p->fd, out, max, (off_t)p->offset);
    if (got < 0) {
        return err_set_errno(e, ERR_IO, errno, "%s", p->path);
    }
    p->offset += (uint64_t)got;
    *ret_len = (size_t)got;
    return true;
}

bool file_part_seek(struct file_part *p, uint64_t offset, struct err *e)
{
    if (p->packed != NULL && gzseek(p->packed, (z_off_t)offset, SEEK_SET) < 0) {
        return err_set(e, ERR_IO, "%s has no byte %llu", p->path, (unsigned long long)offset);
    }
    p->offset = offset;
    return true;
}

/* ---- files beside it ---- */

struct sibling {
    char *path;
    int64_t mtime_ns;
    uint64_t inode;
};

struct siblings {
    VEC(struct sibling) list;
};

static void siblings_release(struct siblings *s)
{
    for (size_t i = 0; i < s->list.len; i++) {
        mem_free(s->list.items[i].path);
    }
    vec_release(&s->list);
}

/* The folder of <path>, with its slash; or nothing. */
static struct str folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return str_make(path, slash != NULL ? (size_t)(slash - path) + 1 : 0);
}

struct search {
    struct siblings *found;
    struct str folder;
    struct str name; /* what names begin with */
};

static void look_at_name(void *arg, const char *name)
{
    struct search *search = arg;
    struct siblings *s = search->found;
    char path[FS_PATH_MAX];
    struct stat st;
    int len = snprintf(path, sizeof(path), "%.*s%s", STR_FMT(search->folder), name);

    if (str_starts(str_of(name), search->name) && len > 0 && (size_t)len < sizeof(path) &&
        s->list.len < SIBLINGS_MAX && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        const struct sibling found = {mem_dup_text(path, (size_t)len), mtime_of(&st),
                                      (uint64_t)st.st_ino};
        vec_push(&s->list, found);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct sibling *x = a;
    const struct sibling *y = b;

    return x->mtime_ns < y->mtime_ns ? -1 : x->mtime_ns > y->mtime_ns;
}

/* Files whose names begin with that of <path>, which is one of them; oldest first. */
static void siblings_find(const char *path, struct siblings *s)
{
    struct str folder = folder_of(path);
    struct search search = {s, folder, str_of(path + folder.len)};
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    buf_add_str(&name, folder.len > 0 ? folder : STR("."));
    (void)fs_system()->ops->list(fs_system(), buf_text(&name), look_at_name, &search);
    if (s->list.len > 0) {
        qsort(s->list.items, s->list.len, sizeof(s->list.items[0]), by_time);
    }
}

static bool fits(const struct file_part *p, const struct file_place *place, bool same_inode)
{
    bool is_tag = place->tag != 0 ? p->tag == place->tag : place->offset == 0;

    return is_tag && (!same_inode || p->inode == place->inode) &&
           file_part_size(p) >= (int64_t)place->offset;
}

/* Opens the first sibling that fits; a file that cannot be read is passed over. */
static bool open_fitting(const struct siblings *s, const struct file_place *place, bool same_inode,
                         struct file_part *ret)
{
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < s->list.len; i++) {
        struct file_part p = {0};
        bool is_there = false;
        if (file_part_open(s->list.items[i].path, &p, &is_there, &ignored) && is_there) {
            if (fits(&p, place, same_inode)) {
                *ret = p;
                return true;
            }
            file_part_close(&p);
        }
    }
    return false;
}

bool file_find(const char *path, const struct file_place *place, struct file_part *ret,
               bool *ret_is_there, struct err *e)
{
    AUTO(siblings_release) struct siblings s = {0};

    siblings_find(path, &s);
    *ret_is_there = open_fitting(&s, place, true, ret) ||
                    (place->tag != 0 && open_fitting(&s, place, false, ret));
    return !*ret_is_there || file_part_seek(ret, place->offset, e);
}

bool file_find_next(const char *path, const struct file_part *done, struct file_part *ret,
                    bool *ret_is_there, struct err *e)
{
    AUTO(siblings_release) struct siblings s = {0};
    struct stat st;
    int64_t done_ns = fstat(done->fd, &st) == 0 ? mtime_of(&st) : done->mtime_ns;

    *ret_is_there = false;
    siblings_find(path, &s);
    for (size_t i = 0; i < s.list.len; i++) {
        bool is_path = strcmp(s.list.items[i].path, path) == 0;
        struct file_part p = {0};
        if ((s.list.items[i].mtime_ns <= done_ns && !is_path) ||
            s.list.items[i].inode == done->inode) {
            continue;
        }
        if (!file_part_open(s.list.items[i].path, &p, ret_is_there, e)) {
            return false;
        }
        if (*ret_is_there && (done->tag == 0 || p.tag != done->tag || is_path)) {
            *ret = p;
            return true;
        }
        file_part_close(&p); /* a copy of it */
        *ret_is_there = false;
    }
    return true;
}

bool file_place_parse(struct str text, struct file_place *ret)
{
    struct str parts[3];
    struct str rest = text;
    struct file_place p = {0};
    size_t count = 0;

    while (count < ARRAY_LEN(parts) && str_split(&rest, ':', &parts[count])) {
        count++;
    }
    if (count != ARRAY_LEN(parts) || rest.ptr != NULL || !number_parse_u64(parts[0], &p.tag) ||
        !number_parse_u64(parts[1], &p.inode) || !number_parse_u64(parts[2], &p.offset)) {
        return false;
    }
    *ret = p;
    return true;
}
