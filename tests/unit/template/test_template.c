/* Templates as tables: what a text renders to, what it depends on, and what is refused and where.
 */
#include "template/template.h"

#include "base/clock.h"
#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct labels *make_labels(const char *const *pairs)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        labels_builder_set(&b, str_of(pairs[i]), str_of(pairs[i + 1]));
    }
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

struct fixture {
    struct labels *labels;
    struct labels *external;
    struct labels *answer[2];
    struct template_sample samples[2];
};

static int set_up(void **state)
{
    static const char *const labels[] = {"__name__", "up",   "instance", "web-1:9100", "job",
                                         "node",     "html", "<b>",      NULL};
    static const char *const external[] = {"cluster", "prod", NULL};
    static const char *const first[] = {"instance", "b", "__value__", "text", NULL};
    static const char *const second[] = {"instance", "a", NULL};
    struct fixture *f = mem_new(struct fixture);

    f->labels = make_labels(labels);
    f->external = make_labels(external);
    f->answer[0] = make_labels(first);
    f->answer[1] = make_labels(second);
    f->samples[0] = (struct template_sample){f->answer[0], 1.5};
    f->samples[1] = (struct template_sample){f->answer[1], 2};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    labels_unref(f->labels);
    labels_unref(f->external);
    labels_unref(f->answer[0]);
    labels_unref(f->answer[1]);
    mem_free(f);
    return 0;
}

static bool answer(void *arg, struct str expr, struct arena *a,
                   const struct template_sample **ret_samples, size_t *ret_count, struct err *e)
{
    const struct fixture *f = arg;

    (void)a;
    if (str_eq(expr, STR("broken"))) {
        return err_set(e, ERR_NET, "connection refused");
    }
    *ret_samples = f->samples;
    *ret_count = str_eq(expr, STR("empty")) ? 0 : 2;
    return true;
}

static bool render(const struct fixture *f, const char *text, double value, struct buf *out,
                   struct err *e)
{
    AUTO(template_autofree) struct template *t = NULL;
    struct template_world world = {.query = answer,
                                   .arg = (void *)(uintptr_t)f,
                                   .external_labels = f->external,
                                   .external_url = STR("https://mon.example.com/telex")};
    struct template_data data = {.labels = f->labels,
                                 .value = value,
                                 .now_ns = INT64_C(1705314600250) * NS_PER_MS,
                                 .active_at_ns = INT64_C(1705314600) * NS_PER_S,
                                 .for_ns = 300 * NS_PER_S,
                                 .expr = STR("up == 0"),
                                 .type = STR("prometheus")};

    if (!template_compile(STR("test"), str_of(text), NULL, &t, e)) {
        fail_msg("%s does not compile: %s", text, e->message);
    }
    return template_render(t, &data, &world, out, e);
}

