/*
 * The few lines of JSON that a token server answers with. One pass over a flat object; nested
 * values are passed over with a depth cap.
 */
#include "net/oauth2.h"

#include "base/clock.h"

enum { DEPTH_MAX = 32, UTF8_REPLACEMENT = 0xfffd, TOKEN_LIFE_MAX_S = 10 * 365 * 24 * 3600 };

struct reader {
    struct str text;
    size_t at;
    struct buf *out; /* texts are unescaped into it */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next byte that is no space, or 0 at the end. */
static char peek(struct reader *r)
{
    while (r->at < r->text.len && is_space(r->text.ptr[r->at])) {
        r->at++;
    }
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

static bool accept(struct reader *r, char byte)
{
    if (peek(r) != byte) {
        return false;
    }
    r->at++;
    return true;
}

static void add_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_add_byte(out, (char)code);
    } else if (code < 0x800) {
        buf_add_byte(out, (char)(0xc0 | code >> 6));
        buf_add_byte(out, (char)(0x80 | (code & 0x3f)));
    } else {
        /* Half of a surrogate pair has no place in a token. */
        code = code >= 0xd800 && code < 0xe000 ? UTF8_REPLACEMENT : code;
        buf_add_byte(out, (char)(0xe0 | code >> 12));
        buf_add_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_byte(out, (char)(0x80 | (code & 0x3f)));
    }
}

static bool read_hex4(struct reader *r, uint32_t *ret_code)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        char c = r->at < r->text.len ? r->text.ptr[r->at++] : '\0';
        const char *digit = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
        if (digit == NULL) {
            return false;
        }
        code = code << 4 | (uint32_t)(digit - digits);
    }
    *ret_code = code;
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->text.len ? r->text.ptr[r->at++] : '\0';
    uint32_t code;

    if (c == 'u') {
        if (!read_hex4(r, &code)) {
            return false;
        }
        add_utf8(r->out, code);
        return true;
    }
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    if (name != NULL) {
        buf_add_byte(r->out, values[name - names]);
    }
    return name != NULL;
}

/* A text, unescaped to the end of r->out; *ret_start is where it begins there. */
static bool read_text(struct reader *r, size_t *ret_start)
{
    *ret_start = r->out->len;
    if (!accept(r, '"')) {
        return false;
    }
    while (r->at < r->text.len) {
        char c = r->text.ptr[r->at++];
        if (c == '"') {
            return buf_ok(r->out);
        }
        if ((unsigned char)c < ' ' || (c == '\\' && !read_escape(r))) {
            return false;
        }
        if (c != '\\') {
            buf_add_byte(r->out, c);
        }
    }
    return false;
}

/* A number, true, false or null. */
static struct str read_word(struct reader *r)
{
    (void)peek(r);
    size_t start = r->at;

    while (r->at < r->text.len && strchr(",]} \t\r\n\"[{:", r->text.ptr[r->at]) == NULL) {
        r->at++;
    }
    return str_slice(r->text, start, r->at - start);
}

static bool skip_text(struct reader *r)
{
    size_t start;
    bool fine = read_text(r, &start);

    buf_truncate(r->out, start);
    return fine;
}

/* Passes over one value; brackets are matched, what is between them only in so far. */
static bool skip_value(struct reader *r)
{
    char closers[DEPTH_MAX];
    size_t depth = 0;

    do {
        char c = peek(r);
        bool fine = true;
        if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX) {
                return false;
            }
            closers[depth++] = c == '{' ? '}' : ']';
            r->at++;
        } else if (depth > 0 && c == closers[depth - 1]) {
            depth--;
            r->at++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            r->at++;
        } else if (c == '"') {
            fine = skip_text(r);
        } else {
            fine = read_word(r).len > 0;
        }
        if (!fine) {
            return false;
        }
    } while (depth > 0);
    return true;
}

