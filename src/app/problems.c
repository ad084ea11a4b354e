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

static void report_of_rules(void *arg, bool is_warning, const struct err *e)
{
    (is_warning ? problems_warning : problems_error)(arg, e);
}

struct rule_problems problems_for_rules(struct problems *p)
{
    return (struct rule_problems){.report = report_of_rules, .arg = p};
}
