/*
 * A file of JSON lines that grows and is rotated, or standard input.
 *
 * Invariants
 *   1. A position is behind a line's end, in a file that is found again when it was renamed, copied or packed.
 *   2. A file that is no longer the one of the name is read to its end before the next one is begun, in the order in which
 *      they were written.
 *   3. What was read and is not given goes with a start: it is read again.
 */
#include "events/sources/sources.h"

#include "base/mem.h"
#include "base/trace.h"
#include "events/sources/file_lines.h"
#include "events/sources/file_part.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 250, LATE_NS = 1000 * 1000 * 1000 };
enum file_start { FILE_START_END, FILE_START_BEGINNING };

struct file_config {
    struct source_common common;
    struct str path;
    bool follow;
    int start_at; /* enum file_start */
    struct line_fields fields;
};

struct file_source {
    struct source base;
    struct trace trace;
    const struct clock *clock;
    const struct file_config *config;
    struct str stream; /* its name, which the config has */
    char *path;
    bool is_stdin;
    struct file_part part; /* the one that is read */
    struct file_lines lines;
    bool waits; /* its end was reached: what it begins with is looked at before more is read */
    int64_t left_mono_ns;  /* since when the name is another file's; 0: it is not */
    struct file_part fill; /* of a backfill */
    struct file_lines fill_lines;
    uint64_t
        fill_skipped; /* where the newest that were asked for begin; UINT64_MAX: not looked for yet */
};

static struct file_source *file_of(struct source *s)
{
    return (struct file_source *)(void *)s;
}

/* ---- where it stands ---- */

static void use_part(struct file_source *f)
{
    f->lines.tag = f->part.tag;
    f->lines.inode = f->part.inode;
    f->left_mono_ns = 0;
    f->waits = false;
    file_lines_begin(&f->lines, f->part.path, f->part.offset);
}

static void put_place(const struct file_part *p, uint64_t offset, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "%llu:%llu:%llu", (unsigned long long)p->tag, (unsigned long long)p->inode,
             (unsigned long long)offset);
}

/* Where the last line ends that is complete. */
static bool find_end(struct file_part *p, uint64_t *ret_end, struct err *e)
{
    AUTO(mem_autofree) char *bytes = mem_alloc(LINE_READ);
    size_t len = 1;
    uint64_t end = 0;

    while (len > 0) {
        uint64_t at = p->offset;
        if (!file_part_read(p, bytes, LINE_READ, &len, e)) {
            return false;
        }
        for (size_t i = len; i-- > 0;) {
            if (bytes[i] == '\n') {
                end = at + i + 1;
                break;
            }
        }
    }
    *ret_end = end;
    return file_part_seek(p, end, e);
}

static enum sourced start_first(struct file_source *f, struct source_begun *ret, struct err *e)
{
    bool is_there = false;
    uint64_t end = 0;

    if (!file_part_open(f->path, &f->part, &is_there, e)) {
        return SOURCED_REFUSED;
    }
    if (!is_there && !f->config->follow) {
        (void)err_set(e, ERR_CONFIG, "there is no file %s", f->path);
        return SOURCED_REFUSED;
    }
    if (is_there && f->config->follow && f->config->start_at == FILE_START_END) {
        if (!find_end(&f->part, &end, e)) {
            return SOURCED_AGAIN;
        }
        if (end > 0) {
            put_place(&f->part, end, &ret->oldest);
        }
    }
    put_place(&f->part, end, &ret->position);
    return SOURCED_OK;
}

static enum sourced lose(const struct file_source *f, const struct file_place *place, struct err *e)
{
    (void)err_set(e, ERR_CONFLICT,
                  "the file that was read up to byte %llu is gone: neither %s nor a file beside it "
                  "whose name begins so is it. What it had behind that is not known",
                  (unsigned long long)place->offset, f->path);
    return source_lost(f->stream, e);
}

static enum sourced start_again(struct file_source *f, struct str position,
                                struct source_begun *ret, struct err *e)
{
    struct file_place place = {0};
    bool is_there = false;

