/*
 * Invariants
 *   1. The file's first <size> bytes are whole lines and synced. <size> is what we left behind; -1
 *      when that is not known.
 *   2. Rows are settled only when the bytes up to their last newline are synced.
 *   3. A file of another size than <size> was changed by somebody else or by a crash: its end is
 *      checked before anything is appended. What a crash can leave is at most one write: a line cut
 *      short, or blocks that never reached the disk, which read as zeros.
 */
#include "export/file_sink.h"

#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/trace.h"
#include "export/debug.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"

#include <errno.h>

/* Of the file's end, that many bytes are checked: any write and more. */
enum { END_BYTES = 8 * FILE_SINK_BYTES };

/* The lock is another lane's of ours for a write and a sync; so long it is waited for. */
enum { LOCK_PATIENCE_MS = 5000, LOCK_AGAIN_MS = 2 };

/* Of a call so much is for the sealing of what is complete; of a stop so much. */
enum { SEAL_MS = 250, SEAL_AT_STOP_MS = 15 * 1000 };

/* What is due by the clock and fails is tried again after so long. */
enum { TEND_AGAIN_MS = 30 * 1000 };

struct file_sink {
    struct sink super;
    const struct file_exporter *exporter;
    const void *config;
    const struct clock *clock;
    const struct fs *fs;
    struct trace trace;
    char *folder;
    char *path;
    char *torn_path;
    struct buf lines;
    struct debug debug;
    struct file_roll *roll; /* or NULL */
    void *state;            /* the exporter's */
    int64_t size;
};

static bool io_err(struct err *e, int result, const char *what, const char *path)
{
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot %s %s", what, path);
}

static bool append_synced(const struct file_sink *s, int fd, int64_t offset, struct str bytes,
                          const char *path, struct err *e)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};

    return io_err(e, s->fs->ops->pwritev(s->fs, fd, &part, 1, offset), "write", path) &&
           io_err(e, s->fs->ops->sync(s->fs, fd), "sync", path);
}

/* ---- the file's end ---- */

/* Keeps bytes that are no whole lines in a file beside ours. */
static bool keep_torn(const struct file_sink *s, struct str torn, struct err *e)
{
    int64_t size = 0;
    int fd = -1;

    if (!io_err(e, s->fs->ops->open(s->fs, s->torn_path, FS_WRITE | FS_CREATE, &fd), "open",
                s->torn_path)) {
        return false;
    }
    bool ok = io_err(e, s->fs->ops->size(s->fs, fd, &size), "look at", s->torn_path) &&
              append_synced(s, fd, size, torn, s->torn_path, e);
    (void)s->fs->ops->close(s->fs, fd);
    return ok && io_err(e, fs_sync_folder(s->fs, s->folder), "sync", s->folder);
}

/* How many of the first bytes of <end> are whole lines without zeros. */
static size_t whole_lines(struct str end)
{
    size_t len = str_find_byte(end, '\0');

    while (len > 0 && end.ptr[len - 1] != '\n') {
        len--;
    }
    return len;
}

/* Cuts the file behind its last whole line; <end> is what it ends in. */
static bool cut_torn(struct file_sink *s, int fd, int64_t size, struct str end, struct err *e)
{
    size_t whole = whole_lines(end);
    int64_t start = size - (int64_t)end.len;

    if (whole == end.len) {
        return true;
    }
    if (whole == 0 && start > 0 && start != s->size) {
        return err_set(e, ERR_IO, "%s does not end in lines: is it a file of ours? Move it away",
                       s->path);
    }
    if (!keep_torn(s, str_slice(end, whole, end.len), e) ||
        !io_err(e, s->fs->ops->truncate(s->fs, fd, start + (int64_t)whole), "cut", s->path) ||
        !io_err(e, s->fs->ops->sync(s->fs, fd), "sync", s->path)) {
        return false;
    }
    trace_warn(&s->trace, "cut a torn end, which is kept beside the file", T_TEXT("file", s->path),
               T_U64("bytes", end.len - whole), T_TEXT("kept_in", s->torn_path));
    return true;
}

