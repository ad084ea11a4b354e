/*
 * template.h - the part of Go's text/template that alert rules use, compiled once.
 *
 * A template is compiled at load: text, actions, pipelines, variables,
 * if/else/with/range/define/template/block, comments, trim markers, the functions that vmalert and
 * Prometheus share and Go's own. Compiling also finds what the text depends on, so that a caller
 * renders again only when that changed. Rendering never loses an alert: a failure leaves what was
 * rendered so far replaced by an error text and returns false with the reason.
 *
 * Ownership: a template owns its compiled form; data is borrowed for a call; output goes to the
 * caller's buf. Threads: a compiled template is immutable, any thread may render. Limits:
 * TEMPLATE_TEXT_MAX bytes of source, nesting TEMPLATE_DEPTH_MAX, TEMPLATE_STEPS_MAX steps and
 * TEMPLATE_BYTES_MAX bytes per rendering, the cap of the output buf, TEMPLATE_FILES_MAX files with
 * TEMPLATE_DEFINITIONS_MAX definitions.
 */
#ifndef TELEX_TEMPLATE_TEMPLATE_H
#define TELEX_TEMPLATE_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TEMPLATE_TEXT_MAX = 256 * 1024,
    TEMPLATE_DEPTH_MAX = 64,
    TEMPLATE_STEPS_MAX = 1000000,
    TEMPLATE_BYTES_MAX = 64 << 20,
    TEMPLATE_FILES_MAX = 1000,
    TEMPLATE_DEFINITIONS_MAX = 10000,
};

/* Whom functions follow that have the same name and differ: now, strvalue. */
enum template_dialect { TEMPLATE_PROMETHEUS, TEMPLATE_VMALERT };

/* What a rendering depends on. */
enum template_uses {
    USES_NOTHING = 0,
    USES_LABELS = 1,    /* $labels, .Labels */
    USES_VALUE = 2,     /* $value, .Value, strvalue */
    USES_QUERY = 4,     /* query */
    USES_TIME = 8,      /* now, $activeAt */
    USES_EXTERNAL = 16, /* $externalLabels, $externalURL, externalURL, pathPrefix */
    USES_ALERT = 32,    /* $for, $expr, $alertID, $groupID, $interval, $type, $isPartial */
};

/* The series of a query's answer. */
struct template_sample {
    struct labels *labels;
    double value;
};

/*
 * Objects of somebody else that templates of records look into (template_compile_record()): what a member is, in
 * order, and how it is written as JSON.
 */
enum template_item_kind {
    ITEM_NONE, /* null, or no such member */
    ITEM_FLAG,
    ITEM_INTEGER,
    ITEM_NUMBER,
    ITEM_TEXT,
    ITEM_OBJECT, /* or array */
};

struct template_item {
    enum template_item_kind kind;
    int64_t integer; /* ITEM_INTEGER; ITEM_FLAG: 0 or 1 */
    double number;
    struct str text;
    const void *object;
};

struct template_objects {
    /* A member by its name; ITEM_NONE when there is none. */
    struct template_item (*get)(const void *object, struct str name);
    /* A member by its place; false behind the last. Of an array *ret_name is empty. */
    bool (*at)(const void *object, size_t i, struct str *ret_name, struct template_item *ret_item);
    void (*print)(const void *object, struct buf *out); /* as JSON */
};

/* What templates of records may know of where they run. */
struct template_host {
    struct str hostname;
    struct str os; /* "Linux" */
    struct str os_release;
    struct str arch;
    struct str version; /* of this program */
    int64_t pid;
};

/* What templates may ask of the outside; the table is injected, any entry may be NULL (its
 * functions fail safely). */
struct template_world {
    /* Answers `query`: samples live in <a>. */
    bool (*query)(void *arg, struct str expr, struct arena *a,
                  const struct template_sample **ret_samples, size_t *ret_count, struct err *e);
    void *arg;
    const struct labels *external_labels;
    struct str external_url;
    enum template_dialect dialect;
    int64_t wall_ns;                  /* the time of day, which is `now` in vmalert's dialect */
    const struct template_host *host; /* of templates of records; or NULL */
};

/* What a rendering is about. */
struct template_data {
    const struct labels *labels;       /* of the series, with __name__ */
    const struct labels *alert_labels; /* rule labels and alertname, seen through $labels where not
                                          in conflict; or NULL */
    double value;
    int64_t now_ns; /* evaluation time */
    int64_t active_at_ns;
    int64_t for_ns;
    int64_t interval_ns;
    struct str expr;
    struct str type;   /* "prometheus" */
    char alert_id[24]; /* as the API has it; empty while labels are rendered, which make it */
    struct str group_id;
    bool is_partial;
    const void *object;                     /* of a template of records: the record; or NULL */
    const struct template_objects *objects; /* which says what is in it */
};

struct template;
struct template_library;

/*
 * Compiles <text>; <name> is for error texts. Errors point into <text> with line, column and caret.
 * What <library> (or NULL) defines can be called; it must outlive the template.
 */
MUST_USE bool template_compile(struct str name, struct str text,
                               const struct template_library *library,
                               struct template **ret_template, struct err *e);
/*
 * The same for a template over a record: `.` is the record's object (data->object), its members are `.name`; the
 * functions hostname, pid, os, osRelease, arch, version and toJson are there, the variables of rules are not.
 */
MUST_USE bool template_compile_record(struct str name, struct str text,
                                      struct template **ret_template, struct err *e);
void template_free(struct template *t);
DEFINE_AUTOFREE(template)

/* Bits of enum template_uses. */
unsigned template_uses(const struct template *t);

/* A function that it calls and that gives empty text here, or NULL: worth a warning. */
const char *template_gap(const struct template *t);

/* Is it plain text, without any action? Then *ret_text is it, as long as the template lives. */
bool template_is_text(const struct template *t, struct str *ret_text);

/*
 * Appends the rendering to <out>. On failure appends "<error expanding template: ...>" instead and
 * returns false with the reason.
 */
bool template_render(const struct template *t, const struct template_data *data,
                     const struct template_world *world, struct buf *out, struct err *e);

/*
 * The same; *ret_kind says what the text was before it was one, when the template is a single action, else
 * ITEM_TEXT. Objects are written as JSON, ITEM_NONE as nothing.
 */
MUST_USE bool template_evaluate(const struct template *t, const struct template_data *data,
                                const struct template_world *world, struct buf *out,
                                enum template_item_kind *ret_kind, struct err *e);

/*
 * Template files: their `define` blocks, and the text outside of them under the file's name, may be
 * called by every template that is compiled with the library.
 */
struct template_library *template_library_new(void);
void template_library_free(struct template_library *library);
DEFINE_AUTOFREE(template_library)

/* Reads one file's <text>; of two definitions of one name the later one counts. Errors as in
 * template_compile(). */
MUST_USE bool template_library_add(struct template_library *library, struct str name,
                                   struct str text, struct err *e);

/*
 * To be called when all files are added: do the templates that they call exist? On failure
 * *ret_name is the file that the error points into.
 */
MUST_USE bool template_library_finish(struct template_library *library, struct str *ret_name,
                                      struct err *e);

#endif