    if (!file_place_parse(position, &place)) {
        (void)err_set(e, ERR_CONFLICT, "the position '%.*s' is none of a file", STR_FMT(position));
        return source_lost(f->stream, e);
    }
    bool is_nowhere = place.inode == 0 && place.offset == 0; /* there was no file yet */
    bool ok = is_nowhere ? file_part_open(f->path, &f->part, &is_there, e)
                         : file_find(f->path, &place, &f->part, &is_there, e);
    if (!ok) {
        return SOURCED_AGAIN;
    }
    buf_clear(&ret->position);
    buf_add_str(&ret->position, position);
    return is_there || is_nowhere ? SOURCED_OK : lose(f, &place, e);
}

static enum sourced start_stdin(struct file_source *f, struct source_begun *ret)
{
    uint64_t tag =
        (uint64_t)clock_wall_ns(f->clock); /* what is read of a pipe is never read again */

    f->part = (struct file_part){.tag = tag};
    f->lines.tag = tag;
    f->lines.inode = 0;
    file_lines_begin(&f->lines, "standard input", 0);
    put_place(&f->part, 0, &ret->position);
    return SOURCED_OK;
}

static enum sourced file_start(struct source *s, const struct source_start *from,
                               struct source_begun *ret, struct wait wait, struct err *e)
{
    struct file_source *f = file_of(s);

    (void)wait;
    file_part_close(&f->part);
    file_part_close(&f->fill);
    f->fill_skipped = UINT64_MAX;
    file_lines_begin(&f->fill_lines, "", 0);
    buf_clear(&ret->identity);
    buf_addf(&ret->identity, "file %s", f->path);
    if (f->is_stdin) {
        return start_stdin(f, ret);
    }
    enum sourced answer =
        from->position.len == 0 ? start_first(f, ret, e) : start_again(f, from->position, ret, e);
    if (answer == SOURCED_OK && f->part.path != NULL) {
        use_part(f);
    }
    return answer;
}

/* ---- reading ---- */

static bool read_stdin(struct file_source *f, size_t *ret_len, bool *ret_is_end, struct wait wait,
                       struct err *e)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

    *ret_len = 0;
    *ret_is_end = false;
    while (poll(&fd, 1, wait_is_over(wait, f->clock) ? 0 : LOOK_MS / 5) == 0) {
        if (wait_is_over(wait, f->clock)) {
            return true;
        }
    }
    ssize_t got = read(STDIN_FILENO, file_lines_room(&f->lines), LINE_READ);
    if (got < 0) {
        return errno == EINTR || errno == EAGAIN ||
               err_set_errno(e, ERR_IO, errno, "standard input");
    }
    *ret_len = (size_t)got;
    *ret_is_end = got == 0;
    file_lines_added(&f->lines, *ret_len);
    return true;
}

static bool read_part(struct file_source *f, size_t *ret_len, struct err *e)
{
    *ret_len = 0;
    if (f->waits && file_part_is_cut(&f->part, f->part.offset)) {
        return true; /* look_around() says what comes of it */
    }
    if (!file_part_read(&f->part, file_lines_room(&f->lines), LINE_READ, ret_len, e)) {
        return false;
    }
    file_lines_added(&f->lines, *ret_len);
    f->waits = *ret_len < LINE_READ;
    if (f->part.tag == 0 && *ret_len > 0) {
        file_part_look(&f->part);
        f->lines.tag = f->part.tag;
    }
    return true;
}

/* Is <path> still the file that is read? */
static bool is_current(const struct file_source *f)
{
    struct stat st;

    return stat(f->path, &st) == 0 && (uint64_t)st.st_ino == f->part.inode;
}

static void take_over(struct file_source *f, struct file_part *next)
{
    trace_info(&f->trace, "the next file", T_TEXT("path", next->path));
    file_part_close(&f->part);
    f->part = *next;
    use_part(f);
}

/* It was cut: a copy may have what was not read yet; else it begins anew. */
static bool begin_anew(struct file_source *f, bool *ret_has_more, struct err *e)
{
    const struct file_place place = {f->part.tag, UINT64_MAX, file_lines_at(&f->lines)};
    struct file_part copy = {0};
    bool is_there = false;

    if (place.tag != 0 && !file_find(f->path, &place, &copy, &is_there, e)) {
        return false;
    }
    *ret_has_more = true;
    if (is_there) {
        take_over(f, &copy);
        return true;
    }
    trace_warn(&f->trace, "the file was cut and is read from its beginning",
               T_U64("read", place.offset));
    f->part.tag = 0;
    if (!file_part_seek(&f->part, 0, e)) {
        return false;
    }
    file_part_look(&f->part);
    use_part(f);
    return true;
}

