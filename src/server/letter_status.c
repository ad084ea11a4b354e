#include "server/letter_status.h"

#include "base/number.h"

enum { STATUS_END = 1000 };

static size_t count_digits(struct str s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9') {
        n++;
    }
    return n;
}

int64_t letter_status(struct str reason)
{
    static const struct str words = STR_INIT("answered ");
    size_t at = str_find(reason, words);
    struct str rest = str_slice(reason, at + words.len, reason.len);
    uint64_t status = 0;

    return number_parse_u64(str_slice(rest, 0, count_digits(rest)), &status) && status < STATUS_END
               ? (int64_t)status
               : -1;
}
