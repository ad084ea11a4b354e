/*
 * Values print, compare and convert as Go's reflect-based templates do, for the kinds that rules
 * meet.
 */
#include "template/template_int.h"

#include "base/number.h"
#include "base/timetext.h"

#include <stdio.h>

static const char *const type_names[VALUE_KINDS] = {
    [VALUE_NIL] = "nil",
    [VALUE_BOOL] = "bool",
    [VALUE_INT] = "int",
    [VALUE_FLOAT] = "float64",
    [VALUE_TEXT] = "string",
    [VALUE_LABELS] = "map[string]string",
    [VALUE_SAMPLES] = "template.queryResult",
    [VALUE_SAMPLE] = "*template.sample",
    [VALUE_TIME] = "time.Time",
    [VALUE_DURATION] = "time.Duration",
    [VALUE_MONTH] = "time.Month",
    [VALUE_WEEKDAY] = "time.Weekday",
    [VALUE_MAP] = "map[string]interface {}",
    [VALUE_ROOT] = "struct",
    [VALUE_OBJECT] = "map[string]interface {}",
};

const char *value_type_name(const struct value *v)
{
    return type_names[v->kind];
}

static struct value value_item(const struct template_objects *objects, struct template_item item)
{
    switch (item.kind) {
    case ITEM_FLAG:
        return value_bool(item.integer != 0);
    case ITEM_INTEGER:
        return value_int(item.integer);
    case ITEM_NUMBER:
        return value_float(item.number);
    case ITEM_TEXT:
        return value_text(item.text);
    case ITEM_OBJECT:
        return value_object(objects, item.object);
    case ITEM_NONE:
        break;
    }
    return (struct value){.kind = VALUE_NIL};
}

struct value value_object(const struct template_objects *objects, const void *object)
{
    return (struct value){.kind = VALUE_OBJECT, .as.object = {objects, object}};
}

struct value value_object_get(const struct value *v, struct str name)
{
    return value_item(v->as.object.objects, v->as.object.objects->get(v->as.object.object, name));
}

bool value_object_at(const struct value *v, size_t i, struct value *ret_key,
                     struct value *ret_value)
{
    struct template_item item = {ITEM_NONE, 0, 0, STR_NONE, NULL};
    struct str name = STR_NONE;

    if (!v->as.object.objects->at(v->as.object.object, i, &name, &item)) {
        return false;
    }
    *ret_key = name.len > 0 ? value_text(name) : value_int((int64_t)i);
    *ret_value = value_item(v->as.object.objects, item);
    return true;
}

static int64_t object_len(const struct value *v)
{
    struct value key;
    struct value value;
    size_t count = 0;

    while (value_object_at(v, count, &key, &value)) {
        count++;
    }
    return (int64_t)count;
}

int64_t value_len(const struct value *v)
{
    switch (v->kind) {
    case VALUE_TEXT:
        return (int64_t)v->as.text.len;
    case VALUE_SAMPLES:
        return (int64_t)v->as.samples.count;
    case VALUE_MAP:
        return (int64_t)v->as.map.count;
    case VALUE_OBJECT:
        return object_len(v);
    case VALUE_LABELS: {
        struct labels_walk walk = {0};
        struct label pair;
        int64_t count = 0;
        while (value_labels_next(v, &walk, &pair)) {
            count++;
        }
        return count;
    }
    case VALUE_NIL:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_SAMPLE:
    case VALUE_TIME:
    case VALUE_DURATION:
    case VALUE_MONTH:
    case VALUE_WEEKDAY:
    case VALUE_ROOT:
    case VALUE_KINDS:
        break;
    }
    return -1;
}

bool value_is_true(const struct value *v)
{
    int64_t len = value_len(v);

    if (len >= 0) {
        return len > 0;
    }
    if (v->kind == VALUE_BOOL) {
        return v->as.boolean;
    }
    if (v->kind == VALUE_FLOAT) {
        return v->as.number != 0;
    }
    if (v->kind == VALUE_INT || v->kind == VALUE_DURATION || v->kind == VALUE_WEEKDAY) {
        return v->as.integer != 0;
    }
    return v->kind != VALUE_NIL;
}

struct value value_map_get(struct value_list map, struct str name)
{
    for (size_t i = 0; i < map.count; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "arg%zu", i);
        if (str_eq(name, str_of(key))) {
            return map.items[i];
        }
    }
    return (struct value){.kind = VALUE_NIL};
}

struct str value_labels_get(const struct value *v, struct str name)
{
    struct str found = labels_get(v->as.labels.first, name);

    return found.len != 0 || v->as.labels.second == NULL ? found
                                                         : labels_get(v->as.labels.second, name);
}

/* Merges two sorted sets; where both have a name, the first one's value counts. */
bool value_labels_next(const struct value *v, struct labels_walk *w, struct label *ret_label)
{
    struct labels_walk a = *w;
    struct label first;
    struct label second;
    bool has_first = labels_next(v->as.labels.first, &a.at_first, &first);
    bool has_second =
        v->as.labels.second != NULL && labels_next(v->as.labels.second, &a.at_second, &second);

    if (!has_first && !has_second) {
        return false;
    }
    int order = !has_second ? -1 : !has_first ? 1 : str_cmp(first.name, second.name);
    if (order <= 0) {
        w->at_first = a.at_first;
    }
    if (order >= 0) {
        w->at_second = a.at_second;
    }
    *ret_label = order <= 0 ? first : second;
    return true;
}

