/* Streams of which the state folder has something, though nothing runs them: a slot that nobody reads fills a disk. */
#include "app/load.h"

#include "events/events_left.h"

void check_left(const struct config *c, struct problems *problems)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    const struct stream_config *off = NULL;
    struct stream_row *rows = NULL;
    struct err e = ERR_INIT;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    buf_addf(&path, "%.*s/streams.db", STR_FMT(c->settings.state.path));
    if (!stream_positions_peek(buf_str(&path), &a, &rows, &count, &e)) {
        problems_warning(problems, &e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (stream_is_left(&c->streams, &rows[i], &off)) {
            AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
            stream_left_say(&rows[i], off != NULL, &text);
            (void)(off != NULL ? yaml_key_err(off->node, &e, ERR_CONFIG, "stream '%.*s': %s",
                                              STR_FMT(rows[i].name), buf_text(&text))
                               : config_err(c, STR("events"), &e, "stream '%.*s': %s",
                                            STR_FMT(rows[i].name), buf_text(&text)));
            problems_warning(problems, &e);
        }
    }
}
