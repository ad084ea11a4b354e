/*
 * template_int.h - what the files of this folder share: tokens, the tree, values, the function table.
 *
 * Ownership: the tree lives in the template's arena and is immutable after compiling; values are
 * passed by value and borrow from the data, the tree or the rendering's arena. Threads: a rendering is
 * confined to one thread, the tree is for any. Limits: as template.h, TEMPLATE_SLOTS_MAX variables,
 * TEMPLATE_ARGS_MAX arguments.
 */
#ifndef TELEX_TEMPLATE_TEMPLATE_INT_H
#define TELEX_TEMPLATE_TEMPLATE_INT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "template/template.h"

/* ---- values ---- */

enum value_kind {
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LABELS,  /* a map from text to text */
    VALUE_SAMPLES, /* a query's answer */
    VALUE_SAMPLE,  /* one series of it */
    VALUE_TIME,
    VALUE_DURATION,
    VALUE_MONTH,   /* 1..12; prints its name */
    VALUE_WEEKDAY, /* 0 is Sunday */
    VALUE_MAP,     /* what `args` makes: arg0, arg1, ... */
    VALUE_ROOT,    /* the data itself */
    VALUE_OBJECT,  /* of a record */
    VALUE_KINDS
};

struct value;

struct value_list {
    const struct value *items;
    size_t count;
};

struct value {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer; /* VALUE_INT, VALUE_MONTH, ...; VALUE_TIME and VALUE_DURATION in ns */
        double number;
        struct str text;
        struct {
            const struct labels *first;
            const struct labels *second; /* seen where first has no such name; or NULL */
        } labels;
        struct {
            const struct template_sample *items;
            size_t count;
        } samples;
        const struct template_sample *sample;
        struct value_list map;
        struct {
            const struct template_objects *objects;
            const void *object;
        } object;
    } as;
};

static inline struct value value_text(struct str s)
{
    return (struct value){.kind = VALUE_TEXT, .as.text = s};
}

static inline struct value value_float(double v)
{
    return (struct value){.kind = VALUE_FLOAT, .as.number = v};
}

static inline struct value value_int(int64_t v)
{
    return (struct value){.kind = VALUE_INT, .as.integer = v};
}

static inline struct value value_bool(bool v)
{
    return (struct value){.kind = VALUE_BOOL, .as.boolean = v};
}

struct value value_object(const struct template_objects *objects, const void *object);

/* What is in an object: by name (nil when it is not there), or by place (false behind the last). */
struct value value_object_get(const struct value *v, struct str name);
bool value_object_at(const struct value *v, size_t i, struct value *ret_key,
                     struct value *ret_value);

/* Go's name of the kind, for error texts: "float64", "string", ... */
const char *value_type_name(const struct value *v);

/* Go's truth: not zero, not empty. */
bool value_is_true(const struct value *v);

/* Several as Go's Sprint: a space between two operands when neither is a text. */
void value_print_all(struct value_list values, struct buf *out);

/* As Go prints it with %v. */
void value_print(const struct value *v, struct buf *out);

/* Number of entries of a text, map or list; -1 when it has none. */
int64_t value_len(const struct value *v);

/* A number from a number or a text that holds one. */
MUST_USE bool value_to_float(const struct value *v, double *ret_number, struct err *e);
MUST_USE bool value_to_text(const struct value *v, struct str *ret_text, struct err *e);

/* Walks a label map in name order; start with zeros. */
struct labels_walk {
    uint32_t at_first;
    uint32_t at_second;
};
bool value_labels_next(const struct value *v, struct labels_walk *w, struct label *ret_label);
struct str value_labels_get(const struct value *v, struct str name);

/* arg0, arg1, ... of what `args` made; nil for any other name. */
struct value value_map_get(struct value_list map, struct str name);

/* ---- the tree ---- */

enum operand_kind {
    OPERAND_DOT,
    OPERAND_VARIABLE,
    OPERAND_CONST,
    OPERAND_FUNCTION,
    OPERAND_PIPE,
};

