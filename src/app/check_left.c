/* Streams of which the state folder has something, though nothing runs them: a slot that nobody reads fills a disk. */
#include "app/load.h"

#include "events/events_left.h"
#include "events/left_letters.h"

static void warn(const struct config *c, struct problems *problems, const struct stream_config *off,
                 struct str name, struct buf *text)
{
    struct err e = ERR_INIT;

    (void)(off != NULL ? yaml_key_err(off->node, &e, ERR_CONFIG, "stream '%.*s': %s", STR_FMT(name),
                                      buf_text(text))
                       : config_err(c, STR("events"), &e, "stream '%.*s': %s", STR_FMT(name),
                                    buf_text(text)));
    problems_warning(problems, &e);
}

static void check_letters(const struct config *c, struct problems *problems, struct arena *a)
{
    struct str path = c->settings.state.path;
    struct str *names = NULL;
    size_t count = left_letters_find(path, &c->streams, a, &names);

    for (size_t i = 0; i < count; i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        const struct left_letters left = left_letters_count(path, names[i]);
        left_letters_say(&left, path, names[i], &text);
        warn(c, problems, streams_config_find(&c->streams, names[i]), names[i], &text);
    }
}

void check_left(const struct config *c, struct problems *problems)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    const struct stream_config *off = NULL;
    struct stream_book b;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    buf_addf(&path, "%.*s/streams.db", STR_FMT(c->settings.state.path));
    if (!stream_book_peek(buf_str(&path), &c->streams, &a, &b, &e)) {
        problems_warning(problems, &e);
        return;
    }
    for (size_t i = 0; i < b.count; i++) {
        const struct stream_row *row = &b.rows[i];
        if (stream_is_left(&c->streams, row, &off)) {
            AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
            stream_left_say(&b, row, &text);
            warn(c, problems, off, row->name, &text);
        }
    }
    check_letters(c, problems, &a);
}
