/*
 * load.h - a config and its rules, read and checked together: what can be run.
 *
 * One way in for `check`, `run` and reload, so that what check accepts, run takes. Beside what each
 * file says, this looks at what they say of each other (an export_datastore that no exporter is) and
 * at the system (a state folder that cannot be written).
 *
 * Ownership: `loaded` holds one reference of each. Threads: confined; what it holds is immutable.
 * Limits: those of config.h and rule.h.
 */
#ifndef TELEX_APP_LOAD_H
#define TELEX_APP_LOAD_H

#include "app/config.h"
#include "rules/rule.h"

struct rule_sources;

struct loaded {
    struct config *config;
    struct rule_set *rules;
};

/* Where to read from. */
struct load_input {
    struct str config_path; /* empty: no file */
    struct str
        config_text; /* the config itself, <config_path> being what it is called; NULL: the file */
    struct str base_folder; /* what the config's rule patterns are relative to */
    const struct str
        *rules; /* rule files instead of those of the config; NULL: those of the config */
    size_t rule_count;
    struct str templates; /* template files instead of those of the config; or empty */
    bool rules_alone;     /* no config is meant: say nothing of what only one could answer */
    bool tells_variables; /* warn of variables that look like ours and that nothing reads */
    bool tries_ports;     /* warn of addresses that nobody could listen on now */
    struct config_environment environment;
    struct rule_sources
        *sources; /* what is known of rules elsewhere; NULL: nothing, for this once */
};

/*
 * Reads all of it, telling every problem to <problems>; false when one was an error, with a summary
 * in <e>.
 */
MUST_USE bool load_all(const struct load_input *input, struct problems *problems,
                       struct loaded *ret_loaded, struct err *e);
void loaded_release(struct loaded *l);

/* Looks at what config and rules say of each other and of the system. */
void check_together(const struct config *c, const struct rule_set *rules,
                    struct problems *problems);
void check_system(const struct config *c, struct problems *problems);

/* Warns of payloads that records of several kinds are put into. */
void check_payloads(const struct config *c, const struct rule_set *rules,
                    struct problems *problems);

/* Warns of streams that do otherwise than they seem to, and of those that could have each row once and do not. */
void check_streams(const struct config *c, struct problems *problems);

/* Warns of streams that nothing runs and that still hold something: a slot, events. */
void check_left(const struct config *c, struct problems *problems);

/*
 * Asks the datastore of each stream that is on what it would say to a start, and the token server of its sink for a token;
 * makes and changes nothing there. What would keep the stream from running is a problem; else a line of <out> says what a
 * start would make. Waits for each, up to half a minute.
 */
void check_datastores(const struct config *c, struct problems *problems, struct buf *out);

/* Does a Telex run with this config's state folder? */
bool check_runs_here(const struct config *c);

/* Adds a line for each stream: from where to where, how often, and what becomes of the rest. */
void check_add_stream_lines(const struct config *c, struct buf *out);

/* Adds a line to <out> when the config has NVSentinel's section: what it delivers is not "exactly once". */
void check_add_stream_note(const struct config *c, struct str file, struct buf *out);

/* Warns of addresses that a Telex with this config could not listen on now. */
void check_ports(const struct config *c, struct problems *problems);

/*
 * Has <e> show the line of <file> that <e>'s position is in, with <len> bytes underlined; the
 * position alone when the file cannot be read.
 */
void show_line_of_file(struct err *e, struct str file, struct pos pos, size_t len);

#endif
