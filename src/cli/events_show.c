/* What `telex events status` prints: a line for each stream, or all of one. */
#include "cli/events_show.h"

#include <stdio.h>
#include <string.h>

enum { REASON_MAX = 100 };

static double number_of(const struct json_node *node, const char *name)
{
    double value = -1;
    const struct json_node *n = json_get(node, str_of(name));

    return n != NULL && json_node_double(n, &value) ? value : -1;
}

static bool is_true(const struct json_node *node, const char *name)
{
    const struct json_node *n = json_get(node, str_of(name));

    return n != NULL && n->kind == JSON_TRUE;
}

static bool is_state(const struct json_node *s, const char *state)
{
    return str_eq(json_get_str(s, STR("state")), str_of(state));
}

/* One that is off, or in no config. */
static bool is_left(const struct json_node *s)
{
    return is_state(s, "disabled") || is_state(s, "unconfigured");
}

static bool is_well(const struct json_node *sink)
{
    struct str state = json_get_str(sink, STR("state"));

    return str_eq(state, STR("ok")) || str_eq(state, STR("idle"));
}

/* ---- a line for each ---- */

static void add_behind(const struct json_node *s, struct buf *out)
{
    double seconds = number_of(s, "lag_seconds");
    double changes = number_of(s, "lag_events");

    if (is_left(s)) {
        buf_add_byte(out, '-');
        return;
    }
    if (seconds < 0) {
        buf_add_text(out, "not known");
    } else {
        buf_addf(out, "%.1f s", seconds);
    }
    if (changes >= 0) {
        buf_addf(out, ", %.0f change%s", changes, changes == 1 ? "" : "s");
    }
}

static void add_cut(struct str text, struct buf *out)
{
    size_t len = text.len;

    if (len > REASON_MAX) {
        for (len = REASON_MAX; (text.ptr[len] & 0xc0) == 0x80; len--) {
        }
    }
    buf_addf(out, "%.*s%s", (int)len, text.ptr, len < text.len ? " ..." : "");
}

/* What a person wants to know besides. */
static void add_note(const struct json_node *s, struct buf *out)
{
    const struct json_node *backfill = json_get(s, STR("backfill"));
    const struct json_node *sink = json_get(s, STR("sink"));
    struct str reason = json_get_str(s, STR("reason"));

    if (reason.len > 0) {
        add_cut(reason, out);
    } else if (!is_well(sink) && !is_left(s)) {
        add_cut(json_get_str(sink, STR("last_error")), out);
    } else if (str_eq(json_get_str(backfill, STR("phase")), STR("running"))) {
        buf_addf(out, "backfill: %.0f done", number_of(backfill, "done"));
    }
}

/* How many are kept. */
static double letters_of(const struct json_node *s)
{
    const struct json_node *letters = json_get(s, STR("dead_letters"));
    double count = 0;

    for (const struct json_node *n = letters != NULL ? letters->first : NULL; n != NULL;
         n = n->next) {
        double of_box = 0;
        count += json_node_double(n, &of_box) ? of_box : 0;
    }
    return count;
}

static void show_line(const struct json_node *s, int width)
{
    AUTO(buf_release) struct buf behind = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf note = BUF_INIT(BUF_SMALL);
    struct str sink = json_get_str(json_get(s, STR("sink")), STR("state"));

    add_behind(s, &behind);
    add_note(s, &note);
    printf("%-*.*s  %-12.*s  %-22s  %12.0f  %8.0f  %-8.*s%s%s\n", width,
           STR_FMT(json_get_str(s, STR("name"))), STR_FMT(json_get_str(s, STR("state"))),
           buf_text(&behind), number_of(s, "done"), letters_of(s),
           STR_FMT(is_left(s) ? STR("-") : sink), note.len > 0 ? "  " : "", buf_text(&note));
}

/* What stands below the lines. */
struct footer {
    bool is_more;                         /* one is not ready, or left */
    const struct json_node *with_letters; /* one of them; or NULL */
};

static void show_footer(const struct footer *f)
{
    if (f->with_letters != NULL) {
        printf("DEAD are dead letters, which DONE counts, too: `telex events dead %.*s`\n",
               STR_FMT(json_get_str(f->with_letters, STR("name"))));
    }
    if (f->is_more) {
        printf("`telex events status STREAM` says more of one\n");
    }
}

