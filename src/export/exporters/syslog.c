/*
 * Records as messages of syslog.
 *
 * Nobody answers. Datagrams are delivered when the system took them. On a stream rows are delivered when
 * the other system has acknowledged their bytes; whether the program there read them is not to be known. So
 * the last of them are kept, and sent again when the connection turns out to have ended since.
 *
 * Invariants
 *   1. <window> holds whole frames, the last that were settled, WINDOW_MAX bytes at most.
 *   2. <stream> is NULL or was opened and has failed nothing since.
 */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/dry_run.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "export/payload.h"
#include "net/http_options.h"
#include "net/stream.h"
#include "wire/record_json.h"
#include "wire/syslog.h"

#include <string.h>

enum {
    WINDOW_MAX = 64 * 1024,
    GROUP_MAX = 64 * 1024, /* bytes that are settled together */
    PARAMS_MAX = 128,
    SEVERITY_INFO = 6,
    SEVERITY_NOTICE = 5,
};

enum framing { FRAMING_COUNTED, FRAMING_NEWLINE };

struct syslog_config {
    struct exporter_common common;
    struct str address;
    int form;
    int framing;
    int facility;
    struct str severity_label;
    struct option_map severities;
    int severity;          /* of what has no such label */
    int resolved_severity; /* of alerts that ended */
    struct str app_name;
    struct str hostname;
    struct str sd_id;
    bool structured_data;
    const struct yaml_node *message; /* or NULL: the record's JSON */
    int64_t max_message_bytes;
    int64_t connect_timeout_ns;
    int64_t timeout_ns;
    struct http_tls_config tls;
};

#define AT(member) offsetof(struct syslog_config, member)