static const struct {
    const char *text;
    double value;
    const char *want;
} good[] = {
    {"", 0, ""},
    {"plain text", 0, "plain text"},
    {"{{ $value }}", 85.4, "85.4"},
    {"{{ .Value }}", 1e21, "1e+21"},
    {"{{ $labels.instance }} of {{ $labels.job }}", 0, "web-1:9100 of node"},
    {"{{ .Labels.job }}", 0, "node"},
    {"{{ $labels.none }}|", 0, "|"},
    {"{{ $externalLabels.cluster }}", 0, "prod"},
    {"{{ externalURL }} {{ pathPrefix }}", 0, "https://mon.example.com/telex /telex"},
    {"a {{- \"b\" -}} c", 0, "abc"},
    {"a {{/* nothing */}} b", 0, "a  b"},
    {"a {{- /* nothing */ -}} b", 0, "ab"},
    {"{{ \"}}\" }}", 0, "}}"},
    {"{{ `raw \\n` }}", 0, "raw \\n"},
    {"{{ \"\\u00e9\\x41\\n\" }}", 0,
     "\xC3\xA9"
     "A\n"},
    {"{{ if gt $value 80.0 }}high{{ else if gt $value 50.0 }}mid{{ else }}low{{ end }}", 85,
     "high"},
    {"{{ if gt $value 80.0 }}high{{ else if gt $value 50.0 }}mid{{ else }}low{{ end }}", 60, "mid"},
    {"{{ if gt $value 80.0 }}high{{ else if gt $value 50.0 }}mid{{ else }}low{{ end }}", 5, "low"},
    {"{{ if gt $value 80 }}kinder than Go{{ end }}", 85, "kinder than Go"},
    {"{{ with $labels.none }}x{{ else }}none{{ end }}", 0, "none"},
    {"{{ with $x := 3 }}{{ $x }}{{ . }}{{ end }}", 0, "33"},
    {"{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", 0,
     "__name__=up;html=<b>;instance=web-1:9100;job=node;"},
    {"{{ range query \"q\" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}", 0, "b:1.5 a:2 "},
    {"{{ range $i, $s := query \"q\" }}{{ $i }}{{ $s.Value }} {{ end }}", 0, "01.5 12 "},
    {"{{ range query \"empty\" }}x{{ else }}nothing{{ end }}", 0, "nothing"},
    {"{{ range query \"q\" }}{{ if eq .Value 2 }}{{ break }}{{ end }}{{ .Value }}{{ end }}", 0,
     "1.5"},
    {"{{ range query \"q\" }}{{ if eq .Value 1.5 }}{{ continue }}{{ end }}{{ .Value }}{{ end }}", 0,
     "2"},
    {"{{ query \"q\" | first | value }}", 0, "1.5"},
    {"{{ query \"q\" | first | value | humanize }}", 0, "1.5"},
    {"{{ query \"q\" | first | label \"instance\" }}", 0, "b"},
    {"{{ query \"q\" | sortByLabel \"instance\" | first | label \"instance\" }}", 0, "a"},
    {"{{ query \"q\" | first | strvalue }}", 0, "text"},
    {"{{ len (query \"q\") }}", 0, "2"},
    {"{{ (index (query \"q\") 1).Value }}", 0, "2"},
    {"{{ index $labels \"job\" }}", 0, "node"},
    {"{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}", 0, "12"},
    {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", 0, "2"},
    {"{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $value }}", 7, "<7>"},
    {"{{ define \"t\" }}{{ .arg0 }}/{{ .arg1 }}{{ end }}{{ template \"t\" (args 1 \"x\") }}", 0,
     "1/x"},
    {"{{ block \"t\" 5 }}[{{ . }}]{{ end }}", 0, "[5]"},
    {"{{ and 1 0 2 }}{{ or 0 \"\" 3 }}{{ not 1 }}", 0, "03false"},
    {"{{ if and (eq $labels.job \"node\") (lt 1.0 2.0) }}y{{ end }}", 0, "y"},
    {"{{ eq 1 2 3 1 }} {{ ne \"a\" \"b\" }} {{ le 1 1 }} {{ ge 1 2 }}", 0, "true true true false"},
    {"{{ printf \"%.2f%%\" $value }}", 85.456, "85.46%"},
    {"{{ printf \"%5.1f|%-8s|%08.3f|%+d|%x|%q\" 1.25 \"ab\" 3.14159 5 255 \"a\\\"b\" }}", 0,
     "  1.2|ab      |0003.142|+5|ff|\"a\\\"b\""},
    {"{{ printf \"%d\" \"hi\" }}", 0, "%!d(string=hi)"},
    {"{{ printf \"%s %s\" \"a\" }}", 0, "a %!s(MISSING)"},
    {"{{ printf \"a\" 1 }}", 0, "a%!(EXTRA int=1)"},
    {"{{ printf \"%v %v %v\" $value true \"x\" }}", 3, "3 true x"},
    {"{{ printf \"%*d\" 5 42 }}", 0, "   42"},
    {"{{ print 1 2 \"x\" 3 }}", 0, "1 2x3"},
    {"{{ println \"a\" 1 }}", 0, "a 1\n"},
    {"{{ html \"<a href='x'>\" }}", 0, "&lt;a href=&#39;x&#39;&gt;"},
    {"{{ urlquery \"a b&c\" }}", 0, "a+b%26c"},
    {"{{ slice \"abcdef\" 1 3 }}", 0, "bc"},
    {"{{ \"web server\" | title }} {{ toUpper \"aB\" }} {{ toLower \"aB\" }}", 0,
     "Web Server AB ab"},
    {"{{ match \"^web-[0-9]+\" $labels.instance }}", 0, "true"},
    {"{{ reReplaceAll \"(.*):[0-9]+\" \"$1\" $labels.instance }}", 0, "web-1"},
    {"{{ stripPort $labels.instance }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }}", 0,
     "web-1 ::1 ::1"},
    {"{{ stripDomain \"a.b.c:80\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"host\" }}",
     0, "a:80 10.0.0.1:80 host"},
    {"{{ parseDuration \"1h30m\" }}", 0, "5400"},
    {"{{ toTime 1435065584.128 }}", 0, "2015-06-23 13:19:44.128 +0000 UTC"},
    {"{{ now }}", 0, "1.70531460025e+09"},
    {"{{ graphLink \"up == 0\" }} {{ tableLink \"up\" }}", 0,
     "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1"},
    {"{{ safeHtml $labels.html }}", 0, "<b>"},
    {"{{ quotesEscape \"a\\\"b\\n\" }} {{ jsonEscape \"a\\\"\" }}", 0, "a\\\"b\\n \"a\\\"\""},
    {"{{ nil }}", 0, "<no value>"},
    {"{{ $for }} {{ $expr }} {{ $type }}", 0, "5m0s up == 0 prometheus"},
    {"{{ ($labels).job }}{{ $.Value }}", 4, "node4"},
    /* what Prometheus gives */
    {"{{ \"foo.example.com:12345\" | stripPort }}", 0, "foo.example.com"},
    {"{{ \"192.0.2.1:12345\" | stripPort }} {{ \"2001:0DB8::1\" | stripPort }}", 0,
     "192.0.2.1 2001:0DB8::1"},
    {"{{ \"[2001:0DB8::1]:12345\" | stripPort }}", 0, "2001:0DB8::1"},
    {"{{ \"[2001:0DB8::1]::12345\" | stripPort }}", 0, "[2001:0DB8::1]::12345"},
    {"{{ \"foo.example.com\" | stripDomain }} {{ \"foo.example.com:12345\" | stripDomain }}", 0,
     "foo foo:12345"},
    {"{{ \"192.0.2.1:12345\" | stripDomain }} {{ \"2001:0DB8::1\" | stripDomain }}", 0,
     "192.0.2.1:12345 2001:0DB8::1"},
    {"{{ \"[2001:0DB8::1]:12345\" | stripDomain }} {{ \"[2001:0DB8::1]\" | stripDomain }}", 0,
     "[2001:0DB8::1]:12345 [2001:0DB8::1]"},
    {"{{ (1435065584.128 | toTime).Format \"2006\" }}", 0, "2015"},
    {"{{ (\"1435065584.128\" | toTime).Format \"2006\" }}", 0, "2015"},
    {"{{ \"1435065584.128\" | humanizeTimestamp }}", 0, "2015-06-23 13:19:44.128 +0000 UTC"},
    {"{{ \"aa bb CC\" | title }} {{ \"don't stop\" | title }} {{ \"é ж\" | title }}", 0,
     "Aa Bb CC Don't Stop É Ж"},
    {"{{ toUpper \"straßenfuß é ж ω\" }} {{ toLower \"ÀÉŠ ЖЯ ΑΩ\" }}", 0,
     "STRAßENFUß É Ж Ω àéš жя αω"},
    {"{{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}", 0, "xa"},
    {"{{ printf \"%0.2f\" (parseDuration \"1h2m10ms\") }}", 0, "3720.01"},
    {"{{ printf \"%0.2f\" (parseDuration \"-1h30m\") }}", 0, "-5400.00"},
    {"{{ -0.22222 | humanizePercentage }}:{{ 0.0 | humanizePercentage }}:{{ \"0.1234567\" | "
     "humanizePercentage }}",
     0, "-22.22%:0%:12.35%"},
    {"{{ humanize 9223372036854775807 }} {{ humanize \".12\" }}", 0, "9.223E 120m"},
    {"{{ humanize1024 9223372036854775807 }} {{ humanize1024 -1 }}", 0, "8Ei -1"},
    {"{{ humanizeDuration 899.99 }} {{ humanizeDuration \".12345\" }}", 0, "14m 59s 123.5ms"},
    {"{{ humanizeDuration 1.2345 }} {{ humanizeDuration 12.345 }} {{ humanizeDuration 60.5 }}", 0,
     "1.234s 12.35s 1m 0s"},
    {"{{ humanizeTimestamp 9223372036 }} {{ humanizeTimestamp -1 }}", 0,
     "2262-04-11 23:47:16 +0000 UTC 1969-12-31 23:59:59 +0000 UTC"},
    {"{{ humanizePercentage 1234567 }}", 0, "1.235e+08%"},
    {"{{ $x := query \"q\" | first }}{{ $x.Labels.foo }}|{{ urlQueryEscape \"a b\" }}", 0, "|a+b"},
    {"{{ (toDuration 90).Minutes }} {{ toDuration \"1.5\" }}", 0, "1.5 1.5s"},
    {"{{ tmpl \"a\" . }}|", 0, "|"},
    /* what vmalert gives */
    {"{{ pathEscape \"foo/bar\\n+baz\" }} {{ queryEscape \"foo+bar\\n+baz\" }}", 0,
     "foo%2Fbar%0A+baz foo%2Bbar%0A%2Bbaz"},
    {"{{ jsonEscape \"foo{bar=\\\"baz\\\"}\\n + 1\" }}", 0, "\"foo{bar=\\\"baz\\\"}\\n + 1\""},
    {"{{ quotesEscape \"foo{bar=\\\"baz\\\"}\\n + 1\" }}", 0, "foo{bar=\\\"baz\\\"}\\n + 1"},
    {"{{ htmlEscape \"foo < 10\\nabc\" }} {{ crlfEscape \"foo\\nbar\\rx\" }}", 0,
     "foo &lt; 10\nabc foo\\nbar\\rx"},
    {"{{ match \"a.+b\" \"acsdb\" }} {{ match \"abc\" \"def\" }}", 0, "true false"},
    {"{{ humanize1024 127087.0 }} {{ humanize1024 136458627186688.0 }}", 0, "124.1ki 124.1Ti"},
    {"{{ humanize1024 153638755637364377925883789312.0 }}", 0, "1.271e+05Yi"},
    {"{{ ($activeAt.Add (parseDurationTime \"1h\")).Format \"15:04\" }}", 0, "11:30"},
    {"{{ formatTime \"2006-01-02\" 1435065584 }} {{ formatTime \"15:04\" $activeAt }}", 0,
     "2015-06-23 10:30"},
    {"{{ .ActiveAt.UnixMilli }} {{ $activeAt.Unix }}", 0, "1705314600000 1705314600"},
    {"{{ (query \"q\" | first).Timestamp }}", 0, "1705314600"},
    {"{{ range slice (query \"q\") 1 }}{{ .Value }}{{ end }}", 0, "2"},
    {"{{ define \"t\" }}{{ index . \"arg1\" }}{{ end }}{{ template \"t\" (args 1 \"x\") }}", 0,
     "x"},
    /* a definition that calls itself keeps its variables */
    {"{{ define \"r\" }}{{ $n := . }}{{ if $n }}{{ template \"r\" (slice $n 1) }}{{ end }}{{ $n "
     "}},{{ end }}{{ template \"r\" \"abc\" }}",
     0, ",c,bc,abc,"},
};

static void texts_render(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        if (!render(*state, good[i].text, good[i].value, &out, &e) ||
            strcmp(buf_text(&out), good[i].want) != 0) {
            fail_msg("%s gives \"%s\" (%s), expected \"%s\"", good[i].text, buf_text(&out),
                     e.message, good[i].want);
        }
    }
}

