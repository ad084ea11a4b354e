/* Any text as a condition; what compiles is evaluated over a record whose fields are parts of the text. */
#include "model/condition.h"

#include "base/attr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool field(const void *record, enum field_scope scope, struct str name,
                  struct field_value *ret_value)
{
    const struct str *text = record;

    if (name.len % 5 == 0) {
        return false;
    }
    *ret_value = (struct field_value){.is_number = name.len % 2 == 0,
                                      .number = (double)name.len,
                                      .text = str_slice(*text, (size_t)scope, name.len)};
    return true;
}

static bool is_static(const void *arg, enum field_scope scope, struct str name)
{
    (void)arg;
    return name.len > (size_t)scope;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    const struct record_view record = {field, &text};
    struct condition *c = NULL;
    struct err e = ERR_INIT;

    if (condition_compile(text, &c, &e)) {
        bool first = condition_holds(c, &record);
        INVARIANT(first == condition_holds(c, &record));
        (void)condition_only_uses(c, is_static, NULL);
        condition_free(c);
    } else {
        INVARIANT(e.code != ERR_NONE);
    }
    return 0;
}
