#include "lib/custom.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "lib/problem.h"

#include <string.h>

struct custom_kind {
    struct exporter_kind super; /* first */
    struct telex_exporter table;
    _Atomic uint32_t refs;
    char *name;
    char *help;
};

/* ---- options ---- */

struct custom_config {
    struct exporter_common common; /* first */
    struct option_map options;
};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "options",
     .type = OPTION_MAP,
     .offset = offsetof(struct custom_config, options),
     .help = "What the application's `open` is given."},
};

static const struct option_table option_table = {
    .name = "exporter of the application",
    .help = "An exporter whose functions are the application's.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct custom_config),
};

/* ---- the sink ---- */

struct custom_sink {
    struct sink sink; /* first */
    const struct telex_exporter *table;
    const struct env *env;
    const struct option_map *labels; /* of the config */
    void *self;
};

enum { CALL_MS_MAX = 60 * 1000 };

static int64_t time_left_ms(const struct custom_sink *s, struct wait wait)
{
    int64_t left_ns = wait.deadline_mono_ns == DEADLINE_NEVER
                          ? CALL_MS_MAX * NS_PER_MS
                          : wait.deadline_mono_ns - clock_mono_ns(s->env->clock);
    int64_t ms = left_ns / NS_PER_MS;

    return ms < 0 ? 0 : (ms < CALL_MS_MAX ? ms : CALL_MS_MAX);
}

static void show_fields(const struct note *n, struct arena *a, struct telex_record *ret)
{
    struct telex_field *fields = arena_array(a, struct telex_field, n->field_count);

    for (size_t i = 0; i < n->field_count; i++) {
        const struct note_field *f = &n->fields[i];
        fields[i] = (struct telex_field){.name = arena_text(a, f->name), .type = (uint32_t)f->type};
        if (f->type == NOTE_NUMBER) {
            fields[i].value.number = f->number;
        } else if (f->type == NOTE_TEXT) {
            fields[i].value.text = arena_text(a, f->text);
        } else {
            fields[i].value.integer = f->integer;
        }
    }
    ret->fields = fields;
    ret->field_count = n->field_count;
}

static void show_labels(const struct note *n, struct arena *a, struct telex_record *ret)
{
    struct telex_label *labels = arena_array(a, struct telex_label, n->labels->count);
    struct label label;
    uint32_t at = 0;
    size_t count = 0;

    while (labels_next(n->labels, &at, &label)) {
        labels[count++] =
            (struct telex_label){arena_text(a, label.name), arena_text(a, label.value)};
    }
    ret->labels = labels;
    ret->label_count = count;
}

static void show_span(const struct span_part *s, struct arena *a, struct telex_record *ret)
{
    ret->is_span = 1;
    ret->kind = (uint32_t)s->kind;
    ret->status = (uint32_t)s->status;
    ret->status_message = arena_text(a, s->status_message);
    memcpy(ret->ids.trace_id, s->trace_id, TELEX_TRACE_ID_BYTES);
    memcpy(ret->ids.span_id, s->span_id, TELEX_SPAN_ID_BYTES);
    memcpy(ret->ids.parent_id, s->parent_id, TELEX_SPAN_ID_BYTES);
}

static struct telex_record show(const struct note *n, struct arena *a)
{
    struct telex_record ret = {.struct_size = sizeof(ret),
                               .time_ns = n->time_ns,
                               .duration_ns = note_duration_ns(n),
                               .name = arena_text(a, n->name),
                               .status_message = ""};

    show_fields(n, a, &ret);
    show_labels(n, a, &ret);
    if (n->span != NULL) {
        show_span(n->span, a, &ret);
    }
    return ret;
}

static enum verdict verdict_of(uint32_t verdict)
{
    static const enum verdict verdicts[] = {[TELEX_DELIVERED] = VERDICT_DELIVERED,
                                            [TELEX_REJECTED] = VERDICT_REJECTED,
                                            [TELEX_RETRY] = VERDICT_RETRY,
                                            [TELEX_HALT] = VERDICT_HALT};

    return verdict < ARRAY_LEN(verdicts) ? verdicts[verdict] : VERDICT_RETRY;
}

/* What the application said of <count> rows from <first> on; false when some of them are still owed. What it
 * refuses is what it saw: rows behind these are for the next call. */
static bool judge(struct telex_outcome *said, uint32_t first, uint32_t count, struct outcome *ret)
{
    uint32_t done = said->done < count ? (uint32_t)said->done : count;

    said->message[sizeof(said->message) - 1] = '\0';
    if (said->verdict == TELEX_DELIVERED) {
        outcome_settle(ret, first + count);
        return true;
    }
    (void)err_set(&ret->err, ERR_NET, "%s",
                  said->message[0] != '\0' ? said->message : "the application's exporter says no");
    if (said->verdict == TELEX_REJECTED) {
        outcome_settle(ret, first + count);
        for (uint32_t i = done; i < count; i++) {
            outcome_except(ret, first + i, VERDICT_REJECTED, ret->err.message);
        }
        return true;
    }
    outcome_settle(ret, first + done);
    ret->rest = verdict_of(said->verdict);
    ret->retry_after_ms = said->retry_after_ms > 0 ? said->retry_after_ms : 0;
    return false;
}