static const struct {
    const char *function;
    double value;
    const char *want;
} humanized[] = {
    {"humanize", 0, "0"},
    {"humanize", 1, "1"},
    {"humanize", 1234567, "1.235M"},
    {"humanize", -1234567, "-1.235M"},
    {"humanize", 0.00000042, "420n"},
    {"humanize", 999.99, "1000"},
    {"humanize", 1e27, "1000Y"},
    {"humanize1024", 1048576, "1Mi"},
    {"humanize1024", 0.5, "0.5"},
    {"humanize1024", 1023, "1023"},
    {"humanize1024", -2048, "-2ki"},
    {"humanizeDuration", 0, "0s"},
    {"humanizeDuration", 1, "1s"},
    {"humanizeDuration", 60, "1m 0s"},
    {"humanizeDuration", 3661, "1h 1m 1s"},
    {"humanizeDuration", 90061, "1d 1h 1m 1s"},
    {"humanizeDuration", -3600, "-1h 0m 0s"},
    {"humanizeDuration", 0.001, "1ms"},
    {"humanizeDuration", 1.5, "1.5s"},
    {"humanizePercentage", 0.12345, "12.35%"},
    {"humanizePercentage", 1, "100%"},
    {"humanizeTimestamp", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"},
    {"humanizeTimestamp", 0, "1970-01-01 00:00:00 +0000 UTC"},
};

static void numbers_are_humanized(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(humanized); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        buf_addf(&text, "{{ %s $value }}", humanized[i].function);
        assert_true(render(*state, buf_text(&text), humanized[i].value, &out, &e));
        if (strcmp(buf_text(&out), humanized[i].want) != 0) {
            fail_msg("%s %g gives \"%s\", expected \"%s\"", humanized[i].function,
                     humanized[i].value, buf_text(&out), humanized[i].want);
        }
    }
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    assert_true(render(*state, "{{ humanize $value }} {{ humanizeDuration $value }}",
                       number_from_bits(0x7FF0000000000000), &out, &e));
    assert_string_equal(buf_text(&out), "+Inf +Inf");
}

