/* Field numbers are the format: they are never given another meaning. A test holds the bytes of one event. */
#include "wire/events.h"

#include "wire/pb.h"

enum { EVENTS_EVENT = 1 };
enum {
    EVENT_ID = 1,
    EVENT_SOURCE = 2,
    EVENT_TYPE = 3,
    EVENT_SUBJECT = 4,
    EVENT_CONTENT_TYPE = 5,
    EVENT_SCHEMA = 6,
    EVENT_TIME = 7, /* there even when it is zero; not there when none is said */
    EVENT_EXTENSION = 8,
    EVENT_FORM = 9,
    EVENT_DATA = 10,
};
enum { EXTENSION_NAME = 1, EXTENSION_TEXT = 2, EXTENSION_INTEGER = 3, EXTENSION_FLAG = 4 };

/* The text of an event that a field holds; NULL when it holds none. */
static struct str *text_of(struct event *ev, uint32_t number)
{
    struct str *const texts[] = {
        [EVENT_ID] = &ev->id,
        [EVENT_SOURCE] = &ev->source,
        [EVENT_TYPE] = &ev->type,
        [EVENT_SUBJECT] = &ev->subject,
        [EVENT_CONTENT_TYPE] = &ev->content_type,
        [EVENT_SCHEMA] = &ev->schema,
        [EVENT_DATA] = &ev->data,
    };
    return number < ARRAY_LEN(texts) ? texts[number] : NULL;
}

/* ---- writing ---- */

static void put_extension(const struct event_extension *x, struct buf *out)
{
    size_t begun = pb_begin(out, EVENT_EXTENSION);

    pb_add_str(out, EXTENSION_NAME, x->name);
    if (x->type == EVENT_TEXT) {
        pb_add_bytes(out, EXTENSION_TEXT, x->text);
    } else {
        pb_put_u64(out, x->type == EVENT_FLAG ? EXTENSION_FLAG : EXTENSION_INTEGER,
                   varint_zigzag(x->integer));
    }
    pb_end(out, begun);
}

static void put_event(struct event ev, struct buf *out)
{
    size_t begun = pb_begin(out, EVENTS_EVENT);

    for (uint32_t number = EVENT_ID; number <= EVENT_SCHEMA; number++) {
        const struct str *text = text_of(&ev, number);
        if (text != NULL) {
            pb_add_str(out, number, *text);
        }
    }
    if (ev.has_time) {
        pb_put_fixed(out, EVENT_TIME, (uint64_t)ev.time_ns);
    }
    for (size_t i = 0; i < ev.extension_count; i++) {
        put_extension(&ev.extensions[i], out);
    }
    pb_add_u64(out, EVENT_FORM, (uint64_t)ev.form);
    pb_add_str(out, EVENT_DATA, ev.data);
    pb_end(out, begun);
}

void events_put(const struct event *ev, struct buf *out)
{
    put_event(*ev, out);
}

static bool events_encode(const struct batch *b, struct buf *out, struct err *e)
{
    const struct events *events = batch_own_events(b);

    (void)e;
    for (uint32_t i = 0; i < events->count; i++) {
        put_event(events->rows[i], out);
    }
    return true;
}

/* ---- reading ---- */

static bool fail(struct err *e, const char *what)
{
    return err_set(e, ERR_PARSE, "bytes of events are broken: %s", what);
}

static void take_number(const struct pb_field *in, enum event_value type, struct event_extension *x)
{
    x->type = type;
    x->integer = (int32_t)varint_unzigzag(in->value);
}

static bool take_extension(struct str bytes, struct event_extension *x, struct err *e)
{
    struct pb_reader r;
    struct pb_field in;

    *x = (struct event_extension){.name = STR(""), .text = STR("")};
    pb_read_init(&r, bytes);
    while (pb_next(&r, &in)) {
        if (in.number == EXTENSION_NAME && in.type == PB_BYTES) {
            x->name = in.bytes;
        } else if (in.number == EXTENSION_TEXT && in.type == PB_BYTES) {
            x->text = in.bytes;
        } else if (in.number == EXTENSION_INTEGER && in.type == PB_VARINT) {
            take_number(&in, EVENT_INTEGER, x);
        } else if (in.number == EXTENSION_FLAG && in.type == PB_VARINT) {
            take_number(&in, EVENT_FLAG, x);
        }
    }
    return pb_ok(&r) || fail(e, "an extension");
}

