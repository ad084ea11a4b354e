/*
 * Events: what is taken is written and taken again the same. The first line is a Content-Type, the lines up
 * to an empty one are headers, the rest is the body.
 */
#include "wire/cloudevent.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MAX = 32 };

static void check_json(const struct event *ev, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    struct event copy;

    INVARIANT(event_check(ev, &e));
    cloudevent_write(ev, &text);
    INVARIANT(cloudevent_read(buf_str(&text), a, &copy, &e));
    cloudevent_write(&copy, &again);
    INVARIANT(str_eq(buf_str(&text), buf_str(&again)));
}

static void check_binary(const struct event *ev, struct arena *a)
{
    struct cloudevent_header headers[HEADERS_MAX];
    struct err e = ERR_INIT;
    struct events again;
    size_t count = 0;

    if (cloudevent_headers(ev, a, headers, HEADERS_MAX, &count, &e)) {
        const struct cloudevent_message m = {cloudevent_body_type(ev), headers, count, ev->data};
        bool is_read = cloudevent_mode_of(m.content_type) != CLOUDEVENT_BINARY ||
                       cloudevents_read_message(&m, a, &again, &e);
        INVARIANT(is_read);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    struct cloudevent_header headers[HEADERS_MAX];
    struct cloudevent_message m = {.headers = headers};
    struct str rest = str_make((const char *)data, size);
    struct str line = STR("");
    struct events events;
    struct err e = ERR_INIT;

    arena_init(&a, 64 << 20);
    (void)str_split(&rest, '\n', &m.content_type);
    while (m.header_count < HEADERS_MAX && str_split(&rest, '\n', &line) && line.len > 0) {
        size_t colon = str_find_byte(line, ':');
        headers[m.header_count++] = (struct cloudevent_header){
            str_slice(line, 0, colon), str_trim(str_slice(line, colon + 1, line.len))};
    }
    m.body = rest.ptr != NULL ? rest : STR("");
    if (cloudevents_read_message(&m, &a, &events, &e)) {
        for (uint32_t i = 0; i < events.count && i < 16; i++) {
            check_json(&events.rows[i], &a);
            check_binary(&events.rows[i], &a);
        }
    }
    return 0;
}