/* The file is another's name's by now: writers may have it open for a moment longer. */
static bool is_over(struct file_source *f)
{
    int64_t now_ns = clock_mono_ns(f->clock);

    if (f->left_mono_ns == 0) {
        f->left_mono_ns = now_ns;
    }
    return f->part.packed != NULL || now_ns - f->left_mono_ns >= LATE_NS;
}

static bool go_on(struct file_source *f, bool *ret_has_more, struct err *e)
{
    struct file_part next = {0};

    if (!file_find_next(f->path, &f->part, &next, ret_has_more, e)) {
        return false;
    }
    if (*ret_has_more) {
        take_over(f, &next);
    }
    return true;
}

/* At the end of what is there: is there more elsewhere? */
static bool look_around(struct file_source *f, bool *ret_has_more, struct err *e)
{
    *ret_has_more = false;
    if (f->part.path == NULL) {
        if (!file_part_open(f->path, &f->part, ret_has_more, e)) {
            return false;
        }
        if (*ret_has_more) {
            use_part(f);
        }
        return true;
    }
    if (is_current(f)) {
        f->left_mono_ns = 0;
        return !file_part_is_cut(&f->part, f->part.offset) || begin_anew(f, ret_has_more, e);
    }
    return !is_over(f) || file_lines_has_rest(&f->lines) || go_on(f, ret_has_more, e);
}

/* A last line without an end counts where nothing can follow. */
static bool is_last(const struct file_source *f)
{
    return f->part.path != NULL &&
           (!f->config->follow || f->part.packed != NULL ||
            (f->left_mono_ns != 0 && clock_mono_ns(f->clock) - f->left_mono_ns >= LATE_NS));
}

static enum sourced at_end(struct file_source *f, size_t max, struct changes *ret,
                           bool *ret_has_more, struct err *e)
{
    *ret_has_more = false;
    if (is_last(f) && file_lines_take(&f->lines, max, true, UINT64_MAX, ret) > 0) {
        return SOURCED_OK;
    }
    if (!f->config->follow) {
        return SOURCED_ENDED;
    }
    return look_around(f, ret_has_more, e) ? SOURCED_OK : SOURCED_AGAIN;
}

static enum sourced next_of_file(struct file_source *f, size_t max, struct changes *ret,
                                 struct wait wait, struct err *e)
{
    for (;;) {
        enum sourced answer = SOURCED_OK;
        bool has_more = false;
        size_t len = 0;
        if (file_lines_take(&f->lines, max, false, UINT64_MAX, ret) > 0) {
            return SOURCED_OK;
        }
        if (f->part.path != NULL && !read_part(f, &len, e)) {
            return SOURCED_AGAIN;
        }
        if (len == 0) {
            answer = at_end(f, max, ret, &has_more, e);
        }
        if (answer != SOURCED_OK || ret->list.len > 0) {
            return answer;
        }
        if (len == 0 && !has_more) {
            if (wait_is_over(wait, f->clock)) {
                return SOURCED_OK;
            }
            (void)wait_sleep(wait_limit_ms(wait, f->clock, LOOK_MS));
        }
    }
}

static enum sourced next_of_stdin(struct file_source *f, size_t max, struct changes *ret,
                                  struct wait wait, struct err *e)
{
    for (;;) {
        bool is_end = false;
        size_t len = 0;
        if (file_lines_take(&f->lines, max, false, UINT64_MAX, ret) > 0) {
            return SOURCED_OK;
        }
        if (!read_stdin(f, &len, &is_end, wait, e)) {
            return SOURCED_AGAIN;
        }
        if (is_end) {
            return file_lines_take(&f->lines, max, true, UINT64_MAX, ret) > 0 ? SOURCED_OK
                                                                              : SOURCED_ENDED;
        }
        if (len == 0 && wait_is_over(wait, f->clock)) {
            return SOURCED_OK;
        }
    }
}

