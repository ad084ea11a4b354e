/* Profiles and spans as JSON: what is taken is written and taken again the same, where it is UTF-8. */
#include "base/attr.h"
#include "wire/note_json.h"
#include "wire/note_push.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_NS = 1000000 };

static void check_again(const struct note *n)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    struct note_push push;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    note_json_add(n, &text);
    INVARIANT(note_push_read(buf_str(&text), NOW_NS, &a, &push, &e) && push.notes.len == 1);
    note_json_add(&push.notes.items[0], &again);
    INVARIANT(str_eq(buf_str(&text), buf_str(&again)));
    note_push_release(&push);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    struct note_push push;
    struct err e = ERR_INIT;

    arena_init(&a, 16 << 20);
    if (note_push_read(str_make((const char *)data, size), NOW_NS, &a, &push, &e)) {
        bool is_text = str_is_utf8(str_make((const char *)data, size));
        for (size_t i = 0; is_text && i < push.notes.len && i < 64; i++) {
            check_again(&push.notes.items[i]);
        }
        note_push_release(&push);
    }
    return 0;
}
