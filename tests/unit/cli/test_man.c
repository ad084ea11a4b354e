/* Manual pages: what each form of Markdown becomes. */
#include "cli/man.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD ".TH x 5 \"\" \"telex 1\" \"telex\"\n.ad l\n.SH NAME\nx \\- help\n"

static const struct {
    const char *markdown;
    const char *roff;
} cases[] = {
    {"# Left out\n<!-- and this -->\ntext", "text\n"},
    {"## `a-b`\n\ntext\n\nmore\nof it", ".SH \\fBa\\-b\\fR\n.PP\ntext\n.PP\nmore\nof it\n"},
    {"### a\ntext", ".SS a\ntext\n"},
    {".TH x\n'quoted'\nback\\slash", "\\&.TH x\n\\&'quoted'\nback\\eslash\n"},
    {"see [the page](a/b.md) now", "see the page now\n"},
    {"a [list] and `[x](y)`", "a [list] and \\fB[x](y)\\fR\n"},
    {"an open ` stays", "an open ` stays\n"},
    {"- `-c`, `--config FILE`: the file\n- plain",
     ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config FILE\\fR\nthe file\n.IP \\(bu 2\nplain\n"},
    {"```yaml\n.a: -1\n\n'b'\n```\ntext",
     ".PP\n.RS 4\n.nf\n\\&.a: \\-1\n\\&\n\\&'b'\n.fi\n.RE\n.PP\ntext\n"},
    {"| option | type | default | meaning |\n|---|---|---|---|\n| `a` | text |  | `b | c` of it |\n"
     "| `d` | size | `1KB` |  |\nbehind",
     ".TP\n\\fBa\\fR (text)\n\\fBb | c\\fR of it\n.TP\n\\fBd\\fR (size; default \\fB1KB\\fR)\n\\&\n.PP\nbehind\n"},
    {"| flag | meaning |\n|---|---|\n| a | b |\n\n| flag | meaning |\n|---|---|\n| c | d |",
     ".TP\na\nb\n.TP\nc\nd\n"},
};

static void forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct man_head head = {"x", "5", "help", "1"};
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf expected = BUF_INIT(BUF_UNLIMITED);
        buf_addf(&expected, "%s%s", HEAD, cases[i].roff);
        man_print(&head, str_of(cases[i].markdown), &out);
        assert_string_equal(buf_text(&out), buf_text(&expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
