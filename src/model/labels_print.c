/*
 * A series as Prometheus prints it. A metric name outside the legacy charset stands inside the braces,
 * quoted, as other names outside it do.
 */
#include "model/labels.h"

/* What stands for a byte after a backslash; 0: nothing does. */
static char short_escape(unsigned char c)
{
    static const char escapes[128] = {
        ['\\'] = '\\', ['"'] = '"',  ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r',
        ['\a'] = 'a',  ['\b'] = 'b', ['\f'] = 'f', ['\v'] = 'v',
    };
    return c < 128 ? escapes[c] : 0;
}

/* In double quotes, escaped as Go's strconv.Quote does for what cannot be shown. */
static void print_quoted(struct str s, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t n = str_utf8_length(str_slice(s, i, 4));
        if (short_escape(c) != 0) {
            buf_addf(out, "\\%c", short_escape(c));
        } else if (n == 0 || c < 0x20 || c == 0x7F) {
            buf_addf(out, "\\x%02x", c);
        } else {
            buf_add(out, s.ptr + i, n);
        }
        i += n > 0 ? n : 1;
    }
    buf_add_byte(out, '"');
}

/* Puts a comma before every item but the first. */
static void separate(struct buf *out, bool *first)
{
    buf_add_text(out, *first ? "" : ", ");
    *first = false;
}

static void print_pair(struct label pair, struct buf *out)
{
    if (label_name_is_legacy(pair.name)) {
        buf_add_str(out, pair.name);
    } else {
        print_quoted(pair.name, out);
    }
    buf_add_byte(out, '=');
    print_quoted(pair.value, out);
}

void labels_print(const struct labels *l, struct buf *out)
{
    const struct str name_label = STR("__name__");
    struct str name = labels_get(l, name_label);
    bool bare = metric_name_is_legacy(name);
    bool first = true;
    uint32_t at = 0;
    struct label pair;

    if (bare) {
        buf_add_str(out, name);
        if (l->count == 1) {
            return;
        }
    }
    buf_add_byte(out, '{');
    if (!bare && name.len > 0) {
        separate(out, &first);
        print_quoted(name, out);
    }
    while (labels_next(l, &at, &pair)) {
        if (!str_eq(pair.name, name_label)) {
            separate(out, &first);
            print_pair(pair, out);
        }
    }
    buf_add_byte(out, '}');
}
