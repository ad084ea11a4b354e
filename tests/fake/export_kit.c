#include "fake/export_kit.h"

#include "export/http_sink.h"
#include "wire/compress.h"

#include <ctype.h>

enum { UNPACKED_MAX = 64 * 1024 * 1024 };

/* ---- configs ---- */

static const char *no_variables(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

static bool parse(struct export_kit *k, const struct yaml_node *node)
{
    const struct option_source source = {.lookup = no_variables};
    const struct yaml_node *type = yaml_get(node, STR("type"));

    k->kind = type != NULL ? exporter_kind_find(type->text) : NULL;
    INVARIANT(k->kind != NULL);
    void *config = arena_alloc0(&k->arena, 1, k->kind->options->config_size);
    if (!options_parse(k->kind->options, node, &source, &k->arena, config, &k->err)) {
        return false;
    }
    k->config = config;
    return k->kind->check == NULL || k->kind->check(config, node, &k->err);
}

bool export_kit_start(struct export_kit *k, const char *yaml)
{
    const struct yaml_node *documents = NULL;

    *k = (struct export_kit){.source = {STR("t"), str_of(yaml)}};
    arena_init(&k->arena, ARENA_UNLIMITED);
    return yaml_parse(&k->arena, &k->source, &documents, &k->err) && parse(k, documents->first);
}

void export_kit_stop(struct export_kit *k)
{
    if (k->config != NULL) {
        options_release(k->kind->options, k->config);
    }
    arena_release(&k->arena);
}

/* ---- batches ---- */

/* "up,job=a": the metric name, then pairs. */
static struct labels *make_labels(const char *text)
{
    struct str rest = str_of(text);
    struct labels *labels = NULL;
    struct labels_builder b;
    struct err e = ERR_INIT;
    struct str part;

    labels_builder_init(&b);
    (void)str_split(&rest, ',', &part);
    labels_builder_set(&b, STR("__name__"), part);
    while (str_split(&rest, ',', &part)) {
        size_t equals = str_find_byte(part, '=');
        labels_builder_set(&b, str_slice(part, 0, equals), str_slice(part, equals + 1, part.len));
    }
    INVARIANT(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static uint32_t series_index(struct samples *s, const char *text)
{
    AUTO(labels_autounref) struct labels *labels = make_labels(text);

    for (uint32_t i = 0; i < s->series_count; i++) {
        if (labels_eq(s->series[i], labels)) {
            return i;
        }
    }
    s->series[s->series_count] = labels_ref(labels);
    return s->series_count++;
}

struct batch *kit_samples(const struct batch_codec *codec, const struct batch_info *info,
                          const struct kit_sample *rows, uint32_t count)
{
    struct batch_info own = *info;
    own.kind = RECORD_SAMPLE;
    struct batch *b = batch_new(codec, &own);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, count);
    int64_t *times = arena_array(batch_arena(b), int64_t, count);
    double *values = arena_array(batch_arena(b), double, count);
    struct samples s = {.series = arena_array(batch_arena(b), struct labels *, count),
                        .count = count,
                        .series_of = series_of,
                        .time_ns = times,
                        .value = values};

    for (uint32_t i = 0; i < count; i++) {
        bool same = i > 0 && rows[i].labels == rows[i - 1].labels;
        series_of[i] = same ? series_of[i - 1] : series_index(&s, rows[i].labels);
        times[i] = rows[i].time_ns;
        values[i] = rows[i].value;
    }
    batch_set_samples(b, s);
    return b;
}

static const struct label kit_annotations[] = {
    {STR_INIT("summary"), STR_INIT("High CPU usage detected on server-01")},
    {STR_INIT("export_database"), STR_INIT("alerts_db")},
    {STR_INIT("export_measurement"), STR_INIT("cpu_alerts")},
};

static struct alert firing(void)
{
    return (struct alert){
        .rule_id = STR("0123456789abcdef0123456789abcdef"),
        .labels = make_labels(",alertname=HighCPUUsage,instance=server-01,severity=warning,"
                              "service=node_exporter,export_to_datastore=true"),
        .annotations = kit_annotations,
        .annotation_count = ARRAY_LEN(kit_annotations),
        .from = ALERT_PENDING,
        .to = ALERT_ALERTING,
        .episode_ns = KIT_TIME_NS - 120 * INT64_C(1000000000),
        .active_at_ns = KIT_TIME_NS - 120 * INT64_C(1000000000),
        .fired_at_ns = KIT_TIME_NS,
        .time_ns = KIT_TIME_NS,
        .value = 85.4,
    };
}

struct batch *kit_alerts(const struct batch_info *info)
{
    struct batch_info own = *info;
    own.kind = RECORD_ALERT;
    struct batch *b = batch_new(NULL, &own);
    struct alert *rows = arena_array(batch_arena(b), struct alert, 3);
    struct alert_export *exports = arena_array(batch_arena(b), struct alert_export, 2);

    rows[0] = firing();
    exports[0] = (struct alert_export){make_labels(",cpu=0"), KIT_TIME_NS, 80.5};
    exports[1] = (struct alert_export){make_labels(",cpu=1"), KIT_TIME_NS, 90.25};
    rows[1] = firing();
    rows[1].exports = exports;
    rows[1].export_count = 2;
    rows[2] = firing();
    rows[2].from = ALERT_ALERTING;
    rows[2].to = ALERT_RESOLVED;
    rows[2].time_ns = KIT_TIME_NS + 60 * INT64_C(1000000000);
    rows[2].resolved_at_ns = rows[2].time_ns;
    batch_set_alerts(b, (struct alerts){rows, 3});
    return b;
}

/* ---- requests as text ---- */

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '\n' && (unsigned char)s.ptr[i] < 0x20) {
            return false;
        }
    }
    return str_is_utf8(s);
}