static const char *const forms[] = {"rfc5424", "rfc3164", NULL};
static const char *const framings[] = {"octet_counting", "newline", NULL};
static const char *const alias_address[] = {"url", "endpoint", NULL};
static const char *const alias_message[] = {"payload", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "address",
     .aliases = alias_address,
     .type = OPTION_TEXT,
     .offset = AT(address),
     .fallback = "unix:///dev/log",
     .help = "`udp://host:514`, `tcp://host:514`, `tls://host:6514` or `unix:///path`."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = AT(form),
     .fallback = "rfc5424",
     .choices = forms,
     .help =
         "`rfc3164` is the older form: times without year and zone (they are UTC), no structured "
         "data."},
    {.name = "framing",
     .type = OPTION_ENUM,
     .offset = AT(framing),
     .fallback = "octet_counting",
     .choices = framings,
     .help = "How a message ends on TCP and TLS (RFC 6587): its length stands before it, or a line "
             "end behind it."},
    {.name = "facility",
     .type = OPTION_ENUM,
     .offset = AT(facility),
     .fallback = "daemon",
     .choices = syslog_facilities,
     .help = "The facility of all messages."},
    {.name = "severity",
     .type = OPTION_ENUM,
     .offset = AT(severity),
     .fallback = "info",
     .choices = syslog_severities,
     .help = "The severity of records without the label that says one."},
    {.name = "resolved_severity",
     .type = OPTION_ENUM,
     .offset = AT(resolved_severity),
     .fallback = "notice",
     .choices = syslog_severities,
     .help = "The severity of alerts that are resolved."},
    {.name = "severity_label",
     .type = OPTION_TEXT,
     .offset = AT(severity_label),
     .fallback = "severity",
     .help =
         "The label that says the severity: `critical` is crit, `page` alert, `error` err, `warn` "
         "warning, and so on."},
    {.name = "severities",
     .type = OPTION_MAP,
     .offset = AT(severities),
     .help = "More values of that label and their severities, such as `{P1: alert}`."},
    {.name = "app_name",
     .type = OPTION_TEXT,
     .offset = AT(app_name),
     .fallback = "telex",
     .help = "APP-NAME, or the tag."},
    {.name = "hostname",
     .type = OPTION_TEXT,
     .offset = AT(hostname),
     .help = "HOSTNAME; this machine's when absent."},
    {.name = "structured_data",
     .type = OPTION_BOOL,
     .offset = AT(structured_data),
     .fallback = "true",
     .help = "Send the labels as structured data."},
    {.name = "sd_id",
     .type = OPTION_TEXT,
     .offset = AT(sd_id),
     .fallback = "telex@32473",
     .help =
         "Its SD-ID. 32473 is the number kept for examples: with an enterprise number of your own, "
         "use that."},
    {.name = "message",
     .aliases = alias_message,
     .type = OPTION_NODE,
     .offset = AT(message),
     .help =
         "The text: a template over the record, `{{ .alert_name }} is {{ .state }}`, or a map of "
         "templates that becomes JSON. None: the record's JSON."},
    {.name = "max_message_bytes",
     .type = OPTION_BYTES,
     .offset = AT(max_message_bytes),
     .fallback = "8192",
     .min = SYSLOG_BYTES_LEAST,
     .max = 1024.0 * 1024,
     .help = "A longer message loses its end, which is counted."},
    {.name = "connect_timeout",
     .aliases = http_alias_connect_timeout,
     .type = OPTION_DURATION,
     .offset = AT(connect_timeout_ns),
     .fallback = "5s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "Time for a connection."},
    {.name = "timeout",
     .aliases = http_alias_timeout,
     .type = OPTION_DURATION,
     .offset = AT(timeout_ns),
     .fallback = "10s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "Time for 64 KiB to be acknowledged."},
    {.name = "tls",
     .aliases = http_alias_tls,
     .type = OPTION_TABLE,
     .offset = AT(tls),
     .table = &http_tls_options,
     .help = "TLS of tls://."},
};

static const struct option_table option_table = {
    .name = "exporter syslog",
    .help = "Records as messages of syslog.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct syslog_config),
};

static int find_severity(struct str name)
{
    for (int i = 0; i < SYSLOG_SEVERITIES; i++) {
        if (str_eq(name, str_of(syslog_severities[i]))) {
            return i;
        }
    }
    return -1;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct syslog_config *c = config;
    struct stream_address address;
    struct err why = ERR_INIT;

    if (!stream_address_parse(c->address, &address, &why)) {
        return yaml_err(node, e, ERR_CONFIG, "%s", why.message);
    }
    if (str_eq(address.scheme, STR("udp")) && c->max_message_bytes > STREAM_UDP_MAX) {
        const struct yaml_node *at = yaml_get(node, STR("max_message_bytes"));
        return yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                        "max_message_bytes: a message over UDP has at most %d bytes",
                        STREAM_UDP_MAX);
    }
    for (size_t i = 0; i < c->severities.count; i++) {
        const struct option_pair *p = &c->severities.items[i];
        if (find_severity(p->value) < 0) {
            return yaml_err(
                p->node != NULL ? p->node : node, e, ERR_CONFIG,
                "severities: '%.*s' is none; expected emerg, alert, crit, err, warning, "
                "notice, info or debug",
                STR_FMT(p->value));
        }
    }
    return payload_check(c->message, e);
}

/* ---- messages ---- */

struct syslog_sink {
    struct sink super;
    const struct syslog_config *config;
    const struct env *env;
    struct stream_address address;
    struct stream *stream;
    const struct dry_run *dry; /* or NULL */
    struct str name;
    struct payload *payload; /* or NULL */
    struct payload_writer writer;
    struct payload_host host;
    struct metric *truncated;
    struct buf object;
    struct buf text;
    struct buf message;
    struct buf group; /* frames that are not settled */
    struct buf window;
};

static const struct metric_desc truncated_desc = {
    .name = "telex_exporter_truncated_total",
    .help = "Messages that lost their end because the destination takes no longer ones.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"},
};

/* What differs between kinds of records. */
struct facts {
    const struct labels *labels; /* or NULL */
    int64_t time_ns;
    bool is_resolved;
};

static struct facts facts_of(const struct record_objects *o, uint32_t i, int64_t now_ns)
{
    uint32_t row = view_row(o->view, i);