static bool show_lines(const struct json_node *list)
{
    struct footer footer = {0};
    bool all_well = true;
    int width = (int)sizeof("STREAM") - 1;

    for (const struct json_node *s = list->first; s != NULL; s = s->next) {
        int len = (int)json_get_str(s, STR("name")).len;
        width = len > width ? len : width;
    }
    if (list->count == 0) {
        printf("no stream runs\n");
        return true;
    }
    printf("%-*s  %-12s  %-22s  %12s  %8s  %-8s\n", width, "STREAM", "STATE", "BEHIND", "DONE",
           "DEAD", "SINK");
    for (const struct json_node *s = list->first; s != NULL; s = s->next) {
        show_line(s, width);
        all_well = all_well && is_true(s, "ready");
        footer.is_more = footer.is_more || !is_true(s, "ready") || is_left(s);
        footer.with_letters =
            footer.with_letters == NULL && letters_of(s) > 0 ? s : footer.with_letters;
    }
    show_footer(&footer);
    return all_well;
}

/* ---- all of one ---- */

static void show_number(const char *label, double value)
{
    if (value >= 0) {
        printf("  %-12s %.0f\n", label, value);
    }
}

static void show_text(const char *label, struct str text)
{
    if (text.len > 0) {
        printf("  %-12s %.*s\n", label, STR_FMT(text));
    }
}

static void show_backfill(const struct json_node *b)
{
    double left = number_of(b, "left");
    double eta = number_of(b, "eta_seconds");

    if (str_eq(json_get_str(b, STR("phase")), STR("running"))) {
        printf("  %-12s %.0f done", "backfill", number_of(b, "done"));
        if (left >= 0) {
            printf(", %s%.0f left", is_true(b, "left_is_estimate") ? "about " : "", left);
        }
        if (eta >= 0) {
            printf(", some %.0f s more", eta);
        }
        printf("\n");
    } else if (number_of(b, "done") > 0) {
        struct str at = json_get_str(b, STR("done_at"));
        printf("  %-12s done%s%.*s, %.0f changes\n", "backfill", at.len > 0 ? " at " : "",
               STR_FMT(at), number_of(b, "done"));
    }
}

/* "200: 17, 503: 2" */
static void show_attempts(const struct json_node *attempts)
{
    const char *between = "";

    if (attempts == NULL || attempts->count == 0) {
        return;
    }
    printf("  %-12s ", "attempts");
    for (const struct json_node *n = attempts->first; n != NULL; n = n->next) {
        double count = 0;
        printf("%s%.*s: %.0f", between, STR_FMT(n->key), json_node_double(n, &count) ? count : 0);
        between = ", ";
    }
    printf("\n");
}

static void show_sink(const struct json_node *sink)
{
    printf("  %-12s %.*s, %.*s\n", "sink", STR_FMT(json_get_str(sink, STR("exporter"))),
           STR_FMT(json_get_str(sink, STR("state"))));
    show_text("", is_well(sink) ? STR("") : json_get_str(sink, STR("last_error")));
    show_attempts(json_get(sink, STR("attempts")));
    if (number_of(sink, "token_age_seconds") >= 0) {
        printf("  %-12s %.0f s old\n", "token", number_of(sink, "token_age_seconds"));
    }
}

static void show_letters(const struct json_node *s)
{
    const struct json_node *letters = json_get(s, STR("dead_letters"));
    double refused = number_of(letters, "refused");
    double unreadable = number_of(letters, "unreadable");
    struct str name = json_get_str(s, STR("name"));

    if (refused + unreadable > 0) {
        printf(
            "  %-12s %.0f refused events, %.0f unreadable changes, done all the same: `telex events dead %.*s`\n",
            "dead letters", refused, unreadable, STR_FMT(name));
    }
}

static void show_retained(const struct json_node *source)
{
    double bytes = number_of(source, "retained_bytes");
    struct str state = json_get_str(source, STR("state"));

    if (bytes > 0) {
        printf("  %-12s %.1f MiB kept by the source%s%.*s%s\n", "retained", bytes / (1 << 20),
               state.len > 0 ? " (" : "", STR_FMT(state), state.len > 0 ? ")" : "");
    }
}

static void show_progress(const struct json_node *s)
{
    AUTO(buf_release) struct buf behind = BUF_INIT(BUF_SMALL);

    show_number("in flight", number_of(s, "in_flight"));
    if (number_of(s, "filtered") > 0) {
        show_number("filtered", number_of(s, "filtered"));
    }
    if (number_of(s, "broken") > 0) {
        show_number("broken", number_of(s, "broken"));
    }
    add_behind(s, &behind);
    printf("  %-12s %s\n", "behind", buf_text(&behind));
    show_retained(json_get(s, STR("source")));
    show_sink(json_get(s, STR("sink")));
    show_letters(s);
}

