/*
 * Tables of what RE2 and Go do, and the short cut for words against PCRE2 on the same pattern made
 * too hard for it.
 */
#include "base/regex.h"

#include "base/regex_int.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct regex *compile(const char *pattern, enum regex_mode mode)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;

    if (!regex_compile(str_of(pattern), mode, &r, &e)) {
        fail_msg("%s: %s", pattern, e.message);
    }
    return r;
}

static bool matches(const struct regex *r, struct str subject)
{
    struct err e = ERR_INIT;
    bool matched = false;

    if (!regex_match(r, subject, &matched, &e)) {
        fail_msg("%.*s: %s", STR_FMT(regex_pattern(r)), e.message);
    }
    return matched;
}

struct match_case {
    const char *pattern;
    const char *subject;
    bool full;
    bool search;
};

static const struct match_case match_cases[] = {
    {"foo", "foo", true, true},
    {"foo", "foobar", false, true},
    {"", "", true, true},
    {"", "a", false, true},
    {"foo|bar", "bar", true, true},
    {"foo|bar", "foobar", false, true},
    {"foo.*", "foobar", true, true},
    {"foo.+", "foo", false, false},
    {".*foo", "xfoo", true, true},
    {".+foo", "foo", false, false},
    {".*foo.*", "xfoox", true, true},
    {".*", "", true, true},
    {".+", "", false, false},
    {".*", "a\nb", true, true},
    {"a.b", "a\nb", true, false},
    {"(?-s)a.b", "a\nb", false, false},
    {"(?-s:a.b)", "a\nb", false, false},
    {"^foo$", "foo", true, true},
    {"^foo$", "foo\n", false, false},
    {"(?m)^foo$", "a\nfoo\nb", false, true},
    {"(?m)^$", "a\n", false, true},
    {"\\Afoo\\z", "foo", true, true},
    {"^a|b$", "ac", false, true},
    {"^a|b$", "xb", false, true},
    {".*a|b", "xb", false, true},
    {".*[(]|b", "xb", false, true},
    {"a|b.*", "ax", false, true},
    {"(a|b)-[xy]", "b-x", true, true},
    {"(?:a|b)-[xy]", "b-z", false, false},
    {"(?i)foo", "FOO", true, true},
    {"(?i:f)oo", "Foo", true, true},
    {"(?i:f)oo", "FOO", false, false},
    {"(?i)\xc3\xa4", "\xc3\x84", true, true},
    {"a{2}", "aa", true, true},
    {"a{2,}", "aaaa", true, true},
    {"a{,2}", "a{,2}", true, true},
    {"a{", "a{", true, true},
    {"a{x}", "a{x}", true, true},
    {"{a}", "{a}", true, true},
    {"a]", "a]", true, true},
    {"a}", "a}", true, true},
    {"[]a]", "]", true, true},
    {"[^]a]", "b", true, true},
    {"[a-]", "-", true, true},
    {"[a-c-e]", "-", true, true},
    {"[[:digit:]x]+", "12x", true, true},
    {"[[:^digit:]]", "1", false, false},
    {"[[.a.]]", ".]", true, true},
    {"[[:]", ":", true, true},
    {"[[:a]", "a", true, true},
    {"[\\d\\-]+", "1-2", true, true},
    {"[\\S]", "\v", true, true},
    {"\\s", "\v", false, false},
    {"\\S", "\v", true, true},
    {"\\s+", " \t\n\f\r", true, true},
    {"[[:space:]]", "\v", true, true},
    {"\\v", "\v", true, true},
    {"\\v", "\n", false, false},
    {"\\d", "\xd9\xa1", false, false},
    {"\\w", "\xc3\xa4", false, false},
    {"\\pL", "\xc3\xa4", true, true},
    {"\\p{Greek}", "\xce\xb1", true, true},
    {"\\p{^Greek}", "a", true, true},
    {"\\P{Greek}", "a", true, true},
    {"[^\\p{Greek}]", "\xce\xb1", false, false},
    {"\\p{Any}", "a", true, true},
    {"\\x41", "A", true, true},
    {"\\x{1F600}", "\xf0\x9f\x98\x80", true, true},
    {"\\101", "A", true, true},
    {"\\012", "\n", true, true},
    {"\\12", "\n", true, true},
    {"(a)\\12", "a\n", true, true},
    {"[\\101]", "A", true, true},
    {"\\.", ".", true, true},
    {"\\.", "x", false, false},
    {"\\_\\-\\/\\ \\\"", "_-/ \"", true, true},
    {"\\Qa.b\\E+", "a.bb", true, true},
    {"\\Qa.b", "a.b", true, true},
    {"\\Q\\E", "", true, true},
    {"a#b c", "a#b c", true, true},
    {"a*?b", "aab", true, true},
    {"(?U)a+", "aa", true, true},
    {"^*a", "a", true, true},
    {"\\b+a", "a", true, true},
    {"(?P<x>a)", "a", true, true},
    {"(?<x>a)", "a", true, true},
    {"(|a)b", "b", true, true},
    {"a||b", "", true, true},
    {"()", "", true, true},
    {"\\bfoo\\b", "a foo b", false, true},
    {"[\xc3\xa4-\xc3\xb6]", "\xc3\xa5", true, true},
    {"\xc3\xa4+", "\xc3\xa4\xc3\xa4", true, true},
    {".", "\xc3\xa4", true, true},
    {"..", "\xc3\xa4", false, false},
    {"((a{10}){10}){10}", "a", false, false},
    {"(a|b|c|d|e|f|g|h|i|j)k", "jk", true, true},
};

