/* Any bytes as a frame, and as a message of pgoutput: views stay inside them. */
#include "wire/pgoutput.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str whole, struct str part)
{
    INVARIANT(part.len == 0 ||
              (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static void check_tuple(struct str whole, const struct pgoutput_tuple *t)
{
    INVARIANT(t->count <= PGOUTPUT_COLUMNS_MAX);
    for (uint32_t i = 0; i < t->count; i++) {
        check(whole, t->cells[i].text);
    }
}

static void read_message(struct str whole)
{
    struct pgoutput_message m;
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    if (pgoutput_read(whole, &a, &m, &e)) {
        check(whole, m.schema);
        check(whole, m.name);
        check(whole, m.content);
        check_tuple(whole, &m.old);
        check_tuple(whole, &m.row);
        for (uint32_t i = 0; m.columns != NULL && i < m.count; i++) {
            check(whole, m.columns[i].name);
        }
    } else {
        INVARIANT(e.code == ERR_PARSE);
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str whole = str_make((const char *)data, size);
    struct pgoutput_frame f;
    struct err e = ERR_INIT;

    read_message(whole);
    if (pgoutput_read_frame(whole, &f, &e)) {
        check(whole, f.body);
        read_message(f.body);
    }
    return 0;
}