static enum sourced file_next(struct source *s, size_t max, struct changes *ret, struct wait wait,
                              struct err *e)
{
    struct file_source *f = file_of(s);

    changes_clear(ret);
    return f->is_stdin ? next_of_stdin(f, max, ret, wait, e) : next_of_file(f, max, ret, wait, e);
}

static void file_ack(struct source *s, struct str position)
{
    (void)s;
    (void)position;
}

/* ---- what was there before ---- */

/* Where the last <newest> lines before <end> begin. */
static bool find_newest(struct file_part *p, uint64_t end, uint64_t newest, uint64_t *ret_at,
                        struct err *e)
{
    AUTO(mem_autofree) char *bytes = mem_alloc(LINE_READ);
    uint64_t lines = 0;
    uint64_t skip = 0;

    *ret_at = 0;
    for (int pass = 0; newest > 0 && pass < 2; pass++) {
        size_t len = 1;
        if (!file_part_seek(p, 0, e)) {
            return false;
        }
        for (uint64_t at = 0; at < end && len > 0 && (pass == 0 || skip > 0); at += len) {
            if (!file_part_read(p, bytes, LINE_READ, &len, e)) {
                return false;
            }
            for (size_t i = 0; i < len && at + i < end && (pass == 0 || skip > 0); i++) {
                lines += pass == 0 && bytes[i] == '\n';
                if (pass == 1 && bytes[i] == '\n' && --skip == 0) {
                    *ret_at = at + i + 1;
                }
            }
        }
        skip = lines > newest ? lines - newest : 0;
    }
    return true;
}

static bool open_fill(struct file_source *f, const struct source_range *range, struct str cursor,
                      const struct file_place *end, struct err *e)
{
    struct file_place from = {0};
    bool is_there = false;

    if (cursor.len > 0 && !file_place_parse(cursor, &from)) {
        return err_set(e, ERR_CONFLICT, "'%.*s' is no place in a file", STR_FMT(cursor));
    }
    if (f->fill.path == NULL && !file_find(f->path, end, &f->fill, &is_there, e)) {
        return false;
    }
    if (f->fill.path == NULL) {
        return true;
    }
    if (f->fill_skipped == UINT64_MAX &&
        !find_newest(&f->fill, end->offset, range->newest, &f->fill_skipped, e)) {
        return false;
    }
    uint64_t at = from.offset > f->fill_skipped ? from.offset : f->fill_skipped;
    if (f->fill_lines.path != f->fill.path || file_lines_at(&f->fill_lines) != at) {
        f->fill_lines.tag = f->fill.tag;
        f->fill_lines.inode = f->fill.inode;
        file_lines_begin(&f->fill_lines, f->fill.path, at);
        return file_part_seek(&f->fill, at, e);
    }
    return true;
}

/* Lines that say that they are older than <from_ns> are left out. */
static void leave_out_old(struct changes *c, int64_t from_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->list.len; i++) {
        const struct change *ch = &c->list.items[i];
        if (ch->time_ns == 0 || ch->time_ns >= from_ns) {
            c->list.items[kept++] = *ch;
        }
    }
    c->list.len = kept;
}

/* Up to <max> lines before <end>; *ret_len 0: the file has no more. */
static bool fill(struct file_source *f, uint64_t end, size_t max, struct changes *ret,
                 size_t *ret_len, struct err *e)
{
    struct file_lines *l = &f->fill_lines;

    *ret_len = 1;
    while (file_lines_take(l, max, false, end, ret) == 0 && *ret_len > 0 &&
           file_lines_at(l) < end) {
        if (!file_part_read(&f->fill, file_lines_room(l), LINE_READ, ret_len, e)) {
            return false;
        }
        file_lines_added(l, *ret_len);
    }
    return true;
}