/* At most CUSTOM_ROWS_MAX rows from <first> on. */
static bool deliver_some(struct custom_sink *s, const struct notes *notes, struct view view,
                         uint32_t first, struct wait wait, struct outcome *ret)
{
    AUTO(arena_release) struct arena a;
    struct telex_outcome said = {.struct_size = sizeof(said)};
    uint32_t count = view.n - first < CUSTOM_ROWS_MAX ? view.n - first : CUSTOM_ROWS_MAX;

    arena_init(&a, ARENA_UNLIMITED);
    struct telex_record *records = arena_array(&a, struct telex_record, count);
    for (uint32_t i = 0; i < count; i++) {
        records[i] = show(&notes->rows[view_row(view, first + i)], &a);
    }
    s->table->export_batch(s->self, records, count, time_left_ms(s, wait), &said);
    ret->requests++;
    return judge(&said, first, count, ret);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct custom_sink *s = (struct custom_sink *)sink;
    AUTO(batch_autounref) struct batch *labelled = NULL;
    const struct notes *notes = NULL;
    uint32_t first = 0;

    if (!extra_labels_view(s->labels, &view, &labelled, &ret->err) ||
        !batch_notes(view.batch, &notes, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    ret->rest = VERDICT_DELIVERED;
    while (first < view.n && deliver_some(s, notes, view, first, wait, ret)) {
        first += CUSTOM_ROWS_MAX;
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct custom_sink *s = (struct custom_sink *)sink;
    struct telex_error error = {.code = TELEX_OK};

    if (s->table->probe == NULL) {
        return PROBED_NOBODY;
    }
    if (s->table->probe(s->self, time_left_ms(s, wait), &error) == 0) {
        return PROBED_THERE;
    }
    error.message[sizeof(error.message) - 1] = '\0';
    (void)err_set(e, ERR_NET, "%s", error.message);
    return PROBED_FAILED;
}

static void close_sink(struct sink *sink)
{
    struct custom_sink *s = (struct custom_sink *)sink;

    if (s->table->close != NULL) {
        s->table->close(s->self);
    }
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

/* The application is given names and values that end in NUL. */
static bool open_own(const struct custom_kind *k, const struct custom_config *c,
                     const struct exporter_place *place, void **ret_self, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct telex_error error = {.code = TELEX_OK};

    arena_init(&a, ARENA_UNLIMITED);
    struct telex_label *given = arena_array(&a, struct telex_label, c->options.count);
    for (size_t i = 0; i < c->options.count; i++) {
        given[i] = (struct telex_label){arena_text(&a, c->options.items[i].name),
                                        arena_text(&a, c->options.items[i].value)};
    }
    if (k->table.open == NULL || k->table.open(k->table.arg, arena_text(&a, place->name), given,
                                               c->options.count, ret_self, &error) == 0) {
        return true;
    }
    error.message[sizeof(error.message) - 1] = '\0';
    return err_set(e, ERR_CONFIG, "%s", error.message);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct custom_kind *k = (const struct custom_kind *)place->kind;
    void *self = k->table.arg;

    if (!open_own(k, config, place, &self, e)) {
        return false;
    }
    struct custom_sink *s = mem_new(struct custom_sink);
    s->sink.ops = &ops;
    s->table = &k->table;
    s->env = place->env;
    s->labels = &((const struct exporter_common *)config)->labels;
    s->self = self;
    *ret_sink = &s->sink;
    return true;
}

/* ---- kinds ---- */

static bool is_kind_name(const char *name)
{
    size_t len = name != NULL ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

    return len > 0 && len < 64 && name[len] == '\0' && name[0] >= 'a';
}

int custom_kind_new(const struct telex_exporter *exporter, struct custom_kind **ret_kind,
                    struct telex_error *error)
{
    if (exporter == NULL || exporter->struct_size < sizeof(*exporter) ||
        exporter->export_batch == NULL || !is_kind_name(exporter->kind)) {
        return lib_err_text(error, TELEX_INVALID,
                            "an exporter needs its struct_size, a kind of small letters, digits "
                            "and '_', and export_batch");
    }
    if (exporter_kind_find(str_of(exporter->kind)) != NULL) {
        return lib_err_text(error, TELEX_INVALID, "'%s' is a built-in kind", exporter->kind);
    }
    struct custom_kind *k = mem_new(struct custom_kind);
    const char *help = exporter->help != NULL ? exporter->help : "";
    atomic_init(&k->refs, 1);
    k->table = *exporter;
    k->name = mem_dup_text(exporter->kind, strlen(exporter->kind));
    k->help = mem_dup_text(help, strlen(help));
    k->super = (struct exporter_kind){
        .name = k->name,
        .help = k->help,
        .takes = (exporter->takes_metrics != 0 ? TAKES(RECORD_PROFILE) : 0) |
                 (exporter->takes_spans != 0 ? TAKES(RECORD_SPAN) : 0),
        .options = &option_table,
        .open = open_sink,
    };
    *ret_kind = k;
    return TELEX_OK;
}

struct custom_kind *custom_kind_ref(struct custom_kind *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void custom_kind_unref(struct custom_kind *k)
{
    if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(k->name);
        mem_free(k->help);
        mem_free(k);
    }
}

const char *custom_kind_name(const struct custom_kind *k)
{
    return k->name;
}

const struct exporter_kind *custom_kind_table(const struct custom_kind *k)
{
    return &k->super;
}
