/* Any bytes as a datagram of StatsD: views stay inside it. */
#include "wire/statsd.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str whole, struct str part)
{
    INVARIANT(part.len == 0 ||
              (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str whole = str_make((const char *)data, size);
    struct str rest = whole;
    struct str text;

    while (statsd_next_line(&rest, &text)) {
        struct statsd_line line;
        struct str name;
        struct str value;
        check(whole, text);
        if (statsd_read(text, &line) != STATSD_TAKEN) {
            continue;
        }
        INVARIANT(line.rate > 0 && line.rate <= 1 && line.name.len > 0);
        while (statsd_next_value(&line, &value)) {
            check(whole, value);
        }
        while (statsd_next_tag(&line, &name, &value)) {
            check(whole, name);
        }
    }
    return 0;
}