static void patterns_match_as_in_re2(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(match_cases); i++) {
        const struct match_case *c = &match_cases[i];
        AUTO(regex_autofree) struct regex *full = compile(c->pattern, REGEX_FULL);
        AUTO(regex_autofree) struct regex *search = compile(c->pattern, REGEX_SEARCH);
        if (matches(full, str_of(c->subject)) != c->full) {
            fail_msg("full: %s on %s", c->pattern, c->subject);
        }
        if (matches(search, str_of(c->subject)) != c->search) {
            fail_msg("search: %s on %s", c->pattern, c->subject);
        }
        assert_true(str_eq(regex_pattern(full), str_of(c->pattern)));
    }
}

struct error_case {
    const char *pattern;
    uint32_t column;
    const char *message; /* its beginning */
};

static const struct error_case error_cases[] = {
    {"a(b", 2, "this '(' has no ')'"},
    {"a)b", 2, "this ')' has no '('"},
    {"a[b", 2, "this '[' has no ']'"},
    {"[]", 1, "this '[' has no ']'"},
    {"[a-", 1, "this '[' has no ']'"},
    {"*a", 1, "'*' has nothing before it to repeat: write \\* for the character"},
    {"a|+", 3, "'+' has nothing before it to repeat"},
    {"(?:?)", 4, "'?' has nothing before it to repeat"},
    {"{2}", 1, "'{2}' has nothing before it to repeat: write \\{"},
    {"a**", 3, "'*' follows another repetition"},
    {"a*+", 3, "'+' follows another repetition"},
    {"a++", 3, "'+' follows another repetition"},
    {"a{2}{3}", 5, "'{3}' follows another repetition"},
    {"a{2}*", 5, "'*' follows another repetition"},
    {"a+??", 4, "'?' follows another repetition"},
    {"a{3,2}", 2, "'{3,2}' repeats too often or backwards: at most 1000 times"},
    {"a{1001}", 2, "'{1001}' repeats too often"},
    {"a{1,1001}", 2, "'{1,1001}' repeats too often"},
    {"((a{100}){10}){2}", 15, "'{2}' repeats too often"},
    {"(?:(?:b|a{100})c){11}", 18, "'{11}' repeats too often"},
    {"a(?=b)", 2, "'(?=' is lookahead, which RE2 does not have"},
    {"a(?!b)", 2, "'(?!' is lookahead"},
    {"(?<=b)a", 1, "'(?<=' is lookbehind"},
    {"(?<!b)a", 1, "'(?<!' is lookbehind"},
    {"(?>a)", 1, "'(?>' is an atomic group"},
    {"(?#a)", 1, "'(?#' is a comment"},
    {"(?|a)", 1, "'(?|' is a branch reset"},
    {"(?R)", 1, "'(?R' is recursion"},
    {"(a)(?1)", 4, "expected (?:...), (?P<name>...) or flags"},
    {"(?x)a", 1, "expected (?:...), (?P<name>...) or flags"},
    {"(?i-)a", 1, "expected (?:...), (?P<name>...) or flags"},
    {"(?i", 1, "expected (?:...), (?P<name>...) or flags"},
    {"(?P=a)", 1, "'(?P=' is a back reference"},
    {"(?P<a-b>c)", 1, "a group's name is letters, digits and _"},
    {"(?P<>c)", 1, "a group's name is letters, digits and _"},
    {"(?P<a", 1, "a group's name is letters, digits and _"},
    {"(?P<a>x)(?P<a>y)", 13, "two groups are named 'a'"},
    {"(a)\\1", 4, "'\\1' is a back reference, which RE2 does not have"},
    {"(a)\\8", 4, "'\\8' is a back reference"},
    {"ab\\", 3, "the pattern ends in a backslash"},
    {"a\\q", 2, "'\\q' is no escape of RE2: write \\\\ for a backslash"},
    {"\\K", 1, "'\\K' is no escape of RE2"},
    {"\\R", 1, "'\\R' is no escape of RE2"},
    {"\\C", 1, "'\\C' is no escape of RE2"},
    {"\\Z", 1, "'\\Z' is no escape of RE2"},
    {"\\h", 1, "'\\h' is no escape of RE2"},
    {"\\E", 1, "'\\E' is no escape of RE2"},
    {"\\x4", 1, "'\\x' is no escape of RE2"},
    {"\\x{110000}", 1, "'\\x' is no escape of RE2"},
    {"\\x{d800}", 1, "'\\x' is no escape of RE2"},
    {"\\p{L&}", 1, "'\\p' is no escape of RE2"},
    {"[\\b]", 2, "no such escape in a class"},
    {"[\\Qa\\E]", 2, "no such escape in a class"},
    {"[z-a]", 2, "'z-a' is no range of characters"},
    {"[a-\\d]", 2, "'a-\\d' is no range of characters"},
    {"[[:foo:]]", 2, "there is no character class '[:foo:]'"},
    {"[[:]a:]", 2, "there is no character class '[:]a:]'"},
    {"\\p{Klingon}", 1, "the regular expression cannot be used: "},
    {"(*UTF)a", 2, "'*' has nothing before it to repeat"},
    {"\xff", 0, "the regular expression is not valid UTF-8"},
    {"\xc3\xa4)", 3, "this ')' has no '('"},
};