    if (o->alerts != NULL) {
        const struct alert *a = &o->alerts->rows[row];
        return (struct facts){a->labels, a->time_ns, a->to == ALERT_RESOLVED};
    }
    if (o->samples != NULL) {
        return (struct facts){o->samples->series[o->samples->series_of[row]],
                              o->samples->time_ns[row], false};
    }
    if (o->events != NULL) {
        const struct event *ev = &o->events->rows[row];
        return (struct facts){NULL, ev->has_time ? ev->time_ns : now_ns, false};
    }
    return (struct facts){o->notes->rows[row].labels, o->notes->rows[row].time_ns, false};
}

static unsigned severity_of(const struct syslog_config *c, const struct facts *f)
{
    struct str word = f->labels != NULL ? labels_get(f->labels, c->severity_label) : STR("");
    int severity = -1;

    if (f->is_resolved) {
        return (unsigned)c->resolved_severity;
    }
    for (size_t i = 0; i < c->severities.count && severity < 0; i++) {
        if (str_eq(c->severities.items[i].name, word)) {
            severity = find_severity(c->severities.items[i].value);
        }
    }
    severity = severity < 0 ? syslog_severity_of(word) : severity;
    return severity < 0 ? (unsigned)c->severity : (unsigned)severity;
}

static size_t params_of(const struct facts *f, struct syslog_param *params)
{
    uint32_t at = 0;
    size_t count = 0;
    struct label pair;

    while (f->labels != NULL && count < PARAMS_MAX && labels_next(f->labels, &at, &pair)) {
        params[count++] = (struct syslog_param){pair.name, pair.value};
    }
    return count;
}

/* The text of object <part>; false when the template makes nothing of it. */
static bool make_text(struct syslog_sink *s, struct record_objects *o, uint32_t row, uint32_t part,
                      struct err *e)
{
    buf_clear(&s->object);
    buf_clear(&s->text);
    record_objects_add(o, row, part, &s->object);
    if (s->payload == NULL) {
        buf_add_str(&s->text, buf_str(&s->object));
        return true;
    }
    return payload_add(&s->writer, buf_str(&s->object), clock_wall_ns(s->env->clock), &s->text, e);
}

static void make_message(struct syslog_sink *s, struct record_objects *o, uint32_t row)
{
    const struct syslog_config *c = s->config;
    struct syslog_param params[PARAMS_MAX];
    struct facts f = facts_of(o, row, clock_wall_ns(s->env->clock));
    const struct syslog_message m = {
        .facility = (unsigned)c->facility,
        .severity = severity_of(c, &f),
        .time_ns = f.time_ns,
        .host = c->hostname.len > 0 ? c->hostname : s->host.host.hostname,
        .app = c->app_name,
        .msgid = str_of(record_kind_name(batch_info(o->view.batch)->kind)),
        .sd_id = c->structured_data ? c->sd_id : STR(""),
        .params = params,
        .param_count = params_of(&f, params),
        .text = buf_str(&s->text),
    };

    buf_clear(&s->message);
    if (syslog_write(&m, (enum syslog_form)c->form, (size_t)c->max_message_bytes, &s->message)) {
        metric_add(s->truncated, 1);
    }
}

static void add_frame(const struct syslog_sink *s, struct buf *out)
{
    bool is_counted = s->config->framing == FRAMING_COUNTED;

    if (is_counted) {
        buf_addf(out, "%zu ", s->message.len);
    }
    buf_add_str(out, buf_str(&s->message));
    if (!is_counted) {
        buf_add_byte(out, '\n');
    }
}

/* ---- sending ---- */

static void drop_stream(struct syslog_sink *s)
{
    stream_close(TAKE(s->stream));
}

static struct wait limited(const struct syslog_sink *s, struct wait w)
{
    return wait_limit_ms(w, s->env->clock, s->config->timeout_ns / NS_PER_MS);
}

static bool show(struct syslog_sink *s, struct str bytes)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&head, "%.*s\n", STR_FMT(s->config->address));
    s->dry->take(s->dry->arg, s->name, buf_str(&head), bytes);
    return true;
}

