#include "export/table_pace.h"

#include "base/clock.h"

#define QUICK_NS (NS_PER_S / 2)
#define SLOW_NS (2 * NS_PER_S)

void table_pace_init(struct table_pace *p, uint32_t min, uint32_t max)
{
    *p = (struct table_pace){.min = min, .max = max > min ? max : min, .rows = min};
}

void table_pace_took(struct table_pace *p, uint32_t rows, int64_t took_ns)
{
    if (took_ns > SLOW_NS) {
        p->rows = p->rows / 2 > p->min ? p->rows / 2 : p->min;
    } else if (took_ns < QUICK_NS && rows >= p->rows) {
        p->rows = p->rows < p->max / 2 ? p->rows * 2 : p->max;
    }
}

void table_pace_failed(struct table_pace *p)
{
    p->rows = p->min;
}