static bool mend_end(struct file_sink *s, int fd, int64_t size, struct err *e)
{
    bool has_grown = s->size >= 0 && size > s->size; /* what was there is whole lines */
    int64_t unsure = has_grown ? size - s->size : size;
    size_t len = unsure < END_BYTES ? (size_t)unsure : END_BYTES;
    size_t got = 0;
    char *end = mem_alloc(len);

    bool ok = io_err(e, s->fs->ops->pread(s->fs, fd, end, len, size - (int64_t)len, &got), "read",
                     s->path) &&
              cut_torn(s, fd, size, str_make(end, got), e);
    mem_free(end);
    return ok && io_err(e, s->fs->ops->size(s->fs, fd, &s->size), "look at", s->path);
}

static int lock_file(const struct file_sink *s, int fd, struct wait wait)
{
    struct wait patience = wait_limit_ms(wait, s->clock, LOCK_PATIENCE_MS);
    if (s->roll != NULL) { /* the file may get another name while it is waited for */
        return file_roll_lock(s->roll, patience);
    }
    int result = s->fs->ops->lock(s->fs, fd);

    while (result == -EWOULDBLOCK && !wait_is_over(patience, s->clock)) {
        (void)wait_sleep(wait_limit_ms(patience, s->clock, LOCK_AGAIN_MS));
        result = s->fs->ops->lock(s->fs, fd);
    }
    return result;
}

static bool take_lock(struct file_sink *s, int fd, struct wait wait, struct err *e)
{
    int result = lock_file(s, fd, wait);

    if (result == -EWOULDBLOCK) {
        return err_set(e, ERR_CONFLICT, "another process is writing %s", s->path);
    }
    return io_err(e, result, "lock", s->path);
}

/* Makes invariant 1 true of the open file, which is locked. */
static bool make_sure(struct file_sink *s, int fd, struct err *e)
{
    int64_t size = 0;

    if (!io_err(e, s->fs->ops->size(s->fs, fd, &size), "look at", s->path)) {
        return false;
    }
    if (size == 0 && !io_err(e, fs_sync_folder(s->fs, s->folder), "sync", s->folder)) {
        return false;
    }
    return size == s->size || mend_end(s, fd, size, e);
}

/* ---- one delivery ---- */

static void close_file(struct file_sink *s, int fd)
{
    if (fd >= 0) {
        (void)s->fs->ops->close(s->fs, fd);
    }
    if (s->roll != NULL) {
        file_roll_unlock(s->roll);
    }
}

static bool open_path(struct file_sink *s, int *ret_fd, struct err *e)
{
    const unsigned flags = FS_READ | FS_WRITE | FS_CREATE;
    int result = s->fs->ops->open(s->fs, s->path, flags, ret_fd);

    if (result == -ENOENT) {
        if (!fs_make_path(s->fs, str_of(s->folder), e)) {
            return false;
        }
        result = s->fs->ops->open(s->fs, s->path, flags, ret_fd);
    }
    return io_err(e, result, "open", s->path);
}

static bool open_alone(struct file_sink *s, struct wait wait, int *ret_fd, struct err *e)
{
    if (!open_path(s, ret_fd, e)) {
        return false;
    }
    if (!take_lock(s, *ret_fd, wait, e) || !make_sure(s, *ret_fd, e)) {
        (void)s->fs->ops->close(s->fs, *ret_fd);
        return false;
    }
    return true;
}

static bool open_locked_spool(struct file_sink *s, int *ret_fd, struct err *e)
{
    if (!open_path(s, ret_fd, e)) {
        return false;
    }
    if (!make_sure(s, *ret_fd, e) || !file_roll_look(s->roll, s->size, e)) {
        (void)s->fs->ops->close(s->fs, *ret_fd);
        return false;
    }
    return true;
}

