/*
 * queue inspect: what a log holds, who has to get it, and what is damaged; nothing is changed.
 */
#include "base/mem.h"
#include "base/timetext.h"
#include "base/vec.h"
#include "cli/place.h"
#include "cli/queue.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { FRAMES_LIMIT = 1000, DAMAGE_MAX = 10000 };

struct values {
    struct queue_texts texts;
    const char *format;
    bool frames;
};

/* What the walk finds in a segment. */
struct seen {
    uint64_t frames;
    uint64_t first_seq;
    uint64_t last_seq;
    int64_t first_ns;
    int64_t last_ns;
};

struct owed {
    uint64_t frames;
    int64_t bytes;
    int64_t oldest_ns;
};

struct listed {
    uint64_t seq;
    int64_t time_ns;
    uint64_t mask;
    int64_t bytes;
    const char *kind;
    uint32_t rows;
    char origin[32];
    char rule[128];
    char reason[256];
};

struct inspection {
    struct log_view *view;
    struct str path;
    int64_t used_by;
    bool is_dead;
    struct queue_choice choice;
    bool lists_frames;
    struct meter progress;
    const struct log_view_segment *segments;
    size_t segment_count;
    struct seen *seen; /* by segment */
    struct seen all;
    struct owed owed[LOG_CONSUMERS_MAX];
    VEC(struct log_view_bad) damage;
    uint64_t damaged_ranges;
    uint64_t chosen;
    VEC(struct listed) listed;
};

/* ---- looking ---- */

static void count_frame(struct seen *s, const struct log_view_frame *f)
{
    s->first_seq = s->frames == 0 ? f->seq : s->first_seq;
    s->first_ns = s->frames == 0 ? f->time_ns : s->first_ns;
    s->last_seq = f->seq;
    s->last_ns = f->time_ns;
    s->frames++;
}

static void count_owed(struct inspection *in, const struct log_view_frame *f)
{
    for (uint64_t rest = f->mask; rest != 0; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        const struct log_view_consumer *c = log_view_consumer(in->view, bit);
        struct owed *o = &in->owed[bit];
        if (c != NULL && !c->is_retired && f->seq > c->cursor) {
            o->oldest_ns = o->frames == 0 ? f->time_ns : o->oldest_ns;
            o->frames++;
            o->bytes += f->bytes;
        }
    }
}

static void copy_text(char *out, size_t size, struct str text)
{
    (void)snprintf(out, size, "%.*s", (int)(text.len < size ? text.len : size - 1), text.ptr);
}

static void list_frame(struct inspection *in, const struct log_view_frame *f)
{
    struct queue_record r = {0};
    struct err e = ERR_INIT;
    struct listed l = {.seq = f->seq, .time_ns = f->time_ns, .mask = f->mask, .bytes = f->bytes};

    if (!queue_record_read(in->is_dead, f, &r, &e)) {
        l.kind = "unknown";
        copy_text(l.reason, sizeof(l.reason), str_of(e.message));
    } else if (r.batch == NULL) {
        l.kind = "bytes";
    } else {
        const struct batch_info *info = batch_info(r.batch);
        l.kind = record_kind_name(info->kind);
        l.rows = batch_rows(r.batch);
        copy_text(l.origin, sizeof(l.origin), info->origin);
        copy_text(l.rule, sizeof(l.rule), info->rule);
    }
    if (r.reason.len > 0) {
        copy_text(l.reason, sizeof(l.reason), r.reason);
    }
    vec_push(&in->listed, l);
    queue_record_release(&r);
}

static bool visit_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct inspection *in = arg;

    (void)e;
    for (size_t i = 0; i < in->segment_count; i++) {
        if (in->segments[i].serial == f->serial) {
            count_frame(&in->seen[i], f);
        }
    }
    count_frame(&in->all, f);
    count_owed(in, f);
    if (in->lists_frames && queue_is_chosen(&in->choice, f)) {
        if (in->chosen < in->choice.limit) {
            list_frame(in, f);
        }
        in->chosen++;
    }
    return true;
}

static void visit_bad(void *arg, const struct log_view_bad *b)
{
    struct inspection *in = arg;

    in->damaged_ranges++;
    if (in->damage.len < DAMAGE_MAX) {
        vec_push(&in->damage, *b);
    }
}

static void show_progress(void *arg, int64_t done_bytes, int64_t bytes)
{
    struct inspection *in = arg;

    meter_show(&in->progress, done_bytes, bytes);
}

