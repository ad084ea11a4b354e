/*
 * Invariants:
 *  1. A regex has words, or code, or both; words alone only where nothing but a yes or no, or the
 *     whole match, can be asked for.
 *  2. <spare> is taken out by one thread at a time; who finds it gone makes match data of its own.
 */
#include "base/regex.h"

#include "base/mem.h"
#include "base/regex_int.h"

enum { HEAP_MAX_KB = 16 * 1024, TRANSLATED_MAX = 1 << 20, SHOWN_MAX = 60 };

static bool err_compile(int number, struct err *e)
{
    char text[120] = "";

    (void)pcre2_get_error_message(number, (PCRE2_UCHAR8 *)text, sizeof(text));
    return err_set_at(e, ERR_PARSE, (struct pos){1, 1}, "the regular expression cannot be used: %s",
                      text);
}

static bool compile_code(struct regex *r, struct str translated, struct err *e)
{
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    int number = 0;
    PCRE2_SIZE offset = 0;

    r->limits = pcre2_match_context_create(NULL);
    INVARIANT(context != NULL && r->limits != NULL);
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    (void)pcre2_set_match_limit(r->limits, REGEX_STEPS_MAX);
    (void)pcre2_set_heap_limit(r->limits, HEAP_MAX_KB);
    r->code = pcre2_compile((PCRE2_SPTR8)translated.ptr, translated.len, options, &number, &offset,
                            context);
    pcre2_compile_context_free(context);
    if (r->code == NULL) {
        return err_compile(number, e);
    }
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
    return true;
}

static bool build(struct regex *r, struct err *e)
{
    AUTO(buf_release) struct buf translated = BUF_INIT(TRANSLATED_MAX);

    if (!regex_translate(r, &translated, e)) {
        return false;
    }
    if (!buf_ok(&translated)) {
        return err_set(e, ERR_LIMIT, "the regular expression is too large");
    }
    regex_words_init(&r->words, r->pattern, r->mode);
    bool has_words = r->words.count > 0;
    if (has_words && r->mode == REGEX_FULL && r->groups == 0) {
        return true;
    }
    struct err ignored = ERR_INIT;
    bool words_will_do = has_words && r->mode == REGEX_FULL;
    return compile_code(r, buf_str(&translated), words_will_do ? &ignored : e) || words_will_do;
}

bool regex_compile(struct str pattern, enum regex_mode mode, struct regex **ret_regex,
                   struct err *e)
{
    struct regex *r = mem_new(struct regex);

    r->pattern = str_make(mem_dup_text(pattern.ptr, pattern.len), pattern.len);
    r->mode = mode;
    if (!build(r, e)) {
        regex_free(r);
        return false;
    }
    *ret_regex = r;
    return true;
}

void regex_free(struct regex *r)
{
    if (r == NULL) {
        return;
    }
    pcre2_match_data_free(atomic_load(&r->spare));
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    regex_words_release(&r->words);
    mem_free(r->pattern.ptr);
    mem_free(r);
}

struct str regex_pattern(const struct regex *r)
{
    return r->pattern;
}

/* The cache is the one part of a finished regex that changes. */
static _Atomic(pcre2_match_data *) *spare_of(const struct regex *r)
{
    union {
        const struct regex *read;
        struct regex *write;
    } view = {.read = r};

    return &view.write->spare;
}

pcre2_match_data *regex_take_data(const struct regex *r)
{
    pcre2_match_data *data = atomic_exchange(spare_of(r), NULL);

    if (data == NULL) {
        data = pcre2_match_data_create_from_pattern(r->code, NULL);
        INVARIANT(data != NULL);
    }
    return data;
}

void regex_give_data(const struct regex *r, pcre2_match_data *data)
{
    pcre2_match_data_free(atomic_exchange(spare_of(r), data));
}

static int err_match(const struct regex *r, int code, struct str subject, struct err *e)
{
    char text[120] = "";

    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_HEAPLIMIT ||
        code == PCRE2_ERROR_DEPTHLIMIT) {
        (void)err_set(e, ERR_LIMIT,
                      "the regular expression '%.*s' takes more than %d steps on '%.*s': avoid "
                      "repetitions inside repetitions, like (a+)+",
                      STR_FMT(str_slice(r->pattern, 0, SHOWN_MAX)), REGEX_STEPS_MAX,
                      STR_FMT(str_slice(subject, 0, SHOWN_MAX)));
        return -1;
    }
    (void)pcre2_get_error_message(code, (PCRE2_UCHAR8 *)text, sizeof(text));
    (void)err_set(e, ERR_INTERNAL, "the regular expression '%.*s' failed: %s",
                  STR_FMT(str_slice(r->pattern, 0, SHOWN_MAX)), text);
    return -1;
}

int regex_run(const struct regex *r, struct str subject, size_t start, pcre2_match_data *data,
              struct err *e)
{
    PCRE2_SPTR8 bytes = (PCRE2_SPTR8)(subject.ptr != NULL ? subject.ptr : "");
    int count = pcre2_match(r->code, bytes, subject.len, start, 0, data, r->limits);

    if (count == PCRE2_ERROR_JIT_STACKLIMIT) { /* the interpreter keeps its stack on the heap */
        count = pcre2_match(r->code, bytes, subject.len, start, PCRE2_NO_JIT, data, r->limits);
    }
    if (count == PCRE2_ERROR_NOMATCH) {
        return 0;
    }
    return count > 0 ? count : err_match(r, count, subject, e);
}

bool regex_match(const struct regex *r, struct str subject, bool *ret_matched, struct err *e)
{
    if (r->words.count > 0) {
        *ret_matched = regex_words_match(&r->words, subject);
        return true;
    }
    pcre2_match_data *data = regex_take_data(r);
    int count = regex_run(r, subject, 0, data, e);
    regex_give_data(r, data);
    if (count < 0) {
        return false;
    }
    *ret_matched = count > 0;
    return true;
}