static void what_re2_lacks_is_refused_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
        const struct error_case *c = &error_cases[i];
        struct regex *r = NULL;
        struct err e = ERR_INIT;
        bool ok = regex_compile(str_of(c->pattern), REGEX_FULL, &r, &e);
        if (ok || e.pos.column != c->column || !str_starts(str_of(e.message), str_of(c->message))) {
            fail_msg("%s: %d %u %s", c->pattern, ok, e.pos.column, e.message);
        }
        assert_int_equal(e.code, ERR_PARSE);
    }
}

static void an_error_shows_the_pattern(void **state)
{
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    assert_false(regex_compile(STR("foo(?=bar)"), REGEX_FULL, &r, &e));
    err_print(&e, &out);
    assert_string_equal(buf_text(&out), "1:4: '(?=' is lookahead, which RE2 does not have\n"
                                        "    foo(?=bar)\n"
                                        "       ^~~");
}

static void limits_hold(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(1 << 20);
    struct regex *r = NULL;
    struct err e = ERR_INIT;

    (void)state;
    buf_add_repeat(&b, 'a', REGEX_PATTERN_MAX + 1);
    assert_false(regex_compile(buf_str(&b), REGEX_FULL, &r, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(regex_compile(str_make(b.ptr, REGEX_PATTERN_MAX), REGEX_FULL, &r, &e));
    assert_true(matches(r, str_make(b.ptr, REGEX_PATTERN_MAX)));
    regex_free(r);
    buf_clear(&b);
    for (int i = 0; i < REGEX_GROUPS_MAX; i++) {
        buf_add_text(&b, "(a)");
    }
    regex_free(compile(buf_text(&b), REGEX_FULL));
    buf_add_text(&b, "(a)");
    assert_false(regex_compile(buf_str(&b), REGEX_FULL, &r, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_clear(&b);
    buf_add_repeat(&b, '(', REGEX_DEPTH_MAX + 1);
    assert_false(regex_compile(buf_str(&b), REGEX_FULL, &r, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void a_hostile_match_ends_in_an_error(void **state)
{
    AUTO(regex_autofree) struct regex *r = compile("(x+x+)+y", REGEX_FULL);
    struct err e = ERR_INIT;
    bool matched = false;
    AUTO(buf_release) struct buf out = BUF_INIT(1000);

    (void)state;
    struct str subject = STR("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxzy");
    assert_false(regex_match(r, subject, &matched, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.message, "takes more than 100000 steps"));
    assert_true(matches(r, STR("xxxy")));
    AUTO(regex_autofree) struct regex *search = compile("a|(x+x+)+y", REGEX_SEARCH);
    assert_false(regex_replace(search, STR("axxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), STR("b"),
                               &out, &e));
    assert_int_equal(out.len, 0);
}

static void long_subjects_do_not_exhaust_the_stack(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(1 << 20);
    AUTO(regex_autofree) struct regex *r = compile("(?:a|b)*c", REGEX_FULL);

    (void)state;
    buf_add_repeat(&b, 'a', 20000);
    buf_add_byte(&b, 'c');
    assert_true(matches(r, buf_str(&b)));
}

struct replace_case {
    const char *pattern;
    const char *subject;
    const char *replacement;
    const char *want;
};

static const struct replace_case replace_cases[] = {
    {"b", "abcb", "x", "axcx"},
    {"z", "abc", "x", "abc"},
    {"(a)(b)", "ab-ab", "$2$1", "ba-ba"},
    {"(a)", "a", "${1}x", "ax"},
    {"(a)", "a", "$1x", ""},
    {"(?P<n>a)", "a", "<$n|${n}|$0>", "<a|a|a>"},
    {"(?P<n>a)", "a", "$nx", ""},
    {"a", "a", "$$", "$"},
    {"a", "a", "$", "$"},
    {"a", "a", "$-", "$-"},
    {"a", "a", "${", "${"},
    {"a", "a", "${}", "${}"},
    {"a", "a", "${1", "${1"},
    {"a", "a", "$1", ""},
    {"a", "a", "$00", ""},
    {"a", "a", "$9999999999999999999999", ""},
    {"(a)|(b)", "ab", "[$1,$2]", "[a,][,b]"},
    {"a*", "baac", "x", "xbxcx"},
    {"", "abc", "-", "-a-b-c-"},
    {"", "\xc3\xa4", "-", "-\xc3\xa4-"},
    {"a*", "", "x", "x"},
    {"^a", "aaa", "x", "xaa"},
    {"$", "a", "x", "ax"},
    {"\\b", "a b", "|", "|a| |b|"},
    {"[^a-z]+", "foo-bar.baz", "_", "foo_bar_baz"},
};

static void replacement_is_that_of_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replace_cases); i++) {
        const struct replace_case *c = &replace_cases[i];
        AUTO(regex_autofree) struct regex *r = compile(c->pattern, REGEX_SEARCH);
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        struct err e = ERR_INIT;
        buf_add_byte(&out, '>');
        assert_true(regex_replace(r, str_of(c->subject), str_of(c->replacement), &out, &e));
        if (strcmp(buf_text(&out) + 1, c->want) != 0) {
            fail_msg("%s on %s by %s: %s", c->pattern, c->subject, c->replacement, buf_text(&out));
        }
    }
}

struct expand_case {
    const char *pattern;
    const char *subject;
    const char *replacement;
    const char *want; /* NULL: no match */
};

static const struct expand_case expand_cases[] = {
    {"(.*)", "node-1", "$1", "node-1"},
    {"([^:]+)(?::\\d+)?", "host:9100", "${1}:9200", "host:9200"},
    {"([^:]+)(?::\\d+)?", "host", "${1}:9200", "host:9200"},
    {"foo", "foo", "bar", "bar"},
    {"foo", "foox", "bar", NULL},
    {"foo|bar", "bar", "<$0>", "<bar>"},
    {"(foo|bar)", "bar", "<$1>", "<bar>"},
    {"(foo|bar)", "baz", "<$1>", NULL},
    {"a|ab", "ab", "$0", "ab"},
    {"(a|ab)(c|bcd)", "abcd", "$1-$2", "a-bcd"},
    {"", "", "x", "x"},
};

static void expansion_is_of_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expand_cases); i++) {
        const struct expand_case *c = &expand_cases[i];
        AUTO(regex_autofree) struct regex *r = compile(c->pattern, REGEX_FULL);
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        AUTO(buf_release) struct buf replaced = BUF_INIT(1000);
        struct err e = ERR_INIT;
        bool matched = false;
        struct str subject = str_of(c->subject);
        assert_true(regex_expand(r, subject, str_of(c->replacement), &out, &matched, &e));
        assert_int_equal(matched, c->want != NULL);
        assert_string_equal(buf_text(&out), c->want ? c->want : "");
        assert_true(regex_replace(r, subject, str_of(c->replacement), &replaced, &e));
        assert_string_equal(buf_text(&replaced), c->want ? c->want : c->subject);
    }
}

/* The short cut against PCRE2: (?:pattern){1} means the same and is not expanded. */

static const char *const word_patterns[] = {
    "foo",
    "foo|bar",
    "foo.*",
    ".*foo",
    ".+foo.*",
    "foo.+",
    ".*(foo|bar).+",
    "(?:a|b)(?:c|d)?",
    "a[bc]",
    "^foo$",
    "^foo.*",
    ".*?foo",
    "foo.+?",
    ".*",
    ".+",
    "a\\.b.*",
    "^a|b$",
    "a|b|c|d|e|f|g|h|i|j",
    "(a|(b|c)d)e",
    "",
    "(|a)",
    "a||b",
    ".*.*",
    "\\x41b",
    "a\\.*",
    "[ab][cd]",
    "foo|",
    "f(o|oo).*",
    "(?:^a)b",
    ".+.+",
    "$",
};

static const char alphabet[] = "abcdfo.A\n";

static void words_agree_with_pcre2(void **state)
{
    uint64_t seed = 7;
    char subject[8];
    size_t with_words = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(word_patterns) * 2; i++) {
        char hard[64];
        const char *pattern = word_patterns[i / 2];
        enum regex_mode mode = i % 2 ? REGEX_FULL : REGEX_SEARCH;
        (void)snprintf(hard, sizeof(hard), "(?:%s){1}", pattern);
        AUTO(regex_autofree) struct regex *fast = compile(pattern, mode);
        AUTO(regex_autofree) struct regex *slow = compile(hard, mode);
        assert_int_equal(slow->words.count, 0);
        with_words += fast->words.count > 0;
        for (int k = 0; k < 3000; k++) {
            size_t len = 0;
            for (seed = seed * 6364136223846793005 + 1442695040888963407; len < (seed >> 60) % 8;
                 len++) {
                subject[len] = alphabet[(seed >> (4 * len)) % (sizeof(alphabet) - 1)];
            }
            struct str s = {subject, len};
            if (matches(fast, s) != matches(slow, s)) {
                fail_msg("%s (mode %d) on '%.*s'", pattern, mode, STR_FMT(s));
            }
        }
    }
    assert_true(with_words >= 40);
}

static void many_words_are_a_set(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(BUF_SMALL);
    char word[16];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        buf_addf(&b, "%spod-%d", i ? "|" : "", i);
    }
    AUTO(regex_autofree) struct regex *r = compile(buf_text(&b), REGEX_FULL);
    assert_int_equal(r->words.count, 5000);
    assert_null(r->code);
    for (int i = 0; i < 5100; i++) {
        (void)snprintf(word, sizeof(word), "pod-%d", i);
        assert_int_equal(matches(r, str_of(word)), i < 5000);
    }
}

