#include "export/dry_run.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "export/file_sink.h"
#include "net/http_client.h"
#include "net/url.h"
#include "wire/record_json.h"

/* ---- requests ---- */

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool has_word(struct str name, struct str word)
{
    for (size_t at = 0; at + word.len <= name.len; at++) {
        size_t i = 0;
        while (i < word.len && lower(name.ptr[at + i]) == word.ptr[i]) {
            i++;
        }
        if (i == word.len) {
            return true;
        }
    }
    return false;
}

/* Names that mean that the value is nobody's business. */
static bool is_secret(struct str name)
{
    static const struct str words[] = {STR_INIT("auth"),     STR_INIT("key"),
                                       STR_INIT("token"),    STR_INIT("secret"),
                                       STR_INIT("password"), STR_INIT("cookie")};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (has_word(name, words[i])) {
            return true;
        }
    }
    return false;
}

static void add_header(struct buf *out, struct str name, struct str value)
{
    buf_addf(out, "%.*s: %.*s\n", STR_FMT(name),
             STR_FMT(is_secret(name) ? STR("[redacted]") : value));
}

static bool is_own(const struct http_request *request, struct str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (str_eq_nocase(request->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* What the client adds of itself, without what is secret in it. */
static void add_credentials(struct buf *out, const struct http_client_config *c)
{
    struct str scheme = c->bearer_scheme.len > 0 ? c->bearer_scheme : STR("Bearer");
    bool has_token = c->bearer_token != NULL || c->bearer_token_file.len > 0;

    if (c->username.len > 0) {
        buf_add_text(out, "Authorization: Basic [redacted]\n");
    } else if (has_token || http_oauth2_is_set(&c->oauth2)) {
        buf_addf(out, "Authorization: %.*s [redacted]\n", STR_FMT(scheme));
    }
    if (c->api_key != NULL) {
        buf_addf(out, "%.*s: [redacted]\n", STR_FMT(c->api_key_header));
    }
    if (c->aws.region.len > 0) {
        buf_add_text(out, "Authorization: AWS4-HMAC-SHA256 [redacted]\n");
    }
}

/* As it goes onto the wire: a URL without a path asks for the root. */
static void add_address(struct str address, struct buf *out)
{
    AUTO(buf_release) struct buf whole = BUF_INIT(URL_MAX);
    struct err ignored = ERR_INIT;
    struct url url;

    if (url_parse(address, &url, &ignored) && url.path.len == 0) {
        buf_addf(&whole, "%.*s://%.*s/%s%.*s", STR_FMT(url.scheme), STR_FMT(url.authority),
                 url.query.len > 0 ? "?" : "", STR_FMT(url.query));
        address = buf_str(&whole);
    }
    url_add_redacted(out, address);
}

static void add_head(const struct http_client_config *c, const struct http_request *request,
                     size_t body_bytes, struct buf *out)
{
    AUTO(buf_release) struct buf address = BUF_INIT(URL_MAX);
    struct err ignored = ERR_INIT;
    struct url url;

    url_add_joined(&address, request->url.len > 0 ? request->url : c->url, request->path);
    buf_addf(out, "%s ", request->method);
    add_address(buf_str(&address), out);
    buf_add_byte(out, '\n');
    if (url_parse(buf_str(&address), &url, &ignored)) {
        add_header(out, STR("Host"), url.authority);
    }
    if (c->user_agent.len > 0 && !is_own(request, STR("User-Agent"))) {
        add_header(out, STR("User-Agent"), c->user_agent);
    }
    for (size_t i = 0; i < request->header_count; i++) {
        add_header(out, request->headers[i].name, request->headers[i].value);
    }
    for (size_t i = 0; i < c->headers.count; i++) {
        if (!is_own(request, c->headers.items[i].name)) {
            add_header(out, c->headers.items[i].name, c->headers.items[i].value);
        }
    }
    add_credentials(out, c);
    if (body_bytes > 0) {
        buf_addf(out, "Content-Length: %zu\n", body_bytes);
    }
}

void dry_run_request(const struct dry_run *dry, struct str exporter,
                     const struct http_client_config *config, const struct http_request *request)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < request->part_count; i++) {
        buf_add_str(&body, request->parts[i]);
    }
    add_head(config, request, body.len, &head);
    dry->take(dry->arg, exporter, buf_str(&head), buf_str(&body));
}

/* ---- lines and records ---- */

struct dry_sink {
    struct sink super;
    const struct dry_run *dry;
    const struct file_exporter *exporter; /* or NULL: records as JSON */
    const void *config;                   /* of <exporter> */
    void *state;                          /* its */
    char *name;
    struct buf head;
};

static void take_lines(struct dry_sink *s, struct buf *lines)
{
    if (lines->len > 0) {
        s->dry->take(s->dry->arg, str_of(s->name), buf_str(&s->head), buf_str(lines));
    }
    buf_clear(lines);
}

static bool add_records(struct view view, struct buf *lines, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};

    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    for (uint32_t row = 0; row < view.n; row++) {
        for (uint32_t i = 0; i < record_objects_count(&objects, row); i++) {
            record_objects_add(&objects, row, i, lines);
            buf_add_byte(lines, '\n');
        }
    }
    return true;
}

static bool show_lines(struct dry_sink *s, struct view view, struct buf *lines, struct outcome *ret)
{
    const struct exporter_common *common = s->config;
    AUTO(batch_autounref) struct batch *labelled = NULL;
    uint32_t row = 0;
    bool ok = extra_labels_view(&common->labels, &view, &labelled, &ret->err);

    while (ok && row < view.n) {
        ok = s->exporter->next_lines(s->config, s->state, view, &row, lines, ret, &ret->err);
        take_lines(s, lines);
    }
    return ok;
}

static void dry_deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct dry_sink *s = (struct dry_sink *)sink;
    AUTO(buf_release) struct buf lines = BUF_INIT(BUF_UNLIMITED);

    (void)wait;
    if (s->exporter != NULL ? !show_lines(s, view, &lines, ret)
                            : !add_records(view, &lines, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    take_lines(s, &lines);
    outcome_settle(ret, view.n);
}

static void dry_close(struct sink *sink)
{
    struct dry_sink *s = (struct dry_sink *)sink;

    if (s->exporter != NULL && s->exporter->close_state != NULL) {
        s->exporter->close_state(s->state);
    }
    buf_release(&s->head);
    mem_free(s->name);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = dry_deliver, .close = dry_close};

static struct dry_sink *sink_new(const struct exporter_place *place)
{
    struct dry_sink *s = mem_new(struct dry_sink);

    s->super.ops = &ops;
    s->dry = place->dry;
    s->name = mem_dup_text(place->name.ptr, place->name.len);
    buf_init(&s->head, BUF_UNLIMITED);
    return s;
}

void dry_run_open_lines(const struct exporter_place *place, const struct file_exporter *exporter,
                        const void *config, struct str path, struct sink **ret_sink)
{
    struct dry_sink *s = sink_new(place);

    s->exporter = exporter;
    s->config = config;
    s->state = exporter->open_state != NULL ? exporter->open_state(place, config) : NULL;
    buf_addf(&s->head, "appended to %.*s\n", STR_FMT(path));
    *ret_sink = &s->super;
}

void dry_run_open_records(const struct exporter_place *place, struct sink **ret_sink)
{
    struct dry_sink *s = sink_new(place);

    buf_addf(&s->head, "a %s shows no bytes; the records that it would get:\n", place->kind->name);
    *ret_sink = &s->super;
}
