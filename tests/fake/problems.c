#include "fake/problems.h"

static void take(void *arg, bool is_warning, const struct err *problem)
{
    struct problems *p = arg;

    buf_add_text(&p->text, is_warning ? "warning: " : "error: ");
    err_print(problem, &p->text);
    buf_add_byte(&p->text, '\n');
    p->errors += !is_warning;
    p->warnings += is_warning;
    p->last = *problem;
}

void problems_init(struct problems *p)
{
    *p = (struct problems){.sink = {take, p}, .text = BUF_INIT(BUF_UNLIMITED)};
}

void problems_release(struct problems *p)
{
    buf_release(&p->text);
}

struct rule_set *problems_load(struct problems *p, struct str text,
                               const struct rule_options *options)
{
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    if (!rule_set_parse(STR("rules.yaml"), text, options, &p->sink, &set, &e)) {
        return NULL;
    }
    return set;
}