/* Length-delimited fields of a message with this number. */
static bool count_of(struct str bytes, uint32_t number, size_t *ret_count)
{
    struct pb_reader r;
    struct pb_field f;
    size_t count = 0;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        count += f.number == number && f.type == PB_BYTES;
    }
    *ret_count = count;
    return pb_ok(&r);
}

static bool take_part(const struct pb_field *in, struct event *ev,
                      struct event_extension *extensions, struct err *e)
{
    struct str *text = in->type == PB_BYTES ? text_of(ev, in->number) : NULL;

    if (text != NULL) {
        *text = in->bytes;
    } else if (in->number == EVENT_EXTENSION && in->type == PB_BYTES) {
        return take_extension(in->bytes, &extensions[ev->extension_count++], e);
    } else if (in->number == EVENT_TIME && in->type == PB_FIXED64) {
        ev->has_time = true;
        ev->time_ns = (int64_t)in->value;
    } else if (in->number == EVENT_FORM && in->type == PB_VARINT) {
        ev->form = in->value < EVENT_FORMS ? (enum event_form)in->value : EVENT_DATA_BYTES;
    }
    return true;
}

static bool take_event(struct str bytes, struct arena *a, struct event *ev, struct err *e)
{
    struct pb_reader r;
    struct pb_field in;
    size_t count = 0;
    bool ok = true;

    *ev = (struct event){.id = STR(""),
                         .source = STR(""),
                         .type = STR(""),
                         .subject = STR(""),
                         .content_type = STR(""),
                         .schema = STR(""),
                         .data = STR("")};
    if (!count_of(bytes, EVENT_EXTENSION, &count) || count > EVENT_EXTENSIONS_MAX) {
        return fail(e, "the extensions of one");
    }
    struct event_extension *extensions = arena_try_alloc(a, count + 1, sizeof(*extensions));
    if (extensions == NULL) {
        return err_set(e, ERR_LIMIT, "no room for %zu extensions", count);
    }
    ev->extensions = extensions;
    pb_read_init(&r, bytes);
    while (ok && pb_next(&r, &in)) {
        ok = take_part(&in, ev, extensions, e);
    }
    return ok && (pb_ok(&r) || fail(e, "an event"));
}

bool events_take(struct str bytes, struct arena *a, struct event *ret_event, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;
    struct event ev;

    pb_read_init(&r, bytes);
    if (!pb_next(&r, &f) || f.number != EVENTS_EVENT || f.type != PB_BYTES) {
        return fail(e, "there is none");
    }
    if (!take_event(f.bytes, a, &ev, e)) {
        return false;
    }
    *ret_event = ev;
    return true;
}

static bool events_decode(struct str encoded, struct batch *b, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;
    size_t count = 0;
    uint32_t at = 0;

    if (!count_of(encoded, EVENTS_EVENT, &count)) {
        return fail(e, "the list");
    }
    struct event *rows = arena_try_alloc(batch_arena(b), count, sizeof(*rows));
    if (rows == NULL || count > BATCH_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "no room for %zu events", count);
    }
    pb_read_init(&r, encoded);
    while (pb_next(&r, &f)) {
        if (f.number == EVENTS_EVENT && f.type == PB_BYTES &&
            !take_event(f.bytes, batch_arena(b), &rows[at++], e)) {
            return false;
        }
    }
    batch_set_events(b, (struct events){.rows = rows, .count = at});
    return true;
}

const struct batch_codec codec_events = {
    .id = 5,
    .name = "events",
    .kind = RECORD_EVENT,
    .decode = events_decode,
    .encode = events_encode,
    .join = pb_join,
};
