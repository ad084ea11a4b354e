/*
 * Invariants
 *   1. A spool has its final name before a new one begins, durably: lines are never in two spools.
 *   2. Only who holds .x.lock writes or renames the spool; only who holds .x.sealing seals.
 *   3. When the spool began stands in .x.lock; where it does not, it began when we first saw it. So does its number, which
 *      is as a rule that time, and grows; and how many bytes its lines are shorter than JSON, which a crash may make less.
 */
#include "export/file_roll.h"

#include "base/attr.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/trace.h"
#include "base/vec.h"
#include "export/file_seal.h"
#include "export/payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOCK_AGAIN_MS = 2, SEAL_LOCK_AGAIN_MS = 1000, TRY_AGAIN_MS = 30 * 1000, SPOOLS_MAX = 10000 };

/* A spool that is to be sealed. */
struct spool {
    char *name;      /* of the file */
    bool is_resumed; /* somebody may have begun with it */
};

struct file_roll {
    const struct fs *fs;
    const struct clock *clock;
    struct trace *trace;
    struct file_roll_config config;
    struct file_seal_config seal_config;
    struct payload_host host;
    char *folder;
    char *hidden;   /* ".x" */
    char *exporter; /* "x" */
    char *path;
    char *lock_path;
    char *seal_lock_path;
    int lock_fd;
    int64_t began_ns;
    int64_t number;         /* of the spool */
    int64_t saved;          /* bytes that its lines are shorter than JSON */
    int64_t close_again_ns; /* mono; the spool could not be renamed */

    VEC(struct spool) spools; /* the first is next */
    bool has_listed;          /* what was there at the start is among them */
    struct file_seal *seal;
    int seal_lock_fd;
    bool others_seal;      /* the lock was another's when we last looked */
    int64_t seal_again_ns; /* mono */
};

static bool io_err(struct err *e, int result, const char *what, const char *path)
{
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot %s %s", what, path);
}

static char *joined(const struct file_roll *r, const char *suffix)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%s%s", r->folder, r->hidden, suffix);
    return buf_take(&path);
}

struct file_roll *file_roll_new(const struct fs *fs, struct str folder, struct str exporter,
                                const struct file_roll_config *config, const struct env *env,
                                struct trace *trace)
{
    AUTO(buf_release) struct buf hidden = BUF_INIT(BUF_UNLIMITED);
    struct file_roll *r = mem_new(struct file_roll);

    buf_addf(&hidden, ".%.*s", STR_FMT(exporter));
    *r = (struct file_roll){.fs = fs,
                            .clock = env->clock,
                            .trace = trace,
                            .config = *config,
                            .folder = mem_dup_text(folder.ptr, folder.len),
                            .hidden = buf_take(&hidden),
                            .exporter = mem_dup_text(exporter.ptr, exporter.len),
                            .lock_fd = -1,
                            .seal_lock_fd = -1};
    r->path = joined(r, ".active");
    r->lock_path = joined(r, ".lock");
    r->seal_lock_path = joined(r, ".sealing");
    payload_host_init(&r->host);
    r->seal_config = (struct file_seal_config){
        .fs = fs,
        .folder = r->folder,
        .hidden = str_of(r->hidden),
        .lines = {.pages = config->pages, .budget = env->budget},
    };
    return r;
}

const char *file_roll_path(const struct file_roll *r)
{
    return r->path;
}

/* ---- the spool ---- */

static int open_and_lock(const struct file_roll *r, const char *path, int *ret_fd)
{
    int result = r->fs->ops->open(r->fs, path, FS_READ | FS_WRITE | FS_CREATE, ret_fd);

    if (result == 0) {
        result = r->fs->ops->lock(r->fs, *ret_fd);
        if (result != 0) {
            (void)r->fs->ops->close(r->fs, *ret_fd);
            *ret_fd = -1;
        }
    }
    return result;
}

int file_roll_lock(struct file_roll *r, struct wait wait)
{
    int result = open_and_lock(r, r->lock_path, &r->lock_fd);

    while (result == -EWOULDBLOCK && !wait_is_over(wait, r->clock)) {
        (void)wait_sleep(wait_limit_ms(wait, r->clock, LOCK_AGAIN_MS));
        result = open_and_lock(r, r->lock_path, &r->lock_fd);
    }
    return result;
}

