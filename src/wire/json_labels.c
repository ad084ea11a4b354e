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

/* The text in quotes at *p, which moves behind it; false when it needs escapes. */
static inline bool put_quoted(char **p, struct str s)
{
    char *to = *p;

    *to++ = '"';
    bool plain = scan_copy_plain(to, s.ptr, s.len);
    to += s.len;
    *to++ = '"';
    *p = to;
    return plain;
}

size_t json_plain_labels_room(const struct labels *l)
{
    return (size_t)l->len + 2; /* a pair takes six bytes more than its texts, packed and here */
}

char *json_put_plain_labels(char *to, const struct labels *l, bool nameless)
{
    char *p = to;
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        if (nameless && is_name(pair.name)) {
            continue;
        }
        *p = p == to ? '{' : ',';
        p++;
        bool plain = put_quoted(&p, pair.name);
        *p++ = ':';
        if (!put_quoted(&p, pair.value) || !plain) {
            return NULL;
        }
    }
    if (p == to) {
        return NULL;
    }
    *p++ = '}';
    return p;
}

static bool add_plain(struct buf *out, const struct labels *l, bool nameless)
{
    char *start = buf_reserve(out, json_plain_labels_room(l));
    char *end = start != NULL ? json_put_plain_labels(start, l, nameless) : NULL;

    if (end == NULL) {
        return false;
    }
    buf_added(out, (size_t)(end - start));
    return true;
}

void json_add_labels(struct json_writer *w, const struct labels *l, bool nameless)
{
    uint32_t at = 0;
    struct label pair;

    json_add_raw(w, STR("")); /* the comma that is due */
    if (add_plain(w->out, l, nameless)) {
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
