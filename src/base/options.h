/*
 * options.h - a kind's options as one const table, from which everything else is made.
 *
 * A row is {name, aliases, type, offset, default, range, unit, help}. From the table come: parsing
 * and validation of a YAML mapping into a plain config struct (unknown keys are errors with a
 * suggestion), overrides from the environment, required-field errors that name the variable, --help
 * text, the reference page and the JSON schema.
 *
 * Ownership: parsed texts, lists and sub-structs live in the caller's arena; secrets are heap
 * objects that options_release() frees. Threads: tables are const; parsing is confined. Limits:
 * OPTIONS_MAX rows per table.
 */
#ifndef TELEX_BASE_OPTIONS_H
#define TELEX_BASE_OPTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_MAX = 128 };

enum option_type {
    OPTION_TEXT,     /* struct str */
    OPTION_BOOL,     /* bool */
    OPTION_INT,      /* int64_t */
    OPTION_DOUBLE,   /* double */
    OPTION_DURATION, /* int64_t ns; <unit> says what a bare number means, else it is seconds */
    OPTION_BYTES,    /* int64_t; <unit> says what a bare number means, else it is bytes */
    OPTION_ENUM,     /* int: index into choices */
    OPTION_SECRET,   /* struct secret * or NULL: see options_parse() */
    OPTION_URL,      /* struct str: http or https, host present; userinfo refused with a hint */
    OPTION_LIST,     /* struct option_list: texts; one text counts as a list of one */
    OPTION_MAP,      /* struct option_map: text -> text, in file order */
    OPTION_INT_LIST, /* struct option_ints */
    OPTION_TABLE,    /* a sub-struct described by <table> */
    OPTION_TABLES,   /* struct option_tables: a list of mappings, each described by <table> */
    OPTION_NODE,     /* const struct yaml_node *: taken as it is, checked by the owner */
};

struct option_list {
    const struct str *items;
    size_t count;
};

struct option_pair {
    struct str name;
    struct str value;
    const struct yaml_node *node; /* where the value stands; NULL when it came from elsewhere */
};

struct option_map {
    const struct option_pair *items;
    size_t count;
};

struct option_ints {
    const int64_t *items;
    size_t count;
};

/* Config structs of <table> one behind the other: options_table_at() finds them. */
struct option_tables {
    char *items;
    size_t count;
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_SIGNED = 2, /* numbers may be negative */
    OPTION_HIDDEN = 4, /* accepted for compatibility, not documented first */
    OPTION_ADVANCED = 8,
    OPTION_BARE_HOST = 16, /* a URL may be "host:port", without a scheme */
};

struct option {
    const char *name;
    const char *const *aliases; /* NULL-terminated, or NULL */
    enum option_type type;
    unsigned flags;
    size_t offset;              /* in the config struct */
    const char *fallback;       /* default as written in YAML (flow style); NULL: zero value */
    const char *const *choices; /* OPTION_ENUM: NULL-terminated */
    const struct option_table *table; /* OPTION_TABLE, OPTION_TABLES */
    double min;                       /* numbers, durations (s), bytes: checked when max > min */
    double max;
    const char *unit; /* "ms", "s", "m", "h"; "bytes", "kb", "mb"; "%"; or NULL */
    const char *help; /* one sentence; Markdown */
};

struct option_table {
    const char *name; /* "exporter influxdb" */
    const char *help;
    const struct option *options;
    size_t count;
    size_t config_size;
};

/* A variable that other programs know too: what it says counts where the config says nothing. */
struct option_usual {
    const char *variable;
    const char *option;   /* the name of a row of the table itself */
    const char *spelling; /* whose suffix says what a bare number means; NULL: the name's */
};

/* Where overrides and ${VAR} come from; lookup returns NULL when unset. */
struct option_source {
    const char *(*lookup)(void *arg, const char *name);
    void *arg;
    const char *prefix;        /* e.g. "TELEX_EXPORTER_INFLUX_", or NULL for no overrides */
    struct str secrets_path;   /* folder for <name>_secret references; or empty */
    const char *const *others; /* NULL-terminated keys of the mapping that somebody else reads */
    const struct yaml_node *overrides; /* a mapping whose values go before all else; or NULL */
    const struct option_usual
        *usual; /* ended by one without a variable, or NULL; the first counts */
};

/*
 * Fills <config> (config_size bytes) from defaults, then <node> (a mapping, or NULL), then the
 * environment, then source->overrides. On failure <config> holds nothing to release, and the error has the place of the key
 * or value.
 *
 * - A key is an option's name or alias. An alias that ends in _seconds, _ms, _mb and so on says
 * what
 * a bare number under it means. A null value leaves the default.
 * - A text may hold ${VAR} or ${VAR:-default}; $${ is a literal ${, and a ${ that no name follows
 * (${1}) is left alone. What was expanded may be read as number or boolean in spite of quotes.
 * - The variable of option `name` is <prefix>NAME; of `subName` in table `sub`,
 * <prefix>SUB_SUB_NAME; aliases have theirs too, behind the option's own.
 * A list is written there as a,b or as YAML, a map as a=b,c=d or as YAML; a list of mappings cannot
 * be written there.
 * - What source->usual names goes before the default and behind all else.
 * - An override takes the place of what <node> and the environment say of its option, under whatever
 * spelling; within a table, of single options. It may not hold a secret, only say where one is.
 * - A secret `key` is a text, {file: path} or {env: NAME}; or instead of `key`, `key_file` is a
 * path
 * and `key_secret` is the name of a file in <secrets_path> or else of a variable, as it is or in
 * capitals (my-key: MY_KEY).
 */
MUST_USE bool options_parse(const struct option_table *table, const struct yaml_node *node,
                            const struct option_source *source, struct arena *a, void *config,
                            struct err *e);

enum option_said { OPTION_UNSAID, OPTION_SAID_EMPTY, OPTION_SAID };

/* What the environment says of options of <table>, and of tables in it, under source->prefix: the most that
 * is said of one of them. */
enum option_said options_in_environment(const struct option_table *table,
                                        const struct option_source *source);

/* Item <i> of a row's list of mappings. */
const void *options_table_at(const struct option_tables *tables, const struct option_table *table,
                             size_t i);

/* Frees the secrets in <config>. */
void options_release(const struct option_table *table, void *config);

/* Help for a terminal; the reference page in Markdown; the JSON schema of the mapping. */
void options_print_help(const struct option_table *table, struct buf *out);
void options_print_markdown(const struct option_table *table, struct buf *out);
void options_print_schema(const struct option_table *table, struct buf *out);

#endif
