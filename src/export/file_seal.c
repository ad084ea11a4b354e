/*
 * Invariants
 *   1. The spool is removed only when the file is in its place, synced, so are lines left out of it, and the index has its
 *      line, synced.
 *   2. Neither a file nor a spool is ever renamed over: who comes second takes another name. What is being made has a
 *      name of the exporter's own, which who holds .x.sealing has to himself.
 *   3. What a pass makes depends on the spool, the name and the config alone.
 */
#include "export/file_seal.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "wire/compress.h"
#include "wire/short_line.h"

#include <errno.h>
#include <openssl/evp.h>

enum { NAMES_MAX = 10000 };

enum phase { PHASE_LOOK, PHASE_MAKE, PHASE_PUT };

struct file_seal {
    const struct file_seal_config *config;
    const struct line_file_ops *ops;
    char *name;
    char *path;
    char *spool;
    char *making; /* the file while it is made */
    int spool_fd;
    int64_t at;
    enum phase phase;
    bool only_hashes; /* nothing is written: is what is there ours? */
    bool replaces;    /* r is begun */
    struct fs_replace r;
    char *making_rest;   /* of the lines left out */
    bool keeps_left_out; /* left_out is begun */
    struct fs_replace left_out;
    struct line_file *file;
    EVP_MD_CTX *hash;
    struct line_file_config lines;
    struct buf chunk;     /* of the spool */
    struct buf made;      /* of it */
    struct buf packed;    /* of that */
    struct str time_text; /* of the last line, in <times> */
    struct buf times;
    int64_t time_ns;
    struct file_index_entry entry;
};

static bool io_err(struct err *e, int result, const char *what, const char *path)
{
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot %s %s", what, path);
}

static char *path_of(const struct file_seal_config *config, struct str name)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%.*s", config->folder, STR_FMT(name));
    return buf_take(&path);
}

/* FOLDER/HIDDEN.sealing-NAME */
static void add_spool_path(const struct file_seal_config *config, struct str name, struct buf *out)
{
    buf_addf(out, "%s/%.*s.sealing-%.*s", config->folder, STR_FMT(config->hidden), STR_FMT(name));
}

static bool exists(const struct fs *fs, const char *path, bool *ret_exists, struct err *e)
{
    int fd = -1;
    int result = fs->ops->open(fs, path, FS_READ, &fd);

    *ret_exists = result != -ENOENT;
    if (result == 0) {
        (void)fs->ops->close(fs, fd);
    }
    return result == 0 || result == -ENOENT || io_err(e, result, "look at", path);
}

static bool is_taken(const struct file_seal_config *config, struct str name, bool *ret_taken,
                     struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);
    bool has_spool = false;

    buf_addf(&path, "%s/%.*s", config->folder, STR_FMT(name));
    if (!exists(config->fs, buf_text(&path), ret_taken, e)) {
        return false;
    }
    buf_clear(&path);
    add_spool_path(config, name, &path);
    if (!exists(config->fs, buf_text(&path), &has_spool, e)) {
        return false;
    }
    *ret_taken = *ret_taken || has_spool;
    return true;
}

/* *ret_taken: there is a file or a spool of the name, which another lane may just have made. */
static bool try_name(const struct file_seal_config *config, const char *from, struct str name,
                     bool *ret_taken, struct err *e)
{
    AUTO(buf_release) struct buf to = BUF_INIT(BUF_UNLIMITED);

    if (!is_taken(config, name, ret_taken, e) || *ret_taken) {
        return e->code == ERR_NONE;
    }
    add_spool_path(config, name, &to);
    int result = config->fs->ops->rename_new(config->fs, from, buf_text(&to));
    *ret_taken = result == -EEXIST;
    return *ret_taken || io_err(e, result, "rename", from);
}

bool file_seal_take_name(const struct file_seal_config *config, const char *from, struct str name,
                         struct buf *ret_name, struct err *e)
{
    static const struct file_name_facts no_facts = {0, STR_INIT(""), STR_INIT(""), 0};
    struct file_kind kind = {FORMAT_JSONL, PACKING_NONE};
    bool is_taken_already = false;

    (void)file_name_kind(name, &kind);
    for (unsigned again = 0; again < NAMES_MAX; again++) {
        buf_clear(ret_name);
        file_name_add(name, kind, &no_facts, again, ret_name);
        if (!try_name(config, from, buf_str(ret_name), &is_taken_already, e)) {
            return false;
        }
        if (!is_taken_already) {
            return true;
        }
    }
    return err_set(e, ERR_LIMIT, "there are %d files of the name %.*s; move some away", NAMES_MAX,
                   STR_FMT(name));
}

