#include "export/targets.h"

static uint64_t chosen_outputs(const struct plan_expansion *x, const struct record_view *record)
{
    uint64_t outputs = 0;
    bool is_any = false;

    for (size_t i = 0; i < x->choice_count && !(is_any && x->first_only); i++) {
        if (condition_holds(x->choices[i].when, record)) {
            outputs |= expansion_outputs(x->choices[i].to, record);
            is_any = true;
        }
    }
    return is_any || x->otherwise == NULL ? outputs : expansion_outputs(x->otherwise, record);
}

uint64_t expansion_outputs(const struct plan_expansion *x, const struct record_view *record)
{
    uint64_t outputs = 0;

    if (!x->is_chosen) {
        return x->outputs;
    }
    if (x->choice_count > 0) {
        return chosen_outputs(x, record);
    }
    for (size_t i = 0; i < x->child_count; i++) {
        outputs |= expansion_outputs(x->children[i], record);
    }
    return outputs;
}

bool expansion_only_uses(const struct plan_expansion *x,
                         bool (*is_static)(const void *arg, enum field_scope scope,
                                           struct str name),
                         const void *arg)
{
    bool ok = true;

    if (!x->is_chosen) {
        return true;
    }
    for (size_t i = 0; ok && i < x->choice_count; i++) {
        ok = condition_only_uses(x->choices[i].when, is_static, arg) &&
             expansion_only_uses(x->choices[i].to, is_static, arg);
    }
    for (size_t i = 0; ok && i < x->child_count; i++) {
        ok = expansion_only_uses(x->children[i], is_static, arg);
    }
    return ok && (x->otherwise == NULL || expansion_only_uses(x->otherwise, is_static, arg));
}

/* What was not chosen owes nothing, and is done. */
static bool choices_are_done(const struct plan_expansion *x, uint64_t done)
{
    bool ok = x->otherwise == NULL || expansion_is_done(x->otherwise, done);

    for (size_t i = 0; ok && i < x->choice_count; i++) {
        ok = expansion_is_done(x->choices[i].to, done);
    }
    return ok;
}

bool expansion_is_done(const struct plan_expansion *x, uint64_t done)
{
    size_t count = 0;

    if ((x->outputs & ~done) == 0) {
        return true;
    }
    if (x->choice_count > 0) {
        return choices_are_done(x, done);
    }
    for (size_t i = 0; i < x->child_count; i++) {
        count += expansion_is_done(x->children[i], done) ? 1 : 0;
    }
    return x->child_count > 0 && count >= x->needed;
}

int plan_find_target(const struct plan_config *config, struct str datastore, struct err *e)
{
    int found = -1;
    size_t of_type = 0;

    for (size_t i = 0; i < config->target_count; i++) {
        if (str_eq(config->targets[i].name, datastore)) {
            return (int)i;
        }
        if (str_eq(str_of(config->targets[i].kind->name), datastore)) {
            found = (int)i;
            of_type++;
        }
    }
    if (of_type == 1) {
        return found;
    }
    (void)err_set(
        e, ERR_CONFIG,
        of_type == 0
            ? "there is no exporter named '%.*s' and none of that type; add one below 'exporters'"
            : "'%.*s' is the type of several exporters; name the one that is meant",
        STR_FMT(datastore));
    return -1;
}
