/* A frame of a folder of dead letters: the reason and the batch are within it, whatever it says. */
#include "export/dead_letters.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str payload = str_make((const char *)data + 1, size > 0 ? size - 1 : 0);
    struct str reason;
    struct str bytes;
    bool is_batch = false;
    struct err e = ERR_INIT;

    if (size == 0 || !dead_letter_parse(data[0] % 4, payload, &reason, &bytes, &is_batch, &e)) {
        return 0;
    }
    INVARIANT(reason.ptr >= payload.ptr && reason.ptr + reason.len == bytes.ptr);
    INVARIANT(bytes.ptr + bytes.len == payload.ptr + payload.len);
    struct batch *b = NULL;
    if (is_batch && batch_from_frame(bytes, &b, &e)) {
        batch_unref(b);
    }
    return 0;
}