/* ---- a pass over the spool ---- */

static void end_pass(struct file_seal *s)
{
    if (s->replaces) {
        fs_replace_abandon(&s->r);
        s->replaces = false;
    }
    if (s->keeps_left_out) {
        fs_replace_abandon(&s->left_out);
        s->keeps_left_out = false;
    }
    if (s->file != NULL) {
        s->ops->close(s->file);
        s->file = NULL;
    }
    EVP_MD_CTX_free(s->hash);
    s->hash = NULL;
}

static bool begin_pass(struct file_seal *s, bool only_hashes, struct err *e)
{
    struct str name = s->entry.name;
    struct file_kind kind = s->entry.kind;

    end_pass(s);
    s->only_hashes = only_hashes;
    s->at = 0;
    buf_clear(&s->made);
    s->time_text = STR_NONE;
    s->entry = (struct file_index_entry){
        .name = name,
        .kind = kind,
        .packing = kind.format == FORMAT_PARQUET ? s->config->lines.pages : kind.packing,
        .from_ns = INT64_MAX,
        .to_ns = INT64_MIN};
    s->ops = line_files[kind.format];
    s->file = s->ops->open(&s->lines);
    s->phase = s->ops->look != NULL ? PHASE_LOOK : PHASE_MAKE;
    s->hash = EVP_MD_CTX_new();
    if (s->hash == NULL || EVP_DigestInit_ex(s->hash, EVP_sha256(), NULL) != 1) {
        return err_set(e, ERR_INTERNAL, "SHA-256 does not start");
    }
    if (!only_hashes) {
        if (!fs_replace_begin_new(&s->r, s->config->fs, str_of(s->path), str_of(s->making), e)) {
            return false;
        }
        s->replaces = true;
    }
    return s->phase == PHASE_LOOK || s->ops->begin(s->file, &s->made, e);
}

/* What was made so far goes on, packed where the name says so: each call makes a whole member of it. */
static bool put_made(struct file_seal *s, struct err *e)
{
    static const struct compression *const packers[FILE_PACKINGS] = {
        [PACKING_GZIP] = &compression_gzip, [PACKING_ZSTD] = &compression_zstd};
    const struct compression *packer = packers[s->entry.kind.packing];
    struct str bytes = buf_str(&s->made);

    if (packer != NULL && bytes.len > 0) {
        buf_clear(&s->packed);
        if (!packer->pack(bytes, &s->packed, e)) {
            return false;
        }
        bytes = buf_str(&s->packed);
    }
    if (EVP_DigestUpdate(s->hash, bytes.ptr, bytes.len) != 1) {
        return err_set(e, ERR_INTERNAL, "SHA-256 does not go on");
    }
    s->entry.bytes += (int64_t)bytes.len;
    if (!s->only_hashes) {
        fs_replace_add(&s->r, bytes);
        if (s->r.result != 0) {
            return io_err(e, s->r.result, "write", s->path);
        }
    }
    buf_clear(&s->made);
    return true;
}

/* The text of the first "timestamp", or of "time" as events have it; empty when it is not near the front. */
static struct str time_in(struct str line)
{
    static const struct str keys[] = {STR_INIT("\"timestamp\":\""), STR_INIT("\"time\":\"")};
    struct str front = str_slice(line, 0, 4096);

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        size_t at = str_find(front, keys[i]);
        if (at < front.len) {
            struct str text = str_slice(line, at + keys[i].len, line.len);
            return str_slice(text, 0, str_find_byte(text, '"'));
        }
    }
    return STR_NONE;
}

static bool time_of(struct file_seal *s, struct str line, int64_t *ret_ns)
{
    struct err ignored = ERR_INIT;
    struct short_line is_short;

    if (short_line_is(line)) {
        bool ok = short_line_read(line, &is_short, &ignored);
        *ret_ns = ok ? is_short.time_ns : 0;
        return ok;
    }
    struct str text = time_in(line);
    if (text.len > 0 && !str_eq(text, s->time_text)) {
        int64_t ns = 0;
        if (!time_parse_rfc3339(text, &ns, &ignored)) {
            return false;
        }
        buf_clear(&s->times);
        buf_add_str(&s->times, text);
        s->time_text = buf_str(&s->times);
        s->time_ns = ns;
    }
    *ret_ns = s->time_ns;
    return text.len > 0;
}