/* A broken rendering leaves an error text in its place and keeps what was before it. */
static void failures_are_safe(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } bad[] = {
        {"x {{ query \"empty\" | first | value }}", "first: the query's answer is empty"},
        {"x {{ query \"broken\" }}", "connection refused"},
        {"x {{ humanize \"abc\" }}", "expected a number, found \"abc\""},
        {"x {{ .Nothing }}", "struct has no field Nothing"},
        {"x {{ $labels.job.more }}", "string has no field more"},
        {"x {{ index (query \"q\") 5 }}", "out of range"},
        {"x {{ eq \"a\" 1 }}", "cannot compare string with int"},
        {"x {{ range $value }}{{ end }}", "can't iterate over float64"},
        {"x {{ range 100000000 }}{{ end }}", "takes more than 1000000 steps"},
        {"x {{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
         "call each other deeper"},
        {"x {{ printf \"%99999d\" 1 }}", "width or precision above"},
        {"x {{ match \"(\" \"a\" }}", "match: "},
        {"x {{ $activeAt.Nothing }}", "time.Time has no field or method Nothing"},
        {"x {{ $activeAt.Format }}", "Format takes 1 argument, found 0"},
        {"x {{ $activeAt.Add \"1h\" }}", "Add: expected a duration, found string"},
        {"x {{ $labels.Unix 1 }}", "Unix of map[string]string is no method"},
        {"x {{ humanizeTimestamp 1e18 }}", "are not a time"},
        {"x {{ $x := \"0123456789abcdef\" }}{{ range 15 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}",
         "printf: the text grows past"},
        {"x {{ $x := \"0123456789abcdef\" }}{{ range 12 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}"
         "{{ range 2000 }}{{ $y := printf \"%s.\" $x }}{{ end }}",
         "more than 64 MiB"},
        {"x {{ range 20000 }}{{ $y := match \"a\" \"b\" }}{{ end }}", "more than 1000000 steps"},
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        buf_add_text(&out, "before ");
        if (render(*state, bad[i].text, 1, &out, &e)) {
            fail_msg("%s renders: %s", bad[i].text, buf_text(&out));
        }
        if (strstr(e.message, bad[i].message) == NULL) {
            fail_msg("%s says \"%s\", expected \"%s\"", bad[i].text, e.message, bad[i].message);
        }
        assert_true(str_starts(buf_str(&out), STR("before <error expanding template: ")));
    }
}

