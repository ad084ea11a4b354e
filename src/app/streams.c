#include "app/streams.h"

#include "app/app_int.h"
#include "app/event_store.h"
#include "events/events.h"
#include "state/event_table.h"

#include <stdio.h>
#include <unistd.h>

enum { REST_MS = 10 * 1000 };

static bool open_table(struct app *a, struct err *e)
{
    const struct config *c = a->now.config;
    struct event_table *table = NULL;

    if (app_event_table(a) != NULL || !event_store_is_wanted(c)) {
        return true;
    }
    if (!event_store_open(a->env, c, false, &table, e)) {
        return false;
    }
    lock_take(&a->lock);
    a->event_table = table;
    lock_give(&a->lock);
    return true;
}

/* Were there ever streams? Something may be left of them. */
static bool has_positions(const struct config *c)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_addf(&path, "%.*s/streams.db", STR_FMT(c->settings.state.path));
    return access(buf_text(&path), F_OK) == 0;
}

static bool open_for_streams(void *arg, struct event_table **ret_table, struct err *e)
{
    struct app *a = arg;

    if (!open_table(a, e)) {
        return err_wrap(e, "the table of events");
    }
    *ret_table = app_event_table(a);
    return true;
}

static void make_streams(struct app *a)
{
    const struct config *c = a->now.config;
    const struct stream_tables tables = {open_for_streams, a};

    if (app_event_streams(a) != NULL || (c->streams.count == 0 && !has_positions(c))) {
        return;
    }
    struct event_streams *streams =
        event_streams_new(a->env, a->plan, c->settings.state.path, &tables);
    lock_take(&a->lock);
    a->streams = streams;
    lock_give(&a->lock);
}

bool app_streams_run(struct app *a, struct err *e)
{
    bool ok = open_table(a, e);

    make_streams(a);
    if (app_event_streams(a) != NULL) {
        event_streams_run(app_event_streams(a), &a->now.config->streams);
    }
    return ok;
}

void app_streams_hurry(struct app *a)
{
    if (app_event_streams(a) != NULL) {
        event_streams_hurry(app_event_streams(a));
    }
}

void app_streams_rest(struct app *a)
{
    struct event_streams *streams = app_event_streams(a);

    if (streams != NULL) {
        (void)event_streams_rest(streams,
                                 (struct wait){clock_deadline_ms(a->env->clock, REST_MS), NULL});
    }
}

void app_streams_close(struct app *a, struct wait wait, struct streams_left *ret_left)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    lock_take(&a->lock);
    struct event_streams *streams = TAKE(a->streams);
    struct event_table *table = TAKE(a->event_table);
    lock_give(&a->lock);
    *ret_left = (struct streams_left){.in_flight = 0};
    if (streams != NULL) {
        ret_left->in_flight = event_streams_rest(streams, wait);
        ret_left->unreadable = event_streams_tell_letters(streams, &text);
        (void)snprintf(ret_left->text, sizeof(ret_left->text), "%s", buf_text(&text));
    }
    event_streams_close(streams);
    event_table_close(table);
}
