/* tests/golden/template/go.txt: what Go's own text/template makes of a text, byte for byte. */
#include "template/template.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LINES_MIN = 800 };

static struct labels *make_labels(void)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), STR("up"));
    labels_builder_set(&b, STR("instance"), STR("web-1:9100"));
    labels_builder_set(&b, STR("job"), STR("node"));
    labels_builder_set(&b, STR("html"), STR("<b>"));
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void unescape(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.ptr[i] == '\\' && i + 1 < text.len;
        if (escaped && text.ptr[i + 1] == 'x') {
            buf_add_byte(out, (char)(hex(text.ptr[i + 2]) << 4 | hex(text.ptr[i + 3])));
            i += 3;
        } else {
            buf_add_byte(out, text.ptr[i]);
            i += escaped ? 1 : 0;
        }
    }
}

/* How many lines differ: 0 or 1. */
static unsigned check_line(struct str text, struct str wanted, const struct labels *labels)
{
    AUTO(template_autofree) struct template *t = NULL;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
    struct template_world world = {0};
    struct template_data data = {.labels = labels,
                                 .value = 85.4,
                                 .active_at_ns = INT64_C(1705314600250) * NS_PER_MS,
                                 .for_ns = 300 * NS_PER_S};
    struct err e = ERR_INIT;

    unescape(wanted, &want);
    bool ok = template_compile(STR("test"), text, NULL, &t, &e) &&
              template_render(t, &data, &world, &out, &e);
    if (ok && str_eq(buf_str(&out), buf_str(&want))) {
        return 0;
    }
    print_message("%.*s\n  gives   %s\n  Go says %s  %s\n", STR_FMT(text), buf_text(&out),
                  buf_text(&want), e.message);
    return 1;
}

static void texts_render_as_in_go(void **state)
{
    AUTO(buf_release) struct buf file = BUF_INIT(1 << 20);
    struct labels *labels = make_labels();
    const char *root = getenv("TELEX_SOURCE_ROOT");
    struct err e = ERR_INIT;
    unsigned lines = 0;
    unsigned wrong = 0;
    char path[4096];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/tests/golden/template/go.txt",
                   root != NULL ? root : ".");
    assert_true(fs_read_file(fs_system(), str_of(path), 1 << 20, &file, &e));
    for (struct str rest = buf_str(&file); rest.len > 0;) {
        struct str line = str_slice(rest, 0, str_find_byte(rest, '\n'));
        size_t tab = str_find_byte(line, '\t');
        rest = str_slice(rest, line.len + 1, rest.len);
        if (line.len > 0 && line.ptr[0] != '#') {
            wrong +=
                check_line(str_slice(line, 0, tab), str_slice(line, tab + 1, line.len), labels);
            lines++;
        }
    }
    labels_unref(labels);
    assert_true(lines > LINES_MIN);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_render_as_in_go)};

    return cmocka_run_group_tests_name("template/go", tests, NULL, NULL);
}
