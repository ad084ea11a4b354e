/* Remote write 2.0: the request, and whether who answers knows it. */
#include "export/exporters/remote_write.h"

#include "base/number.h"
#include "wire/rw2.h"

enum { NO_COUNT = -1, STATUS_UNSUPPORTED = 415 };

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct samples *s = NULL;
    uint32_t rows = REMOTE_WRITE_ROWS_MAX;
    uint32_t taken = 0;

    (void)out;
    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    do {
        buf_clear(&ret->body);
        taken = rw2_encode(s, view, *row, rows, (uint64_t)ret->now_ns, &ret->body);
        rows = taken / 2;
    } while (ret->body.len > REMOTE_WRITE_MESSAGE_MAX && rows > 0);
    *row += taken;
    ret->method = "POST";
    ret->path = remote_write_path(config, view.batch, ret->arena);
    ret->encoding = BODY_SNAPPY;
    for (size_t i = 1; i < RW2_HEADERS; i++) { /* the first comes with the body's encoding */
        ret->headers[ret->header_count++] =
            (struct export_header){str_of(rw2_headers[i].name), str_of(rw2_headers[i].value)};
    }
    return true;
}

/* What a header counts; NO_COUNT when it is not there or is no number. */
static int64_t count_in(const struct export_answer *answer, struct str name)
{
    uint64_t count = 0;
    struct str text = str_trim(http_response_header(answer->response, name));

    return text.len > 0 && number_parse_u64(text, &count) && count <= INT32_MAX ? (int64_t)count
                                                                                : NO_COUNT;
}

static bool has_counts(const struct export_answer *answer, int64_t *ret_samples)
{
    *ret_samples = count_in(answer, STR("X-Prometheus-Remote-Write-Samples-Written"));
    return *ret_samples != NO_COUNT ||
           count_in(answer, STR("X-Prometheus-Remote-Write-Histograms-Written")) != NO_COUNT ||
           count_in(answer, STR("X-Prometheus-Remote-Write-Exemplars-Written")) != NO_COUNT;
}

/* Such a store has thrown the request away, or would. */
static void say_unsupported(struct outcome *out, int status)
{
    out->status = STATUS_UNSUPPORTED;
    out->rest = VERDICT_HALT;
    (void)err_set(
        &out->err, ERR_NET,
        "answered %d without saying how much was written: it does not know remote write 2.0",
        status);
}

/* Of what was accepted, what the store says it did not write. */
static void count_missing(struct outcome *out, uint32_t sent, int64_t written)
{
    if (written >= 0 && written < (int64_t)sent) {
        out->dropped += sent - (uint32_t)written;
        (void)err_set(&out->err, ERR_NET, "answered %d and wrote %lld of %u samples", out->status,
                      (long long)written, sent);
    }
}

static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    bool is_accepted = answer->status / 100 == 2;
    int64_t written = NO_COUNT;

    (void)config;
    (void)view;
    if (!is_accepted && answer->status != 400) {
        return;
    }
    if (!has_counts(answer, &written)) {
        say_unsupported(out, answer->status);
    } else if (is_accepted) {
        count_missing(out, end - first, written);
    }
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    AUTO(buf_release) struct buf as_1 = BUF_INIT(RW1_MESSAGE_MAX);
    struct rw2_summary summary;

    return rw2_to_rw1(body, &as_1, &summary, e) &&
           remote_write_1.validate(config, sent, buf_str(&as_1), e);
}

/* As those of 1.0. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},     {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {410, 410, VERDICT_HALT},     {415, 415, VERDICT_HALT},
    {429, 429, VERDICT_RETRY},     {400, 499, VERDICT_REJECTED}, {0, 999, VERDICT_RETRY},
};

static struct str probe_url(const void *config, struct arena *a)
{
    return remote_write_1.probe_url(config, a);
}

const struct http_exporter remote_write_2 = {
    .next_request = next_request,
    .validate = validate,
    .statuses = statuses,
    .judge = judge,
    .probe_url = probe_url,
    .client_offset = offsetof(struct remote_write_config, client),
};