static void print_labels(const struct value *v, struct buf *out)
{
    struct labels_walk walk = {0};
    struct label pair;
    const char *before = "map[";

    while (value_labels_next(v, &walk, &pair)) {
        buf_addf(out, "%s%.*s:%.*s", before, STR_FMT(pair.name), STR_FMT(pair.value));
        before = " ";
    }
    buf_add_text(out, *before == 'm' ? "map[]" : "]");
}

/* "2006-01-02 15:04:05.999 +0000 UTC", as Go prints a time. */
static void print_time(int64_t ns, struct buf *out)
{
    struct civil c = civil_of(ns);

    buf_addf(out, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute,
             c.second);
    if (c.ns != 0) {
        buf_addf(out, ".%09d", c.ns);
        while (out->len > 0 && out->ptr[out->len - 1] == '0') {
            buf_truncate(out, out->len - 1);
        }
    }
    buf_add_text(out, " +0000 UTC");
}

static void print_float(double number, struct buf *out)
{
    char digits[NUMBER_TEXT_MAX];

    buf_add(out, digits, number_format_go(number, digits));
}

static void print_samples(const struct value *v, struct buf *out)
{
    buf_add_byte(out, '[');
    for (size_t i = 0; i < v->as.samples.count; i++) {
        if (i > 0) {
            buf_add_byte(out, ' ');
        }
        struct value one = {.kind = VALUE_SAMPLE, .as.sample = &v->as.samples.items[i]};
        value_print(&one, out);
    }
    buf_add_byte(out, ']');
}

static void print_sample(const struct template_sample *s, struct buf *out)
{
    struct value labels = {.kind = VALUE_LABELS, .as.labels = {s->labels, NULL}};

    buf_add_text(out, "{");
    print_labels(&labels, out);
    buf_add_byte(out, ' ');
    print_float(s->value, out);
    buf_add_byte(out, '}');
}

static void print_map(const struct value *v, struct buf *out)
{
    buf_add_text(out, "map[");
    for (size_t i = 0; i < v->as.map.count; i++) {
        buf_addf(out, "%sarg%zu:", i > 0 ? " " : "", i);
        value_print(&v->as.map.items[i], out);
    }
    buf_add_byte(out, ']');
}

void value_print(const struct value *v, struct buf *out)
{
    switch (v->kind) {
    case VALUE_BOOL:
        buf_add_text(out, v->as.boolean ? "true" : "false");
        return;
    case VALUE_INT:
        buf_add_i64(out, v->as.integer);
        return;
    case VALUE_FLOAT:
        print_float(v->as.number, out);
        return;
    case VALUE_TEXT:
        buf_add_str(out, v->as.text);
        return;
    case VALUE_LABELS:
        print_labels(v, out);
        return;
    case VALUE_SAMPLES:
        print_samples(v, out);
        return;
    case VALUE_SAMPLE:
        print_sample(v->as.sample, out);
        return;
    case VALUE_TIME:
        print_time(v->as.integer, out);
        return;
    case VALUE_DURATION:
        template_print_duration(v->as.integer, out);
        return;
    case VALUE_MONTH:
        buf_add_text(out, month_names[v->as.integer - 1]);
        return;
    case VALUE_WEEKDAY:
        buf_add_text(out, weekday_names[v->as.integer]);
        return;
    case VALUE_MAP:
        print_map(v, out);
        return;
    case VALUE_OBJECT:
        v->as.object.objects->print(v->as.object.object, out);
        return;
    case VALUE_NIL:
    case VALUE_ROOT:
    case VALUE_KINDS:
        buf_add_text(out, "<nil>");
        return;
    }
}

void value_print_all(struct value_list values, struct buf *out)
{
    for (size_t i = 0; i < values.count; i++) {
        if (i > 0 && values.items[i].kind != VALUE_TEXT && values.items[i - 1].kind != VALUE_TEXT) {
            buf_add_byte(out, ' ');
        }
        value_print(&values.items[i], out);
    }
}

bool value_to_float(const struct value *v, double *ret_number, struct err *e)
{
    int64_t ns = 0;

    if (v->kind == VALUE_FLOAT || v->kind == VALUE_INT) {
        *ret_number = v->kind == VALUE_FLOAT ? v->as.number : (double)v->as.integer;
        return true;
    }
    if (v->kind == VALUE_DURATION || v->kind == VALUE_TIME) {
        *ret_number = (double)v->as.integer / (double)NS_PER_S;
        return true;
    }
    if (v->kind != VALUE_TEXT) {
        return err_set(e, ERR_PARSE, "expected a number, found %s", value_type_name(v));
    }
    if (number_parse(v->as.text, ret_number)) {
        return true;
    }
    if (duration_parse(v->as.text, false, &ns, e)) {
        *ret_number = (double)ns / (double)NS_PER_S;
        return true;
    }
    return err_set(e, ERR_PARSE, "expected a number, found \"%.*s\"", STR_FMT(v->as.text));
}

bool value_to_text(const struct value *v, struct str *ret_text, struct err *e)
{
    if (v->kind != VALUE_TEXT) {
        return err_set(e, ERR_PARSE, "expected a string, found %s", value_type_name(v));
    }
    *ret_text = v->as.text;
    return true;
}
