#include "app/streams.h"

#include "app/app_int.h"
#include "app/event_store.h"
#include "events/events.h"
#include "state/event_table.h"

enum { REST_MS = 10 * 1000 };

static bool open_table(struct app *a, struct err *e)
{
    const struct config *c = a->now.config;

    return a->event_table != NULL || !event_store_is_wanted(c) ||
           event_store_open(a->env, c, false, &a->event_table, e);
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
