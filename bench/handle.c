/*
 * The peer's resources, as a table of paths.
 */
#include "bench/peer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUERY_MAX_BYTES = 4096, STATS_MAX_BYTES = 4096 };

static const char *const metric_prefix[PEER_KINDS] = {"bench_rec_", "bench_alert_"};
static const char empty_vector[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}";

/* ---- arguments ---- */

/* Up to nine digits, moving on; false when there is none. */
static bool take_number(const char **text, unsigned *ret)
{
    unsigned value = 0;
    int n = 0;
    for (; n < 9 && isdigit((unsigned char)**text); n++, (*text)++) {
        value = value * 10 + (unsigned)(**text - '0');
    }
    *ret = n > 0 ? value : *ret;
    return n > 0;
}

static bool find_rule(const char *query, enum peer_kind *ret_kind, unsigned *ret_rule)
{
    for (int kind = 0; kind < PEER_KINDS; kind++) {
        const char *at = strstr(query, metric_prefix[kind]);
        at = at ? at + strlen(metric_prefix[kind]) : NULL;
        if (at && take_number(&at, ret_rule) && *ret_rule < PEER_RULES_MAX) {
            *ret_kind = (enum peer_kind)kind;
            return true;
        }
    }
    return false;
}

static int64_t fraction_ms(const char *text)
{
    int64_t ms = 0;
    int64_t scale = 100;
    for (text += *text == '.'; isdigit((unsigned char)*text) && scale > 0; text++, scale /= 10) {
        ms += (*text - '0') * scale;
    }
    return ms;
}

