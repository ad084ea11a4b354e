#include "cli/queue.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/timetext.h"
#include "export/dead_letters.h"
#include "wire/frame.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- which frames ---- */

bool queue_parse_time(const char *text, int64_t *ret_ns, struct err *e)
{
    int64_t ago_ns = 0;
    struct err unused = ERR_INIT;

    if (duration_parse(str_of(text), false, &ago_ns, &unused)) {
        *ret_ns = clock_wall_ns(clock_system()) - ago_ns;
        return true;
    }
    return time_parse_any(str_of(text), ret_ns, &unused) ||
           err_set(e, ERR_CONFIG,
                   "'%s' is no time: expected 2026-01-31T12:00:00Z, Unix seconds, or a duration "
                   "back from now such as 2h",
                   text);
}

bool queue_find_consumer(const struct log_view *v, struct str name, unsigned *ret_bit,
                         struct err *e)
{
    const struct log_view_consumer *all = NULL;
    size_t count = log_view_consumers(v, &all);
    AUTO(buf_release) struct buf names = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < count; i++) {
        if (str_eq(str_of(all[i].name), name)) {
            *ret_bit = all[i].bit;
            return true;
        }
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", all[i].name);
    }
    return err_set(e, ERR_CONFIG, "there is no consumer '%.*s'; there %s %s", STR_FMT(name),
                   count == 1 ? "is" : "are", count > 0 ? buf_text(&names) : "none");
}

static bool read_number(const char *text, const char *option, uint64_t *value, struct err *e)
{
    return text == NULL || number_parse_u64(str_of(text), value) ||
           err_set(e, ERR_CONFIG, "--%s: expected a number, not '%s'", option, text);
}

static bool note_gone(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct queue_choice *c = arg;
    uint64_t number = 0;
    uint32_t records = 0;

    (void)e;
    if (dead_letter_parse_mark(f->type, f->payload, &number, &records)) {
        vec_push(&c->gone, number);
    }
    return true;
}

static bool find_gone(struct log_view *v, struct queue_choice *c, struct err *e)
{
    const struct log_walk walk = {.arg = c, .frame = note_gone};

    c->is_dead = queue_is_dead(v);
    return !c->is_dead || log_view_walk(v, &walk, e);
}

void queue_choice_release(struct queue_choice *c)
{
    vec_release(&c->gone);
}

bool queue_choose(const struct queue_texts *texts, struct log_view *v,
                  struct queue_choice *ret_choice, struct err *e)
{
    struct queue_choice c = {
        .mask = UINT64_MAX, .to_seq = UINT64_MAX, .since_ns = INT64_MIN, .limit = UINT64_MAX};
    unsigned bit = 0;

    if (texts->consumer != NULL) {
        c.consumer = str_of(texts->consumer);
        if (!queue_find_consumer(v, c.consumer, &bit, e)) {
            return false;
        }
        c.mask = UINT64_C(1) << bit;
        c.from_seq = log_view_consumer(v, bit)->cursor + 1;
    }
    if (!read_number(texts->from_seq, "from-seq", &c.from_seq, e) ||
        !read_number(texts->to_seq, "to-seq", &c.to_seq, e) ||
        !read_number(texts->limit, "limit", &c.limit, e) ||
        (texts->since != NULL && !queue_parse_time(texts->since, &c.since_ns, e))) {
        return false;
    }
    if (!find_gone(v, &c, e)) {
        queue_choice_release(&c);
        return false;
    }
    *ret_choice = c;
    return true;
}

/* Letters that left before older ones are no letters any more, nor are the marks that say so. */
static bool is_gone(const struct queue_choice *c, const struct log_view_frame *f)
{
    uint64_t number = 0;
    uint32_t records = 0;

    for (size_t i = 0; i < c->gone.len; i++) {
        if (c->gone.items[i] == f->seq) {
            return true;
        }
    }
    return c->is_dead && dead_letter_parse_mark(f->type, f->payload, &number, &records);
}

bool queue_is_chosen(const struct queue_choice *c, const struct log_view_frame *f)
{
    return !is_gone(c, f) && f->seq >= c->from_seq && f->seq <= c->to_seq &&
           f->time_ns >= c->since_ns && (c->mask == UINT64_MAX || (f->mask & c->mask) != 0);
}

/* ---- who uses it ---- */

/* The process in a line of /proc/locks that is about this file; 0: it is about another one. */
static int64_t locker(struct str line, const struct stat *file)
{
    char inode[64];
    struct str words[8];
    struct str word;
    size_t count = 0;
    int64_t pid = 0;

    while (count < ARRAY_LEN(words) && str_split(&line, ' ', &word)) {
        if (word.len > 0) {
            words[count++] = word;
        }
    }
    (void)snprintf(inode, sizeof(inode), "%02x:%02x:%" PRIu64, major(file->st_dev),
                   minor(file->st_dev), (uint64_t)file->st_ino);
    bool is_it = count == ARRAY_LEN(words) && str_eq(words[1], STR("FLOCK")) &&
                 str_eq(words[5], str_of(inode));
    return is_it ? (number_parse_i64(words[4], &pid) && pid > 0 ? pid : -1) : 0;
}

int64_t queue_used_by(struct str path)
{
    enum { LOCKS_MAX = 16 << 20 };
    AUTO(buf_release) struct buf locks = BUF_INIT(LOCKS_MAX);
    char lock[PATH_MAX];
    struct stat file;
    struct err e = ERR_INIT;
    struct str line;
    int64_t pid = 0;

    (void)snprintf(lock, sizeof(lock), "%.*s/lock", STR_FMT(path));
    if (stat(lock, &file) != 0 ||
        !fs_read_file(fs_system(), STR("/proc/locks"), LOCKS_MAX, &locks, &e)) {
        return 0;
    }
    struct str rest = buf_str(&locks);
    while (pid == 0 && str_split(&rest, '\n', &line)) {
        pid = locker(line, &file);
    }
    return pid;
}

