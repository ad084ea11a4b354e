/*
 * Go's own template functions. Comparisons are kinder than Go's: an int and a float compare as
 * numbers.
 */
#include "template/template_int.h"

#include <math.h>

static bool is_number(const struct value *v)
{
    return v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_DURATION ||
           v->kind == VALUE_TIME || v->kind == VALUE_MONTH || v->kind == VALUE_WEEKDAY;
}

static double number_of(const struct value *v)
{
    return v->kind == VALUE_FLOAT ? v->as.number : (double)v->as.integer;
}

/* <0, 0, >0, or 2 when neither (NaN); false when the two cannot be compared. */
static bool compare(const struct value *a, const struct value *b, int *ret_order, struct err *e)
{
    if (is_number(a) && is_number(b)) {
        double x = number_of(a);
        double y = number_of(b);
        *ret_order = isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
        return true;
    }
    if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        int order = str_cmp(a->as.text, b->as.text);
        *ret_order = (order > 0) - (order < 0);
        return true;
    }
    if (a->kind == VALUE_BOOL && b->kind == VALUE_BOOL) {
        *ret_order = a->as.boolean == b->as.boolean ? 0 : 2;
        return true;
    }
    if (a->kind == VALUE_NIL || b->kind == VALUE_NIL) {
        *ret_order = a->kind == b->kind ? 0 : 2;
        return true;
    }
    return err_set(e, ERR_PARSE, "cannot compare %s with %s", value_type_name(a),
                   value_type_name(b));
}

static bool go_eq(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int order = 2;

    (void)r;
    for (size_t i = 1; i < args.count && order != 0; i++) {
        if (!compare(&args.items[0], &args.items[i], &order, e)) {
            return false;
        }
    }
    *ret = value_bool(order == 0);
    return true;
}

static bool go_ne(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    if (!go_eq(r, args, ret, e)) {
        return false;
    }
    ret->as.boolean = !ret->as.boolean;
    return true;
}

static bool ordered(struct value_list args, int *ret_order, struct err *e)
{
    if (args.items[0].kind == VALUE_BOOL || args.items[0].kind == VALUE_NIL) {
        return err_set(e, ERR_PARSE, "%s has no order", value_type_name(&args.items[0]));
    }
    return compare(&args.items[0], &args.items[1], ret_order, e);
}

static bool go_lt(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int order = 0;

    (void)r;
    *ret = value_bool(false);
    return ordered(args, &order, e) && (*ret = value_bool(order == -1), true);
}

static bool go_le(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int order = 0;

    (void)r;
    return ordered(args, &order, e) && (*ret = value_bool(order == -1 || order == 0), true);
}

static bool go_gt(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int order = 0;

    (void)r;
    return ordered(args, &order, e) && (*ret = value_bool(order == 1), true);
}

static bool go_ge(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int order = 0;

    (void)r;
    return ordered(args, &order, e) && (*ret = value_bool(order == 1 || order == 0), true);
}

static bool go_not(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)r;
    (void)e;
    *ret = value_bool(!value_is_true(&args.items[0]));
    return true;
}

static bool go_len(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    int64_t len = value_len(&args.items[0]);

    (void)r;
    *ret = value_int(len);
    return len >= 0 || err_set(e, ERR_PARSE, "%s has no length", value_type_name(&args.items[0]));
}

static bool index_one(const struct value *from, const struct value *key, struct value *ret,
                      struct err *e)
{
    int64_t i = key->kind == VALUE_INT ? key->as.integer : -1;

