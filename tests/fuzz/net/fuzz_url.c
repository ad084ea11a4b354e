/* URLs: whatever is accepted is made of its parts, joins and escapes read back, nothing secret shows. */
#include "net/url.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_parse(struct str text)
{
    struct err e = ERR_INIT;
    struct url u;

    if (!url_parse(text, &u, &e)) {
        INVARIANT(e.code != ERR_NONE && e.message[0] != '\0');
        return;
    }
    INVARIANT(is_inside(u.host, text) && is_inside(u.path, text) && is_inside(u.query, text));
    INVARIANT(u.host.len > 0 && u.port > 0);
    INVARIANT(str_find_byte(u.authority, '@') == u.authority.len);
    INVARIANT(url_same_origin(&u, &u));
    struct buf AUTO(buf_release) joined = BUF_INIT(BUF_UNLIMITED);
    struct url again;
    url_add_joined(&joined, text, STR("/more?x=1"));
    INVARIANT(url_parse(buf_str(&joined), &again, &e));
    INVARIANT(url_same_origin(&u, &again));
}

static void check_escapes(struct str text)
{
    for (enum url_place place = URL_SEGMENT; place <= URL_FORM; place++) {
        struct buf AUTO(buf_release) escaped = BUF_INIT(BUF_UNLIMITED);
        struct buf AUTO(buf_release) back = BUF_INIT(BUF_UNLIMITED);
        url_add_escaped(&escaped, text, place);
        INVARIANT(url_add_unescaped(&back, buf_str(&escaped), place));
        INVARIANT(str_eq(buf_str(&back), text));
        buf_clear(&back);
        INVARIANT(url_add_unescaped(&back, text, place) ? back.len <= text.len : back.len == 0);
    }
}

static void check_params(struct str text)
{
    struct str name;
    struct str value;

    while (url_next_param(&text, &name, &value)) {
        INVARIANT(name.len + value.len <= SIZE_MAX / 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct buf AUTO(buf_release) shown = BUF_INIT(BUF_UNLIMITED);

    check_parse(text);
    check_escapes(text);
    check_params(text);
    url_add_redacted(&shown, text);
    return 0;
}
