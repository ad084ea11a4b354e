/*
 * deliver() sends request after request until the view is used up or one fails. What was settled
 * before a failure stays settled: the plan comes back with the rest.
 *
 * A request that is refused as a whole (400, 413) is made again with half its rows, down to one, so
 * that one bad record costs only itself; each success doubles the rows of the next. BISECT_CALLS_MAX
 * bounds what a view full of bad records costs: beyond it, the rows of a refused request are rejected
 * together.
 */
#include "export/http_sink.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/attempts.h"
#include "export/debug.h"
#include "export/dry_run.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "net/http_client.h"
#include "net/url.h"
#include "wire/compress.h"

enum {
    ANSWER_SEEN_MAX = 64 * 1024,   /* bytes of an answer that judge and error texts see */
    ANSWER_KEPT_MAX = 1024 * 1024, /* bytes of an answer at all */
    REASON_MAX = 120,
    LOCATION_MAX = 300,
    STATUS_TOO_LARGE = 413,
    BISECT_CALLS_MAX = 256, /* refused requests that are halved, for each view */
};

struct http_sink {
    struct sink super;
    const struct http_exporter *exporter;
    const void *config;
    const struct env *env;
    const struct option_ints *retry_on;
    struct http_client *client;
    struct attempts *attempts; /* or NULL */
    const struct dry_run *dry; /* or NULL */
    struct str name;
    bool halts; /* at a row that is refused */
    struct arena arena;
    struct buf body;
    struct buf encoded;
    struct buf answer;
    struct buf decoded; /* what a body was before compression, for validation */
    struct debug debug;
};

enum { DECODED_MAX = 256 * 1024 * 1024 };

const struct status_rule http_statuses_usual[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 403, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

enum verdict status_verdict(const struct status_rule *rules, int status)
{
    while (status < rules->first || status > rules->last) {
        rules++;
    }
    return rules->verdict;
}

/* ---- one request ---- */

static const struct compression *const encodings[] = {
    [BODY_PLAIN] = NULL,
    [BODY_GZIP] = &compression_gzip,
    [BODY_ZSTD] = &compression_zstd,
    [BODY_SNAPPY] = &compression_snappy,
    [BODY_DEFLATE] = &compression_deflate,
    [BODY_ZSTD1] = &compression_zstd1,
};

static bool encode_body(struct http_sink *s, const struct export_request *req, struct str *ret_body,
                        struct err *e)
{
    struct str body = req->whole_body.ptr != NULL ? req->whole_body : buf_str(&req->body);

    if (req->encoding == BODY_PLAIN || req->body_is_encoded) {
        *ret_body = body;
        return true;
    }
    buf_clear(&s->encoded);
    if (!encodings[req->encoding]->pack(body, &s->encoded, e)) {
        return false;
    }
    *ret_body = buf_str(&s->encoded);
    return true;
}

static const struct http_client_config *client_config(const struct http_exporter *exporter,
                                                      const void *config)
{
    return (const void *)((const char *)config + exporter->client_offset);
}

/* How long a call may take: what the client allows, or what is left of the wait. */
static int64_t timeout_ns(const struct http_sink *s, struct wait wait)
{
    int64_t allowed = client_config(s->exporter, s->config)->timeout_ns;
    int64_t left = wait.deadline_mono_ns - clock_mono_ns(s->env->clock);

    return wait.deadline_mono_ns != DEADLINE_NEVER && left < allowed ? left : allowed;
}

static size_t add_headers(struct http_sink *s, const struct export_request *req, struct wait wait,
                          struct http_header *headers)
{
    const char *compression =
        encodings[req->encoding] != NULL ? encodings[req->encoding]->name : NULL;
    size_t count = 0;

    for (size_t i = 0; i < req->header_count; i++) {
        headers[count++] = (struct http_header){req->headers[i].name, req->headers[i].value};
    }
    if (req->is_grpc) {
        count += grpc_call_headers(compression, timeout_ns(s, wait), &s->arena, headers + count);
    } else if (compression != NULL) {
        headers[count++] = (struct http_header){STR("Content-Encoding"), str_of(compression)};
    }
    return count;
}

/* What it means that there is no answer: never sent (retry), or perhaps received (unknown). */
static enum verdict failure_verdict(const struct http_response *res)
{
    if (res->failure == HTTP_FAILURE_AUTH) {
        return VERDICT_HALT;
    }
    if (res->failure == HTTP_FAILURE_REQUEST) {
        return VERDICT_REJECTED;
    }
    return res->request_sent ? VERDICT_UNKNOWN : VERDICT_RETRY;
}

static bool is_redirect(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* What the status alone does not say. */
static void add_meaning(const struct http_response *res, struct buf *out)
{
    struct str to = str_trim(http_response_header(res, STR("Location")));

    if (is_redirect(res->status)) {
        buf_add_text(out, " (redirects are not followed");
        if (to.len > 0) {
            buf_add_text(out, "; it points to ");
            url_add_redacted(out, str_slice(to, 0, LOCATION_MAX));
        }
        buf_add_byte(out, ')');
    } else if (res->status == 401 && res->token_refused) {
        buf_add_text(out, " (also with a fresh token)");
    }
}

/* The destination's own words, for the error: its status and the start of its body on one line. */
static void describe_answer(struct outcome *out, const struct http_response *res, struct str body)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct str start = str_trim(str_slice(body, 0, REASON_MAX - 1));
    int status = res->status;

    buf_addf(&text, "answered %d", status);
    add_meaning(res, &text);
    buf_addf(&text, "%s%.*s", start.len > 0 ? ": " : "", STR_FMT(start));
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] = (unsigned char)text.ptr[i] < 0x20 ? ' ' : text.ptr[i];
    }
    (void)err_set(&out->err, status == 401 || status == 403 ? ERR_AUTH : ERR_NET, "%s",
                  buf_text(&text));
}