static void note_time(struct file_seal *s, struct str line)
{
    int64_t ns = 0;

    if (time_of(s, line, &ns)) {
        s->entry.from_ns = ns < s->entry.from_ns ? ns : s->entry.from_ns;
        s->entry.to_ns = ns > s->entry.to_ns ? ns : s->entry.to_ns;
    }
}

/* FOLDER/HIDDEN.left_out-NAME.jsonl */
static void add_left_out_path(const struct file_seal *s, struct buf *out)
{
    buf_addf(out, "%s/%.*s.left_out-%s.jsonl", s->config->folder, STR_FMT(s->config->hidden),
             s->name);
}

/* The file of such lines begins with the first of them. */
static bool begin_left_out(struct file_seal *s, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    add_left_out_path(s, &path);
    if (!fs_replace_begin_new(&s->left_out, s->config->fs, buf_str(&path), str_of(s->making_rest),
                              e)) {
        return false;
    }
    s->left_out.is_new = false; /* what is there is of an earlier try */
    s->keeps_left_out = true;
    return true;
}

/* These lines are nowhere else once the spool is gone. */
static bool leave_out(struct file_seal *s, struct str line, struct err *e)
{
    s->entry.left_out++;
    if (s->only_hashes) {
        return true;
    }
    if (!s->keeps_left_out && !begin_left_out(s, e)) {
        return false;
    }
    fs_replace_add(&s->left_out, line);
    fs_replace_add(&s->left_out, STR("\n"));
    return io_err(e, s->left_out.result, "write", s->left_out.path);
}

/* A line that is no record is kept apart and counted; other failures end the pass. */
static bool make_line(struct file_seal *s, struct str line, uint64_t at, struct err *e)
{
    struct err failure = ERR_INIT;

    if (!s->ops->add(s->file, line, at, &s->made, &failure)) {
        if (failure.code != ERR_PARSE) {
            *e = failure;
            return false;
        }
        return leave_out(s, line, e);
    }
    s->entry.records++;
    note_time(s, line);
    return true;
}

static bool look_at_line(struct file_seal *s, struct str line, uint64_t at, struct err *e)
{
    struct err failure = ERR_INIT;

    if (s->ops->look(s->file, line, at, &failure) || failure.code == ERR_PARSE) {
        return true;
    }
    *e = failure;
    return false;
}

/* The next whole lines of the spool; none at its end. What no newline ends is a line too. */
static bool read_lines(struct file_seal *s, struct str *ret_lines, struct err *e)
{
    size_t len = SEAL_STEP;
    size_t got = 0;

    for (;; len *= 4) {
        buf_clear(&s->chunk);
        char *room = buf_reserve(&s->chunk, len);
        if (!io_err(e,
                    s->config->fs->ops->pread(s->config->fs, s->spool_fd, room, len, s->at, &got),
                    "read", s->spool)) {
            return false;
        }
        size_t whole = got;
        while (whole > 0 && room[whole - 1] != '\n') {
            whole--;
        }
        if (whole > 0 || got < len) {
            *ret_lines = str_make(room, whole > 0 ? whole : got);
            return true;
        }
    }
}

/* The line at <at>, for short ones whose model is not remembered. */
static bool fetch_line(void *arg, uint64_t at, struct buf *out, struct err *e)
{
    enum { FIRST = 4096, LINE_BYTES = 64 * 1024 * 1024 };
    struct file_seal *s = arg;

    for (size_t len = FIRST; at <= INT64_MAX && len <= LINE_BYTES; len *= 8) {
        size_t got = 0;
        buf_clear(out);
        char *room = buf_reserve(out, len);
        if (!io_err(
                e,
                s->config->fs->ops->pread(s->config->fs, s->spool_fd, room, len, (int64_t)at, &got),
                "read", s->spool)) {
            return false;
        }
        size_t end = str_find_byte(str_make(room, got), '\n');
        if (end < got) {
            buf_added(out, end);
            return true;
        }
        if (got < len) {
            break;
        }
    }
    return err_set(e, ERR_PARSE, "a short line that refers to none");
}

static bool take_lines(struct file_seal *s, bool *ret_end, struct err *e)
{
    bool (*take)(struct file_seal *, struct str, uint64_t, struct err *) =
        s->phase == PHASE_LOOK ? look_at_line : make_line;
    uint64_t at = (uint64_t)s->at;
    struct str lines = STR_NONE;

    if (!read_lines(s, &lines, e)) {
        return false;
    }
    s->at += (int64_t)lines.len;
    *ret_end = lines.len == 0;
    while (lines.len > 0) {
        size_t len = str_find_byte(lines, '\n');
        if (len > 0 && !take(s, str_make(lines.ptr, len), at, e)) {
            return false;
        }
        at += len + 1;
        lines = str_slice(lines, len + 1, lines.len);
    }
    return true;
}

