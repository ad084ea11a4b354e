#include "cli/events_offline.h"

#include "app/config.h"
#include "base/clock.h"
#include "base/timetext.h"
#include "cli/queue.h"
#include "events/events_left.h"
#include "events/left_letters.h"

#include <stdio.h>
#include <unistd.h>

enum { FORGET_MS = 30 * 1000 };

bool events_offline_is_apt(const struct config *config)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_addf(&path, "%.*s/ledger", STR_FMT(config->settings.state.path));
    return queue_used_by(str_of(buf_text(&path))) == 0;
}

static void add_positions_path(const struct config *c, struct buf *out)
{
    buf_addf(out, "%.*s/streams.db", STR_FMT(c->settings.state.path));
}

/* ---- showing ---- */

static void show_row(const struct stream_book *b, const struct stream_row *row)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct stream_config *config = NULL;
    bool is_left = stream_is_left(b->config, row, &config);

    printf("%.*s: %s\n", STR_FMT(row->name),
           !is_left         ? "stopped"
           : config != NULL ? "disabled"
                            : "unconfigured");
    if (is_left) {
        stream_left_say(b, row, &text);
        printf("  %-12s %s\n", "reason", buf_text(&text));
    }
    printf("  %-12s %.*s\n", "identity", STR_FMT(row->place.identity));
    printf("  %-12s %.*s\n", "position", STR_FMT(row->place.position));
    if (row->place.updated_ns != 0) {
        buf_clear(&text);
        buf_add_rfc3339(&text, row->place.updated_ns);
        printf("  %-12s %s\n", "saved", buf_text(&text));
    }
    printf("  %-12s %llu\n", "done", (unsigned long long)row->place.done);
    if (row->place.backfill == BACKFILL_RUNS || row->place.backfilled > 0) {
        printf("  %-12s %s, %llu changes\n", "backfill", backfill_phase_name(row->place.backfill),
               (unsigned long long)row->place.backfilled);
    }
}

/* Of streams that do not run any more, when Telex does. */
static bool show_letters(struct peer *p, const char *name)
{
    struct str path = p->config->settings.state.path;
    struct str *names = NULL;
    size_t count = left_letters_find(path, &p->config->streams, &p->arena, &names);
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        const struct left_letters left = left_letters_count(path, names[i]);
        if (name == NULL || str_eq(names[i], str_of(name))) {
            left_letters_say(&left, path, names[i], &text);
            printf("%.*s: %s\n", STR_FMT(names[i]), buf_text(&text));
            found = true;
        }
    }
    return found;
}

/* Nothing is kept of any stream. */
static bool show_none(struct peer *p, struct err *e)
{
    if (p->place.config[0] == '\0') {
        return err_set(
            e, ERR_CONFIG,
            "there is no telex.yaml in this folder, and nothing answers at %.*s: name the "
            "config with -c, or say --url",
            STR_FMT(p->http.url));
    }
    printf("Telex does not run (nothing answers at %.*s), and with the state folder %.*s no stream "
           "ever ran.\n",
           STR_FMT(p->http.url), STR_FMT(p->config->settings.state.path));
    (void)show_letters(p, NULL);
    return true;
}

bool events_offline_show(struct peer *p, const char *name, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct stream_book b;
    bool found = name == NULL;

    add_positions_path(p->config, &path);
    if (!stream_book_peek(buf_str(&path), &p->config->streams, &p->arena, &b, e)) {
        return false;
    }
    if (b.count == 0 && name == NULL) {
        return show_none(p, e);
    }
    printf("Telex does not run (nothing answers at %.*s). Its streams stopped here:\n",
           STR_FMT(p->http.url));
    for (size_t i = 0; i < b.count; i++) {
        if (name == NULL || str_eq(b.rows[i].name, str_of(name))) {
            show_row(&b, &b.rows[i]);
            found = true;
        }
    }
    found = show_letters(p, name) || found;
    return found || err_set(e, ERR_CONFIG, "no stream '%s' ever ran", name);
}

/* ---- dead letters ---- */

/* The exporter's folder, where that is not the stream's own. */
static struct str exporter_of(const struct peer *p, struct str stream, struct buf *own)
{
    const struct stream_config *c = streams_config_find(&p->config->streams, stream);

    buf_addf(own, "events-%.*s", STR_FMT(stream));
    return c != NULL && c->exporter.len > 0 ? c->exporter : buf_str(own);
}

/* A folder, if it is there. */
static void add_folder(const struct peer *p, const char *prefix, struct str name, const char *what,
                       struct buf *out)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_addf(&path, "%.*s/dead/%s%.*s", STR_FMT(p->config->settings.state.path), prefix,
             STR_FMT(name));
    if (access(buf_text(&path), F_OK) == 0) {
        buf_addf(out, "%s%s (%s)", out->len > 0 ? ", " : "", buf_text(&path), what);
    }
}

void events_offline_point(const struct peer *p, struct str stream, struct err *e)
{
    AUTO(buf_release) struct buf own = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf folders = BUF_INIT(BUF_UNLIMITED);

    add_folder(p, "", exporter_of(p, stream, &own), "refused events", &folders);
    add_folder(p, "stream-", stream, "unreadable changes", &folders);
    (void)err_set(
        e, ERR_NET,
        "Telex does not run (nothing answers at %.*s), and this asks the one that runs. %s%s",
        STR_FMT(p->http.url),
        folders.len > 0
            ? "While it does not, `telex queue inspect`, `export`, `replay` and `drop` work on the folders of dead letters: "
            : "On disk there are no dead letters of such a stream",
        buf_text(&folders));
}

/* ---- resetting ---- */

static bool reset(struct peer *p, struct stream_positions *positions, struct str name,
                  enum stream_source_fate fate, struct err *e)
{
    const struct stream_config *config = streams_config_find(&p->config->streams, name);
    const struct stream_world world = {
        .env = &p->env, .positions = positions, .state_path = p->config->settings.state.path};
    const struct wait wait = {clock_deadline_ms(p->env.clock, FORGET_MS), NULL};
    bool goes_on = config != NULL && config->options.enabled;

    if (goes_on && fate != STREAM_SOURCE_DROPPED) {
        return stream_positions_forget(positions, name, e);
    }
    return stream_left_forget(&world, &p->config->streams, name, fate, wait, e);
}

bool events_offline_reset(struct peer *p, struct str name, enum stream_source_fate fate,
                          struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf shown = BUF_INIT(BUF_UNLIMITED);
    struct stream_positions *positions = NULL;

    buf_add_str(&shown, name);
    add_positions_path(p->config, &path);
    if (access(buf_text(&path), F_OK) != 0) {
        return err_set(e, ERR_CONFIG, "no stream ever ran with the state folder %.*s",
                       STR_FMT(p->config->settings.state.path));
    }
    if (!stream_positions_open(buf_str(&path), &positions, e)) {
        return false;
    }
    bool ok = reset(p, positions, name, fate, e);
    stream_positions_close(positions);
    if (ok) {
        printf("%.*s: forgotten (Telex does not run; its state folder was changed)\n",
               STR_FMT(name));
        (void)show_letters(p, buf_text(&shown));
    }
    return ok;
}
