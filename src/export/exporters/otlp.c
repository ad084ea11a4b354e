/* OpenTelemetry's protocol over HTTP and gRPC: samples and profiles as metrics, spans as traces. */
#include "export/exporters/exporters.h"
#include "export/exporters/otlp_sink.h"
#include "wire/otlp_json.h"

enum {
    ROWS_MAX = 10 * 1000,
    BODY_MAX =
        4 * 1024 * 1024,   /* receivers of gRPC refuse more; collectors take 20 MiB over HTTP */
    BODY_KEPT = 16 * 1024, /* for the row with which the body is full */
    JSON_SHARE = 4,        /* JSON is about this many times as long */
    TOO_LARGE = 413,
};

/* ---- requests ---- */

static enum otlp_signal signal_of(struct view view)
{
    return batch_info(view.batch)->kind == RECORD_SPAN ? OTLP_TRACES : OTLP_METRICS;
}

static bool has_room(const struct otlp_config *c, enum otlp_signal signal, const struct buf *body,
                     uint32_t rows)
{
    size_t max = BODY_MAX - BODY_KEPT;

    return rows < ROWS_MAX &&
           body->len < (otlp_protocol_of(c, signal) == OTLP_JSON ? max / JSON_SHARE : max);
}

static bool add_samples(const struct otlp_config *c, struct view view, uint32_t *row,
                        struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_origin origin = otlp_origin_of(c, ret->arena);
    const struct samples *s = NULL;
    struct otlp_metrics_writer w;
    uint32_t first = *row;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    otlp_metrics_begin(&w, &origin, &ret->body);
    for (; *row < view.n && has_room(c, OTLP_METRICS, &ret->body, *row - first); ++*row) {
        const char *refusal = otlp_metrics_add(&w, s, view_row(view, *row));
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    ret->whole_body = otlp_metrics_end(&w);
    otlp_metrics_release(&w);
    return true;
}

static bool add_spans(const struct otlp_config *c, struct view view, uint32_t *row,
                      struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_origin origin = otlp_origin_of(c, ret->arena);
    const struct notes *notes = NULL;
    struct otlp_spans_writer w;
    uint32_t first = *row;

    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    otlp_spans_begin(&w, &origin, c->span_name_prefix, &ret->body);
    for (; *row < view.n && has_room(c, OTLP_TRACES, &ret->body, *row - first); ++*row) {
        const char *refusal = otlp_spans_add(&w, &notes->rows[view_row(view, *row)]);
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    otlp_spans_end(&w);
    ret->whole_body = buf_str(&ret->body);
    return true;
}

/* The body as JSON, in place of the protobuf that it was. */
static bool to_json(enum otlp_signal signal, struct export_request *ret, struct err *e)
{
    struct buf json = BUF_INIT(BUF_UNLIMITED);
    enum otlp_form form = signal == OTLP_METRICS ? OTLP_METRICS_REQUEST : OTLP_TRACES_REQUEST;

    if (!otlp_json_write(form, ret->whole_body, &json, e)) {
        buf_release(&json);
        return false;
    }
    buf_release(&ret->body);
    ret->body = json;
    ret->whole_body = buf_str(&ret->body);
    return true;
}

static void address(const struct otlp_config *c, enum otlp_signal signal,
                    struct export_request *ret)
{
    static const struct str types[] = {[OTLP_PROTOBUF] = STR_INIT("application/x-protobuf"),
                                       [OTLP_JSON] = STR_INIT("application/json")};
    enum otlp_protocol protocol = otlp_protocol_of(c, signal);

    ret->method = "POST";
    ret->url = otlp_url(c, signal, ret->arena);
    ret->encoding = (enum body_encoding)c->compression;
    ret->is_grpc = protocol == OTLP_GRPC;
    if (!ret->is_grpc) {
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), types[protocol]};
    }
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_config *c = config;
    enum otlp_signal signal = signal_of(view);

    if (!(signal == OTLP_TRACES ? add_spans : add_samples)(c, view, row, ret, out, e)) {
        return false;
    }
    if (ret->whole_body.len == 0) {
        return true;
    }
    address(c, signal, ret);
    return otlp_protocol_of(c, signal) != OTLP_JSON || to_json(signal, ret, e);
}

/* A request without a row, which receivers take. */
static void probe(const void *config, struct export_request *ret)
{
    const struct otlp_config *c = config;

    address(c, c->signal, ret);
    ret->encoding = BODY_PLAIN;
    if (otlp_protocol_of(c, c->signal) == OTLP_JSON) {
        ret->whole_body = STR("{}");
    }
}

/* ---- answers ---- */

