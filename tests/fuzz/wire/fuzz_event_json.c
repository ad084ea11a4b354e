/* Whatever text it is: events that come out are such, and the same text gives the same ones. */
#include "wire/cloudevent.h"
#include "wire/event_json.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct event_json_names names = {.type = STR_INIT("t"),
                                                  .source = STR_INIT("/s"),
                                                  .id = STR_INIT(""),
                                                  .subject = STR_INIT("")};
    AUTO(arena_release) struct arena a;
    struct str text = str_make((const char *)data, size);
    struct events events = {0};
    struct events again = {0};
    struct err e = ERR_INIT;

    arena_init(&a, 64 << 20);
    if (!event_json_read(text, &names, &a, &events, &e)) {
        INVARIANT(e.code != ERR_NONE);
        return 0;
    }
    INVARIANT(event_json_read(text, &names, &a, &again, &e));
    INVARIANT(again.count == events.count);
    for (uint32_t i = 0; i < events.count; i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        struct event ev;
        INVARIANT(event_check(&events.rows[i], &e));
        INVARIANT(str_eq(events.rows[i].id, again.rows[i].id));
        cloudevent_write(&events.rows[i], &out);
        INVARIANT(cloudevent_read(buf_str(&out), &a, &ev, &e));
    }
    return 0;
}
