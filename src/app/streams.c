#include "app/streams.h"

#include "app/app_int.h"
#include "events/events.h"
#include "events/sources/sources.h"
#include "state/event_table.h"

enum { REST_MS = 10 * 1000 };

/* Do streams read our own table? */
static bool needs_table(const struct config *c)
{
    for (size_t i = 0; i < c->streams.count; i++) {
        if (c->streams.items[i].options.enabled && c->streams.items[i].kind == &source_embedded) {
            return true;
        }
    }
    return false;
}

static bool open_table(struct app *a, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    const struct config *c = a->now.config;

    if (a->event_table != NULL || !needs_table(c)) {
        return true;
    }
    buf_addf(&path, "%.*s/events.db", STR_FMT(c->settings.state.path));
    const struct event_table_options options = {.path = buf_str(&path)};
    return event_table_open(a->env, &options, &a->event_table, e);
}

static bool open_streams(struct app *a, struct err *e)
{
    const struct config *c = a->now.config;

    if (a->streams != NULL || c->streams.count == 0) {
        return true;
    }
    return event_streams_open(a->env, a->plan, a->event_table, c->settings.state.path, &a->streams,
                              e);
}

bool app_streams_open(struct app *a, struct err *e)
{
    if (!open_table(a, e) || !open_streams(a, e)) {
        return false;
    }
    if (a->streams != NULL) {
        event_streams_run(a->streams, &a->now.config->streams);
    }
    return true;
}

void app_streams_rest(struct app *a)
{
    if (a->streams != NULL) {
        event_streams_rest(a->streams,
                           (struct wait){clock_deadline_ms(a->env->clock, REST_MS), NULL});
    }
}

void app_streams_run(struct app *a)
{
    struct err e = ERR_INIT;

    if (!app_streams_open(a, &e)) {
        trace_error(&a->trace, "change streams do not run", T_ERR(&e));
    }
}

void app_streams_close(struct app *a, struct wait wait)
{
    if (a->streams != NULL) {
        event_streams_rest(a->streams, wait);
    }
    event_streams_close(a->streams);
    a->streams = NULL;
    event_table_close(a->event_table);
    a->event_table = NULL;
}
