/* What an error shows of a file with secrets, by a table and by many files that are damaged at random. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ARENA_CAP ((size_t)64 << 20)

struct parsed {
    struct arena arena;
    struct yaml_source source;
    const struct yaml_node *documents;
    struct err e;
    bool ok;
};

static void parse_str(struct parsed *p, struct str text)
{
    *p = (struct parsed){.source = {.file = STR("telex.yaml"), .text = text}};
    arena_init(&p->arena, ARENA_CAP);
    p->ok = yaml_parse(&p->arena, &p->source, &p->documents, &p->e);
}

static void parsed_release(struct parsed *p)
{
    arena_release(&p->arena);
}

/* <|> is put before what the error points to, which goes up to the next <|>. */
struct line_case {
    const char *text;
    const char *shown; /* the line */
};

static const struct line_case line_cases[] = {
    {"exporters: {dd: {type: datadog, api_key: abc, |sit|: eu}}",
     "exporters: {dd: {type: datadog, api_key: ***, sit: eu}}"},
    {"{|sit|: eu, api_key: abc}", "{sit: eu, api_key: ***}"},
    {"{a: {api_key: abc}, |sit|: eu}", "{a: {api_key: ***}, sit: eu}"},
    {"{api_key: ab,cd, |sit|: eu}", "{api_key: *****, sit: eu}"},
    {"{api_key: ab}cd, |sit|: eu}", "{api_key: *****, sit: eu}"},
    {"{api_key: ab{cd}, |sit|: eu}", "{api_key: ******, sit: eu}"},
    {"{api_key: 'ab'cd, |sit|: eu}", "{api_key: ******, sit: eu}"},
    {"{api_key: 'a''b, c', |sit|: eu}", "{api_key: ****** **, sit: eu}"},
    {"{api_key: \"a\\\"b, c\", |sit|: eu}", "{api_key: ****** **, sit: eu}"},
    {"{\"api_key\":\"abc\", |sit|: eu}", "{\"api_key\":*****, sit: eu}"},
    {"{\"api_key\":abc, |sit|: eu}", "{\"api_key\":***, sit: eu}"},
    {"{api_key:abc, |sit|: eu}", "{api_key:***, sit: eu}"},
    {"{api_key abc, |sit|: eu}", "{api_key ***, sit: eu}"},
    {"{api_key=abc, |sit|: eu}", "{api_key=***, sit: eu}"},
    {"{'api_key': abc, x: [1, |2|]}", "{'api_key': ***, x: [1, 2]}"},
    {"{tokens: {a: abc, b: [d, e]}, |sit|: eu}", "{tokens: {a: ***, b: *** **}, sit: eu}"},
    {"{api_key: {env: KEY}, |sit|: eu}", "{api_key: {env: KEY}, sit: eu}"},
    {"{api_key: {file: /etc/key, |x|: 1}}", "{api_key: {file: /etc/key, x: *}}"},
    {"{api_key: {abc}, |sit|: eu}", "{api_key: *****, sit: eu}"},
    {"{key_file: a, password_file: b, |x|: 1}", "{key_file: a, password_file: b, x: 1}"},
    {"{\n  type: x,\n  api_key: abc, |sit|: eu\n}", "  api_key: ***, sit: eu"},
    {"{\n  api_key:\n    abc, |sit|: eu\n}", "    ***, sit: eu"},
    {"{\n  api_key: ab\n    cd, |sit|: eu\n}", "    **, sit: eu"},
    {"{api_key: 'ab\n cd', |sit|: eu}", " ***, sit: eu}"},
    {"dd: {api_key: abc\nee: {|x|: 1}", "ee: {x: 1}"},
    {"api_key: |abc|\nb: 1", "api_key: ***"},
    {"api_key: abc|:| def\nb: 1", "api_key: **** ***"},
    {"api_key: 'abc'|def|", "api_key: ********"},
    {"api_key: ab # |cd|", "api_key: ** * **"},
    {"api_key: ab\n  c|d|\nx: 1", "  **"},
    {"api_key: \"ab\nc|d|\nx: 1\"\ny: 2", "**"},
    {"api_key: |\n  ab\n\n  |cd|\nx: 1", "  **"},
    {"- api_key: >-\n    ab\n    |cd|\n  x: 1", "    **"},
    {"- api_key: ab\n  |x|: 1", "  x: 1"},
    {"api_key:\n- ab\n- |cd|\nx: 1", "* **"},
    {"api_key:\n  |ab|\nx: 1", "  **"},
    {"api_key: ab\n|x|: 1", "x: 1"},
    {"authorization:\n  type: Bearer\n  |tpye|: x\n  credentials: y\nz: 1", "  tpye: *"},
    {"authorization:\n  type: Bearer\n  credentials: |y|\nz: 1", "  credentials: *"},
    {"authorization:\n  credentials: y\nz: |1|", "z: 1"},
    {"secrets:\n  path: |x|", "  path: x"},
    {"? api_key\n: |abc|", ": ***"},
    {"# api_key: abc |def|", "# api_key: *** ***"},
    {"# the |token| is abc", "# the token is abc"},
    {"headers: [\"X-Token: ab cd\", |x|]", "headers: [\"X-Token: ** **\", x]"},
    {"headers: {X-Api-Key: ab, |x|: 1}", "headers: {X-Api-Key: **, x: 1}"},
    {"a: |\n  host=x password=ab port=|1|", "  host=x password=** port=1"},
    {"a: \"host=x password='a b' port=|1|\"", "a: \"host=x password=** ** port=1\""},
    {"{url: http://u:p@h/x, |sit|: eu}", "{url: http://***@h/x, sit: eu}"},
    {"url: \"http://u:p/q@h/x |y|\"", "url: \"http://*****@h/x y\""},
    {"url: |http://h/x?token=ab&y=1|", "url: http://h/x?token=******"},
    {"connection_string: |postgresql://u:p@h/d|", "connection_string: ********************"},
    {"{sasl_pasword: ab, |x|: 1}", "{sasl_pasword: **, x: 1}"},
    {"{sasl_pass: ab, |x|: 1}", "{sasl_pass: **, x: 1}"},
    {"{client_secrt: ab, |x|: 1}", "{client_secrt: **, x: 1}"},
    {"{sasl.oauthbearer.config: principal=ab, |x|: 1}",
     "{sasl.oauthbearer.config: ************, x: 1}"},
    {"{sasl.kerberos.kinit.cmd: ab kinit, |x|: 1}", "{sasl.kerberos.kinit.cmd: ** *****, x: 1}"},
    {"{passwrod: ab, |x|: 1}", "{passwrod: **, x: 1}"},
    {"{connection: 'host=h x=y', |x|: 1}", "{connection: ******* ****, x: 1}"},
    {"{conection_string: bob, |x|: 1}", "{conection_string: ***, x: 1}"},
    {"{collection: ab, section: cd, path: ef, |x|: 1}",
     "{collection: ab, section: cd, path: ef, x: 1}"},
    {"{token_url: 'http//bob:X@h/', |x|: 1}", "{token_url: 'http//*****@h/', x: 1}"},
    {"{token_url: 'http:/bob:X@h/', |x|: 1}", "{token_url: 'http:/*****@h/', x: 1}"},
    {"{token_url: 'http://bob:Hun X@h/', |x|: 1}", "{token_url: 'http://******* *@h/', x: 1}"},
    {"{url: 'http://h:80/ a@b', |x|: 1}", "{url: 'http://h:80/ a@b', x: 1}"},
    {"name: \"open\napi_key: \"|abc|\"", "api_key: *****"},
    {"{api_key: {{ abc }}, |sit|: eu}", "{api_key: ** *** **, sit: eu}"},
    {"{api_key: ab,,c, |sit|: eu}", "{api_key: *****, sit: eu}"},
    {"expr: rate(token_requests_total[5m]) > |x|", "expr: rate(token_requests_total[5m]) > x"},
    {"expr: sum by (token) (job:token:rate5m) |x|", "expr: sum by (token) (job:token:rate5m) x"},
    {"\xc3\xa4: {api_key: \xe2\x82\xac, |sit|: eu}", "\xc3\xa4: {api_key: ***, sit: eu}"},
};