/* Functions of one name that differ between the peers. */
static void dialects_differ(void **state)
{
    static const char text[] =
        "{{ now }} {{ query \"q\" | first | strvalue }} {{ title \"don't a.b\" }}";
    const struct fixture *f = *state;

    for (int dialect = TEMPLATE_PROMETHEUS; dialect <= TEMPLATE_VMALERT; dialect++) {
        AUTO(template_autofree) struct template *t = NULL;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct template_world world = {.query = answer,
                                       .arg = *state,
                                       .dialect = (enum template_dialect)dialect,
                                       .wall_ns = 77 * NS_PER_S + 5};
        struct template_data data = {.labels = f->labels, .now_ns = 55 * NS_PER_MS};
        struct err e = ERR_INIT;
        assert_true(template_compile(STR("test"), str_of(text), NULL, &t, &e));
        assert_true(template_render(t, &data, &world, &out, &e));
        assert_string_equal(buf_text(&out),
                            dialect == TEMPLATE_VMALERT ? "77  Don'T A.B" : "0.055 text Don't A.b");
    }
}

static void gaps_are_known(void **state)
{
    AUTO(template_autofree) struct template *t = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(
        template_compile(STR("test"), STR("{{ if 1 }}{{ tmpl \"x\" }}{{ end }}"), NULL, &t, &e));
    assert_string_equal(template_gap(t), "tmpl");
}