/* ---- what is in a frame ---- */

bool queue_is_dead(const struct log_view *v)
{
    const struct log_view_consumer *all = NULL;
    size_t count = log_view_consumers(v, &all);

    return count == 1 && str_eq(str_of(all[0].name), str_of(dead_letters_consumer));
}

bool queue_record_read(bool is_dead, const struct log_view_frame *f,
                       struct queue_record *ret_record, struct err *e)
{
    struct queue_record r = {0};
    struct str bytes = f->payload;
    bool is_batch = true;

    if (is_dead) {
        struct dead_letter letter;
        if (!dead_letter_parse(f->type, f->payload, &letter, e)) {
            return err_wrap(e, "frame %" PRIu64, f->seq);
        }
        r.reason = letter.reason;
        bytes = letter.bytes;
        is_batch = letter.is_batch;
    }
    if (is_batch && !batch_from_frame(bytes, &r.batch, e)) {
        return err_wrap(e, "frame %" PRIu64, f->seq);
    }
    r.raw = bytes;
    *ret_record = r;
    return true;
}

void queue_record_release(struct queue_record *r)
{
    batch_unref(r->batch);
    *r = (struct queue_record){0};
}

void queue_add_names(const struct log_view *v, uint64_t mask, struct buf *out)
{
    bool first = true;

    for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        const struct log_view_consumer *c = log_view_consumer(v, bit);
        buf_add_text(out, first ? "" : ",");
        if (c != NULL) {
            buf_add_text(out, c->name);
        } else {
            buf_addf(out, "bit %u", bit);
        }
        first = false;
    }
}

void queue_add_bytes(int64_t bytes, struct buf *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    buf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* ---- progress ---- */

enum { SHOW_TERMINAL_MS = 200, SHOW_LINE_MS = 5000 };

void meter_begin(struct meter *p, const char *what)
{
    int64_t now_ns = clock_mono_ns(clock_system());

    *p = (struct meter){.what = what,
                        .start_ns = now_ns,
                        .shown_ns = now_ns,
                        .is_terminal = isatty(STDERR_FILENO) == 1};
}

static void add_time_left(const struct meter *p, int64_t now_ns, int64_t done, int64_t all,
                          struct buf *out)
{
    double spent_s = (double)(now_ns - p->start_ns) / 1e9;
    double left_s = done > 0 ? spent_s * (double)(all - done) / (double)done : 0;

    if (done > 0 && left_s >= 1) {
        buf_add_text(out, ", about ");
        buf_add_duration(out, (int64_t)left_s * NS_PER_S);
        buf_add_text(out, " left");
    }
}

static void add_done(const struct meter *p, int64_t done, int64_t all, struct buf *line)
{
    int percent = all > 0 ? (int)(100 * (double)done / (double)all) : 100;

    buf_addf(line, "%s: ", p->what);
    if (p->in_percent) {
        buf_addf(line, "%d %%", percent);
        return;
    }
    queue_add_bytes(done, line);
    buf_add_text(line, " of ");
    queue_add_bytes(all, line);
    buf_addf(line, " (%d %%)", percent);
}

void meter_show(struct meter *p, int64_t done, int64_t all)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);
    int64_t now_ns = clock_mono_ns(clock_system());
    int64_t pause_ms = p->is_terminal ? SHOW_TERMINAL_MS : SHOW_LINE_MS;

    if (now_ns - p->shown_ns < pause_ms * NS_PER_MS) {
        return;
    }
    p->shown_ns = now_ns;
    p->has_shown = true;
    add_done(p, done, all, &line);
    add_time_left(p, now_ns, done, all, &line);
    fprintf(stderr, p->is_terminal ? "\r%s\033[K" : "%s\n", buf_text(&line));
    (void)fflush(stderr);
}

void meter_end(struct meter *p)
{
    if (p->is_terminal && p->has_shown) {
        fprintf(stderr, "\r\033[K");
    }
}

/* ---- opening for a change ---- */

void queue_world_init(struct queue_world *w)
{
    rng_init(&w->rng);
    w->metrics = metrics_new();
    w->env = (struct env){.clock = clock_system(), .rng = &w->rng, .metrics = w->metrics};
}

void queue_world_release(struct queue_world *w)
{
    metrics_free(w->metrics);
}

bool queue_open(const struct env *env, struct str path, struct log **ret_log,
                struct log_report *ret_report, struct err *e)
{
    struct log_options options = {.name = STR("opened"),
                                  .path = path,
                                  .min_free_bytes = -1, /* what is done here makes room */
                                  .memory_bytes = 1 << 20,
                                  .env = env};

    if (!log_view_is_log(fs_system(), path)) {
        return err_set(e, ERR_CONFIG,
                       "%.*s holds no log: expected a folder such as STATE/ledger, STATE/bulk or "
                       "STATE/dead/NAME",
                       STR_FMT(path));
    }
    int64_t pid = queue_used_by(path);
    if (pid != 0) {
        char who[64] = "another process";
        if (pid > 0) {
            (void)snprintf(who, sizeof(who), "process %" PRIi64, pid);
        }
        return err_set(e, ERR_CONFLICT,
                       "%.*s is in use by %s: stop it first, or work on a copy of the folder",
                       STR_FMT(path), who);
    }
    return log_open(&options, ret_log, ret_report, e);
}
