/*
 * A scanner for the little XML that S3 writes: elements and texts; no document types, whose entities
 * could make much of little.
 */
#include "wire/s3_list.h"

#include "base/buf.h"

enum { SHOWN_MAX = 200, ENTITY_MAX = 10 };

struct scanner {
    struct str xml;
    size_t at;
    struct str path[S3_DEPTH_MAX]; /* names of the open elements */
    size_t depth;
    struct arena *arena;
    struct err *err;
};

static bool fail(struct scanner *s, const char *problem)
{
    return err_set(s->err, ERR_PARSE, "the listing's XML at byte %zu: %s", s->at, problem);
}

/* ---- texts ---- */

static const struct {
    struct str name;
    char byte;
} entities[] = {
    {STR_INIT("amp"), '&'},  {STR_INIT("lt"), '<'},    {STR_INIT("gt"), '>'},
    {STR_INIT("quot"), '"'}, {STR_INIT("apos"), '\''},
};

static void add_utf8(struct buf *out, int64_t c)
{
    if (c < 0x80) {
        buf_add_byte(out, (char)c);
    } else if (c < 0x800) {
        buf_add_byte(out, (char)(0xC0 | c >> 6));
        buf_add_byte(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_add_byte(out, (char)(0xE0 | c >> 12));
        buf_add_byte(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_add_byte(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_add_byte(out, (char)(0xF0 | c >> 18));
        buf_add_byte(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_add_byte(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_add_byte(out, (char)(0x80 | (c & 0x3F)));
    }
}

static int digit_of(char c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : base;

    return value < base ? value : -1;
}

/* "#38" or "#x26". */
static bool add_numbered(struct buf *out, struct str name)
{
    int base = name.len > 1 && (name.ptr[1] == 'x' || name.ptr[1] == 'X') ? 16 : 10;
    size_t from = base == 16 ? 2 : 1;
    int64_t code = 0;

    for (size_t i = from; i < name.len; i++) {
        int digit = digit_of(name.ptr[i], base);
        if (digit < 0) {
            return false;
        }
        code = code * base + digit;
    }
    if (name.len == from || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return false;
    }
    add_utf8(out, code);
    return true;
}

static bool add_entity(struct buf *out, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (str_eq(name, entities[i].name)) {
            buf_add_byte(out, entities[i].byte);
            return true;
        }
    }
    return name.len > 1 && name.ptr[0] == '#' && add_numbered(out, name);
}

static bool decode_text(struct scanner *s, struct str raw, struct str *ret)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] != '&') {
            buf_add_byte(&out, raw.ptr[i]);
            continue;
        }
        size_t end = str_find_byte(str_slice(raw, i, ENTITY_MAX), ';');
        if (!add_entity(&out, str_slice(raw, i + 1, end > 0 ? end - 1 : 0))) {
            return fail(s, "expected an entity such as '&amp;'");
        }
        i += end;
    }
    *ret = arena_dup(s->arena, buf_str(&out));
    return true;
}

/* ---- elements ---- */

enum piece { PIECE_OPEN, PIECE_CLOSE, PIECE_EMPTY, PIECE_OTHER, PIECE_END, PIECE_WRONG };

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

/* Goes past the next tag; *ret_name is its name. */
static enum piece next_piece(struct scanner *s, struct str *ret_name)
{
    struct str rest = str_slice(s->xml, s->at, s->xml.len);
    size_t open = str_find_byte(rest, '<');

    if (open == rest.len) {
        return PIECE_END;
    }
    rest = str_slice(rest, open, rest.len);
    size_t close = str_find_byte(rest, '>');
    if (close == rest.len || str_starts(rest, STR("<!"))) {
        return PIECE_WRONG;
    }
    s->at += open + close + 1;
    if (rest.ptr[1] == '?') {
        return PIECE_OTHER;
    }
    bool is_close = rest.ptr[1] == '/';
    size_t from = is_close ? 2 : 1;
    size_t len = 0;
    while (from + len < close && is_name_byte(rest.ptr[from + len])) {
        len++;
    }
    *ret_name = str_slice(rest, from, len);
    if (len == 0) {
        return PIECE_WRONG;
    }
    return is_close ? PIECE_CLOSE : rest.ptr[close - 1] == '/' ? PIECE_EMPTY : PIECE_OPEN;
}