static void output_is_capped(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(100);
    struct err e = ERR_INIT;

    assert_false(render(*state, "{{ range 1000 }}0123456789{{ end }}", 1, &out, &e));
    assert_non_null(strstr(e.message, "grows past 100 bytes"));
}

static void refused_texts_say_where(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        uint32_t column;
        const char *message;
    } bad[] = {
        {"{{ $labls.x }}", 1, 4, "undefined variable $labls; did you mean $labels?"},
        {"a\n{{ humanise 1 }}", 2, 4, "unknown function 'humanise'; did you mean 'humanize'?"},
        {"{{ if true }}x", 1, 4, "no matching {{ end }}"},
        {"{{ end }}", 1, 8, "{{ end }} without an action to close"},
        {"x {{ $value", 1, 3, "no closing '}}'"},
        {"{{ /* x */ }}", 1, 4, "unexpected '/'"},
        {"{{/* x }}", 1, 1, "no closing '*/'"},
        {"{{ \"abc }}", 1, 1, "no closing '}}'"},
        {"{{ }}", 1, 4, "expected a value, found the end of the action"},
        {"{{ humanize }}", 1, 4, "humanize takes 1 argument, found 0"},
        {"{{ humanize 1 2 }}", 1, 4, "humanize takes 1 argument, found 2"},
        {"{{ 1 2 }}", 1, 4, "expected a function to take these arguments"},
        {"{{ 1 | 2 }}", 1, 8, "expected a function"},
        {"{{ template \"none\" }}", 1, 4, "no template named \"none\""},
        {"{{ $x = 1 }}", 1, 4, "undefined variable $x; declare it with ':='"},
        {"{{ (1 }}", 1, 7, "expected ')'"},
        {"{{ 12abc }}", 1, 4, "'12abc' is not a number"},
        {"{{ break }}", 1, 4, "only inside {{ range }}"},
        {"{{ \"\\q\" }}", 1, 5, "unknown escape '\\q'"},
        {"{{ if true }}{{ else }}{{ else }}{{ end }}", 1, 4, "a second {{ else }}"},
        {"{{ $value ) }}", 1, 11, "expected '}}', found ')'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct template *t = NULL;
        struct err e = ERR_INIT;
        assert_false(template_compile(STR("test"), str_of(bad[i].text), NULL, &t, &e));
        if (strstr(e.message, bad[i].message) == NULL || e.pos.line != bad[i].line ||
            e.pos.column != bad[i].column) {
            fail_msg("%s says %u:%u \"%s\", expected %u:%u \"%s\"", bad[i].text, e.pos.line,
                     e.pos.column, e.message, bad[i].line, bad[i].column, bad[i].message);
        }
    }
}

