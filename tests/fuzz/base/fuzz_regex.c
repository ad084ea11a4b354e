/*
 * Pattern, NUL, subject, NUL, replacement. Whatever passes our syntax check must compile or be told
 * apart as too large or unknown to PCRE2; words must agree with PCRE2 on the same pattern.
 */
#include "base/regex.h"
#include "base/regex_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATTERN_MAX = 200, SUBJECT_MAX = 200 };

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* PCRE2 may refuse a property that it does not know, or what is too large; nothing else. */
static bool may_be_refused(struct str pattern, const struct err *e)
{
    struct str message = str_of(e->message);
    bool by_pcre2 = str_find(message, STR("cannot be used")) != message.len;
    bool too_large = str_find(message, STR("too large")) != message.len;
    bool has_property = str_find(pattern, STR("\\p")) != pattern.len ||
                        str_find(pattern, STR("\\P")) != pattern.len;

    return !by_pcre2 || too_large || has_property;
}

/* The same pattern in a form that is not taken for words. */
static struct regex *compile_hard(struct str pattern, enum regex_mode mode)
{
    struct buf b = BUF_INIT(BUF_SMALL);
    struct regex *r = NULL;
    struct err e = ERR_INIT;

    buf_addf(&b, "(?:%.*s){1}", STR_FMT(pattern));
    if (!regex_compile(buf_str(&b), mode, &r, &e)) {
        r = NULL;
    }
    buf_release(&b);
    return r;
}

static void compare(const struct regex *r, enum regex_mode mode, struct str subject)
{
    struct regex *hard = r->words.count > 0 ? compile_hard(r->pattern, mode) : NULL;
    struct err e = ERR_INIT;
    bool fast = false;
    bool slow = false;

    if (hard != NULL && regex_match(r, subject, &fast, &e) &&
        regex_match(hard, subject, &slow, &e)) {
        check(fast == slow);
    }
    regex_free(hard);
}

static void run(struct str pattern, enum regex_mode mode, struct str subject,
                struct str replacement)
{
    struct buf out = BUF_INIT(1 << 20);
    struct regex *r = NULL;
    struct err e = ERR_INIT;
    bool matched;

    if (!regex_compile(pattern, mode, &r, &e)) {
        check(e.code == ERR_PARSE || e.code == ERR_LIMIT);
        check(e.message[0] != '\0' && e.pos.column <= pattern.len + 1);
        check(may_be_refused(pattern, &e));
        return;
    }
    check(regex_match(r, subject, &matched, &e) || e.code == ERR_LIMIT);
    check(regex_replace(r, subject, replacement, &out, &e) || e.code == ERR_LIMIT);
    check(regex_expand(r, subject, replacement, &out, &matched, &e) || e.code == ERR_LIMIT);
    if (str_is_utf8(subject)) { /* where it is not, bytes are compared that PCRE2 passes over */
        compare(r, mode, subject);
    }
    regex_free(r);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str pattern = STR("");
    struct str subject = STR("");
    struct str replacement = STR("");

    (void)(str_split(&rest, '\0', &pattern) && str_split(&rest, '\0', &subject) &&
           str_split(&rest, '\0', &replacement));
    if (pattern.len <= PATTERN_MAX && subject.len <= SUBJECT_MAX) {
        run(pattern, REGEX_FULL, subject, replacement);
        run(pattern, REGEX_SEARCH, subject, replacement);
    }
    return 0;
}
