#include "lib/problem.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    [TELEX_OK] = "ok",
    [TELEX_FULL] = "full",
    [TELEX_INVALID] = "invalid",
    [TELEX_TOO_LARGE] = "too_large",
    [TELEX_BAD_CONFIG] = "bad_config",
    [TELEX_FAILED] = "failed",
    [TELEX_TIMEOUT] = "timeout",
    [TELEX_NO_MEMORY] = "no_memory",
    [TELEX_FORKED] = "forked",
    [TELEX_UNKNOWN] = "unknown",
    [TELEX_UNDELIVERED] = "undelivered",
};

const char *telex_code_name(int code)
{
    return code >= 0 && (size_t)code < ARRAY_LEN(code_names) ? code_names[code] : "?";
}

const char *telex_version(void)
{
    return TELEX_VERSION;
}

static int code_of(enum err_code code)
{
    static const int codes[] = {
        [ERR_NONE] = TELEX_FAILED,       [ERR_PARSE] = TELEX_BAD_CONFIG,
        [ERR_CONFIG] = TELEX_BAD_CONFIG, [ERR_IO] = TELEX_FAILED,
        [ERR_NET] = TELEX_FAILED,        [ERR_TIMEOUT] = TELEX_TIMEOUT,
        [ERR_CANCELED] = TELEX_TIMEOUT,  [ERR_AUTH] = TELEX_FAILED,
        [ERR_LIMIT] = TELEX_TOO_LARGE,   [ERR_FULL] = TELEX_FULL,
        [ERR_CONFLICT] = TELEX_FAILED,   [ERR_INTERNAL] = TELEX_FAILED,
    };

    return codes[code];
}

void lib_copy_text(char *ret, size_t size, struct str text)
{
    size_t len = text.len < size ? text.len : size - 1;

    while (len < text.len && len > 0 && (text.ptr[len] & 0xC0) == 0x80) {
        len--;
    }
    if (len > 0) {
        memcpy(ret, text.ptr, len);
    }
    ret[len] = '\0';
}

int lib_err(struct telex_error *error, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(sizeof(struct err));
    int code = code_of(e->code);

    if (error != NULL) {
        err_print_line(e, &text);
        *error = (struct telex_error){.code = code, .line = e->pos.line, .column = e->pos.column};
        lib_copy_text(error->message, sizeof(error->message), buf_str(&text));
    }
    return code;
}

int lib_err_text(struct telex_error *error, int code, const char *fmt, ...)
{
    char text[2 * sizeof(error->message)];
    va_list args;

    if (error != NULL) {
        *error = (struct telex_error){.code = code};
        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        lib_copy_text(error->message, sizeof(error->message), str_of(text));
    }
    return code;
}

bool lib_has_memory(size_t bytes, struct telex_error *error)
{
    void *probe = mem_try_alloc(bytes);

    mem_free(probe);
    if (probe == NULL) {
        (void)lib_err_text(error, TELEX_NO_MEMORY, "the system has no memory for this");
    }
    return probe != NULL;
}
