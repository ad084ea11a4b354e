/*
 * Messages are formatted in place and cut at a character edge; nothing here allocates.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const code_names[] = {
    [ERR_NONE] = "none",         [ERR_PARSE] = "parse",
    [ERR_CONFIG] = "config",     [ERR_IO] = "io",
    [ERR_NET] = "net",           [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELED] = "canceled", [ERR_AUTH] = "auth",
    [ERR_LIMIT] = "limit",       [ERR_FULL] = "full",
    [ERR_CONFLICT] = "conflict", [ERR_INTERNAL] = "internal",
};

const char *err_code_name(enum err_code code)
{
    return (size_t)code < ARRAY_LEN(code_names) ? code_names[code] : "unknown";
}

/* Cuts a text that vsnprintf() truncated back to the edge of a UTF-8 character and marks the cut.
 */
static void mark_cut(char *text, size_t size)
{
    size_t at = size - 4;

    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) {
        at--;
    }
    memcpy(text + at, "...", 4);
}

PRINTF_LIKE(3, 0) static void vformat(char *text, size_t size, const char *fmt, va_list args)
{
    int need = vsnprintf(text, size, fmt, args);

    if (need >= 0 && (size_t)need >= size) {
        mark_cut(text, size);
    }
}

/* Adds ": <more>" behind a text. */
static void append(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);
    int need = snprintf(text + len, size - len, ": %s", more);

    if (need >= 0 && (size_t)need >= size - len) {
        mark_cut(text, size);
    }
}

PRINTF_LIKE(4, 0)
static void err_vset(struct err *e, enum err_code code, struct pos pos, const char *fmt,
                     va_list args)
{
    char message[ERR_TEXT];

    /* Formatted aside, since the arguments may be texts of the error that is replaced. */
    vformat(message, sizeof(message), fmt, args);
    *e = (struct err){.code = code, .pos = pos, .caret_len = 1};
    memcpy(e->message, message, sizeof(message));
}

bool(err_set)(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    err_vset(e, code, (struct pos){0}, fmt, args);
    va_end(args);
    return false;
}

bool(err_set_at)(struct err *e, enum err_code code, struct pos pos, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    err_vset(e, code, pos, fmt, args);
    va_end(args);
    return false;
}

bool(err_set_errno)(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
{
    char reason[128];
    va_list args;

    va_start(args, fmt);
    err_vset(e, code, (struct pos){0}, fmt, args);
    va_end(args);
    const char *text = strerror_r(errnum, reason, sizeof(reason));
    append(e->message, sizeof(e->message), text);
    return false;
}

bool(err_wrap)(struct err *e, const char *fmt, ...)
{
    char outer[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    vformat(outer, sizeof(outer), fmt, args);
    va_end(args);
    if (e->context[0] != '\0') {
        append(outer, sizeof(outer), e->context);
    }
    memcpy(e->context, outer, sizeof(outer));
    return false;
}

bool(err_in_file)(struct err *e, struct str file)
{
    if (e->file[0] == '\0') {
        (void)snprintf(e->file, sizeof(e->file), "%.*s", STR_FMT(file));
    }
    return false;
}

void err_point(struct err *e, struct str text, size_t offset, size_t len, struct pos base)
{
    size_t start = 0;
    uint32_t line = 0;

    offset = offset < text.len ? offset : text.len;
    const char *at = NULL;
    while (start < offset && (at = memchr(text.ptr + start, '\n', offset - start)) != NULL) {
        line++;
        start = (size_t)(at - text.ptr) + 1;
    }
    struct str rest = str_slice(text, start, text.len);
    struct str source = str_slice(rest, 0, str_find_byte(rest, '\n'));
    uint32_t column = (uint32_t)(offset - start) + 1;

    (void)snprintf(e->source, sizeof(e->source), "%.*s", STR_FMT(source));
    e->caret_column = column;
    e->caret_len = len > 0 ? (uint32_t)len : 1;
    e->pos.line = base.line + line;
    e->pos.column = line == 0 ? base.column + column - 1 : column;
}

void err_print_line(const struct err *e, struct buf *out)
{
    if (e->file[0] != '\0') {
        buf_addf(out, "%s:", e->file);
    }
    if (e->pos.line != 0) {
        buf_addf(out, "%u:%u:", e->pos.line, e->pos.column);
    }
    if (out->len > 0 && out->ptr[out->len - 1] == ':') {
        buf_add_byte(out, ' ');
    }
    if (e->context[0] != '\0') {
        buf_addf(out, "%s: ", e->context);
    }
    buf_add_text(out, e->message);
}

/* The underline below the source line; ends where the line ends. */
static void print_caret(const struct err *e, struct buf *out)
{
    size_t width = strlen(e->source);
    size_t indent = e->caret_column - 1;

    if (indent > width) {
        return;
    }
    size_t len = e->caret_len < width - indent ? e->caret_len : width - indent;
    buf_addf(out, "\n    %s\n    ", e->source);
    for (size_t i = 0; i < indent; i++) {
        buf_add_byte(out, e->source[i] == '\t' ? '\t' : ' ');
    }
    buf_add_byte(out, '^');
    buf_add_repeat(out, '~', len > 1 ? len - 1 : 0);
}

void err_print(const struct err *e, struct buf *out)
{
    err_print_line(e, out);
    if (e->source[0] != '\0' && e->caret_column != 0) {
        print_caret(e, out);
    }
}
