#include "export/plan.h"

void plan_print(const struct plan_config *config, struct buf *out)
{
    (void)config;
    (void)out;
}