/* Marks are '|', but for those of block texts, which end their line. */
static bool is_mark(const char *text, size_t at)
{
    return text[at] == '|' && text[at + 1] != '\n' && (at == 0 || text[at - 1] != '\\');
}

static void secrets_are_hidden_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(line_cases); i++) {
        const struct line_case *c = &line_cases[i];
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        size_t marks[2] = {0, 0};
        size_t count = 0;
        for (size_t at = 0; c->text[at] != '\0'; at++) {
            bool marked = is_mark(c->text, at) || (c->text[at] == '|' && count == 1);
            if (marked && count < 2) {
                marks[count++] = text.len;
            } else {
                buf_add_byte(&text, c->text[at]);
            }
        }
        struct yaml_source source = {STR("telex.yaml"), buf_str(&text)};
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_CONFIG, "no");
        yaml_point(&source, marks[0], marks[1] - marks[0], &e);
        if (count != 2 || strcmp(e.source, c->shown) != 0) {
            fail_msg("%s:\n  shown    %s\n  expected %s", c->text, e.source, c->shown);
        }
    }
}

struct message_case {
    const char *text;
    const char *from;
    const char *message;
    const char *shown;
};

static void messages_do_not_quote_secrets(void **state)
{
    static const struct message_case cases[] = {
        {"api_key: *abcd", "*abcd", "unknown alias '*abcd': expected an anchor '&abcd' before it",
         "unknown alias '*****': expected an anchor '&****' before it"},
        {"api_key: ab", "ab", "api_key: expected a list, found 'ab'",
         "api_key: expected a list, found '**'"},
        {"{api_key abc, x: 1}", "api_key abc", "unknown option 'api_key abc'",
         "unknown option 'api_key ***'"},
        {"{api_key: abc, sit: 1}", "sit", "unknown option 'sit': did you mean 'site'?",
         "unknown option 'sit': did you mean 'site'?"},
        {"api_key: it's me", "it's", "found 'it's me'", "found '*******'"},
        {"api_key: QZ\\u0031ZQ", "QZ", "found 'QZ1ZQ'", "found '*****'"},
        {"password: tab4", "tab4", "'tables' names none", "'tables' names none"},
        {"connection_string: postgresql://telex:pw@127.0.0.1:25476/nv", "post",
         "'tables' names none; a 'publication' does", "'tables' names none; a 'publication' does"},
        {"connection_string: host=a dbname=b", "host", "'tables' names none: 'host' or 'a'",
         "'tables' names none: 'host' or 'a'"},
        {"connection_string: host=a pasword=b'x port=5", "host",
         "unknown 'pasword' in 'pasword=b'x'", "unknown 'pasword' in '***********'"},
        {"connection_string: host=a password='b host=c d'", "host", "found 'b host=c d'",
         "found ************"},
        {"connection_string: host=a password=ab=cd", "host", "found 'ab=cd'", "found '*****'"},
        {"connection_string: host=a password='hunter2", "host", "no string; expected 'host=... x'",
         "no string; expected 'host=... x'"},
        {"connection_string: hunter2", "hunter2", "missing \"=\" after 'hunter2'",
         "missing \"=\" after '*******'"},
        {"connection_string: postgresql://telex:p/w@h/d?sslpassword=xy&sslmode=zz", "post",
         "found 'p/w' of 'telex' at 'h', 'xy' and 'zz'",
         "found '***' of 'telex' at 'h', '**' and 'zz'"},
        {"connection_string: postgresql://secret@h/d", "post", "found 'secret' at 'h'",
         "found '******' at 'h'"},
        {"dsn: postgresql://telex:pw", "post", "invalid port: 'pw'", "invalid port: '**'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml_source source = {STR("telex.yaml"), str_of(cases[i].text)};
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_CONFIG, "%s", cases[i].message);
        yaml_point(&source, str_find(source.text, str_of(cases[i].from)), strlen(cases[i].from),
                   &e);
        assert_string_equal(e.message, cases[i].shown);
    }
}