static struct export_answer seen_answer(const struct http_sink *s, const struct outcome *out)
{
    return (struct export_answer){.status = out->status,
                                  .body = str_slice(buf_str(&s->answer), 0, ANSWER_SEEN_MAX),
                                  .retry_after_ms = out->retry_after_ms};
}

static bool is_listed(const struct option_ints *statuses, int status)
{
    for (size_t i = 0; i < statuses->count; i++) {
        if (statuses->items[i] == status) {
            return true;
        }
    }
    return false;
}

/* The exporter's table, unless the config lists the statuses that are worth another try: then those
 * are, and others that the table would try again are not. Who refuses us (HALT) refuses us. */
static enum verdict verdict_of(const struct http_sink *s, int status)
{
    enum verdict verdict = status_verdict(s->exporter->statuses, status);

    if (s->retry_on == NULL || s->retry_on->count == 0 || verdict == VERDICT_DELIVERED ||
        verdict == VERDICT_HALT) {
        return verdict;
    }
    return is_listed(s->retry_on, status) ? VERDICT_RETRY : VERDICT_REJECTED;
}

static enum verdict judge(struct http_sink *s, struct view view, uint32_t first, uint32_t end,
                          const struct http_response *res, struct outcome *out)
{
    out->status = res->status;
    out->retry_after_ms = http_response_retry_after_ms(res, clock_wall_ns(s->env->clock));
    out->rest = verdict_of(s, res->status);
    struct export_answer answer = seen_answer(s, out);
    answer.response = res;
    if (out->rest != VERDICT_DELIVERED) {
        describe_answer(out, res, answer.body);
    }
    if (s->exporter->judge != NULL) {
        s->exporter->judge(s->config, view, first, end, &answer, out);
    }
    return out->rest;
}

/* The same of a call of gRPC, whose status stands in its trailers. */
static enum verdict judge_call(struct http_sink *s, const struct sent_rows *sent,
                               const struct http_response *res, struct outcome *out)
{
    struct grpc_answer call;

    grpc_call_read(res, buf_str(&s->answer), &s->arena, &call);
    out->status = grpc_code_to_http((int)call.code);
    out->rest = status_verdict(s->exporter->statuses, out->status);
    if (out->rest != VERDICT_DELIVERED) {
        bool is_auth = call.code == GRPC_UNAUTHENTICATED || call.code == GRPC_PERMISSION_DENIED;
        (void)err_set(&out->err, is_auth ? ERR_AUTH : ERR_NET, "answered %s%s%.*s",
                      grpc_code_name((int)call.code), call.text.len > 0 ? ": " : "",
                      STR_FMT(str_slice(call.text, 0, REASON_MAX)));
    }
    const struct export_answer answer = {
        .status = out->status, .body = call.message, .grpc = &call};
    if (s->exporter->judge != NULL) {
        s->exporter->judge(s->config, sent->view, sent->first, sent->end, &answer, out);
    }
    return out->rest;
}

