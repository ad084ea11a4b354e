#include "wire/cloudevent_int.h"

#include "base/timetext.h"

#include <string.h>

void cloudevent_draft_init(struct cloudevent_draft *d)
{
    *d = (struct cloudevent_draft){.event = {.id = STR(""),
                                             .source = STR(""),
                                             .type = STR(""),
                                             .subject = STR(""),
                                             .content_type = STR(""),
                                             .schema = STR(""),
                                             .data = STR("")}};
}

void cloudevent_draft_release(struct cloudevent_draft *d)
{
    vec_release(&d->extensions);
}

static bool take_version(struct cloudevent_draft *d, struct str text, struct err *e)
{
    d->has_version = true;
    return str_eq(text, STR("1.0")) ||
           err_set(e, ERR_PARSE, "specversion is '%.*s', expected 1.0", STR_FMT(text));
}

static bool take_time(struct cloudevent_draft *d, struct str text, struct err *e)
{
    d->event.has_time = true;
    return time_parse_rfc3339(text, &d->event.time_ns, e) || err_wrap(e, "time of the event");
}

enum { KNOWN = 8 };

/* How a known attribute becomes a member of struct event; those that are no text there are taken apart. */
static const struct known {
    const char *name;
    size_t offset;
    bool (*take)(struct cloudevent_draft *d, struct str text, struct err *e); /* or NULL */
} known[KNOWN] = {
    {"specversion", 0, take_version},
    {"id", offsetof(struct event, id), NULL},
    {"source", offsetof(struct event, source), NULL},
    {"type", offsetof(struct event, type), NULL},
    {"subject", offsetof(struct event, subject), NULL},
    {"time", 0, take_time},
    {"datacontenttype", offsetof(struct event, content_type), NULL},
    {"dataschema", offsetof(struct event, schema), NULL},
};

static unsigned find_known(struct str name)
{
    unsigned i = 0;

    while (i < KNOWN && !str_eq(name, str_of(known[i].name))) {
        i++;
    }
    return i;
}

bool cloudevent_is_known(struct str name)
{
    return find_known(name) < KNOWN;
}

bool cloudevent_take_known(struct cloudevent_draft *d, struct str name, struct str text,
                           struct err *e)
{
    unsigned i = find_known(name);

    INVARIANT(i < KNOWN);
    if ((d->seen & 1U << i) != 0) {
        return err_set(e, ERR_PARSE, "the event has '%s' twice", known[i].name);
    }
    d->seen |= 1U << i;
    if (text.len == 0) {
        return err_set(e, ERR_PARSE, "'%s' of the event is empty", known[i].name);
    }
    if (known[i].take != NULL) {
        return known[i].take(d, text, e);
    }
    *(struct str *)(void *)((char *)&d->event + known[i].offset) = text;
    return true;
}

bool cloudevent_take_extension(struct cloudevent_draft *d, const struct event_extension *x,
                               struct err *e)
{
    for (size_t i = 0; i < d->extensions.len; i++) {
        if (str_eq(d->extensions.items[i].name, x->name)) {
            return err_set(e, ERR_PARSE, "the event has '%.*s' twice", STR_FMT(x->name));
        }
    }
    if (d->extensions.len >= EVENT_EXTENSIONS_MAX) {
        return err_set(e, ERR_LIMIT, "the event has more than %d extensions", EVENT_EXTENSIONS_MAX);
    }
    vec_push(&d->extensions, *x);
    return true;
}

bool cloudevent_draft_end(struct cloudevent_draft *d, struct arena *a, struct event *ret_event,
                          struct err *e)
{
    size_t count = d->extensions.len;

    if (!d->has_version) {
        return err_set(e, ERR_PARSE, "the event has no 'specversion'");
    }
    d->event.extensions = d->extensions.items;
    d->event.extension_count = count;
    if (!event_check(&d->event, e)) {
        return false;
    }
    struct event_extension *extensions = arena_try_alloc(a, count + 1, sizeof(*extensions));
    if (extensions == NULL) {
        return err_set(e, ERR_LIMIT, "no room for the event");
    }
    if (count > 0) {
        memcpy(extensions, d->extensions.items, count * sizeof(*extensions));
    }
    *ret_event = d->event;
    ret_event->extensions = extensions;
    return true;
}