/* Whole seconds of "3600", "3599.5" or, as some servers write it, the text "3600". */
static int64_t seconds_of(struct str word)
{
    int64_t seconds = 0;
    size_t i = 0;

    while (i < word.len && word.ptr[i] >= '0' && word.ptr[i] <= '9') {
        seconds = seconds * 10 + (word.ptr[i] - '0');
        seconds = seconds < TOKEN_LIFE_MAX_S ? seconds : TOKEN_LIFE_MAX_S;
        i++;
    }
    bool whole = i == word.len || word.ptr[i] == '.';
    return i > 0 && whole && seconds > 0 ? seconds : -1;
}

static bool read_seconds(struct reader *r, int64_t *ret_ns)
{
    struct str word;
    size_t start = r->out->len;

    if (peek(r) == '"') {
        if (!read_text(r, &start)) {
            return false;
        }
        word = str_make(r->out->ptr + start, r->out->len - start);
    } else {
        word = read_word(r);
    }
    int64_t seconds = seconds_of(word);
    *ret_ns = seconds > 0 ? seconds * NS_PER_S : -1;
    return word.len > 0;
}

/* Where a text stands in the scratch buffer, which may still move. */
struct span {
    size_t start;
    size_t len;
};

struct spans {
    struct span token;
    struct span error;
    struct span description;
    int64_t expires_in_ns;
};

static bool read_text_into(struct reader *r, struct span *ret_span)
{
    size_t start;

    if (peek(r) != '"') {
        return skip_value(r);
    }
    if (!read_text(r, &start)) {
        return false;
    }
    *ret_span = (struct span){start, r->out->len - start};
    return true;
}

static bool read_member(struct reader *r, struct spans *ret)
{
    const struct {
        struct str name;
        struct span *span;
    } texts[] = {
        {STR("access_token"), &ret->token},
        {STR("error"), &ret->error},
        {STR("error_description"), &ret->description},
    };
    size_t start;

    if (!read_text(r, &start)) {
        return false;
    }
    /* Kept in the scratch: it is compared before anything else is put there. */
    struct str name = str_slice(buf_str(r->out), start, r->out->len - start);
    struct span *span = NULL;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        span = str_eq(name, texts[i].name) ? texts[i].span : span;
    }
    bool is_expiry = str_eq(name, STR("expires_in"));
    if (!accept(r, ':')) {
        return false;
    }
    if (span != NULL) {
        return read_text_into(r, span);
    }
    return is_expiry ? read_seconds(r, &ret->expires_in_ns) : skip_value(r);
}

static bool read_object(struct reader *r, struct spans *ret)
{
    if (!accept(r, '{')) {
        return false;
    }
    if (accept(r, '}')) {
        return peek(r) == '\0';
    }
    do {
        if (!read_member(r, ret)) {
            return false;
        }
    } while (accept(r, ','));
    return accept(r, '}') && peek(r) == '\0' && r->at == r->text.len;
}

static struct str span_str(const struct buf *b, struct span span)
{
    return str_slice(buf_str(b), span.start, span.len);
}

bool oauth2_parse_answer(struct str json, struct buf *scratch, struct oauth2_answer *ret_answer)
{
    struct reader r = {.text = json, .out = scratch};
    struct spans spans = {.expires_in_ns = -1};

    if (!read_object(&r, &spans)) {
        return false;
    }
    if (spans.error.len > 0 && spans.description.len > 0) {
        size_t start = scratch->len;
        buf_addf(scratch, "%.*s: %.*s", STR_FMT(span_str(scratch, spans.error)),
                 STR_FMT(span_str(scratch, spans.description)));
        spans.error = (struct span){start, scratch->len - start};
    }
    *ret_answer = (struct oauth2_answer){.token = span_str(scratch, spans.token),
                                         .expires_in_ns = spans.expires_in_ns,
                                         .error = span_str(scratch, spans.error)};
    return buf_ok(scratch);
}
