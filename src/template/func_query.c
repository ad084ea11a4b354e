/*
 * Functions over a query's answer, and those that know where this program is seen from.
 */
#include "template/template_int.h"

static bool query(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str expr;

    if (!value_to_text(&args.items[0], &expr, e)) {
        return false;
    }
    if (r->world->query == NULL) {
        return err_set(e, ERR_CONFIG, "there is no datasource to ask here");
    }
    *ret = (struct value){.kind = VALUE_SAMPLES};
    return r->world->query(r->world->arg, expr, &r->arena, &ret->as.samples.items,
                           &ret->as.samples.count, e);
}

static bool need(const struct value *v, enum value_kind kind, const char *what, struct err *e)
{
    return v->kind == kind ||
           err_set(e, ERR_PARSE, "expected %s, found %s", what, value_type_name(v));
}

static bool first(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    const struct value *v = &args.items[0];

    (void)r;
    if (!need(v, VALUE_SAMPLES, "a query's answer", e)) {
        return false;
    }
    if (v->as.samples.count == 0) {
        return err_set(e, ERR_PARSE, "the query's answer is empty, it has no first series");
    }
    *ret = (struct value){.kind = VALUE_SAMPLE, .as.sample = &v->as.samples.items[0]};
    return true;
}

static bool value(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)r;
    if (!need(&args.items[0], VALUE_SAMPLE, "a series of a query's answer", e)) {
        return false;
    }
    *ret = value_float(args.items[0].as.sample->value);
    return true;
}

static bool label(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str name;

    (void)r;
    if (!value_to_text(&args.items[0], &name, e) ||
        !need(&args.items[1], VALUE_SAMPLE, "a series of a query's answer", e)) {
        return false;
    }
    *ret = value_text(labels_get(args.items[1].as.sample->labels, name));
    return true;
}

static bool strvalue(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    if (!need(&args.items[0], VALUE_SAMPLE, "a series of a query's answer", e)) {
        return false;
    }
    bool is_vmalert = r->world->dialect == TEMPLATE_VMALERT;
    *ret = value_text(labels_get(args.items[0].as.sample->labels,
                                 is_vmalert ? STR("__name__") : STR("__value__")));
    return true;
}

/* Insertion sort by one label: stable, and answers shown in a text are short. */
static bool sort_by_label(struct render *r, struct value_list args, struct value *ret,
                          struct err *e)
{
    enum { SORT_MAX = 10000 };
    struct str name;
    const struct value *v = &args.items[1];

    if (!value_to_text(&args.items[0], &name, e) ||
        !need(v, VALUE_SAMPLES, "a query's answer", e)) {
        return false;
    }
    size_t count = v->as.samples.count;
    if (count > SORT_MAX) {
        return err_set(e, ERR_LIMIT, "%zu series are too many to sort, at most %d", count,
                       SORT_MAX);
    }
    struct template_sample *sorted = arena_array(&r->arena, struct template_sample, count);
    for (size_t i = 0; i < count; i++) {
        struct template_sample one = v->as.samples.items[i];
        size_t at = i;
        while (at > 0 &&
               str_cmp(labels_get(sorted[at - 1].labels, name), labels_get(one.labels, name)) > 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = one;
    }
    *ret = (struct value){.kind = VALUE_SAMPLES, .as.samples = {sorted, count}};
    return true;
}

static bool args_map(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct value *items = arena_array(&r->arena, struct value, args.count);

    (void)e;
    if (args.count > 0) {
        memcpy(items, args.items, args.count * sizeof(*items));
    }
    *ret = (struct value){.kind = VALUE_MAP, .as.map = {items, args.count}};
    return true;
}

static bool external_url(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(r->world->external_url);
    return true;
}

/* The path of the external URL. */
static bool path_prefix(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str url = r->world->external_url;
    size_t scheme = str_find(url, STR("://"));
    struct str rest = scheme < url.len ? str_slice(url, scheme + 3, url.len) : url;

    (void)args;
    (void)e;
    *ret = value_text(str_slice(rest, str_find_byte(rest, '/'), rest.len));
    return true;
}

static bool link_to(struct render *r, struct value_list args, const char *tab, struct value *ret,
                    struct err *e)
{
    struct value escaped;
    struct str expr;

    if (!value_to_text(&args.items[0], &expr, e) ||
        !function_find(STR("urlquery"))->call(r, args, &escaped, e)) {
        return false;
    }
    *ret = value_text(
        arena_printf(&r->arena, "/graph?g0.expr=%.*s&g0.tab=%s", STR_FMT(escaped.as.text), tab));
    return true;
}

static bool graph_link(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return link_to(r, args, "0", ret, e);
}

static bool table_link(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return link_to(r, args, "1", ret, e);
}

bool function_gap(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    *ret = value_text(STR(""));
    return true;
}

const struct function functions_query[] = {
    {"tmpl", 0, -1, USES_NOTHING, false, function_gap}, /* of Prometheus's console pages */
    {"query", 1, 1, USES_QUERY, false, query},
    {"first", 1, 1, USES_NOTHING, false, first},
    {"value", 1, 1, USES_NOTHING, false, value},
    {"label", 2, 2, USES_NOTHING, false, label},
    {"strvalue", 1, 1, USES_NOTHING, false, strvalue},
    {"sortByLabel", 2, 2, USES_NOTHING, false, sort_by_label},
    {"args", 0, -1, USES_NOTHING, false, args_map},
    {"externalURL", 0, 0, USES_EXTERNAL, false, external_url},
    {"pathPrefix", 0, 0, USES_EXTERNAL, false, path_prefix},
    {"graphLink", 1, 1, USES_NOTHING, false, graph_link},
    {"tableLink", 1, 1, USES_NOTHING, false, table_link},
    {NULL, 0, 0, 0, false, NULL},
};