void file_roll_unlock(struct file_roll *r)
{
    if (r->lock_fd >= 0) {
        (void)r->fs->ops->close(r->fs, r->lock_fd);
        r->lock_fd = -1;
    }
}

enum { FIELDS = 3, FIELD_BYTES = 21 }; /* 20 digits and what ends them */

static int put_fields(const struct file_roll *r)
{
    char text[FIELDS * FIELD_BYTES + 1];
    int len = snprintf(text, sizeof(text), "%020lld %020lld %020lld\n", (long long)r->began_ns,
                       (long long)r->number, (long long)r->saved);
    const struct iovec part = {.iov_base = text, .iov_len = (size_t)len};

    return r->fs->ops->pwritev(r->fs, r->lock_fd, &part, 1, 0);
}

static bool write_beginning(struct file_roll *r, struct err *e)
{
    return io_err(e, put_fields(r), "write", r->lock_path) &&
           io_err(e, r->fs->ops->sync(r->fs, r->lock_fd), "sync", r->lock_path);
}

/* A new number: greater than that before, also where the clock stands still or somebody removed the file. */
static void renumber(struct file_roll *r)
{
    int64_t now_ns = clock_wall_ns(r->clock);

    r->number = now_ns > r->number ? now_ns : r->number + 1;
    r->saved = 0;
}

static bool parse_fields(struct str line, int64_t *fields)
{
    struct str text;

    for (size_t i = 0; i < FIELDS; i++) {
        if (!str_split(&line, ' ', &text) || !number_parse_i64(text, &fields[i]) ||
            fields[i] < (i == 0)) {
            return false;
        }
    }
    return true;
}

/* Fields that are not there are 0. What an earlier version wrote is the first one. */
static bool read_fields(struct file_roll *r, int64_t *fields, struct err *e)
{
    char text[FIELDS * FIELD_BYTES + 1] = "";
    size_t got = 0;

    memset(fields, 0, FIELDS * sizeof(*fields));
    if (!io_err(e, r->fs->ops->pread(r->fs, r->lock_fd, text, sizeof(text), 0, &got), "read",
                r->lock_path)) {
        return false;
    }
    struct str line = str_make(text, got);
    line = str_slice(line, 0, str_find_byte(line, '\n'));
    bool is_old = line.len < got && str_find_byte(line, ' ') == line.len;
    if (line.len == got || (!is_old && !parse_fields(line, fields)) ||
        (is_old && (!number_parse_i64(line, &fields[0]) || fields[0] < 0))) {
        memset(fields, 0, FIELDS * sizeof(*fields));
    }
    return true;
}

bool file_roll_look(struct file_roll *r, int64_t size, struct err *e)
{
    int64_t fields[FIELDS];

    if (!read_fields(r, fields, e)) {
        return false;
    }
    r->number = fields[1] > r->number ? fields[1] : r->number;
    r->began_ns = fields[0];
    r->saved = fields[2];
    if (size > 0 && fields[0] > 0 && fields[1] > 0) {
        r->number = fields[1];
        return true;
    }
    r->began_ns = size > 0 && fields[0] > 0 ? fields[0] : clock_wall_ns(r->clock);
    renumber(r);
    return write_beginning(r, e);
}

uint64_t file_roll_spool(const struct file_roll *r)
{
    return (uint64_t)r->number;
}

void file_roll_note_saved(struct file_roll *r, int64_t bytes)
{
    if (bytes > 0) {
        r->saved += bytes;
        (void)put_fields(r);
    }
}

bool file_roll_is_due(const struct file_roll *r, int64_t size)
{
    const struct file_roll_config *c = &r->config;
    int64_t now_ns = clock_wall_ns(r->clock);
    bool is_old = c->by_time && time_floor_div(now_ns, c->interval_ns) !=
                                    time_floor_div(r->began_ns, c->interval_ns);

    return size > 0 && (is_old || (c->by_size && size + r->saved >= c->max_bytes)) &&
           clock_mono_ns(r->clock) >= r->close_again_ns;
}

/* There is no way back: lines must not go on into a spool that has its name. */
static void sync_name(struct file_roll *r)
{
    struct err e = ERR_INIT;

    if (!io_err(&e, fs_sync_folder(r->fs, r->folder), "sync", r->folder)) {
        trace_warn(r->trace, "the name of a file that is due is not on disk yet",
                   T_TEXT("error", e.message));
    }
}