static bool send_and_drain(struct syslog_sink *s, struct str bytes, struct wait w, struct err *e)
{
    struct wait limit = limited(s, w);

    if (s->dry != NULL) {
        return show(s, bytes);
    }
    if (stream_send(s->stream, bytes, limit, e) && stream_drain(s->stream, limit, e)) {
        return true;
    }
    drop_stream(s);
    return false;
}

/* A connection that stands; after one that ended, what it may have lost goes first. */
static bool connect_stream(struct syslog_sink *s, struct wait w, struct err *e)
{
    if (s->stream != NULL && !stream_is_alive(s->stream)) {
        drop_stream(s);
    }
    if (s->stream != NULL || s->dry != NULL) {
        return true;
    }
    struct wait limit = wait_limit_ms(w, s->env->clock, s->config->connect_timeout_ns / NS_PER_MS);
    return stream_open(&s->address, &s->config->tls, limit, &s->stream, e) &&
           (s->window.len == 0 || send_and_drain(s, buf_str(&s->window), w, e));
}

/* Bytes of the first frame of <frames>: as add_frame() makes them. */
static size_t frame_len(const struct syslog_sink *s, struct str frames)
{
    size_t at = 0;
    size_t len = 0;

    if (s->config->framing != FRAMING_COUNTED) {
        return str_find_byte(frames, '\n') + 1;
    }
    for (; at < frames.len && frames.ptr[at] != ' '; at++) {
        len = len * 10 + (size_t)(frames.ptr[at] - '0');
    }
    return at + 1 + len;
}

/* The group was acknowledged: it goes behind what the window has, which then loses its oldest frames. */
static void keep_group(struct syslog_sink *s)
{
    size_t cut = 0;

    buf_add_str(&s->window, buf_str(&s->group));
    struct str all = buf_str(&s->window);
    while (all.len > cut + WINDOW_MAX) {
        cut += frame_len(s, str_slice(all, cut, all.len));
    }
    if (cut > 0) {
        size_t kept = all.len - cut;
        memmove(s->window.ptr, s->window.ptr + cut, kept);
        buf_truncate(&s->window, kept);
    }
    buf_clear(&s->group);
}

/* Sends the group, whose rows end before <end>; false when the view must stop here. */
static bool send_group(struct syslog_sink *s, uint32_t end, struct wait w, struct outcome *ret)
{
    if (s->group.len == 0) {
        outcome_settle(ret, end);
        return true;
    }
    ret->requests++;
    ret->bytes += s->group.len;
    if (!send_and_drain(s, buf_str(&s->group), w, &ret->err)) {
        ret->rest = VERDICT_UNKNOWN;
        outcome_forget(ret, ret->settled);
        return false;
    }
    keep_group(s);
    outcome_settle(ret, end);
    return true;
}

/* One datagram; ERR_LIMIT when that is the message's fault. */
static bool send_datagram(struct syslog_sink *s, struct wait w, struct outcome *ret, struct err *e)
{
    ret->requests++;
    ret->bytes += s->message.len;
    if (s->dry != NULL ? show(s, buf_str(&s->message))
                       : stream_send(s->stream, buf_str(&s->message), limited(s, w), e)) {
        return true;
    }
    if (e->code != ERR_LIMIT) {
        drop_stream(s);
        ret->rest = VERDICT_RETRY;
        ret->err = *e;
    }
    return false;
}

/* All messages of a row; false when the view must stop here. */
static bool add_row(struct syslog_sink *s, struct record_objects *o, uint32_t row, struct wait w,
                    struct outcome *ret)
{
    uint32_t parts = record_objects_count(o, row);
    bool is_datagram = stream_is_datagram(&s->address);