/* The lock is another file's and comes first: whoever has it may give the spool its final name. */
static bool open_spool(struct file_sink *s, struct wait wait, int *ret_fd, struct err *e)
{
    struct err first = ERR_INIT;

    if (!take_lock(s, -1, wait, &first)) {
        if (first.code == ERR_CONFLICT) {
            *e = first;
            return false;
        }
        if (!fs_make_path(s->fs, str_of(s->folder), e) || !take_lock(s, -1, wait, e)) {
            return false; /* the folder was not there, or it is something else */
        }
    }
    if (!open_locked_spool(s, ret_fd, e)) {
        file_roll_unlock(s->roll);
        return false;
    }
    return true;
}

static bool open_file(struct file_sink *s, struct wait wait, int *ret_fd, struct err *e)
{
    return s->roll != NULL ? open_spool(s, wait, ret_fd, e) : open_alone(s, wait, ret_fd, e);
}

/* What is complete gets its name; *fd is then a new spool. */
static bool close_spool(struct file_sink *s, int *fd, struct err *e)
{
    if (!file_roll_close_spool(s->roll, e)) {
        return false;
    }
    (void)s->fs->ops->close(s->fs, *fd);
    *fd = -1;
    s->size = 0;
    return true;
}

static bool roll_if_due(struct file_sink *s, int *fd, struct err *e)
{
    struct err failure = ERR_INIT;

    if (s->roll == NULL || !file_roll_is_due(s->roll, s->size)) {
        return true;
    }
    if (!close_spool(s, fd, &failure)) { /* it grows on */
        trace_warn(&s->trace, "a file that is due cannot be closed, and grows on",
                   T_TEXT("file", s->path), T_TEXT("error", failure.message));
        return true;
    }
    return open_path(s, fd, e) && io_err(e, fs_sync_folder(s->fs, s->folder), "sync", s->folder) &&
           file_roll_look(s->roll, 0, e);
}

/* Appends the lines, or takes back what there is of them. */
static bool append_lines(struct file_sink *s, int fd, struct outcome *out)
{
    int64_t began_ns = debug_now_ns(&s->debug);
    bool ok = append_synced(s, fd, s->size, buf_str(&s->lines), s->path, &out->err);
    debug_measure(&s->debug, DEBUG_SEND, began_ns);
    if (ok) {
        s->size += (int64_t)s->lines.len;
        out->bytes += s->lines.len;
        out->requests++;
        return true;
    }
    if (s->fs->ops->truncate(s->fs, fd, s->size) != 0) {
        s->size = -1;
    }
    return false;
}

static void stop_here(struct outcome *out, uint32_t row)
{
    outcome_forget(out, row);
    out->rest = VERDICT_RETRY;
}

static void reject_rows(struct outcome *out, uint32_t first, uint32_t end)
{
    outcome_forget(out, first);
    for (uint32_t i = first; i < end; i++) {
        outcome_except(out, i, VERDICT_REJECTED, out->err.message);
    }
    outcome_settle(out, end);
}

/* The next lines, which are in s->lines; false when their rows are not to be written. */
static bool make_lines(struct file_sink *s, struct view view, uint32_t *row, struct outcome *out)
{
    struct sent_rows sent = {.view = view, .first = *row, .part = SENT_ALL_PARTS};
    struct err e = ERR_INIT;

    buf_clear(&s->lines);
    if (s->roll != NULL && s->exporter->begin_lines != NULL) {
        s->exporter->begin_lines(s->state, file_roll_spool(s->roll), s->size);
    }
    int64_t began_ns = debug_now_ns(&s->debug);
    bool ok = s->exporter->next_lines(s->config, s->state, view, row, &s->lines, out, &out->err);
    debug_measure(&s->debug, DEBUG_ENCODE, began_ns);
    sent.end = *row;
    if (!ok || !debug_wants_validation(&s->debug) || s->exporter->validate == NULL ||
        s->exporter->validate(s->config, &sent, buf_str(&s->lines), &e) ||
        !debug_refuses(&s->debug, &e)) {
        return ok;
    }
    out->err = e;
    return err_wrap(&out->err, "refused by debug.refuse_invalid");
}