    if (from->kind == VALUE_LABELS && key->kind == VALUE_TEXT) {
        *ret = value_text(value_labels_get(from, key->as.text));
        return true;
    }
    if (from->kind == VALUE_MAP && key->kind == VALUE_TEXT) {
        *ret = value_map_get(from->as.map, key->as.text);
        return true;
    }
    if (from->kind == VALUE_OBJECT && key->kind == VALUE_TEXT) {
        *ret = value_object_get(from, key->as.text);
        return true;
    }
    struct value place;
    if (from->kind == VALUE_OBJECT && i >= 0 && value_object_at(from, (size_t)i, &place, ret)) {
        return true;
    }
    int64_t len = value_len(from);
    if (key->kind != VALUE_INT || len < 0 || from->kind == VALUE_LABELS) {
        return err_set(e, ERR_PARSE, "cannot index %s with %s", value_type_name(from),
                       value_type_name(key));
    }
    if (i < 0 || i >= len) {
        return err_set(e, ERR_PARSE, "index %lld is out of range: the length is %lld", (long long)i,
                       (long long)len);
    }
    if (from->kind == VALUE_SAMPLES) {
        *ret = (struct value){.kind = VALUE_SAMPLE, .as.sample = &from->as.samples.items[i]};
    } else {
        *ret = from->kind == VALUE_MAP ? from->as.map.items[i]
                                       : value_int((unsigned char)from->as.text.ptr[i]);
    }
    return true;
}

static bool go_index(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct value v = args.items[0];

    (void)r;
    for (size_t i = 1; i < args.count; i++) {
        struct value inner;
        if (!index_one(&v, &args.items[i], &inner, e)) {
            return false;
        }
        v = inner;
    }
    *ret = v;
    return true;
}

static bool go_slice(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    const struct value *from = &args.items[0];
    int64_t len = from->kind == VALUE_TEXT || from->kind == VALUE_SAMPLES ? value_len(from) : -1;
    int64_t bounds[2] = {0, len};

    (void)r;
    if (len < 0) {
        return err_set(e, ERR_PARSE, "%s cannot be sliced", value_type_name(from));
    }
    for (size_t i = 1; i < args.count; i++) {
        bounds[i - 1] = args.items[i].kind == VALUE_INT ? args.items[i].as.integer : -1;
    }
    if (bounds[0] < 0 || bounds[1] < bounds[0] || bounds[1] > len) {
        return err_set(e, ERR_PARSE, "the slice is out of range: the length is %lld",
                       (long long)len);
    }
    size_t count = (size_t)(bounds[1] - bounds[0]);
    *ret = *from;
    if (from->kind == VALUE_TEXT) {
        ret->as.text = str_slice(from->as.text, (size_t)bounds[0], count);
    } else {
        ret->as.samples.items += bounds[0];
        ret->as.samples.count = count;
    }
    return true;
}

static bool go_print(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);

    (void)e;
    value_print_all(args, &out);
    *ret = render_take_text(r, &out);
    return true;
}

static bool go_println(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);

    (void)e;
    for (size_t i = 0; i < args.count; i++) {
        if (i > 0) {
            buf_add_byte(&out, ' ');
        }
        value_print(&args.items[i], &out);
    }
    buf_add_byte(&out, '\n');
    *ret = render_take_text(r, &out);
    return true;
}

static bool go_printf(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);

    if (!template_printf(args, &out, e)) {
        buf_release(&out);
        return false;
    }
    *ret = render_take_text(r, &out);
    return true;
}

static bool go_call(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)r;
    (void)args;
    (void)ret;
    return err_set(e, ERR_PARSE, "there is no function value to call");
}

const struct function functions_go[] = {
    {"printf", 1, -1, USES_NOTHING, false, go_printf},
    {"print", 0, -1, USES_NOTHING, false, go_print},
    {"println", 0, -1, USES_NOTHING, false, go_println},
    {"eq", 2, -1, USES_NOTHING, false, go_eq},
    {"ne", 2, 2, USES_NOTHING, false, go_ne},
    {"lt", 2, 2, USES_NOTHING, false, go_lt},
    {"le", 2, 2, USES_NOTHING, false, go_le},
    {"gt", 2, 2, USES_NOTHING, false, go_gt},
    {"ge", 2, 2, USES_NOTHING, false, go_ge},
    {"and", 1, -1, USES_NOTHING, true, NULL},
    {"or", 1, -1, USES_NOTHING, true, NULL},
    {"not", 1, 1, USES_NOTHING, false, go_not},
    {"len", 1, 1, USES_NOTHING, false, go_len},
    {"index", 1, -1, USES_NOTHING, false, go_index},
    {"slice", 1, 3, USES_NOTHING, false, go_slice},
    {"call", 1, -1, USES_NOTHING, false, go_call},
    {NULL, 0, 0, 0, false, NULL},
};
