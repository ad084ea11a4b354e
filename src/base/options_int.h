/*
 * options_int.h - what the files behind options.h share.
 *
 * Ownership: as options.h. Threads: confined. Limits: as options.h.
 */
#ifndef TELEX_BASE_OPTIONS_INT_H
#define TELEX_BASE_OPTIONS_INT_H

#include "base/options.h"

struct options_run {
    const struct option_source *source;
    struct arena *arena;
    struct err *e;
};

/*
 * A value to be read. What comes from the environment or from a default has a node too, whose
 * source is called after it.
 */
struct option_value {
    const struct yaml_node *node;
    const char *name; /* the key as it was written */
    bool loose;       /* read quoted texts as numbers and booleans too */
};

/* How a type is called, read and shown. */
struct option_type_info {
    const char *name;   /* "duration" */
    const char *schema; /* JSON schema of a value, without the braces */
    bool is_composite;  /* written in YAML, not as a text */
    bool (*set)(const struct options_run *r, const struct option *o, struct option_value v,
                void *field);
};

extern const struct option_type_info option_types[];

/* The text of a scalar with ${VAR} replaced; *ret_expanded says that there was one. */
MUST_USE bool options_expand(const struct options_run *r, const struct yaml_node *node,
                             struct str *ret_text, bool *ret_expanded);

/* The variable; NULL when unset. */
const char *options_lookup(const struct options_run *r, const char *name);

/* <text> in capitals with _ between words: maxAge, max-age and max_age give MAX_AGE. */
void options_add_shouted(struct buf *out, struct str text);

/* Reads <text>, which is from the environment or a default, as <file> says; <name> is the row's or
 * an alias of it, whose suffix says what a bare number means. */
MUST_USE bool options_set_from_text(const struct options_run *r, const struct option *o,
                                    const char *name, struct str file, struct str text,
                                    void *field);

/* "timeout: expected a duration, found 'x'"; always false. */
bool options_err_expected(const struct options_run *r, struct option_value v,
                          const char *expected) COLD;

/* The types of one value. */
MUST_USE bool options_set_text(const struct options_run *r, const struct option *o,
                               struct option_value v, void *field);
MUST_USE bool options_set_bool(const struct options_run *r, const struct option *o,
                               struct option_value v, void *field);
MUST_USE bool options_set_int(const struct options_run *r, const struct option *o,
                              struct option_value v, void *field);
MUST_USE bool options_set_double(const struct options_run *r, const struct option *o,
                                 struct option_value v, void *field);
MUST_USE bool options_set_duration(const struct options_run *r, const struct option *o,
                                   struct option_value v, void *field);
MUST_USE bool options_set_bytes(const struct options_run *r, const struct option *o,
                                struct option_value v, void *field);
MUST_USE bool options_set_enum(const struct options_run *r, const struct option *o,
                               struct option_value v, void *field);
MUST_USE bool options_set_url(const struct options_run *r, const struct option *o,
                              struct option_value v, void *field);

/* A list of mappings. */
MUST_USE bool options_set_tables(const struct options_run *r, const struct option *o,
                                 struct option_value v, void *field);

/* Secrets: a value, a path, or the name of a secret. */
MUST_USE bool options_set_secret(const struct options_run *r, const struct option *o,
                                 struct option_value v, void *field);
MUST_USE bool options_set_secret_file(const struct options_run *r, struct option_value v,
                                      void *field);
MUST_USE bool options_set_secret_ref(const struct options_run *r, struct option_value v,
                                     void *field);

/* Appends a bound or size as people write it: 1h, 16MB, 0.5. */
void options_add_amount(const struct option *o, double amount, struct buf *out);

#endif