bool file_roll_close_spool(struct file_roll *r, struct err *e)
{
    const struct file_name_facts facts = {
        .began_ns = r->began_ns,
        .hostname = r->host.host.hostname,
        .exporter = str_of(r->exporter),
        .pid = r->host.host.pid,
    };
    AUTO(buf_release) struct buf wish = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_UNLIMITED);

    file_name_add(r->config.pattern, r->config.kind, &facts, 0, &wish);
    r->close_again_ns = clock_deadline_ms(r->clock, TRY_AGAIN_MS);
    if (!file_seal_take_name(&r->seal_config, r->path, buf_str(&wish), &name, e)) {
        return false;
    }
    r->close_again_ns = 0;
    struct spool *spool = vec_add(&r->spools);
    *spool = (struct spool){buf_take(&name), false};
    sync_name(r);
    return true;
}

/* ---- sealing ---- */

static void end_seal(struct file_roll *r)
{
    file_seal_close(r->seal);
    r->seal = NULL;
    if (r->seal_lock_fd >= 0) {
        (void)r->fs->ops->close(r->fs, r->seal_lock_fd);
        r->seal_lock_fd = -1;
    }
}

static void forget_spools(struct file_roll *r)
{
    for (size_t i = 0; i < r->spools.len; i++) {
        mem_free(r->spools.items[i].name);
    }
    r->spools.len = 0;
}

static bool is_known(const struct file_roll *r, struct str name)
{
    for (size_t i = 0; i < r->spools.len; i++) {
        if (str_eq(name, str_of(r->spools.items[i].name))) {
            return true;
        }
    }
    return false;
}

static void note_name(void *arg, const char *name)
{
    struct file_roll *r = arg;
    AUTO(buf_release) struct buf start = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&start, "%s.sealing-", r->hidden);
    struct str rest = str_slice(str_of(name), start.len, SIZE_MAX);
    if (str_starts(str_of(name), buf_str(&start)) && r->spools.len < SPOOLS_MAX &&
        !is_known(r, rest)) {
        struct spool *spool = vec_add(&r->spools);
        *spool = (struct spool){mem_dup_text(rest.ptr, rest.len), true};
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct spool *)a)->name, ((const struct spool *)b)->name);
}

/* What is left of earlier programs. */
static bool list_spools(struct file_roll *r, struct err *e)
{
    if (!io_err(e, r->fs->ops->list(r->fs, r->folder, note_name, r), "list", r->folder)) {
        return false;
    }
    if (r->spools.len > 0) {
        qsort(r->spools.items, r->spools.len, sizeof(struct spool), by_name);
    }
    r->has_listed = true;
    return true;
}

static void drop_first(struct file_roll *r)
{
    mem_free(r->spools.items[0].name);
    r->spools.len--;
    memmove(r->spools.items, r->spools.items + 1, r->spools.len * sizeof(struct spool));
}

/* Begins with the first spool; false when there is nothing to do now. */
static bool begin_seal(struct file_roll *r, struct err *e)
{
    int result = open_and_lock(r, r->seal_lock_path, &r->seal_lock_fd);
    r->others_seal = result == -EWOULDBLOCK;
    if (r->others_seal) {
        r->seal_again_ns = clock_deadline_ms(r->clock, SEAL_LOCK_AGAIN_MS);
        return false;
    }
    if (!io_err(e, result, "lock", r->seal_lock_path) || (!r->has_listed && !list_spools(r, e))) {
        return false;
    }
    while (r->spools.len > 0) {
        const struct spool *spool = &r->spools.items[0];
        if (file_seal_open(&r->seal_config, str_of(spool->name), spool->is_resumed, &r->seal, e)) {
            return true;
        }
        if (e->code != ERR_CONFLICT) {
            return false;
        }
        *e = ERR_INIT; /* another lane sealed it */
        drop_first(r);
    }
    return false;
}

static void tell_sealed(struct file_roll *r)
{
    const struct file_index_entry *made = file_seal_entry(r->seal);

    trace_info(r->trace, "a file is complete", T_STR("file", made->name),
               T_U64("records", made->records), T_I64("bytes", made->bytes));
    if (made->left_out > 0) {
        trace_warn(r->trace,
                   "lines that cannot be rows were left out of a file, and are kept beside it in "
                   "a hidden one",
                   T_STR("file", made->name), T_U64("lines", made->left_out));
    }
    if (made->rest > 0) {
        trace_warn(r->trace,
                   "records have more different members than a file has columns; those of the "
                   "others are JSON in its last column",
                   T_STR("file", made->name), T_U64("records", made->rest));
    }
}