    for (uint32_t part = 0; part < parts; part++) {
        struct err e = ERR_INIT;
        if (!make_text(s, o, row, part, &e)) {
            outcome_except(ret, row, VERDICT_REJECTED, e.message);
            return true;
        }
        make_message(s, o, row);
        if (!is_datagram) {
            add_frame(s, &s->group);
        } else if (!send_datagram(s, w, ret, &e)) {
            if (e.code == ERR_LIMIT) {
                outcome_except(ret, row, VERDICT_REJECTED, e.message);
            }
            return e.code == ERR_LIMIT;
        }
    }
    return true;
}

static void send_rows(struct syslog_sink *s, struct record_objects *o, struct wait w,
                      struct outcome *ret)
{
    bool is_datagram = stream_is_datagram(&s->address);

    buf_clear(&s->group);
    for (uint32_t row = 0; row < o->view.n; row++) {
        if (!add_row(s, o, row, w, ret)) {
            outcome_forget(ret, ret->settled);
            return;
        }
        bool is_full = s->group.len >= GROUP_MAX || row + 1 == o->view.n;
        if ((is_datagram || is_full) && !send_group(s, row + 1, w, ret)) {
            return;
        }
    }
}

static void syslog_deliver(struct sink *sink, struct view view, struct wait w, struct outcome *ret)
{
    struct syslog_sink *s = container_of(sink, struct syslog_sink, super);
    AUTO(batch_autounref) struct batch *labelled = NULL;
    AUTO(record_objects_release) struct record_objects objects = {0};

    if (!extra_labels_view(&s->config->common.labels, &view, &labelled, &ret->err) ||
        !record_objects_init(&objects, view, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    if (!connect_stream(s, w, &ret->err)) {
        ret->rest = VERDICT_RETRY;
        return;
    }
    send_rows(s, &objects, w, ret);
}

/* Connecting is all that can be asked. */
static enum probed syslog_probe(struct sink *sink, struct wait w, struct err *e)
{
    struct syslog_sink *s = container_of(sink, struct syslog_sink, super);

    if (stream_is_datagram(&s->address)) {
        return PROBED_NOBODY;
    }
    return connect_stream(s, w, e) ? PROBED_THERE : PROBED_FAILED;
}

static void syslog_close(struct sink *sink)
{
    struct syslog_sink *s = container_of(sink, struct syslog_sink, super);
    struct buf *const bufs[] = {&s->object, &s->text, &s->message, &s->group, &s->window};

    stream_close(s->stream);
    if (s->payload != NULL) {
        payload_writer_release(&s->writer);
        payload_free(s->payload);
    }
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_release(bufs[i]);
    }
    metric_drop(s->truncated);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = syslog_deliver, .probe = syslog_probe, .close = syslog_close};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct syslog_config *c = config;
    struct payload *payload = NULL;
    struct stream_address address;

    if (!stream_address_parse(c->address, &address, e) ||
        (c->message != NULL && !payload_compile(c->message, &payload, e))) {
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct syslog_sink *s = mem_new(struct syslog_sink);
    struct buf *const bufs[] = {&s->object, &s->text, &s->message, &s->group, &s->window};
    s->super.ops = &ops;
    s->config = c;
    s->env = place->env;
    s->dry = place->dry;
    s->name = place->name;
    s->address = address;
    s->payload = payload;
    if (payload != NULL) {
        payload_writer_init(&s->writer, payload);
    }
    payload_host_init(&s->host);
    s->truncated = metrics_get1(place->env->metrics, &truncated_desc, place->name);
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_init(bufs[i], BUF_UNLIMITED);
    }
    *ret_sink = &s->super;
    return true;
}

const struct exporter_kind exporter_syslog = {
    .name = "syslog",
    .help = "Messages of syslog (RFC 5424) over UDP, TCP, TLS or a unix socket.",
    .example = "type: syslog\naddress: tcp://127.0.0.1:514\nfacility: local0\n"
               "message: '{{ .alert_name }} is {{ .state }}: {{ .annotations.summary }}'\n",
    .takes = TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE) | TAKES(RECORD_EVENT) |
             TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .caps = EXPORTER_SHOWS,
    .options = &option_table,
    .check = check,
    .open = open_sink,
};
