#include "events/sources/file_lines.h"

#include "base/number.h"
#include "base/timetext.h"
#include "events/sources/value_time.h"
#include "wire/cloudevent.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

void file_lines_init(struct file_lines *l, const struct line_fields *fields)
{
    *l = (struct file_lines){.fields = fields, .path = ""};
    l->text = BUF_INIT(BUF_UNLIMITED);
}

void file_lines_release(struct file_lines *l)
{
    buf_release(&l->text);
}

void file_lines_begin(struct file_lines *l, const char *path, uint64_t at)
{
    buf_clear(&l->text);
    l->path = path;
    l->at = at;
    l->given = 0;
    l->passes = false;
}

/* What was given makes room when there is more of it than of the rest. */
char *file_lines_room(struct file_lines *l)
{
    size_t left = l->text.len - l->given;

    if (l->given > left) {
        memmove(l->text.ptr, l->text.ptr + l->given, left);
        buf_truncate(&l->text, left);
        l->at += l->given;
        l->given = 0;
    }
    return buf_reserve(&l->text, LINE_READ);
}

void file_lines_added(struct file_lines *l, size_t len)
{
    buf_added(&l->text, len);
}

/* ---- one line ---- */

struct look {
    bool is_event;
    struct str id;
    struct str key;
    int64_t time_ns;
};

static bool is_named(struct str field, struct str key)
{
    return field.len > 0 && str_eq(field, key);
}

/* A text or a number; anything else is passed over and is nothing. */
static bool take_scalar(struct json_reader *r, struct str *ret, bool *ret_is_text)
{
    enum json_kind kind = json_peek(r);

    *ret_is_text = kind == JSON_STRING;
    if (kind == JSON_STRING) {
        return json_take_str(r, ret);
    }
    return kind == JSON_NUMBER ? json_take_number(r, ret) : json_skip(r);
}

static bool look_at_member(struct json_reader *r, const struct line_fields *f, struct str key,
                           struct look *look)
{
    struct str value = STR("");
    bool is_text = false;

    look->is_event = look->is_event || str_eq(key, STR("specversion"));
    if (!is_named(f->id, key) && !is_named(f->key, key) && !is_named(f->time, key)) {
        return json_skip(r);
    }
    if (!take_scalar(r, &value, &is_text)) {
        return false;
    }
    look->id = is_named(f->id, key) ? value : look->id;
    look->key = is_named(f->key, key) ? value : look->key;
    if (is_named(f->time, key)) {
        look->time_ns = value_time_ns(value, is_text);
    }
    return true;
}

static bool look_at(struct str line, const struct line_fields *f, struct arena *a,
                    struct look *look, struct err *e)
{
    struct json_reader r;
    struct str key;

    if (!str_is_utf8(line)) {
        return err_set(e, ERR_PARSE, "it is no UTF-8");
    }
    json_read_init(&r, line, a, e);
    if (!json_open_object(&r)) {
        return false;
    }
    while (json_next_key(&r, &key) && look_at_member(&r, f, key, look)) {
    }
    return json_read_end(&r);
}

/* ---- places and ids: made of each line, so without printf ---- */

enum { DIGITS_MAX = 20, HEX_MAX = 16, PLACE_MAX = 3 * DIGITS_MAX + 2 };