static bool is_change(const struct json_node *change, const char *what)
{
    return str_eq(json_get_str(change, STR("what")), str_of(what));
}

/* "0/1A200D0/0@1 (kept at 2026-01-31T12:00:00Z)"; false when it is not known. */
static bool add_spot(const struct json_node *change, const char *name, const char *since,
                     struct buf *out)
{
    const struct json_node *spot = json_get(change, str_of(name));

    if (spot == NULL || spot->kind != JSON_OBJECT) {
        return false;
    }
    buf_addf(out, "%.*s (%s %.*s)", STR_FMT(json_get_str(spot, STR("position"))), since,
             STR_FMT(json_get_str(spot, STR("since"))));
    return true;
}

static void show_moved(const struct json_node *change)
{
    AUTO(buf_release) struct buf from = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf to = BUF_INIT(BUF_UNLIMITED);

    (void)add_spot(change, "from", "kept at", &from);
    (void)add_spot(change, "to", "since", &to);
    show_text("from", buf_str(&from));
    show_text("to", buf_str(&to));
    show_text("letter", json_get_str(change, STR("letter")));
}

static void show_change(const struct json_node *change)
{
    if (json_get_str(change, STR("what")).len > 0) {
        printf("  %-12s %.*s: %.*s, since %.*s\n", "change",
               STR_FMT(json_get_str(change, STR("what"))),
               STR_FMT(json_get_str(change, STR("phase"))),
               STR_FMT(json_get_str(change, STR("since"))));
        show_text("", json_get_str(change, STR("problem")));
        show_moved(change);
    }
}

static void add_moved(const struct json_node *change, struct buf *out)
{
    AUTO(buf_release) struct buf from = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf to = BUF_INIT(BUF_UNLIMITED);

    if (!add_spot(change, "from", "kept at", &from)) {
        buf_add_text(&from, "no position");
    }
    if (!add_spot(change, "to", "since", &to)) {
        buf_add_text(&to, "where its source begins, which is known once that is there");
    }
    if (is_change(change, "skip")) {
        buf_addf(out, "given up is what lies between %s and %s", buf_text(&from), buf_text(&to));
    } else {
        buf_addf(out, "it was at %s and goes on at %s", buf_text(&from), buf_text(&to));
    }
}

void events_show_outcome(const struct json_node *data)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct json_node *change = json_get(data, STR("change"));
    struct str letter = json_get_str(change, STR("letter"));

    if (!str_eq(json_get_str(change, STR("phase")), STR("done"))) {
        return;
    }
    if (is_true(change, "passes") && letter.len > 0) {
        buf_addf(&text, "what halted it is dead letter %.*s now", STR_FMT(letter));
    } else if (is_true(change, "passes")) {
        buf_add_text(&text, "what halted it becomes a dead letter when it is refused again");
    } else if (is_true(change, "moves")) {
        add_moved(change, &text);
    }
    if (text.len > 0) {
        printf("%.*s: %s: %s\n", STR_FMT(json_get_str(data, STR("name"))),
               is_change(change, "skip")    ? "skipped"
               : is_change(change, "reset") ? "reset"
                                            : "rewound",
               buf_text(&text));
    }
}

static void show_whole(const struct json_node *s)
{
    const struct json_node *source = json_get(s, STR("source"));

    printf("%.*s: %.*s%s\n", STR_FMT(json_get_str(s, STR("name"))),
           STR_FMT(json_get_str(s, STR("state"))), is_true(s, "ready") ? "" : ", not ready");
    show_text("reason", json_get_str(s, STR("reason")));
    show_text("source", json_get_str(source, STR("kind")));
    show_text("identity", json_get_str(source, STR("identity")));
    show_text("position", json_get_str(s, STR("position")));
    show_text("saved", json_get_str(s, STR("position_saved")));
    show_number("done", number_of(s, "done"));
    show_backfill(json_get(s, STR("backfill")));
    if (json_get(s, STR("sink")) != NULL && !is_left(s)) {
        show_progress(s);
    }
    show_change(json_get(s, STR("change")));
}

bool events_show(const struct json_node *data, bool quietly)
{
    const struct json_node *list = json_get(data, STR("streams"));

    if (!quietly && list != NULL) {
        return show_lines(list);
    }
    if (!quietly) {
        show_whole(data);
    }
    bool all_well = list != NULL || is_true(data, "ready");
    for (const struct json_node *s = list != NULL ? list->first : NULL; s != NULL; s = s->next) {
        all_well = all_well && is_true(s, "ready");
    }
    return all_well;
}
