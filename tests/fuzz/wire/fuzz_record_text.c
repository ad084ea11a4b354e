/* Any text as records of each format: read or refused, twice the same, and what is read can be encoded. */
#include "wire/record_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *arg, struct batch *b, struct err *e)
{
    uint64_t *rows = arg;
    struct str encoded = STR("");

    *rows += batch_rows(b);
    return batch_encoded(b, &encoded, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct record_text_format *format = &record_text_formats[*data % RECORD_TEXT_FORMATS];
    struct str text = str_make((const char *)data + 1, size - 1);
    uint64_t rows[2] = {0};

    for (int i = 0; i < 2; i++) {
        const struct record_text_taker taker = {take, &rows[i]};
        struct record_text_counts counts;
        struct err e = ERR_INIT;
        if (record_text_read(format, text, INT64_C(1705314600000000000), &taker, &counts, &e)) {
            INVARIANT(counts.rows == rows[i]);
        }
    }
    INVARIANT(rows[0] == rows[1]);
    return 0;
}