static char *put_number(char *at, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t len = 0;

    do {
        digits[DIGITS_MAX - ++len] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(at, digits + DIGITS_MAX - len, len);
    return at + len;
}

static char *put_hex(char *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    return at + width;
}

/* TAG:INODE:OFFSET */
struct str file_lines_place(const struct file_lines *l, uint64_t behind, struct arena *a)
{
    char text[PLACE_MAX];
    char *at = put_number(text, l->tag);

    *at++ = ':';
    at = put_number(at, l->inode);
    *at++ = ':';
    at = put_number(at, behind);
    return arena_dup(a, str_make(text, (size_t)(at - text)));
}

/* TAG-OFFSET-HASH, the tag and the hash in hexadecimal. */
static struct str line_id(const struct file_lines *l, uint64_t at, struct str line, struct arena *a)
{
    char text[PLACE_MAX];
    char *end = put_hex(text, l->tag, HEX_MAX);

    *end++ = '-';
    end = put_number(end, at);
    *end++ = '-';
    end = put_hex(end, str_hash(line, 0) & UINT32_MAX, HEX_MAX / 2);
    return arena_dup(a, str_make(text, (size_t)(end - text)));
}

static void set_broken(struct change *ch, const struct file_lines *l, uint64_t at,
                       const struct err *e, struct arena *a)
{
    ch->form = CHANGE_BROKEN;
    ch->fault = arena_printf(a, "%s, the line at byte %llu: %s", l->path, (unsigned long long)at,
                             e->message);
}

static bool read_event(struct change *ch, struct str line, struct arena *a, struct err *e)
{
    struct event *ev = arena_alloc(a, sizeof(*ev));

    if (!cloudevent_read(line, a, ev, e)) {
        return false;
    }
    ch->form = CHANGE_EVENT;
    ch->event = ev;
    ch->id = ev->id;
    ch->key = event_key(ev);
    ch->time_ns = ev->has_time ? ev->time_ns : 0;
    return true;
}

static void make_change(struct file_lines *l, uint64_t at, struct str line, uint64_t behind,
                        struct changes *ret)
{
    struct arena *a = &ret->arena;
    struct change *ch = changes_add(ret);
    struct look look = {.id = STR(""), .key = STR("")};
    struct err e = ERR_INIT;

    *ch = (struct change){.position = file_lines_place(l, behind, a),
                          .name = STR("lines"),
                          .form = CHANGE_DOCUMENT,
                          .document = line,
                          .key = STR("")};
    ret->bytes += line.len;
    bool ok = look_at(line, l->fields, a, &look, &e);
    ch->id = look.id.len > 0 ? look.id : line_id(l, at, line, a);
    ch->key = look.key;
    ch->time_ns = look.time_ns;
    if (!ok || (look.is_event && !read_event(ch, line, a, &e))) {
        set_broken(ch, l, at, &e, a);
    }
}

/* ---- lines ---- */

static struct str without_return(struct str line)
{
    return line.len > 0 && line.ptr[line.len - 1] == '\r' ? str_slice(line, 0, line.len - 1) : line;
}

/* The next line; false when it has no end yet. */
static bool next_line(const struct file_lines *l, bool is_end, struct str *ret_line,
                      size_t *ret_len)
{
    const char *at = l->text.ptr + l->given;
    size_t left = l->text.len - l->given;
    const char *end = left > 0 ? memchr(at, '\n', left) : NULL;

    if (end == NULL && (!is_end || left == 0)) {
        return false;
    }
    *ret_len = end != NULL ? (size_t)(end - at) + 1 : left;
    *ret_line = str_make(at, end != NULL ? (size_t)(end - at) : left);
    return true;
}

/* A line that never ends is given up where it is too long; what follows up to its end is passed over. */
static bool cut_long(struct file_lines *l, struct changes *ret)
{
    size_t left = l->text.len - l->given;
    struct err e = ERR_INIT;

    if (left <= LINE_BYTES_MAX && !l->passes) {
        return false;
    }
    uint64_t at = file_lines_at(l);
    if (!l->passes) {
        struct change *ch = changes_add(ret);
        struct str kept = arena_dup(&ret->arena, str_make(l->text.ptr + l->given, LINE_KEPT));
        *ch = (struct change){.position = file_lines_place(l, at + left, &ret->arena),
                              .id = line_id(l, at, kept, &ret->arena),
                              .name = STR("lines"),
                              .document = kept};
        (void)err_set(&e, ERR_LIMIT, "it is longer than %d bytes", LINE_BYTES_MAX);
        set_broken(ch, l, at, &e, &ret->arena);
        ret->bytes += kept.len;
    }
    l->given = l->text.len;
    l->passes = true;
    return true;
}

size_t file_lines_take(struct file_lines *l, size_t max, bool is_end, uint64_t end,
                       struct changes *ret)
{
    size_t before = ret->list.len;
    struct str line;
    size_t len = 0;

    while (ret->list.len - before < max && file_lines_at(l) < end &&
           next_line(l, is_end, &line, &len)) {
        uint64_t at = file_lines_at(l);
        struct str text = str_trim(without_return(line));
        if (text.len > 0 && !l->passes) {
            make_change(l, at, arena_dup(&ret->arena, text), at + len, ret);
        }
        l->passes = false;
        l->given += len;
    }
    if (ret->list.len - before < max && file_lines_at(l) < end && file_lines_has_rest(l)) {
        (void)cut_long(l, ret);
    }
    return ret->list.len - before;
}