static void dependencies_are_found(void **state)
{
    static const struct {
        const char *text;
        unsigned uses;
    } cases[] = {
        {"plain", USES_NOTHING},
        {"{{ \"x\" | toUpper }}", USES_NOTHING},
        {"{{ $labels.job }}", USES_LABELS},
        {"{{ .Labels.job }}", USES_LABELS},
        {"{{ $value }}", USES_VALUE},
        {"{{ $.Value }}", USES_VALUE | USES_LABELS | USES_EXTERNAL | USES_ALERT | USES_TIME},
        {"{{ query \"up\" | first | value }}", USES_QUERY},
        {"{{ now }}", USES_TIME},
        {"{{ $externalLabels.x }}{{ externalURL }}", USES_EXTERNAL},
        {"{{ define \"t\" }}{{ $value }}{{ end }}", USES_VALUE},
        {"{{ if true }}{{ range query \"x\" }}{{ end }}{{ else }}{{ $activeAt }}{{ end }}",
         USES_QUERY | USES_TIME},
        {"{{ . }}", USES_VALUE | USES_LABELS | USES_EXTERNAL | USES_ALERT | USES_TIME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(template_autofree) struct template *t = NULL;
        struct err e = ERR_INIT;
        assert_true(template_compile(STR("test"), str_of(cases[i].text), NULL, &t, &e));
        if (template_uses(t) != cases[i].uses) {
            fail_msg("%s uses %#x, expected %#x", cases[i].text, template_uses(t), cases[i].uses);
        }
    }
}

/* What is printed without printf is what printf prints. */
static void four_digits_are_as_printf_has_them(void **state)
{
    static const double edges[] = {1,       1.5,      9.9994, 9.9995,  9.9996, 99.995,  999.95,
                                   999.949, 9998.999, 9999,   9999.5,  1.0005, 1.2345,  12.345,
                                   2.0625,  1000.5,   1001.5, 0.12345, 100,    1234.49, 10.005};
    struct fixture *f = *state;
    uint32_t random = 1;

    for (size_t i = 0; i < 20000; i++) {
        random = random * 1664525U + 1013904223U;
        double v = i < ARRAY_LEN(edges) ? edges[i] : random / (double)(1U << (random % 31 + 1));
        char written[64];
        char expected[64];
        struct buf AUTO(buf_release) out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        (void)snprintf(written, sizeof(written), "{{ humanizePercentage %.17g }}", v);
        (void)snprintf(expected, sizeof(expected), "%.4g%%", v * 100);
        assert_true(render(f, written, 0, &out, &e));
        assert_string_equal(buf_text(&out), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_render),
        cmocka_unit_test(numbers_are_humanized),
        cmocka_unit_test(failures_are_safe),
        cmocka_unit_test(dialects_differ),
        cmocka_unit_test(gaps_are_known),
        cmocka_unit_test(output_is_capped),
        cmocka_unit_test(four_digits_are_as_printf_has_them),
        cmocka_unit_test(refused_texts_say_where),
        cmocka_unit_test(dependencies_are_found),
    };

    return cmocka_run_group_tests_name("template/template", tests, set_up, tear_down);
}
