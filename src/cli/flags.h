/*
 * flags.h - the command line of another program, made the config of this one.
 *
 * A program's flags are a table: each says where its value goes in telex.yaml, or why it does not. What is
 * read becomes the text of a config, one line per flag with the flag behind it, and that text is read by the
 * same loader as any file: so a mistake in a value is shown with its line, which names the flag. The text can
 * be printed and kept, which is how one moves from the flags to a file.
 *
 * Flags are written as Go's: -name=value, -name value, --name; a boolean alone is true. Those that take several
 * values are repeated, or hold them with commas between, in quotes where a value has one.
 *
 * Ownership: entries and texts live in the arena given; flags point into argv. Threads: the main thread.
 * Limits: FLAG_ENTRIES_MAX values.
 */
#ifndef TELEX_CLI_FLAGS_H
#define TELEX_CLI_FLAGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

enum { FLAG_ENTRIES_MAX = 10000 };

enum flag_kind {
    FLAG_TEXT,  /* a value, as a text */
    FLAG_PLAIN, /* a number or boolean, as it is */
    FLAG_BOOL,  /* true when it stands alone */
    FLAG_LIST,  /* several texts, a list */
    FLAG_EACH,  /* several texts, each for another one of <path>, whose {} is its number from 1 */
    FLAG_EACH_PLAIN, /* the same for numbers and booleans */
    FLAG_PAIRS,      /* several name=value */
    FLAG_HEADERS,    /* several "Name: value", in one text with ^^ between */
    FLAG_OWN,        /* the command's own: it asks for the value */
    FLAG_OWN_BOOL,
    FLAG_PASSED,  /* taken, and nothing follows from it: <note> says why */
    FLAG_REFUSED, /* an error: <note> says what to do instead */
};

struct flag_row {
    const char *name; /* without dashes; one that ends in * stands for all that begin so */
    enum flag_kind kind;
    const char *path; /* in the config: names with dots between; NULL: none */
    const char *note;
    const char *fallback; /* the value without the flag; NULL: what the config's table has */
};

struct flag_table {
    const char *command;
    const struct flag_row *rows;
    size_t count;
    const char *const (*aliases)[2]; /* another name, and the row's; NULL-terminated */
};

/* A value at its place in the config. */
struct flag_entry {
    struct str path;
    struct str value;
    struct str flag; /* as the user would write it; empty: a default */
    enum flag_kind kind;
};

struct flags {
    const struct flag_table *table;
    struct arena *arena;
    VEC(struct flag_entry) entries;
    VEC(struct str) notes; /* of flags that were passed over, for the user */
};

/* Reads a command line; <lookup> gives variables for flags that are not on it (NULL: none). */
MUST_USE bool flags_read(struct flags *f, const struct flag_table *table, struct arena *a, int argc,
                         char **argv, struct err *e);
void flags_release(struct flags *f);

/* Flags that were not said are looked for in the environment, as <prefix>name with _ for each dot. */
MUST_USE bool flags_read_environment(struct flags *f, struct str prefix,
                                     const char *(*lookup)(void *arg, const char *name), void *arg,
                                     struct err *e);

/* The value of one of the command's own, or what stands at a path; empty when it was not said. */
struct str flags_value(const struct flags *f, const char *name_or_path);

/* Puts a value at a place of the config, with the name of the flag that it follows from. */
void flags_set(struct flags *f, const char *path, enum flag_kind kind, struct str value,
               struct str flag);

/* Values of rows that were not said and have a fallback. */
void flags_add_fallbacks(struct flags *f);

/* The config. */
void flags_print_config(const struct flags *f, struct buf *out);

/* The table as Markdown: what each flag is here. */
void flags_print_docs(const struct flag_table *table, struct buf *out);

#endif