/* The specification has four statuses tried again, 500 is not one of them. Those that refuse us and not
 * the records halt instead of burying everything. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {410, 410, VERDICT_HALT},  {415, 415, VERDICT_HALT},
    {429, 429, VERDICT_RETRY},     {502, 504, VERDICT_RETRY}, {0, 999, VERDICT_REJECTED},
};

/* What was refused of a request that was taken is never sent again: nobody says what it was. */
void otlp_judge_partial(struct str response, uint32_t rows, struct outcome *out)
{
    struct otlp_partial partial;

    if (!otlp_partial_read(response, &partial) || partial.rejected <= 0) {
        return;
    }
    out->dropped += partial.rejected < rows ? (uint32_t)partial.rejected : rows;
    (void)err_set(&out->err, ERR_NET, "the destination refused %lld of %u: %.*s",
                  (long long)partial.rejected, rows, STR_FMT(str_slice(partial.message, 0, 200)));
}

/* What a code of gRPC means; who refuses us and not the records halts. */
static const enum verdict codes[GRPC_CODES] = {
    [GRPC_OK] = VERDICT_DELIVERED,
    [GRPC_CANCELLED] = VERDICT_RETRY,
    [GRPC_UNKNOWN] = VERDICT_REJECTED,
    [GRPC_INVALID_ARGUMENT] = VERDICT_REJECTED,
    [GRPC_DEADLINE_EXCEEDED] = VERDICT_RETRY,
    [GRPC_NOT_FOUND] = VERDICT_REJECTED,
    [GRPC_ALREADY_EXISTS] = VERDICT_REJECTED,
    [GRPC_PERMISSION_DENIED] = VERDICT_HALT,
    [GRPC_RESOURCE_EXHAUSTED] = VERDICT_REJECTED, /* unless it says when to come back */
    [GRPC_FAILED_PRECONDITION] = VERDICT_REJECTED,
    [GRPC_ABORTED] = VERDICT_RETRY,
    [GRPC_OUT_OF_RANGE] = VERDICT_RETRY,
    [GRPC_UNIMPLEMENTED] = VERDICT_HALT,
    [GRPC_INTERNAL] = VERDICT_REJECTED,
    [GRPC_UNAVAILABLE] = VERDICT_RETRY,
    [GRPC_DATA_LOSS] = VERDICT_RETRY,
    [GRPC_UNAUTHENTICATED] = VERDICT_HALT,
};

static void judge_call(const struct grpc_answer *call, struct outcome *out)
{
    struct otlp_status status = {0};

    out->rest = codes[call->code];
    if (call->details.len > 0 && otlp_status_read(call->details, &status) && status.has_retry) {
        out->retry_after_ms = status.retry_ms;
        out->rest = call->code == GRPC_RESOURCE_EXHAUSTED ? VERDICT_RETRY : out->rest;
    }
    if (call->code == GRPC_RESOURCE_EXHAUSTED && !status.has_retry) {
        out->status = TOO_LARGE; /* which is what it then mostly means: fewer rows may be taken */
    }
}

/* A message of an answer, as protobuf. */
static struct str message_of(const struct otlp_config *c, struct view view,
                             const struct export_answer *answer, enum otlp_form form,
                             struct arena *a, struct buf *message)
{
    struct err ignored = ERR_INIT;

    if (otlp_protocol_of(c, signal_of(view)) != OTLP_JSON) {
        return answer->body;
    }
    return otlp_json_read(form, answer->body, a, message, &ignored) ? buf_str(message) : STR("");
}

static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    struct otlp_status status;

    arena_init(&a, BUF_SMALL);
    if (answer->grpc != NULL) {
        judge_call(answer->grpc, out);
    }
    if (view.batch == NULL) {
        return; /* nothing was sent: somebody asked whether it is there */
    }
    bool are_samples = signal_of(view) == OTLP_METRICS;
    bool is_taken = out->rest == VERDICT_DELIVERED;
    enum otlp_form form = !is_taken     ? OTLP_RPC_STATUS
                          : are_samples ? OTLP_METRICS_RESPONSE
                                        : OTLP_TRACES_RESPONSE;
    struct str body = message_of(config, view, answer, form, &a, &message);
    if (is_taken) {
        otlp_judge_partial(body, end - first, out);
    } else if (answer->grpc == NULL && otlp_status_read(body, &status) && status.message.len > 0) {
        (void)err_set(&out->err, ERR_NET, "answered %d: %.*s", answer->status,
                      STR_FMT(str_slice(status.message, 0, 200)));
    }
}

static const struct http_exporter http = {
    .next_request = next_request,
    .statuses = statuses,
    .judge = judge,
    .validate = otlp_validate,
    .probe = probe,
    .client_offset = offsetof(struct otlp_config, client),
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return otlp_sink_open(&http, place, config, ret_sink, e);
}

static const char *const aliases[] = {"opentelemetry", "otel", NULL};

const struct exporter_kind exporter_otlp = {
    .name = "otlp",
    .aliases = aliases,
    .usual = otlp_usual,
    .help =
        "OpenTelemetry's protocol over HTTP and gRPC: samples and profiles as metrics, spans as traces.",
    .example = "type: otlp\nurl: http://127.0.0.1:4318\nservice_name: shop\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .caps = EXPORTER_SERIES | EXPORTER_STALE | EXPORTER_SPANS_APART,
    .says_types = exporter_says_types,
    .options = &otlp_options,
    .check = otlp_check,
    .advise = otlp_advise,
    .http = &http,
    .open = open_sink,
};
