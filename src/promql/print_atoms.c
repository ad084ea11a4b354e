#include "promql/print.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timetext.h"
#include "base/vec.h"
#include "promql/lex.h"

#include <math.h>
#include <stdlib.h>

void print_value(double value, struct buf *out)
{
    char text[NUMBER_PLAIN_MAX];

    buf_add(out, text, number_format_plain(value, text));
}

void print_seconds(double seconds, struct buf *out)
{
    double ms = round(fabs(seconds) * 1000);
    double most = (double)(INT64_MAX / NS_PER_MS - 1);

    if (signbit(seconds) != 0) {
        buf_add_byte(out, '-');
    }
    buf_add_duration(out, (int64_t)(ms < most ? ms : most) * NS_PER_MS);
}

static const char escapes[][2] = {
    {'\a', 'a'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'},  {'\r', 'r'},
    {'\t', 't'}, {'\v', 'v'}, {'"', '"'},  {'\\', '\\'},
};

static void print_byte(char c, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        if (escapes[i][0] == c) {
            buf_add_byte(out, '\\');
            buf_add_byte(out, escapes[i][1]);
            return;
        }
    }
    unsigned char byte = (unsigned char)c;
    if (byte < 0x20 || byte >= 0x7F) {
        buf_addf(out, "\\x%02x", byte);
        return;
    }
    buf_add_byte(out, c);
}

void print_quoted(struct str text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len;) {
        struct str here = str_slice(text, i, text.len);
        size_t len = character_length(here);
        if (len > 1) {
            buf_add(out, here.ptr, len);
        } else {
            print_byte(here.ptr[0], out);
        }
        i += len;
    }
    buf_add_byte(out, '"');
}

void print_label(struct str name, struct buf *out)
{
    if (is_plain_label(name)) {
        buf_add_str(out, name);
    } else {
        print_quoted(name, out);
    }
}

/*
 * A MetricsQL name that was written with escapes: the first letter is escaped too, so that it is no
 * keyword.
 */
static void print_escaped(struct str name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9';
        if (i == 0 && (c == 'x' || c == 'u')) {
            buf_addf(out, "\\x%02x", (unsigned)c);
            continue;
        }
        if ((c & 0xC0) != 0x80 && (i == 0 || (!digit && !is_plain_metric(str_make(&c, 1))))) {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, c);
    }
}

static bool is_own_name(const struct promql_vector *vector, const struct promql_matcher *m)
{
    return m->op == PROMQL_EQ && vector->name.len > 0 && str_eq(m->value, vector->name) &&
           str_eq(m->label, STR("__name__"));
}

static void print_matcher(const struct promql_matcher *m, struct buf *out)
{
    static const char *const ops[] = {
        [PROMQL_EQ] = "=", [PROMQL_NE] = "!=", [PROMQL_RE] = "=~", [PROMQL_NRE] = "!~"};

    print_label(m->label, out);
    buf_add_text(out, ops[m->op]);
    print_quoted(m->value, out);
}

static int compare_texts(const void *a, const void *b)
{
    const struct str *left = a;
    const struct str *right = b;

    return str_cmp(*left, *right);
}

/* The matchers' texts one after the other in <texts>, then sorted. */
static void print_filter(const struct promql_vector *vector, const struct promql_filter *filter,
                         struct buf *out)
{
    AUTO(buf_release) struct buf texts = BUF_INIT(BUF_UNLIMITED);
    AUTO(mem_autofree) size_t *ends = mem_alloc0(filter->count, sizeof(size_t));
    AUTO(mem_autofree) struct str *sorted = mem_alloc0(filter->count, sizeof(struct str));
    size_t count = 0;
    size_t start = 0;

    for (uint32_t i = 0; i < filter->count; i++) {
        if (!is_own_name(vector, &filter->matchers[i])) {
            print_matcher(&filter->matchers[i], &texts);
            ends[count++] = texts.len;
        }
    }
    if (count == 0 && vector->filter_count > 1) {
        print_matcher(&filter->matchers[0], &texts);
        ends[count++] = texts.len;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = str_slice(buf_str(&texts), start, ends[i] - start);
        start = ends[i];
    }
    qsort(sorted, count, sizeof(*sorted), compare_texts);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i > 0 ? "," : "");
        buf_add_str(out, sorted[i]);
    }
}

void print_selector(const struct promql_vector *vector, struct buf *out)
{
    size_t before;

    if (vector->is_escaped) {
        print_escaped(vector->name, out);
    } else {
        buf_add_str(out, vector->name);
    }
    before = out->len;
    buf_add_byte(out, '{');
    for (uint32_t i = 0; i < vector->filter_count; i++) {
        buf_add_text(out, i > 0 ? " or " : "");
        print_filter(vector, &vector->filters[i], out);
    }
    buf_add_byte(out, '}');
    if (vector->name.len > 0 && out->len == before + 2) {
        buf_truncate(out, before);
    }
}