static enum verdict judge_answer(struct http_sink *s, const struct sent_rows *sent,
                                 const struct export_request *req, const struct http_response *res,
                                 struct outcome *out)
{
    return req->is_grpc ? judge_call(s, sent, res, out)
                        : judge(s, sent->view, sent->first, sent->end, res, out);
}

/* Makes the call; the answer's body is in s->answer. */
static bool call(struct http_sink *s, const struct export_request *req, struct str body,
                 struct wait wait, struct http_response *res, struct err *e)
{
    struct http_header headers[HTTP_EXPORT_HEADERS_MAX + GRPC_CALL_HEADERS];
    char prefix[GRPC_PREFIX_BYTES] = {0};
    const struct str parts[] = {str_make(prefix, sizeof(prefix)), body};
    struct http_request request = {.method = req->method,
                                   .path = req->path,
                                   .url = req->url,
                                   .headers = headers,
                                   .header_count = add_headers(s, req, wait, headers),
                                   .parts = req->is_grpc ? parts : parts + 1,
                                   .part_count = req->is_grpc ? 2 : 1};

    grpc_prefix(req->encoding != BODY_PLAIN, body.len, prefix);

    http_response_init(res, &s->answer);
    if (s->dry != NULL) {
        dry_run_request(s->dry, s->name, client_config(s->exporter, s->config), &request);
        return true;
    }
    int64_t began_ns = debug_now_ns(&s->debug);
    bool ok = http_client_call(s->client, &request, wait, res, e);
    debug_measure(&s->debug, DEBUG_SEND, began_ns);
    return ok;
}

/* Do the bytes that are about to be sent decode to the rows that they were made of? */
static bool is_valid(struct http_sink *s, const struct sent_rows *sent,
                     const struct export_request *req, struct str body, struct err *e)
{
    const struct compression *compression = encodings[req->encoding];
    struct sent_rows rows = *sent;

    rows.end += rows.end == rows.first; /* a part of that one */
    buf_clear(&s->decoded);
    if (compression != NULL && !compression->unpack(body, DECODED_MAX, &s->decoded, e)) {
        return false;
    }
    return s->exporter->validate(s->config, &rows,
                                 compression != NULL ? buf_str(&s->decoded) : body, e);
}

/* What the destination would answer to too many bytes, without asking it: such requests are halved. */
static bool fits(const struct export_request *req, size_t bytes, struct outcome *out)
{
    if (req->encoded_max == 0 || bytes <= req->encoded_max) {
        return true;
    }
    out->status = STATUS_TOO_LARGE;
    return err_set(&out->err, ERR_LIMIT,
                   "%zu bytes after compression, more than the %zu that the destination takes",
                   bytes, req->encoded_max);
}

/* Is the request to be sent in spite of what validation says? */
static bool passes(struct http_sink *s, const struct sent_rows *sent,
                   const struct export_request *req, struct str body, struct outcome *out)
{
    struct err e = ERR_INIT;

    if (!debug_wants_validation(&s->debug) || s->exporter->validate == NULL ||
        is_valid(s, sent, req, body, &e) || !debug_refuses(&s->debug, &e)) {
        return true;
    }
    out->err = e;
    return err_wrap(&out->err, "refused by debug.refuse_invalid");
}

static enum verdict send_one(struct http_sink *s, const struct sent_rows *sent,
                             const struct export_request *req, struct wait wait,
                             struct outcome *out)
{
    struct http_response res;
    struct str body;

