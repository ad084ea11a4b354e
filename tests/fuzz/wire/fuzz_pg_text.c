/* Any bytes as an array of PostgreSQL: what is made of it is JSON. */
#include "wire/json.h"
#include "wire/pg_text.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum pg_form items, struct str text)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct json_node *root = NULL;
    struct err e = ERR_INIT;
    struct arena a;

    if (!pg_array_add_json(items, text, &json)) {
        INVARIANT(json.len == 0);
        return;
    }
    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(json_parse(buf_str(&json), &a, &root, &e) && root->kind == JSON_ARRAY);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pg_form forms[] = {PG_FORM_TEXT,  PG_FORM_NUMBER, PG_FORM_FLAG,
                                         PG_FORM_BYTES, PG_FORM_TIME,   PG_FORM_LOCAL_TIME};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        check(forms[i], str_make((const char *)data, size));
    }
    return 0;
}
