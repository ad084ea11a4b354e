/*
 * The function table, in families: what Go's templates have, and what Prometheus and vmalert both
 * add.
 */
#include "template/template_int.h"

static const struct function *const families[] = {functions_go, functions_text, functions_number,
                                                  functions_query};

const struct function *function_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        for (const struct function *f = families[i]; f->name != NULL; f++) {
            if (str_eq(name, str_of(f->name))) {
                return f;
            }
        }
    }
    return NULL;
}

const struct function *function_find_of_records(struct str name)
{
    for (const struct function *f = functions_record; f->name != NULL; f++) {
        if (str_eq(name, str_of(f->name))) {
            return f;
        }
    }
    return NULL;
}

/* For suggestions: those that rules use most. */
static const char *const common_names[] = {
    "printf",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "query",
    "first",
    "value",
    "label",
    "humanizeTimestamp",
    "toUpper",
    "toLower",
    "title",
    "match",
    "reReplaceAll",
    "stripPort",
    "stripDomain",
    "sortByLabel",
    "strvalue",
    "externalURL",
    "pathPrefix",
    "safeHtml",
    "args",
    "parseDuration",
    "toTime",
    "print",
    "println",
    "index",
    "len",
    "urlquery",
    "html",
    "js",
    "slice",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "and",
    "or",
    "not",
    "call",
    "now",
    "quotesEscape",
    "jsonEscape",
    "htmlEscape",
    "queryEscape",
    "pathEscape",
    "graphLink",
    "tableLink",
    "toDuration",
    "parseDurationTime",
    "formatTime",
    "urlQueryEscape",
};

const char *const *function_names(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(common_names);
    return common_names;
}
