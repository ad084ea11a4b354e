/*
 * Arguments of functions and aggregations against their signatures.
 */
#include "promql/check.h"

#include "base/attr.h"

#include <stdio.h>

struct arity {
    uint32_t min;
    uint32_t max; /* UINT32_MAX: any number */
};

static struct arity arity_of(const struct promql_signature *signature)
{
    struct arity arity = {0, 0};
    bool optional = false;

    for (const char *c = signature->letters; *c != '\0'; c++) {
        if (*c == '?') {
            optional = true;
        } else if (*c == '*') {
            arity.min -= !optional;
            arity.max = UINT32_MAX;
        } else {
            arity.min += !optional;
            arity.max++;
        }
    }
    if (signature->args_max > 0) {
        arity.max = signature->args_max;
    }
    return arity;
}

/* The letter of argument <index>; those behind the last have the last one's. */
static char letter_of(const struct promql_signature *signature, uint32_t index)
{
    char letter = 'x';

    for (const char *c = signature->letters; *c != '\0'; c++) {
        if (*c == '?' || *c == '*') {
            continue;
        }
        letter = *c;
        if (index-- == 0) {
            break;
        }
    }
    return letter;
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void describe_arity(struct arity arity, char *text, size_t size)
{
    if (arity.max == 0) {
        (void)snprintf(text, size, "no arguments");
    } else if (arity.min == arity.max) {
        (void)snprintf(text, size, "%u argument%s", arity.min, plural(arity.min));
    } else if (arity.max == UINT32_MAX) {
        (void)snprintf(text, size, "at least %u argument%s", arity.min, plural(arity.min));
    } else {
        (void)snprintf(text, size, "%u to %u arguments", arity.min, arity.max);
    }
}

static bool wrong_count(struct parser *p, const struct promql_node *node, const char *name,
                        struct arity arity, const struct promql_nodes *args)
{
    const struct promql_node *place = args->count > arity.max ? args->items[arity.max] : node;
    char expected[64];

    describe_arity(arity, expected, sizeof(expected));
    return fail_node(p, place, "%s() takes %s, found %u", name, expected, args->count);
}

static const struct {
    char letter;
    enum promql_type type;
} letters[] = {
    {'s', PROMQL_TYPE_SCALAR},
    {'t', PROMQL_TYPE_STRING},
    {'v', PROMQL_TYPE_INSTANT},
    {'m', PROMQL_TYPE_RANGE},
};

static enum promql_type type_of_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        if (letters[i].letter == letter) {
            return letters[i].type;
        }
    }
    return PROMQL_TYPE_NONE;
}

/* How to make what was wanted out of what was found. */
static const struct {
    enum promql_type wanted;
    enum promql_type found;
    const char *hint;
} hints[] = {
    {PROMQL_TYPE_INSTANT, PROMQL_TYPE_RANGE,
     "; wrap it in a function over time such as rate() or last_over_time()"},
    {PROMQL_TYPE_INSTANT, PROMQL_TYPE_SCALAR, "; vector() makes one of a scalar"},
    {PROMQL_TYPE_SCALAR, PROMQL_TYPE_INSTANT, "; scalar() makes one of a vector with one series"},
    {PROMQL_TYPE_SCALAR, PROMQL_TYPE_STRING, "; write the number without quotes"},
    {PROMQL_TYPE_STRING, PROMQL_TYPE_INSTANT, "; write it in quotes"},
    {PROMQL_TYPE_STRING, PROMQL_TYPE_SCALAR, "; write it in quotes"},
};

static const char *hint_on(enum promql_type wanted, const struct promql_node *arg)
{
    if (wanted == PROMQL_TYPE_RANGE && arg->kind == PROMQL_VECTOR) {
        return "; add a range, as in [5m]";
    }
    if (wanted == PROMQL_TYPE_RANGE && arg->type == PROMQL_TYPE_INSTANT) {
        return "; make it a subquery, as in [5m:]";
    }
    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (hints[i].wanted == wanted && hints[i].found == arg->type) {
            return hints[i].hint;
        }
    }
    return "";
}

static bool fits(const struct parser *p, enum promql_type wanted, enum promql_type found)
{
    if (wanted == PROMQL_TYPE_NONE || wanted == found) {
        return true;
    }
    return is_metricsql(p) && wanted != PROMQL_TYPE_STRING && found != PROMQL_TYPE_STRING;
}

bool check_args(struct parser *p, const struct promql_node *node, const char *name,
                const struct promql_signature *signature, const struct promql_nodes *args)
{
    struct arity arity = arity_of(signature);

    if (args->count < arity.min || args->count > arity.max) {
        return wrong_count(p, node, name, arity, args);
    }
    for (uint32_t i = 0; i < args->count; i++) {
        enum promql_type wanted = type_of_letter(letter_of(signature, i));
        const struct promql_node *arg = args->items[i];
        if (!fits(p, wanted, arg->type)) {
            return fail_node(p, arg, "%s() expects %s as argument %u, found %s%s", name,
                             promql_type_name(wanted), i + 1, promql_type_name(arg->type),
                             hint_on(wanted, arg));
        }
    }
    return true;
}