static bool end_making(struct file_seal *s, struct err *e)
{
    unsigned len = 0;

    if (!s->ops->end(s->file, &s->made, e) || !put_made(s, e)) {
        return false;
    }
    if (EVP_DigestFinal_ex(s->hash, s->entry.sha256, &len) != 1) {
        return err_set(e, ERR_INTERNAL, "SHA-256 does not end");
    }
    s->entry.rest = line_file_rest(s->file);
    s->phase = PHASE_PUT;
    return true;
}

/* A part of a pass. */
static bool go_on(struct file_seal *s, struct err *e)
{
    bool is_end = false;

    if (!take_lines(s, &is_end, e)) {
        return false;
    }
    if (s->phase == PHASE_LOOK) {
        if (is_end) {
            s->phase = PHASE_MAKE;
            s->at = 0;
        }
        return !is_end || s->ops->begin(s->file, &s->made, e);
    }
    if (is_end) {
        return end_making(s, e);
    }
    return s->made.len < SEAL_STEP || put_made(s, e);
}

/* ---- the end ---- */

static bool hash_file(const struct file_seal *s, uint8_t *ret_hash, struct err *e)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    const struct fs *fs = s->config->fs;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    char *room = buf_reserve(&bytes, SEAL_STEP);
    int64_t at = 0;
    size_t got = 0;
    unsigned len = 0;
    int fd = -1;

    bool ok = (hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1) ||
              err_set(e, ERR_INTERNAL, "SHA-256 does not start");
    ok = ok && io_err(e, fs->ops->open(fs, s->path, FS_READ, &fd), "open", s->path);
    do {
        ok = ok && io_err(e, fs->ops->pread(fs, fd, room, SEAL_STEP, at, &got), "read", s->path) &&
             EVP_DigestUpdate(hash, room, got) == 1;
        at += (int64_t)got;
    } while (ok && got == SEAL_STEP);
    ok = ok && EVP_DigestFinal_ex(hash, ret_hash, &len) == 1;
    if (fd >= 0) {
        (void)fs->ops->close(fs, fd);
    }
    EVP_MD_CTX_free(hash);
    return ok;
}

static bool remove_spool(struct file_seal *s, bool *ret_done, struct err *e)
{
    const struct fs *fs = s->config->fs;

    if (!io_err(e, fs->ops->unlink(fs, s->spool), "remove", s->spool) ||
        !io_err(e, fs_sync_folder(fs, s->config->folder), "sync", s->config->folder)) {
        return false;
    }
    *ret_done = true;
    return true;
}

static char *index_path(const struct file_seal *s)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%.*s.index.jsonl", s->config->folder, STR_FMT(s->config->hidden));
    return buf_take(&path);
}

/* The file is in its place. */
static bool tell_and_remove(struct file_seal *s, bool *ret_done, struct err *e)
{
    char *path = index_path(s);
    bool ok = file_index_add(s->config->fs, s->config->folder, path, &s->entry, e);

    mem_free(path);
    return ok && remove_spool(s, ret_done, e);
}

static void set_name(struct file_seal *s, struct str name)
{
    AUTO(buf_release) struct buf spool = BUF_INIT(BUF_UNLIMITED);

    add_spool_path(s->config, name, &spool);
    mem_free(s->name);
    mem_free(s->path);
    mem_free(s->spool);
    s->name = mem_dup_text(name.ptr, name.len);
    s->path = path_of(s->config, name);
    s->spool = buf_take(&spool);
    s->entry.name = str_of(s->name);
}

/* The lines left out are kept by the name of the file, which will be another. */
static bool forget_left_out(struct file_seal *s, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    if (s->entry.left_out == 0) {
        return true;
    }
    add_left_out_path(s, &path);
    int result = s->config->fs->ops->unlink(s->config->fs, buf_text(&path));
    return result == -ENOENT || io_err(e, result, "remove", buf_text(&path));
}

/* The name is somebody else's by now. */
static bool take_other_name(struct file_seal *s, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_UNLIMITED);
    const char *folder = s->config->folder;

    if (!forget_left_out(s, e) ||
        !file_seal_take_name(s->config, s->spool, s->entry.name, &name, e)) {
        return false;
    }
    set_name(s, buf_str(&name));
    return io_err(e, fs_sync_folder(s->config->fs, folder), "sync", folder) &&
           begin_pass(s, false, e);
}