/* Seconds with a fraction, or RFC 3339 in UTC; anything else is now. */
static int64_t parse_time_ms(const char *text)
{
    struct tm tm = {0};
    struct timespec now;
    char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest) {
        return (int64_t)timegm(&tm) * 1000 + fraction_ms(rest);
    }
    char *end = NULL;
    long long seconds = strtoll(text, &end, 10);
    if (end > text && seconds > 0 && seconds < 4000000000LL) {
        return seconds * 1000 + fraction_ms(end);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the datasource ---- */

static void count_answer(struct peer *p, enum peer_kind kind, const struct served *served,
                         bool sent)
{
    pthread_mutex_lock(&p->lock);
    p->answered[kind]++;
    p->served[kind].samples += served->samples;
    p->served[kind].whole_sum += served->whole_sum;
    p->served[kind].time_sum_ms += served->time_sum_ms;
    p->abandoned += sent ? 0 : 1;
    pthread_mutex_unlock(&p->lock);
}

static bool build_slot(struct peer *p, struct slot *slot, enum peer_kind kind, unsigned rule)
{
    char metric[32];
    if (slot->built) {
        return true;
    }
    snprintf(metric, sizeof metric, "%s%03u", metric_prefix[kind], rule);
    slot->built = answer_init(&slot->answer, metric, p->series);
    pthread_mutex_lock(&p->lock);
    p->label_bytes = answer_label_bytes(&slot->answer);
    pthread_mutex_unlock(&p->lock);
    return slot->built;
}

static bool answer_rule(struct peer *p, struct conn *c, enum peer_kind kind, unsigned rule,
                        int64_t time_ms)
{
    struct slot *slot = &p->slots[kind][rule];
    struct iovec parts[ANSWER_PARTS_MAX] = {
        {(void *)(uintptr_t)empty_vector, sizeof empty_vector - 1}};
    struct served served = {0};
    int count = 1;
    bool sent = false;
    pthread_mutex_lock(&slot->lock);
    if (!p->on || build_slot(p, slot, kind, rule)) {
        if (p->on) {
            answer_patch(&slot->answer, time_ms, &served);
            count = answer_parts(&slot->answer, p->rotate, parts);
        }
        sent = http_reply_parts(c, 200, parts, count);
    }
    pthread_mutex_unlock(&slot->lock);
    count_answer(p, kind, &served, sent);
    return sent;
}

static bool handle_query(struct peer *p, struct conn *c, const struct request *r)
{
    char query[QUERY_MAX_BYTES] = "";
    char time[64] = "";
    enum peer_kind kind;
    unsigned rule = 0;
    http_arg(r, "query", query, sizeof query);
    http_arg(r, "time", time, sizeof time);
    if (!find_rule(query, &kind, &rule)) {
        pthread_mutex_lock(&p->lock);
        p->other_queries++;
        pthread_mutex_unlock(&p->lock);
        return http_reply(c, 200, empty_vector);
    }
    gate_pass(&p->gate);
    return answer_rule(p, c, kind, rule, parse_time_ms(time));
}

static bool handle_buildinfo(struct peer *p, struct conn *c, const struct request *r)
{
    (void)p;
    (void)r;
    return http_reply(c, 200, "{\"status\":\"success\",\"data\":{\"version\":\"2.42.0\"}}");
}

/* ---- what engines send ---- */

/* Newer writers offer another dialect first and step down at 400 (zstd) or 415 (version 2). */
static bool handle_write(struct peer *p, struct conn *c, const struct request *r)
{
    struct span version = http_header(r, "x-prometheus-remote-write-version");
    if (!span_is(http_header(r, "content-encoding"), "snappy")) {
        return http_reply(c, 400, "{\"error\":\"snappy only\"}");
    }
    if (version.len > 0 && *version.ptr != '0' && *version.ptr != '1') {
        return http_reply(c, 415, "{\"error\":\"remote write 1.0 only\"}");
    }
    bool good = sink_write(&p->sink, r->body.ptr, r->body.len);
    return http_reply(c, good ? 204 : 400, good ? "" : "{\"error\":\"not a write request\"}");
}

static bool handle_alerts(struct peer *p, struct conn *c, const struct request *r)
{
    static const char mark[] = "\"startsAt\"";
    struct span rest = r->body;
    uint64_t alerts = 0;
    const char *at;
    while (rest.len > 0 && (at = memmem(rest.ptr, rest.len, mark, sizeof mark - 1)) != NULL) {
        alerts++;
        rest.len -= (size_t)(at - rest.ptr) + sizeof mark - 1;
        rest.ptr = at + sizeof mark - 1;
    }
    pthread_mutex_lock(&p->lock);
    p->notified_posts++;
    p->notified_alerts += alerts;
    pthread_mutex_unlock(&p->lock);
    return http_reply(c, 200, "{\"status\":\"success\"}");
}

/* ---- the measuring side ---- */

static int put_served(char *out, size_t cap, const struct peer *p, enum peer_kind kind)
{
    const struct served *s = &p->served[kind];
    return snprintf(out, cap,
                    "\"%s\":{\"queries\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"whole_sum\":%" PRIu64
                    ",\"time_sum_ms\":%" PRIu64 "},",
                    kind == PEER_RECORD ? "record" : "alert", p->answered[kind], s->samples,
                    s->whole_sum, s->time_sum_ms);
}

static int put_count(char *out, size_t cap, const char *name, const struct sink_count *count)
{
    return snprintf(out, cap,
                    "\"%s\":{\"series\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"stale\":%" PRIu64
                    ",\"whole_sum\":%" PRIu64 ",\"time_sum_ms\":%" PRIu64 "},",
                    name, count->series, count->samples, count->stale, count->whole_sum,
                    count->time_sum_ms);
}

static size_t put_sink(char *out, size_t cap, const struct sink_totals *t)
{
    static const char *const names[SINK_CLASSES] = {"ALERTS", "ALERTS_FOR_STATE", "recorded"};
    size_t n = (size_t)snprintf(out, cap,
                                "\"sink\":{\"requests\":%" PRIu64 ",\"bad\":%" PRIu64
                                ",\"bytes_wire\":%" PRIu64 ",\"bytes_decoded\":%" PRIu64 ",",
                                t->requests, t->bad, t->bytes_wire, t->bytes_decoded);
    for (int i = 0; i < SINK_CLASSES; i++) {
        n += (size_t)put_count(out + n, cap - n, names[i], &t->by_class[i]);
    }
    out[n - 1] = '}'; /* instead of the last comma */
    return n;
}

static bool handle_stats(struct peer *p, struct conn *c, const struct request *r)
{
    char out[STATS_MAX_BYTES];
    uint64_t passed;
    uint64_t held;
    struct sink_totals totals = sink_totals(&p->sink);
    (void)r;
    gate_read(&p->gate, &passed, &held);
    pthread_mutex_lock(&p->lock);
    size_t n =
        (size_t)snprintf(out, sizeof out,
                         "{\"passed\":%" PRIu64 ",\"held\":%" PRIu64 ",\"abandoned\":%" PRIu64
                         ",\"other_queries\":%" PRIu64 ",\"notified_posts\":%" PRIu64
                         ",\"notified_alerts\":%" PRIu64 ",\"label_bytes\":%.1f,",
                         passed, held, p->abandoned, p->other_queries, p->notified_posts,
                         p->notified_alerts, p->label_bytes);
    n += (size_t)put_served(out + n, sizeof out - n, p, PEER_RECORD);
    n += (size_t)put_served(out + n, sizeof out - n, p, PEER_ALERT);
    pthread_mutex_unlock(&p->lock);
    n += put_sink(out + n, sizeof out - n, &totals);
    snprintf(out + n, sizeof out - n, "}");
    return http_reply(c, 200, out);
}

/* ?on=0|1 switches the series on, ?quota=N sets how many rule queries may pass in all. */
static bool handle_control(struct peer *p, struct conn *c, const struct request *r)
{
    char value[24];
    if (http_arg(r, "on", value, sizeof value)) {
        p->on = value[0] == '1';
    }
    if (http_arg(r, "quota", value, sizeof value)) {
        gate_set(&p->gate, strtoull(value, NULL, 10));
    }
    return http_reply(c, 200, "{}");
}

bool peer_handle(struct peer *p, struct conn *c, const struct request *r)
{
    static const struct {
        const char *path;
        bool (*handle)(struct peer *, struct conn *, const struct request *);
    } resources[] = {
        {"/api/v1/query", handle_query}, {"/api/v1/status/buildinfo", handle_buildinfo},
        {"/api/v1/write", handle_write}, {"/api/v2/alerts", handle_alerts},
        {"/stats", handle_stats},        {"/control", handle_control},
    };
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        if (span_is(r->path, resources[i].path)) {
            return resources[i].handle(p, c, r);
        }
    }
    return http_reply(c, 404, "{\"error\":\"no such resource\"}");
}