    out->status = 0;
    int64_t began_ns = debug_now_ns(&s->debug);
    bool encoded = encode_body(s, req, &body, &out->err);
    debug_measure(&s->debug, DEBUG_COMPRESS, began_ns);
    if (!encoded || !fits(req, body.len, out) || !passes(s, sent, req, body, out)) {
        return VERDICT_REJECTED;
    }
    bool answered = call(s, req, body, wait, &res, &out->err);
    out->requests++;
    out->bytes += body.len;
    if (s->dry != NULL) {
        http_response_release(&res);
        return VERDICT_DELIVERED;
    }
    if (s->attempts != NULL) {
        attempts_note(s->attempts, &res, http_client_token_issued_ns(s->client));
    }
    began_ns = debug_now_ns(&s->debug);
    enum verdict verdict = answered ? judge_answer(s, sent, req, &res, out) : failure_verdict(&res);
    debug_measure(&s->debug, DEBUG_JUDGE, began_ns);
    http_response_release(&res);
    return verdict;
}

/* Sends what mends the last answer, if something does; false leaves the outcome as it is, save for
 * the error, which then says so. */
static bool mend(struct http_sink *s, struct view view, struct wait wait, struct outcome *out)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);
    struct export_request req = {.arena = &s->arena, .body = body};
    struct export_answer answer = seen_answer(s, out);
    struct http_response res;
    struct err e = ERR_INIT;

    bool mends = s->exporter->mend(s->config, view, &answer, &req);
    body = req.body;
    if (!mends) {
        return false;
    }
    bool ok = call(s, &req, buf_str(&body), wait, &res, &e) && res.status / 100 == 2;
    if (!ok) {
        (void)err_wrap(&out->err, "'%s %.*s' was answered %d", req.method, STR_FMT(req.path),
                       res.status);
    }
    http_response_release(&res);
    return ok;
}

/* ---- the sink ---- */

/* Rows first..end-1 will never be taken: each is excepted, so that the plan can go on behind them. */
static void reject_rows(struct outcome *out, uint32_t first, uint32_t end)
{
    outcome_forget(out, first);
    for (uint32_t i = first; i < end; i++) {
        outcome_except(out, i, VERDICT_REJECTED, out->err.message);
    }
}

/* Settles one request's rows; false when the view must stop here. */
static bool settle(struct outcome *out, enum verdict verdict, uint32_t first, uint32_t end)
{
    if (verdict == VERDICT_REJECTED) {
        reject_rows(out, first, end);
    } else if (verdict != VERDICT_DELIVERED) {
        outcome_forget(out, first);
        out->rest = verdict;
        return false;
    }
    outcome_settle(out, end);
    return true;
}

/* Where deliver() is in its view. */
struct progress {
    uint32_t row;      /* the next */
    uint32_t part;     /* of that row */
    bool mended;       /* that was tried */
    uint32_t rows_max; /* of a request, while refused ones are halved; 0: no limit of ours */
    uint32_t until;    /* a bad row is known to stand before this one */
    uint32_t halvings;
};

/* The rows that the next request may take from. */
static struct view part_of(struct view view, const struct progress *at)
{
    uint32_t left = view.n - at->row;

    if (at->row < at->until && at->until - at->row < left) {
        left = at->until - at->row;
    }
    if (at->rows_max > 0 && at->rows_max < left) {
        left = at->rows_max;
    }
    return view_slice(view, 0, at->row + left);
}

/* Statuses that are about what was sent: too much of it, or a record that is wrong. */
static bool is_about_content(int status)
{
    return status == 400 || status == STATUS_TOO_LARGE || status == 422;
}

/* A request was refused as a whole: is it worth asking again for half of it? */
static bool halve(struct progress *at, uint32_t first, struct outcome *out)
{
    uint32_t rows = at->row - first;

    if (!is_about_content(out->status) || rows < 2 || at->halvings >= BISECT_CALLS_MAX) {
        return false;
    }
    outcome_forget(out, first);
    at->halvings++;
    at->until = at->row;
    at->rows_max = (rows + 1) / 2;
    at->row = first;
    at->part = 0;
    return true;
}

/* Behind the range that was refused: larger requests again. */
static void widen(struct progress *at, uint32_t rows)
{
    if (at->rows_max > 0 && at->row >= at->until && rows >= at->rows_max / 2) {
        at->rows_max = at->rows_max <= UINT32_MAX / 2 ? at->rows_max * 2 : 0;
    }
}