static void a_variable_named_like_a_secret_is_hidden(void **state)
{
    struct yaml_source source = {STR("environment variable TELEX_X_API_KEY"), STR("a b")};
    struct err e = ERR_INIT;

    (void)state;
    yaml_point(&source, 2, 1, &e);
    assert_string_equal(e.source, "* *");
    source.file = STR("environment variable TELEX_X_URL");
    yaml_point(&source, 2, 1, &e);
    assert_string_equal(e.source, "a b");
}

/* Damage: what is between <{> and <}> stays as it is, and no error may show what is a Q or a Z. */

static const char *const damaged[] = {
    "exporters: {dd: {type: datadog, <api_key: QZ1QZ2>, site: eu}, ee: [a, 'b', \"c\"]}\nz: 1\n",
    "exporters:\n  dd:\n    type: x # y\n    <api_key: QZ1QZ2>\n    site: eu\n  ee: [a, b]\n",
    "exporters:\n  dd: {type: x,\n    <api_key: \"QZ1 QZ2\">,\n    site: eu}\n  ee: 'a'\n",
    "a: 'x'\nb: {c: [d, e], <password: 'QZ1 # QZ2'>, f: {g: h}}\ni: \"j\"\n",
    "- name: x\n  <token: |\n    QZ1QZ2\n    QZ1>\n  y: {a: b}\n- &a b\n- *a\n",
};

