/*
 * The first byte says which message. Any JSON that reads as one is written again, and reads as the same
 * bytes from then on; any bytes are written as JSON or refused.
 */
#include "wire/otlp_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(enum otlp_form form, struct str message, struct arena *a)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf twice = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    if (!otlp_json_write(form, message, &json, &e)) {
        INVARIANT(e.code != ERR_NONE);
        return;
    }
    INVARIANT(otlp_json_read(form, buf_str(&json), a, &again, &e));
    buf_clear(&json);
    INVARIANT(otlp_json_write(form, buf_str(&again), &json, &e));
    INVARIANT(otlp_json_read(form, buf_str(&json), a, &twice, &e));
    INVARIANT(str_eq(buf_str(&again), buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (size == 0) {
        return 0;
    }
    enum otlp_form form = (enum otlp_form)(data[0] % OTLP_FORMS);
    struct str rest = str_make((const char *)data + 1, size - 1);

    check_again(form, rest, &a);
    if (otlp_json_read(form, rest, &a, &message, &e)) {
        check_again(form, buf_str(&message), &a);
    } else {
        INVARIANT(e.code != ERR_NONE);
    }
    return 0;
}
