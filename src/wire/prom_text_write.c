#include "base/number.h"
#include "wire/prom_text.h"

enum { NS_PER_MS = 1000 * 1000 };

static void add_quoted(struct buf *out, struct str s)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len;) {
        char c = s.ptr[i];
        size_t n = str_utf8_length(str_slice(s, i, 4));
        if (n == 0) {
            buf_add_text(out, "\xEF\xBF\xBD");
        } else if (c == '\n') {
            buf_add_text(out, "\\n");
        } else {
            buf_add_text(out, c == '"' || c == '\\' ? "\\" : "");
            buf_add(out, s.ptr + i, n);
        }
        i += n > 0 ? n : 1;
    }
    buf_add_byte(out, '"');
}

/* Opens the braces before the first item, separates the others. */
static void add_separator(struct buf *out, bool *first)
{
    buf_add_byte(out, *first ? '{' : ',');
    *first = false;
}

static void add_labels(struct buf *out, const struct labels *l, bool *first)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        if (str_eq(pair.name, STR("__name__"))) {
            continue;
        }
        add_separator(out, first);
        if (label_name_is_legacy(pair.name)) {
            buf_add_str(out, pair.name);
        } else {
            add_quoted(out, pair.name);
        }
        buf_add_byte(out, '=');
        add_quoted(out, pair.value);
    }
}

void prom_text_add_sample(struct buf *out, const struct labels *l, double value,
                          const int64_t *time_ns)
{
    struct str name = labels_get(l, STR("__name__"));
    bool first = true;

    if (metric_name_is_legacy(name)) {
        buf_add_str(out, name);
    } else {
        add_separator(out, &first);
        add_quoted(out, name);
    }
    add_labels(out, l, &first);
    buf_add_text(out, first ? " " : "} ");
    buf_add_double(out, value);
    if (time_ns != NULL) {
        buf_add_byte(out, ' ');
        buf_add_i64(out, *time_ns / NS_PER_MS - (*time_ns % NS_PER_MS < 0));
    }
    buf_add_byte(out, '\n');
}