/* Goes to the next element that opens, with its text up to the next tag; false at the end. */
static bool next_element(struct scanner *s, struct str *ret_text, bool *ret_ok)
{
    for (;;) {
        struct str name = STR_NONE;
        enum piece piece = next_piece(s, &name);
        *ret_ok = true;
        if (piece == PIECE_END) {
            *ret_ok = s->depth == 0 || fail(s, "an element is not closed");
            return false;
        }
        bool closes_other =
            piece == PIECE_CLOSE && (s->depth == 0 || !str_eq(s->path[s->depth - 1], name));
        if (piece == PIECE_WRONG || closes_other ||
            (piece == PIECE_OPEN && s->depth == S3_DEPTH_MAX)) {
            *ret_ok = fail(s, "expected elements as S3 writes them");
            return false;
        }
        if (piece == PIECE_CLOSE) {
            s->depth--;
        } else if (piece == PIECE_OPEN) {
            s->path[s->depth++] = name;
            struct str rest = str_slice(s->xml, s->at, s->xml.len);
            *ret_text = str_slice(rest, 0, str_find_byte(rest, '<'));
            return true;
        }
    }
}

static bool is_at(const struct scanner *s, const char *root, const char *parent, const char *name)
{
    size_t want = parent != NULL ? 3 : 2;

    return s->depth == want && str_eq(s->path[0], str_of(root)) &&
           (parent == NULL || str_eq(s->path[1], str_of(parent))) &&
           str_eq(s->path[want - 1], str_of(name));
}

bool s3_list_decode(struct str xml, struct arena *a, const struct s3_keys *keys,
                    struct str *ret_next, struct err *e)
{
    struct scanner s = {.xml = xml, .arena = a, .err = e};
    struct str next = STR("");
    bool is_list = false;
    bool is_cut = false;
    bool ok = true;
    struct str raw;
    struct str text;

    while (ok && next_element(&s, &raw, &ok)) {
        is_list = is_list || str_eq(s.path[0], STR("ListBucketResult"));
        if (is_at(&s, "ListBucketResult", "Contents", "Key")) {
            ok = decode_text(&s, raw, &text);
            if (ok) {
                keys->key(keys->arg, text);
            }
        } else if (is_at(&s, "ListBucketResult", NULL, "NextContinuationToken")) {
            ok = decode_text(&s, raw, &next);
        } else if (is_at(&s, "ListBucketResult", NULL, "IsTruncated")) {
            is_cut = str_eq(str_trim(raw), STR("true"));
        }
    }
    if (ok && !is_list) {
        ok = err_set(e, ERR_PARSE, "the answer is no listing of a bucket");
    }
    if (ok && is_cut && next.len == 0) {
        ok = err_set(e, ERR_PARSE, "the listing is cut and does not say how it goes on");
    }
    if (ok) {
        *ret_next = is_cut ? next : STR("");
    }
    return ok;
}

struct str s3_error_text(struct str xml, struct arena *a)
{
    struct err ignored = ERR_INIT;
    struct scanner s = {.xml = xml, .arena = a, .err = &ignored};
    struct str code = STR("");
    struct str message = STR("");
    struct str raw;
    bool ok = true;

    while (ok && next_element(&s, &raw, &ok)) {
        if (is_at(&s, "Error", NULL, "Code")) {
            ok = decode_text(&s, raw, &code);
        } else if (is_at(&s, "Error", NULL, "Message")) {
            ok = decode_text(&s, raw, &message);
        }
    }
    if (code.len == 0) {
        return str_trim(str_slice(xml, 0, SHOWN_MAX));
    }
    return arena_printf(a, "%.*s: %.*s", STR_FMT(code), STR_FMT(message));
}
