#include "server/html.h"

#include "base/attr.h"

#include <limits.h>

static const struct str escapes[UCHAR_MAX + 1] = {
    ['&'] = STR_INIT("&amp;"),  ['<'] = STR_INIT("&lt;"),   ['>'] = STR_INIT("&gt;"),
    ['"'] = STR_INIT("&quot;"), ['\''] = STR_INIT("&#39;"),
};

void html_add(struct buf *out, struct str text)
{
    size_t plain = 0;

    for (size_t i = 0; i < text.len; i++) {
        struct str escape = escapes[(unsigned char)text.ptr[i]];
        if (escape.ptr != NULL) {
            buf_add_str(out, str_slice(text, plain, i - plain));
            buf_add_str(out, escape);
            plain = i + 1;
        }
    }
    buf_add_str(out, str_slice(text, plain, text.len));
}

void html_fill(struct buf *out, const char *format, const struct str *texts, size_t count)
{
    struct str rest = str_of(format);
    struct str part;

    (void)str_split(&rest, '%', &part);
    buf_add_str(out, part);
    for (size_t i = 0; str_split(&rest, '%', &part); i++) {
        INVARIANT(i < count);
        html_add(out, texts[i]);
        buf_add_str(out, part);
    }
}
