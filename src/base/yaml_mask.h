/*
 * yaml_mask.h - what an error says is kept free of secrets that the text it is about holds; for src/base/yaml* only.
 *
 * Ownership: the caller's. Threads: any. Limits: of a secret the first 4096 bytes are compared.
 */
#ifndef TELEX_BASE_YAML_MASK_H
#define TELEX_BASE_YAML_MASK_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <string.h>

static inline bool yaml_is_one_of(char c, const char *bytes)
{
    return c != '\0' && strchr(bytes, c) != NULL;
}

static inline bool yaml_is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Of names of settings. */
static inline bool yaml_is_word_byte(char c)
{
    return yaml_is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
}

/* Hides what the message quotes of <secret>. */
void yaml_hide_in_message(struct err *e, struct str secret);

/* Hides in the message what <text> of a connection holds that proves who we are. */
void yaml_hide_connection(struct err *e, struct str text);

#endif