/* Too large for PCRE2, but words do; only the group cannot be had. */
static void words_do_where_pcre2_cannot(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(1 << 20);
    AUTO(buf_release) struct buf out = BUF_INIT(1000);
    struct err e = ERR_INIT;
    bool matched;

    (void)state;
    for (int i = 0; i < 6000; i++) {
        buf_addf(&b, "%spod-%04d", i ? "|" : "(", i);
    }
    buf_add_byte(&b, ')');
    AUTO(regex_autofree) struct regex *r = compile(buf_text(&b), REGEX_FULL);
    assert_true(matches(r, STR("pod-4711")));
    assert_false(matches(r, STR("pod-47110")));
    if (r->code == NULL) {
        assert_false(regex_expand(r, STR("pod-4711"), STR("$1"), &out, &matched, &e));
        assert_int_equal(e.code, ERR_LIMIT);
    }
}

static void *match_often(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct err e = ERR_INIT;
        bool matched = false;
        if (!regex_match(arg, i % 2 ? STR("abc123") : STR("abc"), &matched, &e) ||
            matched != (i % 2 == 1)) {
            return arg;
        }
    }
    return NULL;
}

static void threads_share_a_regex(void **state)
{
    AUTO(regex_autofree) struct regex *r = compile("([a-c]+)(\\d+)", REGEX_FULL);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, r), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *wrong = r;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

static void subjects_need_not_be_utf8(void **state)
{
    AUTO(regex_autofree) struct regex *word = compile("a.*", REGEX_FULL);
    AUTO(regex_autofree) struct regex *hard = compile("a[0-9]+b", REGEX_SEARCH);

    (void)state;
    assert_true(matches(word, STR("a\xff")));
    assert_true(matches(hard, STR("\xff"
                                  "a1b")));
    assert_false(matches(hard, STR("a\xff"
                                   "b")));
    assert_false(matches(hard, STR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_re2),
        cmocka_unit_test(what_re2_lacks_is_refused_at_its_place),
        cmocka_unit_test(an_error_shows_the_pattern),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_hostile_match_ends_in_an_error),
        cmocka_unit_test(long_subjects_do_not_exhaust_the_stack),
        cmocka_unit_test(replacement_is_that_of_go),
        cmocka_unit_test(expansion_is_of_the_whole),
        cmocka_unit_test(words_agree_with_pcre2),
        cmocka_unit_test(many_words_are_a_set),
        cmocka_unit_test(words_do_where_pcre2_cannot),
        cmocka_unit_test(threads_share_a_regex),
        cmocka_unit_test(subjects_need_not_be_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