struct field_name {
    struct str name;
    const struct field_name *next;
};

struct operand {
    enum operand_kind kind;
    uint32_t slot; /* of a variable */
    struct value constant;
    const struct function *function;
    const struct pipe *pipe;
    const struct field_name *fields; /* .A.B behind it */
    size_t offset;
    struct operand *next;
};

struct command {
    struct operand *args;
    size_t count;
    size_t offset;
    struct command *next;
};

enum { PIPE_DECLARES_MAX = 2 };

struct pipe {
    struct command *commands;
    uint32_t slots[PIPE_DECLARES_MAX]; /* variables that it sets */
    unsigned slot_count;
};

enum node_kind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_KINDS
};

struct node {
    enum node_kind kind;
    struct str text; /* NODE_TEXT: the text; NODE_TEMPLATE: the name */
    const struct pipe *pipe;
    const struct node *body;
    const struct node *otherwise;
    size_t offset;
    struct node *next;
};

/* A named body made by define or block, or all of a template file. */
struct definition {
    struct str name;
    const struct template *owner; /* whose text the offsets point into */
    const struct node *body;
    uint32_t slot_count; /* variables of its own */
    unsigned uses;
    uint32_t known; /* which predeclared variables its body names, a bit each */
    size_t offset;
    struct definition *next;
};

enum { TEMPLATE_SLOTS_MAX = 256, TEMPLATE_ARGS_MAX = 32 };

struct template
{
    struct arena arena;
    struct str name;
    struct str text;
    struct definition main;                 /* what stands outside of definitions */
    struct definition *definitions;         /* the last one of a name counts */
    const struct template_library *library; /* or NULL */
    unsigned uses;
    bool is_file;    /* of a library: calls may name what other files define */
    bool of_records; /* template_compile_record() */
    const char *gap; /* a function that it calls and that gives empty text here; or NULL */
};

/* A template that is not read yet, and its reading; a file's calls are checked when its library is
 * whole, which also gathers what they use. */
struct template *template_new(struct str name, struct str text,
                              const struct template_library *library);
MUST_USE bool template_parse(struct template *t, struct err *e);
MUST_USE bool template_check_calls(struct template *t, struct err *e);

/* Adds to the uses of <d> those of what it calls; did that change them? */
bool definition_spread(const struct template *t, struct definition *d);

/* The definition that `template "name"` means: the template's own, then the library's. */
const struct definition *definition_find(const struct template *t, struct str name);
const struct definition *library_find(const struct template_library *library, struct str name);

/* Slots of the variables that every template knows, in this order; a body's own follow. Slot 0 is $,
 * what the body was called with. */
struct predeclared {
    const char *name; /* without $ */
    unsigned uses;
    struct value (*read)(const struct template_data *data, const struct template_world *world);
};
extern const struct predeclared predeclared[];
extern const size_t predeclared_count;

/* ---- rendering ---- */

/* The variables of one body that is being rendered; kept per depth and used again. */
struct frame {
    struct value *slots;
    uint32_t capacity;
};

struct render {
    const struct template *template; /* whose text is at work */
    const struct template *root;
    const struct template_data *data;
    const struct template_world *world;
    struct buf *out;
    struct arena arena;
    struct err *err;
    struct frame *frames; /* TEMPLATE_DEPTH_MAX + 1; those below frame_count have been entered */
    unsigned frame_count;
    struct value *slots; /* of the frame at work */
    bool is_cut;         /* a text did not fit its buf */
    unsigned steps;
    unsigned depth;
};

/* Sets the error at <offset> of the template's text. Always false. */
bool render_fail(struct render *r, size_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4) COLD;

/* ---- functions ---- */

struct function {
    const char *name;
    int min_args;
    int max_args; /* -1: any number */
    unsigned uses;
    bool lazy; /* and, or: evaluated by the interpreter, so that they stop early */
    bool (*call)(struct render *r, struct value_list args, struct value *ret, struct err *e);
};

const struct function *function_find(struct str name);
const struct function *function_find_of_records(struct str name);

