#include "model/tenant.h"

#include "base/number.h"

#include <stdint.h>

enum { PARTS_MAX = 2 };

bool tenant_is_valid(struct str text)
{
    struct str rest = text;
    struct str part;
    int64_t number = 0;
    size_t parts = 0;

    while (str_split(&rest, ':', &part)) {
        bool is_digit = part.len > 0 && part.ptr[0] >= '0' && part.ptr[0] <= '9';
        if (++parts > PARTS_MAX || !is_digit || !number_parse_i64(part, &number) ||
            number > UINT32_MAX) {
            return false;
        }
    }
    return parts > 0;
}