static void fail_seal(struct file_roll *r, const struct err *e)
{
    trace_warn(r->trace, "cannot complete a file; what is in it is kept and tried again",
               T_TEXT("folder", r->folder),
               T_TEXT("file", r->spools.len > 0 ? r->spools.items[0].name : "?"),
               T_TEXT("error", e->message));
    r->seal_again_ns = clock_deadline_ms(r->clock, TRY_AGAIN_MS);
    if (r->spools.len > 0) { /* the others first */
        struct spool failed = r->spools.items[0];
        failed.is_resumed = true;
        memmove(r->spools.items, r->spools.items + 1, (r->spools.len - 1) * sizeof(struct spool));
        r->spools.items[r->spools.len - 1] = failed;
    }
}

/* Is there nothing that could be sealed now? */
static bool has_nothing(const struct file_roll *r)
{
    return r->seal == NULL && r->has_listed && r->spools.len == 0;
}

/* A spool whose name was somebody else's has another by now. */
static void follow_name(struct file_roll *r)
{
    struct str name = file_seal_entry(r->seal)->name;
    struct spool *first = &r->spools.items[0];

    if (!str_eq(name, str_of(first->name))) {
        mem_free(first->name);
        first->name = mem_dup_text(name.ptr, name.len);
    }
}

/* One step; false when there is nothing more to do now. */
static bool work_once(struct file_roll *r, struct err *e)
{
    bool is_done = false;

    if (r->seal == NULL && !begin_seal(r, e)) {
        end_seal(r);
        return false;
    }
    if (!file_seal_step(r->seal, &is_done, e)) {
        follow_name(r);
        end_seal(r);
        return false;
    }
    if (is_done) {
        tell_sealed(r);
        end_seal(r);
        drop_first(r);
    }
    return true;
}

bool file_roll_work(struct file_roll *r, struct wait wait)
{
    struct err e = ERR_INIT;

    if (clock_mono_ns(r->clock) < r->seal_again_ns) {
        return has_nothing(r);
    }
    while (!has_nothing(r) && !wait_is_over(wait, r->clock)) {
        if (!work_once(r, &e)) {
            if (e.code != ERR_NONE) {
                fail_seal(r, &e);
            }
            break;
        }
    }
    return has_nothing(r);
}

int64_t file_roll_due_ns(const struct file_roll *r)
{
    int64_t now_ns = clock_mono_ns(r->clock);
    int64_t latest_ns = clock_deadline_ms(r->clock, TRY_AGAIN_MS);
    int64_t due_ns = DEADLINE_NEVER;

    if (!has_nothing(r)) {
        due_ns = r->seal_again_ns > now_ns ? r->seal_again_ns : now_ns;
    }
    if (r->config.by_time) {
        int64_t wall_ns = clock_wall_ns(r->clock);
        int64_t interval_ns = r->config.interval_ns;
        int64_t end_ns = (time_floor_div(wall_ns, interval_ns) + 1) * interval_ns;
        int64_t ends_ns = now_ns + (end_ns - wall_ns);
        due_ns = ends_ns < due_ns ? ends_ns : due_ns;
    }
    return due_ns == DEADLINE_NEVER || due_ns < latest_ns ? due_ns : latest_ns;
}

bool file_roll_finish(struct file_roll *r, struct wait wait)
{
    r->seal_again_ns = 0;
    bool is_done = file_roll_work(r, wait);

    while (!is_done && r->others_seal && !wait_is_over(wait, r->clock)) {
        (void)wait_sleep(wait_limit_ms(wait, r->clock, LOCK_AGAIN_MS));
        r->seal_again_ns = 0;
        is_done = file_roll_work(r, wait);
    }
    return is_done;
}

void file_roll_free(struct file_roll *r)
{
    if (r == NULL) {
        return;
    }
    end_seal(r);
    file_roll_unlock(r);
    forget_spools(r);
    vec_release(&r->spools);
    mem_free(r->folder);
    mem_free(r->hidden);
    mem_free(r->exporter);
    mem_free(r->path);
    mem_free(r->lock_path);
    mem_free(r->seal_lock_path);
    mem_free(r);
}
