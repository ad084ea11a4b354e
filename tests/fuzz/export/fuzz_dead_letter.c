/* A frame of a folder of dead letters: the reason and the batch are within it, whatever it says. */
#include "export/dead_letters.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str payload = str_make((const char *)data + 1, size > 0 ? size - 1 : 0);
    struct dead_letter l;
    uint64_t number = 0;
    uint32_t records = 0;
    struct err e = ERR_INIT;

    if (size == 0) {
        return 0;
    }
    uint16_t type = data[0] % 8;
    bool is_mark = dead_letter_parse_mark(type, payload, &number, &records);
    if (!dead_letter_parse(type, payload, &l, &e)) {
        return 0;
    }
    INVARIANT(!is_mark);
    INVARIANT(l.reason.ptr >= payload.ptr && l.reason.ptr + l.reason.len <= l.bytes.ptr);
    INVARIANT(l.note.len == 0 || l.note.ptr + l.note.len == l.bytes.ptr);
    INVARIANT(l.bytes.ptr + l.bytes.len == payload.ptr + payload.len);
    struct batch *b = NULL;
    if (l.is_batch && batch_from_frame(l.bytes, &b, &e)) {
        batch_unref(b);
    }
    return 0;
}