/* Sends, and when the answer can be mended, mends and sends again. */
static enum verdict send_mending(struct http_sink *s, const struct sent_rows *sent,
                                 struct progress *at, const struct export_request *req,
                                 struct wait wait, struct outcome *out)
{
    enum verdict verdict = send_one(s, sent, req, wait, out);

    if (verdict == VERDICT_DELIVERED || out->status == 0 || s->exporter->mend == NULL ||
        at->mended) {
        return verdict;
    }
    at->mended = true;
    return mend(s, sent->view, wait, out) ? send_one(s, sent, req, wait, out) : verdict;
}

/* One request from <at> on; false when the view must stop here. */
static bool deliver_next(struct http_sink *s, struct view view, struct progress *at,
                         struct wait wait, struct outcome *ret)
{
    uint32_t first = at->row;
    struct view part = part_of(view, at);

    arena_reset(&s->arena);
    buf_clear(&s->body);
    struct export_request req = {.arena = &s->arena,
                                 .body = s->body,
                                 .now_ns = clock_wall_ns(s->env->clock),
                                 .part = at->part};
    int64_t began_ns = debug_now_ns(&s->debug);
    bool made = s->exporter->next_request(s->config, part, &at->row, &req, ret, &ret->err);
    debug_measure(&s->debug, DEBUG_ENCODE, began_ns);
    s->body = req.body;
    const struct sent_rows sent = {part, first, at->row, at->part};
    if (made && req.method == NULL) {
        at->row =
            at->row > first ? at->row : part.n; /* what was looked at; all, when nothing says */
        at->part = 0;
        outcome_settle(ret, at->row);
        return at->row < view.n;
    }
    enum verdict verdict = made ? send_mending(s, &sent, at, &req, wait, ret) : VERDICT_REJECTED;
    if (made && verdict == VERDICT_REJECTED && halve(at, first, ret)) {
        return true;
    }
    if (verdict == VERDICT_REJECTED && at->row == first) {
        at->row = made ? first + 1 : part.n; /* the row's other parts have no use */
    }
    at->part = at->row == first ? req.part : 0;
    widen(at, at->row - first);
    ret->refused = verdict == VERDICT_REJECTED && s->halts;
    verdict = ret->refused ? VERDICT_HALT : verdict;
    return settle(ret, verdict, first, at->row);
}

static void http_sink_deliver(struct sink *sink, struct view view, struct wait wait,
                              struct outcome *ret)
{
    struct http_sink *s = container_of(sink, struct http_sink, super);
    const struct exporter_common *common = s->config;
    AUTO(batch_autounref) struct batch *labelled = NULL;
    struct progress at = {0};
    int64_t began_ns = clock_mono_ns(s->env->clock);

    if (!extra_labels_view(&common->labels, &view, &labelled, &ret->err)) {
        (void)settle(ret, VERDICT_REJECTED, 0, view.n);
        return;
    }
    while (at.row < view.n && deliver_next(s, view, &at, wait, ret)) {
    }
    debug_tell(&s->debug, view, ret, clock_mono_ns(s->env->clock) - began_ns);
}

struct str http_probe_url(const struct http_client_config *client, const char *suffix,
                          const char *path, struct arena *a)
{
    struct str base = str_slice(client->url, 0, str_find_byte(client->url, '?'));

    while (str_ends(base, STR("/"))) {
        base.len--;
    }
    if (str_ends(base, str_of(suffix))) {
        base.len -= strlen(suffix);
    }
    return arena_printf(a, "%.*s%s", STR_FMT(base), path);
}

struct str http_health_url(const struct http_client_config *client, struct str path,
                           struct arena *a)
{
    struct url url;
    struct err ignored = ERR_INIT;

    if (path.len == 0 || !url_parse(client->url, &url, &ignored)) {
        return STR("");
    }
    return arena_printf(a, "%.*s://%.*s%.*s", STR_FMT(url.scheme), STR_FMT(url.authority),
                        STR_FMT(path));
}