/* What became of the lines that were made last. */
static void end_lines(struct file_sink *s, bool is_there)
{
    if (s->roll != NULL && s->exporter->end_lines != NULL) {
        file_roll_note_saved(s->roll, s->exporter->end_lines(s->state, is_there));
    }
}

static void deliver_rows(struct file_sink *s, int *fd, struct view view, struct wait wait,
                         struct outcome *out)
{
    uint32_t row = 0;

    while (row < view.n) {
        uint32_t first = row;
        if (wait_is_over(wait, s->clock)) {
            (void)wait_err(wait, &out->err);
            stop_here(out, first);
            return;
        }
        if (!roll_if_due(s, fd, &out->err)) { /* first: lines may refer to others of their spool */
            stop_here(out, first);
            return;
        }
        if (!make_lines(s, view, &row, out)) {
            end_lines(s, false);
            row = row > first ? row : view.n;
            reject_rows(out, first, row);
            continue;
        }
        bool ok = s->lines.len == 0 || append_lines(s, *fd, out);
        end_lines(s, ok);
        if (!ok) {
            stop_here(out, first);
            return;
        }
        outcome_settle(out, row);
    }
}

static void file_sink_deliver(struct sink *sink, struct view view, struct wait wait,
                              struct outcome *ret)
{
    struct file_sink *s = container_of(sink, struct file_sink, super);
    const struct exporter_common *common = s->config;
    AUTO(batch_autounref) struct batch *labelled = NULL;
    int64_t began_ns = clock_mono_ns(s->clock);
    int fd = -1;

    if (!extra_labels_view(&common->labels, &view, &labelled, &ret->err)) {
        reject_rows(ret, 0, view.n);
    } else if (!open_file(s, wait, &fd, &ret->err)) {
        stop_here(ret, 0);
    } else {
        deliver_rows(s, &fd, view, wait, ret);
        close_file(s, fd);
    }
    if (s->roll != NULL) {
        (void)file_roll_work(s->roll, wait_limit_ms(wait, s->clock, SEAL_MS));
    }
    debug_tell(&s->debug, view, ret, clock_mono_ns(s->clock) - began_ns);
}

/* While nothing comes: what is due by the clock is closed, what is complete is sealed. */
static bool roll_in_idleness(struct file_sink *s, struct wait wait, struct err *e)
{
    int fd = -1;

    if (!open_file(s, wait, &fd, e)) {
        return e->code == ERR_CONFLICT; /* who writes is awake */
    }
    bool ok = roll_if_due(s, &fd, e);
    close_file(s, fd);
    (void)file_roll_work(s->roll, wait);
    return ok;
}

static int64_t file_sink_tend(struct sink *sink, struct wait wait)
{
    struct file_sink *s = container_of(sink, struct file_sink, super);
    struct err e = ERR_INIT;

    if (s->roll == NULL) {
        return DEADLINE_NEVER;
    }
    if (!roll_in_idleness(s, wait, &e)) {
        trace_warn(&s->trace, "cannot look whether a file is due; tried again",
                   T_TEXT("file", s->path), T_TEXT("error", e.message));
        return clock_deadline_ms(s->clock, TEND_AGAIN_MS);
    }
    return file_roll_due_ns(s->roll);
}

