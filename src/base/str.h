/*
 * str.h - a borrowed view of bytes: pointer and length.
 *
 * A view owns nothing and is not NUL-terminated. It is passed by value. Text that must outlive its
 * source is copied, with mem_dup_text(), arena_dup() or into a buf. Ownership: borrowed, always.
 * Threads: values. Limits: none; the empty view has len 0 and any ptr.
 */
#ifndef TELEX_BASE_STR_H
#define TELEX_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

/* A view of a string literal, usable in static tables as STR_INIT("x"). */
#define STR_INIT(literal)              \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
#define STR(literal) ((struct str)STR_INIT(literal))
#define STR_NONE ((struct str){NULL, 0})

/* The two arguments of printf's "%.*s". */
#define STR_FMT(s) ((int)(s).len), ((s).ptr ? (s).ptr : "")

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const char *ptr, size_t len)
{
    return (struct str){ptr, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, shorter first among equals: <0, 0, >0. */
int str_cmp(struct str a, struct str b);

/* Equal but for the case of ASCII letters. */
bool str_eq_nocase(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Offset of the first <byte> or <needle> in <s>; s.len when absent. */
size_t str_find_byte(struct str s, char byte);
size_t str_find(struct str s, struct str needle);

/* The part from <from> (clamped) of at most <len> bytes. */
struct str str_slice(struct str s, size_t from, size_t len);

/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);

/*
 * Cuts the part up to <separator> off the front of <rest> and returns true; false when <rest> is
 * used up. "a,,b" gives "a", "", "b"; "" gives one empty part; STR_NONE gives nothing.
 */
bool str_split(struct str *rest, char separator, struct str *ret_part);

/* 64-bit hash (XXH3) for tables inside the process and for spreading; stable across runs for a
 * given <seed>. */
uint64_t str_hash(struct str s, uint64_t seed);

/*
 * The one of <count> <names> nearest to <name> by edit distance, for "did you mean"; NULL when none
 * is near enough to be worth saying (more than a third of its length away).
 */
const char *str_nearest(struct str name, const char *const *names, size_t count);

/* The same, none being more than <most> edits away; case is none. */
const char *str_nearest_within(struct str name, const char *const *names, size_t count,
                               size_t most);

/* Is <s> valid UTF-8 (no overlong forms, no surrogates)? */
bool str_is_utf8(struct str s);

/* How many bytes of it are, from its beginning. */
size_t str_utf8_prefix(struct str s);

/* Bytes of the well-formed UTF-8 character that <s> begins with; 0 when it begins with none. */
size_t str_utf8_length(struct str s);

#endif
