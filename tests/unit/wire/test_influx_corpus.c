/* The public cases of line protocol, both ways. */
#include "wire/influx_line.h"

#include "base/base64.h"
#include "base/number.h"
#include "fake/shared_data.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct corpus {
    struct arena arena;
    struct buf text;
    struct json_node *root;
};

static int load(void **state)
{
    static struct corpus corpus;
    struct err e = ERR_INIT;

    arena_init(&corpus.arena, ARENA_UNLIMITED);
    buf_init(&corpus.text, BUF_UNLIMITED);
    *state = &corpus;
    if (!shared_data_read("line-protocol/corpus-part.json", &corpus.text)) {
        return 0;
    }
    return json_parse(buf_str(&corpus.text), &corpus.arena, &corpus.root, &e) ? 0 : -1;
}

static int unload(void **state)
{
    struct corpus *corpus = *state;

    buf_release(&corpus->text);
    arena_release(&corpus->arena);
    return 0;
}

/* A text, or {"binary": base64}. */
static struct str text_of(const struct json_node *node, struct arena *a)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);

    if (node->kind == JSON_STRING) {
        return node->text;
    }
    assert_true(base64_decode(json_get_str(node, STR("binary")), &bytes));
    return arena_dup(a, buf_str(&bytes));
}

static void put_field_value(struct buf *out, const struct json_node *value, struct arena *a)
{
    const struct json_node *kind = value->first;
    double number = 0;

    if (str_eq(kind->key, STR("string"))) {
        influx_put_string(out, text_of(kind, a));
    } else if (str_eq(kind->key, STR("bool"))) {
        buf_add_text(out, kind->kind == JSON_TRUE ? "true" : "false");
    } else if (str_eq(kind->key, STR("float"))) {
        assert_true(json_node_double(kind, &number));
        buf_add_double(out, number);
    } else {
        buf_add_str(out, kind->text);
        buf_add_byte(out, kind->key.ptr[0]);
    }
}

static void put_point(struct buf *out, const struct json_node *point, struct arena *a)
{
    const char *separator = " ";

    influx_put_measurement(out, text_of(json_get(point, STR("name")), a));
    for (const struct json_node *t = json_get(point, STR("tags"))->first; t != NULL; t = t->next) {
        influx_put_tag(out, text_of(json_get(t, STR("key")), a),
                       text_of(json_get(t, STR("value")), a));
    }
    for (const struct json_node *f = json_get(point, STR("fields"))->first; f != NULL;
         f = f->next) {
        buf_add_text(out, separator);
        influx_put_field_key(out, text_of(json_get(f, STR("key")), a));
        buf_add_byte(out, '=');
        put_field_value(out, json_get(f, STR("value")), a);
        separator = ",";
    }
    buf_add_byte(out, ' ');
    buf_add_str(out, json_get(point, STR("time"))->text);
}

static void test_encode(void **state)
{
    struct corpus *corpus = *state;
    size_t count = 0;

    if (corpus->root == NULL) {
        skip();
    }
    const struct json_node *cases = json_get(corpus->root, STR("encode"));
    for (const struct json_node *c = cases->first; c != NULL; c = c->next) {
        const struct json_node *output = json_get(c, STR("output"));
        const struct json_node *result = json_get(output, STR("result"));
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        if (result == NULL) {
            continue; /* an empty tag value: an error there, no tag here */
        }
        put_point(&out, json_get(json_get(c, STR("input")), STR("point")), &corpus->arena);
        if (!str_eq(buf_str(&out), text_of(result, &corpus->arena))) {
            fail_msg("%.*s: %s", STR_FMT(c->key), buf_text(&out));
        }
        count++;
    }
    assert_true(count >= 50);
}

/* What a case says points are, printed; numbers as their nearest double or as written. */
static void print_wanted(struct buf *out, const struct json_node *point, struct arena *a)
{
    put_point(out, point, a);
    buf_add_byte(out, '\n');
}

struct got {
    struct buf out;
    int64_t default_time;
};

static void print_field(struct buf *out, const struct influx_field *f)
{
    influx_put_field_key(out, f->key);
    buf_add_byte(out, '=');
    if (f->type == INFLUX_STRING) {
        influx_put_string(out, f->text);
    } else if (f->type == INFLUX_FLOAT) {
        buf_add_double(out, f->real);
    } else if (f->type == INFLUX_BOOL) {
        buf_add_text(out, f->truth ? "true" : "false");
    } else if (f->type == INFLUX_INT) {
        buf_add_i64(out, f->whole);
        buf_add_byte(out, 'i');
    } else {
        buf_add_u64(out, f->natural);
        buf_add_byte(out, 'u');
    }
}

static bool print_got(void *arg, const struct influx_point *p, struct err *e)
{
    struct got *got = arg;
    const char *separator = " ";

    (void)e;
    influx_put_measurement(&got->out, p->measurement);
    for (size_t i = 0; i < p->tag_count; i++) {
        influx_put_tag(&got->out, p->tags[i].name, p->tags[i].value);
    }
    for (size_t i = 0; i < p->field_count; i++) {
        buf_add_text(&got->out, separator);
        print_field(&got->out, &p->fields[i]);
        separator = ",";
    }
    buf_add_byte(&got->out, ' ');
    buf_add_i64(&got->out, p->has_time ? p->time_ns : got->default_time);
    buf_add_byte(&got->out, '\n');
    return true;
}

static void check_decode(const struct json_node *c, struct arena *a)
{
    const struct json_node *input = json_get(c, STR("input"));
    const struct json_node *result = json_get(json_get(c, STR("output")), STR("result"));
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
    struct got got = {.out = BUF_INIT(BUF_UNLIMITED)};
    const struct influx_points points = {print_got, &got};
    struct err e = ERR_INIT;

    assert_true(number_parse_i64(json_get(input, STR("defaultTime"))->text, &got.default_time));
    bool ok = influx_read(text_of(json_get(input, STR("text")), a), a, &points, &e);
    if (ok != (result != NULL)) {
        fail_msg("%.*s: %s", STR_FMT(c->key), ok ? "accepted" : e.message);
    }
    for (const struct json_node *p = ok ? result->first : NULL; p != NULL; p = p->next) {
        print_wanted(&want, p, a);
    }
    if (ok && !str_eq(buf_str(&got.out), buf_str(&want))) {
        fail_msg("%.*s: %s, wanted %s", STR_FMT(c->key), buf_text(&got.out), buf_text(&want));
    }
    buf_release(&got.out);
}

static void test_decode(void **state)
{
    struct corpus *corpus = *state;
    size_t count = 0;

    if (corpus->root == NULL) {
        skip();
    }
    const struct json_node *cases = json_get(corpus->root, STR("decode"));
    for (const struct json_node *c = cases->first; c != NULL; c = c->next) {
        check_decode(c, &corpus->arena);
        count++;
    }
    assert_true(count >= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