/* All that can be said of a tree. */
static void say_all(const struct yaml_node *node, const char *told)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    if (node->kind == YAML_SCALAR) {
        (void)yaml_err(node, &e, ERR_CONFIG, "found '%.*s'", STR_FMT(node->text));
        err_print(&e, &out);
    }
    (void)yaml_key_err(node, &e, ERR_CONFIG, "unknown option '%.*s'", STR_FMT(node->key));
    err_print(&e, &out);
    if (strpbrk(buf_text(&out), "QZ") != NULL) {
        fail_msg("%s\n--- shows\n%s", told, buf_text(&out));
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        say_all(n, told);
    }
}

static void try_text(const char *text)
{
    AUTO(parsed_release) struct parsed p;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    parse_str(&p, str_of(text));
    if (p.ok) {
        say_all(p.documents, text);
        return;
    }
    err_print(&p.e, &out);
    if (strpbrk(buf_text(&out), "QZ") != NULL) {
        fail_msg("%s\n--- shows\n%s", text, buf_text(&out));
    }
}

/* <text> without its < and >, with one byte put in, or left out, at <place> if that is outside. */
static bool damage(const char *text, size_t place, char with, struct buf *out)
{
    bool inside = false;
    bool done = false;

    for (size_t i = 0; text[i] != '\0'; i++) {
        bool is_edge = text[i] == '<' || text[i] == '>';
        inside = is_edge ? text[i] == '<' : inside;
        if (i == place && !inside && !is_edge) {
            done = true;
            if (with != '\0') {
                buf_add_byte(out, with);
                buf_add_byte(out, text[i]);
            }
        } else if (!is_edge) {
            buf_add_byte(out, text[i]);
        }
    }
    return done;
}

static void damaged_files_keep_their_secrets(void **state)
{
    static const char signs[] = "{}[],:\"'#|-?&*!%@ \n\t<a";
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    size_t tried = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        for (size_t at = 0; damaged[i][at] != '\0'; at++) {
            for (size_t sign = 0; sign < sizeof(signs); sign++) {
                buf_clear(&text);
                if (damage(damaged[i], at, signs[sign], &text)) {
                    try_text(buf_text(&text));
                    tried++;
                }
            }
        }
    }
    assert_true(tried > 3000);
}

/* Signs inside the secret, and other files around it. */
static void secrets_may_hold_any_sign(void **state)
{
    static const char *const around[] = {"{type: x, api_key: %s, site: eu}\n",
                                         "type: x\napi_key: %s\nsite: eu\n",
                                         "- {a: b,\n  api_key: %s,\n  c: [d]}\n",
                                         "type: x\nconnection_string: postgresql://u:%s@h/d\n",
                                         "{a: b, connection_string: pg://u:%s@h/d?x=y, c: d}\n",
                                         "connection_string: \"host=h password=%s port=1\"\n",
                                         "connection_string: host=h password=%s\ny: z\n"};
    static const char signs[] = "{}[],:\"'#|>-?&*!%@`\\=~$";
    AUTO(buf_release) struct buf secret = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(around) * (sizeof(signs) - 1) * 5; i++) {
        char sign = signs[i / ARRAY_LEN(around) % (sizeof(signs) - 1)];
        size_t form = i / ARRAY_LEN(around) / (sizeof(signs) - 1);
        static const char *const forms[] = {"QZ%cZQ", "%cQZQZ", "QZQZ%c", "QZ%cZQ%cQZ", "'Q%cZ"};
        buf_clear(&secret);
        for (const char *f = forms[form]; *f != '\0'; f++) {
            buf_add_byte(&secret, *f == '%' ? sign : *f);
            f += *f == '%';
        }
        buf_clear(&text);
        const char *frame = around[i % ARRAY_LEN(around)];
        size_t split = str_find(str_of(frame), STR("%s"));
        buf_addf(&text, "%.*s%s%s", (int)split, frame, buf_text(&secret), frame + split + 2);
        try_text(buf_text(&text));
    }
}

/* A large file is looked at from some way before the line. */
static void large_files_hide_too(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    (void)state;
    while (text.len < 1 << 20) {
        buf_add_text(&text, "- { name: x, expr: \"a == 1\", for: 1m }\n");
    }
    size_t at = text.len;
    buf_add_text(&text, "- { password: abc, x: 1 }\n");
    struct yaml_source source = {STR("rules.yaml"), buf_str(&text)};
    yaml_point(&source, at + 19, 1, &e);
    assert_string_equal(e.source, "- { password: ***, x: 1 }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_hidden_in_place),
        cmocka_unit_test(messages_do_not_quote_secrets),
        cmocka_unit_test(a_variable_named_like_a_secret_is_hidden),
        cmocka_unit_test(large_files_hide_too),
        cmocka_unit_test(damaged_files_keep_their_secrets),
        cmocka_unit_test(secrets_may_hold_any_sign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