static bool look(struct inspection *in, struct err *e)
{
    struct log_walk walk = {
        .arg = in, .frame = visit_frame, .bad = visit_bad, .progress = show_progress};

    in->segment_count = log_view_segments(in->view, &in->segments);
    in->seen = mem_alloc0(in->segment_count + 1, sizeof(*in->seen));
    meter_begin(&in->progress, "reading");
    bool ok = log_view_walk(in->view, &walk, e);
    meter_end(&in->progress);
    return ok;
}

/* ---- as text ---- */

static void add_when(int64_t ns, struct buf *out)
{
    if (ns == 0) {
        buf_add_text(out, "-");
    } else {
        buf_add_rfc3339(out, ns / NS_PER_MS * NS_PER_MS);
    }
}

static void text_summary(const struct inspection *in, struct buf *out)
{
    buf_addf(out, "%.*s: %s, ", STR_FMT(in->path), in->is_dead ? "dead letters" : "a log");
    queue_add_bytes(log_view_bytes(in->view), out);
    buf_addf(out, " in %zu segment%s, %" PRIu64 " frame%s", in->segment_count,
             in->segment_count == 1 ? "" : "s", in->all.frames, in->all.frames == 1 ? "" : "s");
    if (in->all.frames > 0) {
        buf_addf(out, " (%" PRIu64 " to %" PRIu64 ") from ", in->all.first_seq, in->all.last_seq);
        add_when(in->all.first_ns, out);
        buf_add_text(out, " to ");
        add_when(in->all.last_ns, out);
    }
    buf_add_byte(out, '\n');
    if (in->used_by != 0) {
        buf_add_text(out, "in use by ");
        buf_addf(out, in->used_by > 0 ? "process %" PRIi64 "\n" : "a process out of sight\n",
                 in->used_by);
    }
}

static void text_segments(const struct inspection *in, struct buf *out)
{
    buf_add_text(out, "\nsegment           state       bytes       frames      first       last  "
                      "first time\n");
    for (size_t i = 0; i < in->segment_count; i++) {
        const struct log_view_segment *s = &in->segments[i];
        const struct seen *n = &in->seen[i];
        buf_addf(out,
                 "%016" PRIx64 "  %-10s  %10" PRIi64 "  %6" PRIu64 " %10" PRIu64 " %10" PRIu64 "  ",
                 s->serial, log_view_state_name(s->state), s->file_bytes, n->frames, n->first_seq,
                 n->last_seq);
        add_when(n->first_ns, out);
        buf_add_byte(out, '\n');
    }
}

static void text_consumers(const struct inspection *in, struct buf *out)
{
    const struct log_view_consumer *all = NULL;
    size_t count = log_view_consumers(in->view, &all);

    buf_add_text(out, "\nconsumer                  cursor  owed frames   owed bytes  oldest\n");
    for (size_t i = 0; i < count; i++) {
        const struct owed *o = &in->owed[all[i].bit];
        buf_addf(out, "%-20s  %10" PRIu64 "  %11" PRIu64 "  %11" PRIi64 "  ", all[i].name,
                 all[i].cursor, o->frames, o->bytes);
        add_when(o->oldest_ns, out);
        buf_add_text(out, all[i].is_retired   ? "  retired\n"
                          : all[i].has_cursor ? "\n"
                                              : "  no cursor: begins at the oldest frame\n");
    }
}

static void text_damage(const struct inspection *in, struct buf *out)
{
    if (in->damage.len == 0) {
        buf_add_text(out, "\nno damage\n");
        return;
    }
    buf_addf(out, "\n%" PRIu64 " bad range%s:\n", in->damaged_ranges,
             in->damaged_ranges == 1 ? "" : "s");
    for (size_t i = 0; i < in->damage.len; i++) {
        const struct log_view_bad *b = &in->damage.items[i];
        buf_addf(out, "  segment %016" PRIx64 ", bytes %" PRIi64 " to %" PRIi64 ": %s%s\n",
                 b->serial, b->from, b->to, b->kind,
                 in->used_by != 0 ? " (or just being written)" : "");
    }
}