static void add_hex_row(struct buf *out, struct str row)
{
    for (size_t i = 0; i < 16; i++) {
        if (i < row.len) {
            buf_addf(out, "%02x ", (unsigned char)row.ptr[i]);
        } else {
            buf_add_text(out, "   ");
        }
    }
    buf_add_byte(out, ' ');
    for (size_t i = 0; i < row.len; i++) {
        buf_add_byte(out, isprint((unsigned char)row.ptr[i]) ? row.ptr[i] : '.');
    }
    buf_add_byte(out, '\n');
}

static void add_body(struct buf *out, struct str body)
{
    if (is_text(body)) {
        buf_add_str(out, body);
        buf_add_text(out, body.len > 0 && body.ptr[body.len - 1] == '\n' ? "" : "\n");
        return;
    }
    for (size_t i = 0; i < body.len; i += 16) {
        add_hex_row(out, str_slice(body, i, 16));
    }
}

static const struct compression *const encodings[] = {
    [BODY_GZIP] = &compression_gzip,     [BODY_ZSTD] = &compression_zstd,
    [BODY_SNAPPY] = &compression_snappy, [BODY_DEFLATE] = &compression_deflate,
    [BODY_ZSTD1] = &compression_zstd1,
};

void export_kit_print_request(const struct export_request *req, struct buf *out)
{
    AUTO(buf_release) struct buf unpacked = BUF_INIT(UNPACKED_MAX);
    struct str body = req->whole_body.ptr != NULL ? req->whole_body : buf_str(&req->body);
    const struct compression *encoding = encodings[req->encoding];
    struct err e = ERR_INIT;

    buf_addf(out, "%s %.*s\n", req->method,
             STR_FMT(req->path.len > 0 ? req->path : STR("(the URL)")));
    for (size_t i = 0; i < req->header_count; i++) {
        buf_addf(out, "%.*s: %.*s\n", STR_FMT(req->headers[i].name),
                 STR_FMT(req->headers[i].value));
    }
    if (encoding != NULL) {
        buf_addf(out, "Content-Encoding: %s\n", encoding->name);
    }
    buf_add_text(out, req->body_is_encoded ? "(as it came)\n\n" : "\n");
    if (encoding != NULL && req->body_is_encoded) {
        INVARIANT(encoding->unpack(body, UNPACKED_MAX, &unpacked, &e));
        body = buf_str(&unpacked);
    }
    add_body(out, body);
}

static void add_exceptions(struct buf *out, const struct outcome *o)
{
    for (size_t i = 0; i < o->except.list.len; i++) {
        const struct exception *x = &o->except.list.items[i];
        buf_addf(out, "row %u %s: %s\n", x->index, verdict_name(x->verdict), x->reason);
    }
}

void export_kit_print(struct export_kit *k, struct view view, struct buf *out)
{
    AUTO(outcome_release) struct outcome o;
    struct arena a;
    uint32_t row = 0;
    uint32_t part = 0;

    outcome_init(&o);
    arena_init(&a, ARENA_UNLIMITED);
    while (row < view.n) {
        struct err e = ERR_INIT;
        uint32_t first = row;
        struct export_request req = {.arena = &a, .body = BUF_INIT(BUF_UNLIMITED), .part = part};
        bool made = k->kind->http->next_request(k->config, view, &row, &req, &o, &e);
        if (!made) {
            buf_addf(out, "--- from row %u on: %s\n", first, e.message);
            row = view.n;
        } else if (req.method != NULL) {
            buf_addf(out, "--- from row %u on\n", first);
            export_kit_print_request(&req, out);
        }
        part = row == first ? req.part : 0;
        buf_release(&req.body);
    }
    add_exceptions(out, &o);
    arena_release(&a);
}