bool http_health_path_check(struct str path, const struct yaml_node *node, struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("health_path"));

    return path.len == 0 || str_starts(path, STR("/")) ||
           yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                    "health_path '%.*s' is not a path; expected one such as /health",
                    STR_FMT(path));
}

/* Who is troubled says so; what knows no such address (404 and its like) is there, or something before
 * it is: that is not known. */
static enum probed answer_means(int status, struct err *e)
{
    bool is_unknown = (status >= 400 && status < 500) || status == 501;

    if (status >= 500 && !is_unknown) {
        (void)err_set(e, ERR_NET, "the health check was answered %d", status);
        return PROBED_FAILED;
    }
    return is_unknown ? PROBED_NOBODY : PROBED_THERE;
}

enum probed http_probe(struct http_client *client, struct str url, struct buf *answer,
                       struct wait wait, struct err *e)
{
    const struct http_request request = {.method = "GET", .url = url};
    struct http_response res;

    http_response_init(&res, answer);
    bool is_answered = http_client_call(client, &request, wait, &res, e);
    enum probed ret = is_answered ? answer_means(res.status, e) : PROBED_FAILED;
    http_response_release(&res);
    return ret;
}

/* Asks with a request that has no rows. */
static enum probed probe_with_request(struct http_sink *s, struct wait wait, struct err *e)
{
    struct export_request req = {.arena = &s->arena, .body = BUF_INIT(BUF_SMALL)};
    const struct sent_rows none = {0};
    struct outcome out;
    struct http_response res;

    outcome_init(&out);
    s->exporter->probe(s->config, &req);
    enum probed ret = PROBED_FAILED;
    if (call(s, &req, buf_str(&req.body), wait, &res, e)) {
        (void)judge_answer(s, &none, &req, &res, &out);
        ret = answer_means(out.status, e);
    }
    http_response_release(&res);
    outcome_release(&out);
    buf_release(&req.body);
    return ret;
}

static enum probed http_sink_probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct http_sink *s = container_of(sink, struct http_sink, super);
    struct str url = STR("");

    arena_reset(&s->arena);
    if (s->exporter->probe != NULL) {
        return probe_with_request(s, wait, e);
    }
    if (s->exporter->probe_url != NULL) {
        url = s->exporter->probe_url(s->config, &s->arena);
    }
    return url.len > 0 ? http_probe(s->client, url, &s->answer, wait, e) : PROBED_NOBODY;
}

static void http_sink_close(struct sink *sink)
{
    struct http_sink *s = container_of(sink, struct http_sink, super);

    http_client_free(s->client);
    debug_close(&s->debug);
    buf_release(&s->decoded);
    arena_release(&s->arena);
    buf_release(&s->body);
    buf_release(&s->encoded);
    buf_release(&s->answer);
    mem_free(s);
}

static const struct sink_ops http_sink_ops = {
    .deliver = http_sink_deliver,
    .probe = http_sink_probe,
    .close = http_sink_close,
};

bool http_sink_open(const struct http_exporter *exporter, const struct exporter_place *place,
                    const void *config, struct sink **ret_sink, struct err *e)
{
    struct http_client *client = NULL;

    if (!http_client_new_sharing(place->env, client_config(exporter, config), place->tokens,
                                 &client, e)) {
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct http_sink *s = mem_new(struct http_sink);
    s->super.ops = &http_sink_ops;
    s->exporter = exporter;
    s->config = config;
    s->env = place->env;
    s->attempts = place->attempts;
    s->dry = place->dry;
    s->name = place->name;
    s->halts = place->halts;
    s->retry_on = place->retry_on != NULL && place->retry_on->count > 0
                      ? place->retry_on
                      : &((const struct exporter_common *)config)->retry.retry_on_status_codes;
    s->client = client;
    arena_init(&s->arena, ARENA_UNLIMITED);
    buf_init(&s->body, BUF_UNLIMITED);
    buf_init(&s->encoded, BUF_UNLIMITED);
    buf_init(&s->answer, ANSWER_KEPT_MAX);
    buf_init(&s->decoded, DECODED_MAX);
    debug_open(&s->debug, place, config);
    *ret_sink = &s->super;
    return true;
}