/* What was made is known; is it there already? */
static bool judge(struct file_seal *s, bool *ret_done, struct err *e)
{
    uint8_t hash[FILE_INDEX_HASH];
    bool is_told = false;
    bool is_there = false;
    char *path = index_path(s);
    bool ok = file_index_has(s->config->fs, path, &s->entry, &is_told, e);

    mem_free(path);
    if (!ok || !exists(s->config->fs, s->path, &is_there, e)) {
        return false;
    }
    if (is_told) { /* and perhaps collected since */
        return remove_spool(s, ret_done, e);
    }
    if (!is_there) {
        return begin_pass(s, false, e);
    }
    if (!hash_file(s, hash, e)) {
        return false;
    }
    return memcmp(hash, s->entry.sha256, sizeof(hash)) == 0 ? tell_and_remove(s, ret_done, e)
                                                            : take_other_name(s, e);
}

static bool put_left_out(struct file_seal *s, struct err *e)
{
    bool begun = s->keeps_left_out;

    s->keeps_left_out = false;
    return !begun || fs_replace_commit(&s->left_out, e);
}

static bool put(struct file_seal *s, bool *ret_done, struct err *e)
{
    struct err failure = ERR_INIT;

    if (s->only_hashes) {
        return judge(s, ret_done, e);
    }
    if (!put_left_out(s, e)) { /* first: who finds the file finds them */
        return false;
    }
    s->replaces = false;
    if (fs_replace_commit(&s->r, &failure)) {
        return tell_and_remove(s, ret_done, e);
    }
    if (failure.code == ERR_CONFLICT) {
        return take_other_name(s, e);
    }
    *e = failure;
    return false;
}

bool file_seal_step(struct file_seal *s, bool *ret_done, struct err *e)
{
    *ret_done = false;
    return s->phase == PHASE_PUT ? put(s, ret_done, e) : go_on(s, e);
}

const struct file_index_entry *file_seal_entry(const struct file_seal *s)
{
    return &s->entry;
}

/* ---- life ---- */

/* FOLDER/HIDDEN<suffix>, of which a crash may have left something; the spool has it all. */
static bool make_room(const struct file_seal *s, const char *suffix, char **ret_path, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%.*s%s", s->config->folder, STR_FMT(s->config->hidden), suffix);
    *ret_path = buf_take(&path);
    int result = s->config->fs->ops->unlink(s->config->fs, *ret_path);
    return result == -ENOENT || io_err(e, result, "remove", *ret_path);
}

bool file_seal_open(const struct file_seal_config *config, struct str name, bool is_resumed,
                    struct file_seal **ret_seal, struct err *e)
{
    struct file_seal *s = mem_new(struct file_seal);
    const struct fs *fs = config->fs;

    *s = (struct file_seal){.config = config,
                            .spool_fd = -1,
                            .chunk = BUF_INIT(BUF_UNLIMITED),
                            .made = BUF_INIT(BUF_UNLIMITED),
                            .packed = BUF_INIT(BUF_UNLIMITED),
                            .times = BUF_INIT(BUF_UNLIMITED)};
    s->lines = config->lines;
    s->lines.fetch = fetch_line;
    s->lines.arg = s;
    set_name(s, name);
    if (!file_name_kind(name, &s->entry.kind)) {
        (void)err_set(e, ERR_PARSE, "%s has no name that says what is to be made of it; rename it",
                      s->spool);
        file_seal_close(s);
        return false;
    }
    int result = fs->ops->open(fs, s->spool, FS_READ, &s->spool_fd);
    if (result == -ENOENT) {
        (void)err_set(e, ERR_CONFLICT, "%s is gone", s->spool);
    }
    if (result == -ENOENT || !io_err(e, result, "open", s->spool) ||
        !make_room(s, ".making", &s->making, e) ||
        !make_room(s, ".making-left_out", &s->making_rest, e) || !begin_pass(s, is_resumed, e)) {
        file_seal_close(s);
        return false;
    }
    *ret_seal = s;
    return true;
}

void file_seal_close(struct file_seal *s)
{
    if (s == NULL) {
        return;
    }
    end_pass(s);
    if (s->spool_fd >= 0) {
        (void)s->config->fs->ops->close(s->config->fs, s->spool_fd);
    }
    buf_release(&s->chunk);
    buf_release(&s->made);
    buf_release(&s->packed);
    buf_release(&s->times);
    mem_free(s->name);
    mem_free(s->path);
    mem_free(s->spool);
    mem_free(s->making);
    mem_free(s->making_rest);
    mem_free(s);
}
