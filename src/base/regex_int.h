/*
 * regex_int.h - what the files behind regex.h share: the syntax, the words, the engine.
 *
 * Ownership: as regex.h. Threads: a finished regex is read only, but for the cached match data.
 * Limits: as regex.h, REGEX_DEPTH_MAX groups in one another, REGEX_REPEAT_MAX repetitions.
 */
#ifndef TELEX_BASE_REGEX_INT_H
#define TELEX_BASE_REGEX_INT_H

#include "base/map.h"
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

enum { REGEX_DEPTH_MAX = 200, REGEX_REPEAT_MAX = 1000 };

/* What surrounds the words of a simple pattern. */
enum regex_gap {
    REGEX_GAP_NONE, /* nothing */
    REGEX_GAP_ANY,  /* .* */
    REGEX_GAP_SOME, /* .+ */
};

/* A pattern that is <left> (word|word|...) <right>. */
struct regex_words {
    enum regex_gap left;
    enum regex_gap right;
    struct str *items; /* in <bytes> */
    size_t count;      /* 0: the pattern is not of this form */
    char *bytes;
    struct map set; /* of items, where there are many and no gaps */
};

struct regex {
    struct str pattern;
    enum regex_mode mode;
    struct regex_words words;
    uint32_t groups;                        /* that capture */
    struct str names[REGEX_GROUPS_MAX + 1]; /* in <pattern>; empty: no name */
    pcre2_code *code;                       /* NULL: the words suffice */
    pcre2_match_context *limits;
    _Atomic(pcre2_match_data *) spare; /* taken out while in use */
};

/*
 * Checks r->pattern against RE2's syntax and writes what it means in PCRE2's; fills names and
 * groups.
 */
MUST_USE bool regex_translate(struct regex *r, struct buf *out, struct err *e);

/* An error at a byte of the pattern; always false. */
bool regex_err(struct str pattern, size_t offset, size_t len, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(5, 6) COLD;

/* The class at pattern[*at], which is '['; moves *at behind it. */
MUST_USE bool regex_translate_class(struct str pattern, size_t *at, struct buf *out, struct err *e);

/* An escape that is the same inside a class and outside. */
enum regex_escape_kind {
    REGEX_ESCAPE_CHAR, /* one character: <rune> */
    REGEX_ESCAPE_SET,  /* \d \w \s \p and their opposites */
    REGEX_ESCAPE_NONE, /* another one, or none */
};

struct regex_escape {
    enum regex_escape_kind kind;
    uint32_t rune;
    const char *set;     /* in PCRE2's syntax, inside of [] */
    struct str property; /* \p{this} */
    bool negated;        /* of the property */
    size_t length;       /* in the pattern */
};

/* Reads the escape at pattern[at], which is '\'. */
struct regex_escape regex_read_escape(struct str pattern, size_t at);

/* Appends a character so that PCRE2 takes it as itself. */
void regex_add_rune(struct buf *out, uint32_t rune);

/* Appends a set, for use between [ and ]. */
void regex_add_set(struct buf *out, const struct regex_escape *escape);

/* Bytes of the character at pattern[at], which is valid UTF-8. */
size_t regex_rune_length(struct str pattern, size_t at);

/* Finds out whether the pattern is words with gaps. */
void regex_words_init(struct regex_words *w, struct str pattern, enum regex_mode mode);
void regex_words_release(struct regex_words *w);
bool regex_words_match(const struct regex_words *w, struct str subject);

/* Runs PCRE2 from <start>: its count of pairs, 0 for no match, -1 with <e>. */
int regex_run(const struct regex *r, struct str subject, size_t start, pcre2_match_data *data,
              struct err *e);

/* Match data to use and give back. */
pcre2_match_data *regex_take_data(const struct regex *r);
void regex_give_data(const struct regex *r, pcre2_match_data *data);

#endif
