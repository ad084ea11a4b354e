/* Any bytes as a push of alerts, in both forms: read, every text touched, and let go. */
#include "wire/alert_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct alert_push *push)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < push->alerts.len; i++) {
        const struct pushed_alert *a = &push->alerts.items[i];
        INVARIANT(a->labels->count > 0);
        INVARIANT(a->ends_ns == 0 || a->starts_ns <= a->ends_ns);
        for (size_t k = 0; k < a->annotation_count; k++) {
            sum += str_hash(a->annotations[k].name, 1) + str_hash(a->annotations[k].value, 1);
        }
        sum += str_hash(a->generator_url, 1);
    }
    INVARIANT(sum != 1 || push->alerts.len > 0);
    INVARIANT(push->bad == 0 || push->first_bad.code != ERR_NONE);
}

static void read_form(struct str text, enum alert_push_form form)
{
    AUTO(arena_release) struct arena a;
    struct alert_push push;
    struct err e = ERR_INIT;

    arena_init(&a, 1 << 20);
    if (alert_push_read(text, form, &a, &push, &e)) {
        touch(&push);
        alert_push_release(&push);
    } else {
        INVARIANT(e.code != ERR_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);

    read_form(text, ALERT_PUSH_V2);
    read_form(text, ALERT_PUSH_WEBHOOK);
    return 0;
}