static void text_frames(const struct inspection *in, struct buf *out)
{
    buf_add_text(out, "\n       seq  time                      kind      rows    bytes  for\n");
    for (size_t i = 0; i < in->listed.len; i++) {
        const struct listed *l = &in->listed.items[i];
        buf_addf(out, "%10" PRIu64 "  ", l->seq);
        add_when(l->time_ns, out);
        buf_addf(out, "  %-7s %6u %8" PRIi64 "  ", l->kind, l->rows, l->bytes);
        queue_add_names(in->view, l->mask, out);
        buf_addf(out, "%s%s%s%s%s%s\n", l->origin[0] != '\0' ? "  from " : "", l->origin,
                 l->rule[0] != '\0' ? "  rule " : "", l->rule, l->reason[0] != '\0' ? "  " : "",
                 l->reason);
    }
    if (in->chosen > in->listed.len) {
        buf_addf(out, "... and %" PRIu64 " more; --limit shows more, --from-seq others\n",
                 in->chosen - in->listed.len);
    }
}

static void print_text(const struct inspection *in, struct buf *out)
{
    text_summary(in, out);
    text_segments(in, out);
    text_consumers(in, out);
    text_damage(in, out);
    if (in->lists_frames) {
        text_frames(in, out);
    }
}

/* ---- as JSON ---- */

static void key_u64(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, str_of(key));
    json_add_u64(w, value);
}

static void key_text(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, str_of(key));
    json_add_text(w, value);
}

static void key_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    if (ns == 0) {
        json_add_null(w);
    } else {
        json_add_time(w, ns);
    }
}

static void json_seen(struct json_writer *w, const struct seen *s)
{
    key_u64(w, "frames", s->frames);
    key_u64(w, "first_seq", s->first_seq);
    key_u64(w, "last_seq", s->last_seq);
    key_time(w, "first_time", s->first_ns);
    key_time(w, "last_time", s->last_ns);
}