static enum sourced file_backfill(struct source *s, const struct source_range *range,
                                  struct str cursor, size_t max, struct changes *ret,
                                  bool *ret_done, struct wait wait, struct err *e)
{
    struct file_source *f = file_of(s);
    struct file_place end = {0};
    size_t len = 0;

    (void)wait;
    changes_clear(ret);
    if (!file_place_parse(range->end, &end)) {
        (void)err_set(e, ERR_CONFLICT, "'%.*s' is no place in a file", STR_FMT(range->end));
        return source_lost(f->stream, e);
    }
    if (!open_fill(f, range, cursor, &end, e)) {
        return SOURCED_AGAIN;
    }
    if (f->fill.path == NULL) {
        return lose(f, &end, e);
    }
    if (!fill(f, end.offset, max, ret, &len, e)) {
        return SOURCED_AGAIN;
    }
    leave_out_old(ret, range->from_ns);
    ret->position = file_lines_place(&f->fill_lines, file_lines_at(&f->fill_lines), &ret->arena);
    *ret_done = file_lines_at(&f->fill_lines) >= end.offset || len == 0;
    return SOURCED_OK;
}

/* ---- the rest ---- */

static void file_measure(struct source *s, struct source_measures *ret, struct wait wait)
{
    struct file_source *f = file_of(s);
    struct stat st;

    (void)wait;
    if (f->part.path == NULL || stat(f->path, &st) != 0) {
        return;
    }
    int64_t left = file_part_size(&f->part) - (int64_t)file_lines_at(&f->lines);
    ret->head_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
    ret->behind = left <= 0 && is_current(f) ? 0 : -1;
    ret->retained_bytes = f->part.packed == NULL && left > 0 ? left : 0;
}

static void file_close(struct source *s)
{
    struct file_source *f = file_of(s);

    if (!f->is_stdin) {
        file_part_close(&f->part);
    }
    file_part_close(&f->fill);
    file_lines_release(&f->lines);
    file_lines_release(&f->fill_lines);
    mem_free(f->path);
    mem_free(f);
}

static const struct source_ops file_ops = {
    .start = file_start,
    .next = file_next,
    .ack = file_ack,
    .backfill = file_backfill,
    .measure = file_measure,
    .close = file_close,
};

static bool file_open(const struct source_place *place, const void *config,
                      struct source **ret_source, struct err *e)
{
    const struct file_config *c = config;
    struct file_source *f = mem_new(struct file_source);

    (void)e;
    f->base.ops = &file_ops;
    f->config = c;
    f->stream = place->stream;
    f->clock = place->env->clock;
    f->path = mem_dup_text(c->path.ptr, c->path.len);
    f->is_stdin = str_eq(c->path, STR("-"));
    trace_init_part(&f->trace, place->env->trace, "events", place->stream, TRACE_INFO);
    file_lines_init(&f->lines, &c->fields);
    file_lines_init(&f->fill_lines, &c->fields);
    *ret_source = &f->base;
    return true;
}

static const char *const starts[] = {"end", "beginning", NULL};
static const char *const path_aliases[] = {"file", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    {.name = "path",
     .aliases = path_aliases,
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct file_config, path),
     .help = "The file; `-`: standard input. One that ends in `.gz` is unpacked."},
    {.name = "follow",
     .type = OPTION_BOOL,
     .offset = offsetof(struct file_config, follow),
     .fallback = "true",
     .help =
         "Wait for more at the end, and go on with the next file when it is rotated; false: the "
         "stream is over at the end."},
    {.name = "start_at",
     .type = OPTION_ENUM,
     .offset = offsetof(struct file_config, start_at),
     .fallback = "end",
     .choices = starts,
     .help =
         "Where a file that is followed is begun: at its `end`, with what is before it as the backfill, "
         "or at its `beginning`."},
    {.name = "id_field",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, fields.id),
     .help = "The member of an object that is its id; none: where it stands and what it says."},
    {.name = "key_field",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, fields.key),
     .help = "The member whose like stay in order; none: all go at once."},
    {.name = "time_field",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, fields.time),
     .help = "The member that says when it was: RFC 3339, or Unix time in s, ms, us or ns."},
};

static const struct option_table option_table = {
    .name = "source file",
    .help = "A file of JSON lines that grows.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct file_config),
};

static const char *const aliases[] = {"ndjson", "jsonl", NULL};

const struct source_kind source_file = {
    .name = "file",
    .aliases = aliases,
    .help =
        "Lines of JSON of a file that grows and is rotated, or of standard input: objects, or CloudEvents.",
    .example = "type: file\npath: /var/log/app/events.jsonl\n",
    .options = &option_table,
    .age_option = "time_field",
    .look = source_look_by_start,
    .open = file_open,
};
