/* Change streams of the status page. */
#include "base/clock.h"
#include "base/timetext.h"
#include "server/html.h"
#include "server/page.h"

size_t page_count_unready(const struct page_view *v)
{
    size_t count = 0;

    for (size_t i = 0; i < v->stream_count; i++) {
        count += !v->streams[i].is_ready;
    }
    return count;
}

static const char *class_of(const struct stream_status *s)
{
    if (!s->is_ready) {
        return s->state == STREAM_WAITS || s->state == STREAM_CONNECTS ? "warn" : "bad";
    }
    return s->state == STREAM_RUNS ? "good" : "dim";
}

static bool is_left(const struct stream_status *s)
{
    return s->state == STREAM_DISABLED || s->state == STREAM_UNCONFIGURED;
}

/* "3.2 s, 17 changes" */
static void print_behind(const struct stream_status *s, struct buf *out)
{
    if (is_left(s)) {
        buf_add_byte(out, '-');
        return;
    }
    if (s->lag_ns < 0) {
        buf_add_text(out, "not known");
    } else {
        buf_addf(out, "%.1f s", (double)s->lag_ns / (double)NS_PER_S);
    }
    if (s->lag_events >= 0) {
        buf_addf(out, ", %lld change%s", (long long)s->lag_events, s->lag_events == 1 ? "" : "s");
    }
}

static uint64_t letters_of(const struct stream_status *s)
{
    uint64_t count = 0;

    for (int box = 0; box < LETTER_BOXES; box++) {
        count += s->letters[box];
    }
    return count;
}

static void print_backfill(const struct stream_status *s, struct buf *out)
{
    buf_addf(out, "backfill: %llu done", (unsigned long long)s->backfilled);
    if (s->backfill_left >= 0) {
        buf_addf(out, ", %s%lld left", s->left_is_estimate ? "about " : "",
                 (long long)s->backfill_left);
    }
}

/* Why it is not ready, else what it is busy with. */
static void print_note(const struct stream_status *s, struct buf *out)
{
    bool sink_is_well = s->sink.is_healthy || is_left(s);

    if (s->reason[0] != '\0' || !sink_is_well) {
        html_print(out, "<span class=\"%\">%</span>",
                   s->is_ready && sink_is_well ? STR("dim") : STR("bad"),
                   str_of(s->reason[0] != '\0' ? s->reason : s->sink.last_error));
    } else if (str_eq(str_of(s->backfill), STR("running"))) {
        print_backfill(s, out);
    }
}

static void print_stream(const struct page_view *v, const struct stream_status *s, struct buf *out)
{
    html_print(out, "<tr><td>%</td><td>%</td><td class=\"%\">%</td><td>", s->name,
               str_of(s->kind != NULL ? s->kind : ""), str_of(class_of(s)),
               str_of(stream_state_name(s->state)));
    print_behind(s, out);
    buf_addf(out, "</td><td class=\"n\">%llu</td><td class=\"n %s\">%llu</td><td>",
             (unsigned long long)s->done, letters_of(s) > 0 ? "warn" : "",
             (unsigned long long)letters_of(s));
    page_add_ago(out, s->saved_ns, v->now_ns);
    html_print(out, "</td><td>%</td><td>", str_of(is_left(s) ? "-" : s->sink.state));
    print_note(s, out);
    buf_add_text(out, "</td></tr>\n");
}

void page_print_streams(const struct page_view *v, struct buf *out)
{
    if (v->stream_count == 0) {
        return;
    }
    buf_add_text(out, "<h2>Streams</h2>\n"
                      "<table><tr><th>name</th><th>source</th><th>state</th><th>behind</th>"
                      "<th>done</th><th>dead letters</th><th>position saved</th><th>sink</th>"
                      "<th></th></tr>\n");
    for (size_t i = 0; i < v->stream_count; i++) {
        print_stream(v, &v->streams[i], out);
    }
    buf_add_text(out, "</table>\n");
}