/* Stands for functions of the peers that make no sense here: empty text. */
bool function_gap(struct render *r, struct value_list args, struct value *ret, struct err *e);
const char *const *function_names(size_t *ret_count);

/* The families, each a NULL-named-terminated table. */
extern const struct function functions_go[];
extern const struct function functions_text[];
extern const struct function functions_number[];
extern const struct function functions_query[];
extern const struct function functions_record[]; /* of templates of records alone */

/* What times and durations can be asked. */
struct method {
    enum value_kind of;
    const char *name;
    size_t args;
    bool (*call)(struct render *r, int64_t self, struct value_list args, struct value *ret,
                 struct err *e);
};

const struct method *method_find(enum value_kind of, struct str name);

/* One directive of printf, as read. */
struct verb {
    char letter;
    struct str written; /* the letter's bytes, for complaints */
    bool plus;
    bool minus;
    bool space;
    bool zero;
    bool sharp;
    bool is_erring; /* inside a complaint */
    int width;      /* -1: none */
    int precision;  /* -1: none */
};

/* printf's engine, as Go's fmt does it. */
MUST_USE bool template_printf(struct value_list args, struct buf *out, struct err *e);
void template_print_verb(struct buf *out, const struct verb *v, const struct value *value);

/* A time in one of Go's layouts; a duration as Go prints it: "1h0m0s". */
void template_format_time(int64_t ns, struct str layout, struct buf *out);
void template_print_duration(int64_t ns, struct buf *out);
extern const char *const month_names[12];
extern const char *const weekday_names[7];

/* The length of the character at <at>; 0 when it is broken UTF-8. */
size_t template_rune_at(struct str text, size_t at, uint32_t *ret_rune);
bool template_rune_is_hidden(uint32_t rune);
uint32_t template_rune_upper(uint32_t rune);
uint32_t template_rune_lower(uint32_t rune);

/* Text built in a scratch buf, moved into the rendering's arena. */
struct value render_take_text(struct render *r, struct buf *b);

/* ---- parsing ---- */

enum token_kind {
    TOKEN_END, /* of the action */
    TOKEN_WORD,
    TOKEN_FIELD,    /* .name */
    TOKEN_DOT,      /* . */
    TOKEN_VARIABLE, /* $name or $ */
    TOKEN_NUMBER,
    TOKEN_TEXT, /* a quoted string, decoded */
    TOKEN_CHAR,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,
};

struct token {
    enum token_kind kind;
    struct str
        text;     /* as written; decoded for TOKEN_TEXT; without the mark for FIELD and VARIABLE */
    int64_t rune; /* TOKEN_CHAR */
    size_t offset;
    size_t len;
    bool after_space;
};

/* Reads the source: text outside, tokens inside of actions. */
struct lexer {
    struct str text;
    size_t at;
    size_t action_end;  /* where the current action's closing mark begins */
    size_t action_next; /* where the text behind it begins */
    bool is_comment;    /* the action was a comment: nothing to parse */
    struct arena *arena;
    struct err *err;
};

/* The text up to the next action, trimmed; *ret_action false at the end of the source. */
MUST_USE bool lexer_text(struct lexer *lx, struct str *ret_text, size_t *ret_offset,
                         bool *ret_action);

/* The next token of the current action. */
MUST_USE bool lexer_token(struct lexer *lx, struct token *ret);
bool lexer_fail(struct lexer *lx, size_t offset, size_t len, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;

struct variable {
    struct str name;
    uint32_t slot;
};

struct parser {
    struct lexer lexer;
    struct template *template;
    struct definition *at; /* the body that is read */
    struct token token;    /* the current one */
    VEC(struct variable) variables;
    unsigned depth;
    unsigned loops;
};

MUST_USE bool parser_next(struct parser *p);
bool parser_unexpected(struct parser *p, const char *expected) COLD;

/* Parses a pipeline up to the end of the action (or a closing parenthesis). */
MUST_USE bool parse_pipe(struct parser *p, bool may_declare, const struct pipe **ret_pipe);

#endif