/* Can the file be written, and is there room for a write? */
static enum probed file_sink_probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct file_sink *s = container_of(sink, struct file_sink, super);
    int64_t free_bytes = 0;
    int fd = -1;

    if (s->roll != NULL && !roll_in_idleness(s, wait, e)) {
        return PROBED_FAILED;
    }
    if (!io_err(e, s->fs->ops->open(s->fs, s->path, FS_WRITE | FS_CREATE, &fd), "open", s->path)) {
        return PROBED_FAILED;
    }
    (void)s->fs->ops->close(s->fs, fd);
    if (!io_err(e, s->fs->ops->free_bytes(s->fs, s->folder, &free_bytes), "look at", s->folder)) {
        return PROBED_FAILED;
    }
    if (free_bytes < FILE_SINK_BYTES) {
        (void)err_set(e, ERR_FULL, "the disk of %s has %lld bytes left; make room there", s->folder,
                      (long long)free_bytes);
        return PROBED_FAILED;
    }
    return PROBED_THERE;
}

/* ---- life ---- */

static void file_sink_close(struct sink *sink)
{
    struct file_sink *s = container_of(sink, struct file_sink, super);

    mem_free(s->folder);
    mem_free(s->path);
    mem_free(s->torn_path);
    file_roll_free(s->roll);
    if (s->exporter->close_state != NULL) {
        s->exporter->close_state(s->state);
    }
    debug_close(&s->debug);
    buf_release(&s->lines);
    mem_free(s);
}

/* A stop: what there is becomes a file, since in a spool nobody sees it. */
static bool file_sink_flush(struct sink *sink, struct err *e)
{
    struct file_sink *s = container_of(sink, struct file_sink, super);
    struct wait wait = {clock_deadline_ms(s->clock, SEAL_AT_STOP_MS), NULL};
    int fd = -1;

    if (s->roll == NULL) {
        return true;
    }
    if (!open_file(s, wait, &fd, e)) {
        return false;
    }
    bool ok = s->size == 0 || close_spool(s, &fd, e);
    close_file(s, fd);
    return file_roll_finish(s->roll, wait) ? ok
                                           : err_set(e, ERR_TIMEOUT,
                                                     "a file of %s is not complete yet; the next "
                                                     "start goes on with it",
                                                     s->folder);
}

static const struct sink_ops file_sink_ops = {
    .deliver = file_sink_deliver,
    .flush = file_sink_flush,
    .probe = file_sink_probe,
    .tend = file_sink_tend,
    .close = file_sink_close,
};

static char *joined(struct str first, const char *between, struct str second)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%.*s%s%.*s", STR_FMT(first), between, STR_FMT(second));
    return buf_take(&path);
}

bool file_sink_open(const struct file_exporter *exporter, const struct file_target *target,
                    const struct exporter_place *place, const void *config, struct sink **ret_sink,
                    struct err *e)
{
    struct file_sink *s = mem_new(struct file_sink);
    int fd = -1;

    s->super.ops = &file_sink_ops;
    s->exporter = exporter;
    s->config = config;
    s->clock = place->env->clock;
    s->fs = target->fs;
    s->folder = mem_dup_text(target->folder.ptr, target->folder.len);
    s->size = -1;
    debug_open(&s->debug, place, config);
    trace_init_part(&s->trace, place->env->trace, "export", place->name, TRACE_INFO);
    if (target->roll != NULL) {
        s->roll =
            file_roll_new(s->fs, target->folder, target->name, target->roll, place->env, &s->trace);
    }
    s->path = s->roll != NULL ? joined(str_of(file_roll_path(s->roll)), "", STR(""))
                              : joined(target->folder, "/", target->name);
    s->torn_path = joined(str_of(s->path), "", STR(".torn"));
    s->state = exporter->open_state != NULL ? exporter->open_state(place, config) : NULL;
    buf_init(&s->lines, BUF_UNLIMITED);
    if (!fs_make_path(s->fs, str_of(s->folder), e) ||
        !open_file(s, (struct wait){0, NULL}, &fd, e)) {
        if (e->code != ERR_CONFLICT) { /* who writes now may be done by the first delivery */
            file_sink_close(&s->super);
            return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
        }
        *e = ERR_INIT;
    } else {
        close_file(s, fd);
    }
    *ret_sink = &s->super;
    return true;
}
