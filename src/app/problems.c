#include "app/problems.h"

static void pass_on(struct problems *p, bool is_warning, const struct err *e)
{
    if (p->errors + p->warnings <= PROBLEMS_MAX) {
        p->report(p->arg, is_warning, e);
    }
}

void problems_error(struct problems *p, const struct err *e)
{
    p->errors++;
    pass_on(p, false, e);
}

void problems_warning(struct problems *p, const struct err *e)
{
    p->warnings++;
    pass_on(p, true, e);
}
