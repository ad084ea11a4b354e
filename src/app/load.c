#include "app/load.h"

#include "app/rule_sources.h"
#include "app/self_rules.h"
#include "app/variables.h"
#include "base/mem.h"

enum { RULES_TEXT_MAX = 1 << 20 };

/* Problems of rules go on to <problems>; those without a place belong to the config's list of files. */
struct rules_receiver {
    const struct config *config;
    struct problems *problems;
};

static void receive(void *arg, bool is_warning, const struct err *e)
{
    const struct rules_receiver *r = arg;
    void (*add)(struct problems *, const struct err *) =
        is_warning ? problems_warning : problems_error;
    struct err placed = ERR_INIT;

    if (e->file[0] != '\0' || r->config->root == NULL) {
        add(r->problems, e);
        return;
    }
    bool has_context = e->context[0] != '\0';
    (void)config_err(r->config, STR("rules"), &placed, "%s%s%s", e->context,
                     has_context ? ": " : "", e->message);
    add(r->problems, &placed);
}

static bool load_with(const struct load_input *input, const struct config *c,
                      struct rule_options *options, struct problems *problems,
                      struct rule_set **ret_rules, struct err *e)
{
    struct rules_receiver receiver = {c, problems};
    struct rule_problems found = {receive, &receiver};
    const struct option_list *listed = &c->settings.rules;
    AUTO(buf_release) struct buf built_in = BUF_INIT(RULES_TEXT_MAX);

    if (input->rules != NULL) {
        return rule_set_load(input->rules, input->rule_count, STR_NONE, options, &found, ret_rules,
                             e);
    }
    self_rules_write(&c->plan, &built_in);
    options->built_in = buf_str(&built_in);
    return rule_set_load(listed->items, listed->count, input->base_folder, options, &found,
                         ret_rules, e);
}

static bool load_rules(const struct load_input *input, const struct config *c,
                       struct problems *problems, struct rule_set **ret_rules, struct err *e)
{
    struct rule_options options = config_rule_options(c);
    struct rule_sources *for_once = input->sources == NULL ? rule_sources_new(false) : NULL;
    struct rule_fetcher fetcher =
        rule_sources_fetcher(for_once != NULL ? for_once : input->sources, c);

    options.any_source = input->rules_alone;
    options.lookup = input->environment.lookup;
    options.lookup_arg = input->environment.arg;
    options.fetcher = &fetcher;
    if (input->templates.len > 0) {
        options.templates = &input->templates;
        options.template_count = 1;
    }
    bool ok = load_with(input, c, &options, problems, ret_rules, e);
    rule_sources_free(for_once);
    return ok;
}

static bool too_many(const struct problems *problems, size_t before, struct err *e)
{
    size_t found = problems->errors - before;

    return err_set(e, ERR_CONFIG, "%zu problem%s", found, found == 1 ? "" : "s");
}

static bool read_config(const struct load_input *input, bool keeps_wrong, struct problems *problems,
                        struct config **ret_config, struct err *e)
{
    struct config_environment environment = input->environment;

    environment.keeps_wrong = keeps_wrong;
    if (input->config_text.ptr == NULL) {
        return config_load(input->config_path, &environment, problems, ret_config, e);
    }
    return config_parse(input->config_path, input->config_text, &environment, problems, ret_config,
                        e);
}

static bool names_webhooks(const struct rule_set *set)
{
    for (size_t g = 0; g < set->group_count; g++) {
        for (size_t i = 0; i < set->groups[g].rule_count; i++) {
            const struct rule_export *x = &set->groups[g].rules[i].export;
            if (x->has_webhook && x->enabled) {
                return true;
            }
        }
    }
    return false;
}

static void say_nothing(void *arg, bool is_warning, const struct err *problem)
{
    (void)arg;
    (void)is_warning;
    (void)problem;
}

/* Rules that name URLs of their own need somebody who delivers there: the config is read again with
 * one, all its problems being told already. */
static bool add_rule_webhooks(const struct load_input *input, struct loaded *l, struct err *e)
{
    struct load_input again = *input;
    struct problems told = {.report = say_nothing};
    struct config *with = NULL;

    again.environment.has_rule_webhooks = true;
    if (!read_config(&again, false, &told, &with, e)) {
        return false;
    }
    config_unref(l->config);
    l->config = with;
    return true;
}

/* The config is wrong; its rules may be so too, and then one look shows both. */
static bool look_at_rules_too(const struct load_input *input, struct loaded *l,
                              struct problems *problems, size_t before, struct err *e)
{
    struct err ignored = ERR_INIT;

    if (l->config != NULL) {
        (void)load_rules(input, l->config, problems, &l->rules, &ignored);
    }
    loaded_release(l);
    return too_many(problems, before, e);
}

static bool load_and_check(const struct load_input *input, struct problems *problems,
                           struct loaded *ret_loaded, struct err *e)
{
    struct loaded l = {0};
    size_t before = problems->errors;

    if (!read_config(input, true, problems, &l.config, e)) {
        return look_at_rules_too(input, &l, problems, before, e);
    }
    bool ok = load_rules(input, l.config, problems, &l.rules, e);
    if (ok && problems->errors == before && names_webhooks(l.rules) &&
        !add_rule_webhooks(input, &l, e)) {
        problems_error(problems, e);
        ok = false;
    }
    if (ok && !input->rules_alone) {
        check_together(l.config, l.rules, problems);
    }
    if (!input->rules_alone) {
        check_system(l.config, problems);
    }
    if (input->tries_ports && !input->rules_alone && problems->errors == before) {
        check_ports(l.config, problems);
    }
    if (!ok || problems->errors > before) {
        loaded_release(&l);
        return too_many(problems, before, e);
    }
    *ret_loaded = l;
    return true;
}

bool load_all(const struct load_input *input, struct problems *problems, struct loaded *ret_loaded,
              struct err *e)
{
    struct load_input watched = *input;
    struct variables v;

    if (!input->tells_variables) {
        return load_and_check(input, problems, ret_loaded, e);
    }
    variables_init(&v, &input->environment);
    variables_watch(&v, &watched.environment);
    bool ok = load_and_check(&watched, problems, ret_loaded, e);
    if (ok) {
        variables_tell(&v, problems);
    }
    variables_release(&v);
    return ok;
}

void loaded_release(struct loaded *l)
{
    rule_set_unref(l->rules);
    config_unref(l->config);
    *l = (struct loaded){0};
}
