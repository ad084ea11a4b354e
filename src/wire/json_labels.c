#include "wire/json_labels.h"

#include "wire/scan.h"

static void add_pair(struct json_writer *w, struct label pair)
{
    json_key(w, pair.name);
    json_add_str(w, pair.value);
}

static bool is_name(struct str label)
{
    return str_eq(label, STR("__name__"));
}

static char *put_quoted(char *p, struct str s)
{
    *p++ = '"';
    memcpy(p, s.ptr, s.len);
    p += s.len;
    *p++ = '"';
    return p;
}

/*
 * The object of a set whose texts need no escapes, in one go, into room that the packed bytes measure: a
 * pair takes six bytes more than its texts, here and there. False, and nothing, for other sets.
 */
static bool put_plain(struct buf *out, const struct labels *l, bool nameless)
{
    char *start = buf_reserve(out, (size_t)l->len + 2);
    char *p = start;
    uint32_t at = 0;
    struct label pair;

    while (p != NULL && labels_next(l, &at, &pair)) {
        if (nameless && is_name(pair.name)) {
            continue;
        }
        if (!scan_is_plain(pair.name.ptr, pair.name.len) ||
            !scan_is_plain(pair.value.ptr, pair.value.len)) {
            return false;
        }
        *p = p == start ? '{' : ',';
        p++;
        p = put_quoted(p, pair.name);
        *p++ = ':';
        p = put_quoted(p, pair.value);
    }
    if (p == NULL || p == start) {
        return false;
    }
    *p++ = '}';
    buf_added(out, (size_t)(p - start));
    return true;
}

void json_add_labels(struct json_writer *w, const struct labels *l, bool nameless)
{
    uint32_t at = 0;
    struct label pair;

    json_add_raw(w, STR("")); /* the comma that is due */
    if (put_plain(w->out, l, nameless)) {
        return;
    }
    struct json_writer object;
    json_write_init(&object, w->out);
    json_begin_object(&object);
    while (labels_next(l, &at, &pair)) {
        if (!nameless || !is_name(pair.name)) {
            add_pair(&object, pair);
        }
    }
    json_end_object(&object);
}

void json_add_pairs(struct json_writer *w, const struct label *pairs, size_t count)
{
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        add_pair(w, pairs[i]);
    }
    json_end_object(w);
}