static void json_segments(const struct inspection *in, struct json_writer *w)
{
    char serial[32];

    json_key(w, STR("segments"));
    json_begin_array(w);
    for (size_t i = 0; i < in->segment_count; i++) {
        (void)snprintf(serial, sizeof(serial), "%016" PRIx64, in->segments[i].serial);
        json_begin_object(w);
        key_text(w, "serial", serial);
        key_text(w, "state", log_view_state_name(in->segments[i].state));
        key_u64(w, "bytes", (uint64_t)in->segments[i].file_bytes);
        json_seen(w, &in->seen[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

static void json_consumers(const struct inspection *in, struct json_writer *w)
{
    const struct log_view_consumer *all = NULL;
    size_t count = log_view_consumers(in->view, &all);

    json_key(w, STR("consumers"));
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        const struct owed *o = &in->owed[all[i].bit];
        json_begin_object(w);
        key_text(w, "name", all[i].name);
        json_key(w, STR("retired"));
        json_add_bool(w, all[i].is_retired);
        json_key(w, STR("has_cursor"));
        json_add_bool(w, all[i].has_cursor);
        key_u64(w, "cursor", all[i].cursor);
        key_u64(w, "owed_frames", o->frames);
        key_u64(w, "owed_bytes", (uint64_t)o->bytes);
        key_time(w, "oldest", o->oldest_ns);
        json_end_object(w);
    }
    json_end_array(w);
}

static void json_damage(const struct inspection *in, struct json_writer *w)
{
    char serial[32];

    key_u64(w, "damaged_ranges", in->damaged_ranges);
    json_key(w, STR("damage"));
    json_begin_array(w);
    for (size_t i = 0; i < in->damage.len; i++) {
        const struct log_view_bad *b = &in->damage.items[i];
        (void)snprintf(serial, sizeof(serial), "%016" PRIx64, b->serial);
        json_begin_object(w);
        key_text(w, "segment", serial);
        key_u64(w, "from", (uint64_t)b->from);
        key_u64(w, "to", (uint64_t)b->to);
        key_text(w, "kind", b->kind);
        json_end_object(w);
    }
    json_end_array(w);
}

static void json_consumer_names(const struct log_view *v, uint64_t mask, struct json_writer *w)
{
    json_key(w, STR("consumers"));
    json_begin_array(w);
    for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
        const struct log_view_consumer *c = log_view_consumer(v, (unsigned)__builtin_ctzll(rest));
        json_add_text(w, c != NULL ? c->name : "?");
    }
    json_end_array(w);
}

static void json_frames(const struct inspection *in, struct json_writer *w)
{
    key_u64(w, "chosen_frames", in->chosen);
    json_key(w, STR("frames_listed"));
    json_begin_array(w);
    for (size_t i = 0; i < in->listed.len; i++) {
        const struct listed *l = &in->listed.items[i];
        json_begin_object(w);
        key_u64(w, "seq", l->seq);
        key_time(w, "time", l->time_ns);
        key_text(w, "kind", l->kind);
        key_u64(w, "rows", l->rows);
        key_u64(w, "bytes", (uint64_t)l->bytes);
        json_consumer_names(in->view, l->mask, w);
        key_text(w, "origin", l->origin);
        key_text(w, "rule", l->rule);
        if (in->is_dead || l->reason[0] != '\0') {
            key_text(w, "reason", l->reason);
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_json(const struct inspection *in, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("path"));
    json_add_str(&w, in->path);
    json_key(&w, STR("dead_letters"));
    json_add_bool(&w, in->is_dead);
    json_key(&w, STR("used_by"));
    json_add_i64(&w, in->used_by);
    key_u64(&w, "bytes", (uint64_t)log_view_bytes(in->view));
    json_seen(&w, &in->all);
    json_segments(in, &w);
    json_consumers(in, &w);
    json_damage(in, &w);
    if (in->lists_frames) {
        json_frames(in, &w);
    }
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

/* ---- the command ---- */

static const struct {
    const char *name;
    void (*print)(const struct inspection *in, struct buf *out);
} formats[] = {{"text", print_text}, {"json", print_json}};

static void inspection_release(struct inspection *in)
{
    vec_release(&in->damage);
    vec_release(&in->listed);
    mem_free(in->seen);
    queue_choice_release(&in->choice);
    log_view_close(in->view);
}

static int inspect(const char *path, const struct values *values, size_t format)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(mem_autofree) struct inspection *in = mem_new(struct inspection);
    struct err e = ERR_INIT;

    in->path = str_of(path);
    in->lists_frames = values->frames;
    bool ok = log_view_open(fs_system(), in->path, &in->view, &e) &&
              queue_choose(&values->texts, in->view, &in->choice, &e);
    if (ok) {
        in->choice.limit = values->texts.limit == NULL ? FRAMES_LIMIT : in->choice.limit;
        in->used_by = queue_used_by(in->path);
        in->is_dead = queue_is_dead(in->view);
        ok = look(in, &e);
    }
    if (ok) {
        formats[format].print(in, &out);
    }
    inspection_release(in);
    return ok ? cli_write(&out) : cli_fail(NULL, &e);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {.format = "text"};
    size_t format = 0;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder of a log");
    }
    while (format < ARRAY_LEN(formats) && strcmp(formats[format].name, values.format) != 0) {
        format++;
    }
    if (format == ARRAY_LEN(formats)) {
        return cli_usage_error(command, "--format is text or json, not '%s'", values.format);
    }
    return inspect(argv[first], &values, format);
}

static const struct cli_option options[] = {
    {.name = "format",
     .value = "text|json",
     .offset = offsetof(struct values, format),
     .help = "How to print it; default: text."},
    {.name = "frames",
     .offset = offsetof(struct values, frames),
     .help =
         "List the frames too: number, time, kind, rows, whom for, rule; of dead letters the reason."},
    {.name = "consumer",
     .value = "NAME",
     .offset = offsetof(struct values, texts.consumer),
     .help = "List only what this consumer has still to get."},
    {.name = "from-seq",
     .value = "N",
     .offset = offsetof(struct values, texts.from_seq),
     .help = "List from this frame on."},
    {.name = "to-seq",
     .value = "N",
     .offset = offsetof(struct values, texts.to_seq),
     .help = "List up to this frame."},
    {.name = "since",
     .value = "TIME",
     .offset = offsetof(struct values, texts.since),
     .help =
         "List what came since then: 2026-01-31T12:00:00Z, Unix seconds, or 2h for two hours ago."},
    {.name = "limit",
     .value = "N",
     .offset = offsetof(struct values, texts.limit),
     .help = "List at most so many; default: 1000."},
};

const struct cli_command command_queue_inspect = {
    .name = "queue inspect",
    .usage = "[OPTION...] FOLDER",
    .help = "what a log on disk holds, for whom, and what is damaged",
    .details =
        "Reads every byte and says which segments there are, how far each consumer is and what it has still to get, "
        "and where bytes are damaged. Nothing is locked or changed, so a folder in use can be looked at.\n\n"
        "Exit status: 0 also when there is damage, 1 when the folder cannot be read, 2 when the command line is "
        "wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
