#include "events/sources/value_time.h"

#include "base/number.h"
#include "base/timetext.h"

#include <math.h>
#include <stdio.h>

static int64_t of_number(struct str value)
{
    static const struct {
        double below;
        double ns;
    } units[] = {{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}, {9e18, 1}};
    double number = 0;

    if (!number_parse(value, &number) || !isfinite(number)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (fabs(number) < units[i].below) {
            return (int64_t)(number * units[i].ns);
        }
    }
    return 0;
}

/* "2024-01-15 10:30:00" */
static int64_t of_sql(struct str value)
{
    char text[64];
    struct err ignored;
    int64_t ns = 0;

    if (value.len < 19 || value.len > sizeof(text) - 2 || value.ptr[10] != ' ') {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%.*sT%.*s", 10, value.ptr, (int)value.len - 11,
                   value.ptr + 11);
    if (time_parse_rfc3339(str_of(text), &ns, &ignored)) {
        return ns;
    }
    text[value.len] = 'Z';
    text[value.len + 1] = '\0';
    return time_parse_rfc3339(str_of(text), &ns, &ignored) ? ns : 0;
}

int64_t value_time_ns(struct str value, bool is_text)
{
    struct err ignored;
    int64_t ns = 0;

    if (is_text && time_parse_rfc3339(value, &ns, &ignored)) {
        return ns;
    }
    ns = is_text ? of_sql(value) : 0;
    return ns != 0 ? ns : of_number(value);
}
