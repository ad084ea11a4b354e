#include "app/event_store.h"

#include "events/sources/sources.h"

static const struct option rows[] = {
    {.name = "max_rows",
     .type = OPTION_INT,
     .offset = offsetof(struct event_store_config, max_rows),
     .fallback = "10000000",
     .min = 0,
     .max = 1e12,
     .help = "Events that are kept; 0: no limit."},
    {.name = "max_bytes",
     .type = OPTION_BYTES,
     .offset = offsetof(struct event_store_config, max_bytes),
     .fallback = "8GiB",
     .min = 0,
     .max = 1e15,
     .unit = "bytes",
     .help = "Disk that they take; 0: no limit."},
    {.name = "max_age",
     .type = OPTION_DURATION,
     .offset = offsetof(struct event_store_config, max_age_ns),
     .fallback = "30d",
     .min = 0,
     .max = 100 * 366 * 86400.0,
     .unit = "s",
     .help = "Older ones go; 0: none is too old."},
};

const struct option_table event_store_options = {
    .name = "event_table",
    .help =
        "Telex's own table of events, `events.db` in the state folder: what comes by `POST /api/v1/events` and `telex "
        "events append`, for streams of the source `embedded`. The oldest events go first, but none that a stream has "
        "still to deliver: a table that is full of those takes no more.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct event_store_config),
};

static struct event_table_options options_of(const struct config *c)
{
    const struct event_store_config *s = &c->settings.event_store;

    return (struct event_table_options){
        .max_rows = s->max_rows, .max_bytes = s->max_bytes, .max_age_ns = s->max_age_ns};
}

bool event_store_has_readers(const struct config *c)
{
    for (size_t i = 0; i < c->streams.count; i++) {
        if (c->streams.items[i].options.enabled && c->streams.items[i].kind == &source_embedded) {
            return true;
        }
    }
    return false;
}

bool event_store_is_wanted(const struct config *c)
{
    return c->settings.receive.events || event_store_has_readers(c);
}

bool event_store_open(const struct env *env, const struct config *c, bool is_guest,
                      struct event_table **ret_table, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct event_table_options options = options_of(c);

    buf_addf(&path, "%.*s/events.db", STR_FMT(c->settings.state.path));
    options.path = buf_str(&path);
    options.is_guest = is_guest;
    (void)buf_text(&path);
    return event_table_open(env, &options, ret_table, e);
}

void event_store_use(struct event_table *table, const struct config *c)
{
    const struct event_table_options options = options_of(c);

    if (table != NULL) {
        event_table_limit(table, &options);
    }
}
