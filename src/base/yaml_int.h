/*
 * yaml_int.h - what the files behind yaml.h share: places in the source, and the errors of libyaml
 * in our words.
 *
 * Ownership: struct yaml_places owns its tables. Threads: confined. Limits: sources below 2 GiB.
 */
#ifndef TELEX_BASE_YAML_INT_H
#define TELEX_BASE_YAML_INT_H

#include "base/yaml.h"

#include <yaml.h>

/*
 * From characters, which libyaml counts, to bytes, and from bytes to line and column. A byte order
 * mark is no part of <text>.
 */
struct yaml_places {
    struct str text;
    uint32_t *chars; /* offset of every 64th character; NULL when all are ASCII */
    size_t chars_count;
    uint32_t *lines; /* offset of each line's first byte */
    size_t lines_count;
};

MUST_USE bool yaml_places_init(struct yaml_places *p, struct str text, struct err *e);
void yaml_places_release(struct yaml_places *p);

/* The byte offset of character <index>, at most the length of the text. */
size_t yaml_places_offset(const struct yaml_places *p, size_t index);

/* Line and column of a byte. */
struct pos yaml_places_pos(const struct yaml_places *p, size_t offset);

static inline bool yaml_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of a source without a byte order mark. */
struct str yaml_source_text(const struct yaml_source *source);

/* Sets an error at a byte of the text (without mark). Always false. */
bool yaml_err_offset(const struct yaml_source *source, size_t offset, size_t len, struct err *e,
                     enum err_code code, const char *fmt, ...) PRINTF_LIKE(6, 7) COLD;

/* Sets the error that the parser stopped with, in words that say what to do. Always false. */
bool yaml_problem(const yaml_parser_t *parser, const struct yaml_source *source,
                  const struct yaml_places *places, struct err *e) COLD;

#endif
