#include "datasource/curl_text.h"

#include "net/url.h"

/* In single quotes, as a shell takes it. */
static void add_quoted(struct buf *out, struct str text)
{
    buf_add_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') {
            buf_add_text(out, "'\\''");
        } else {
            buf_add_byte(out, text.ptr[i]);
        }
    }
    buf_add_byte(out, '\'');
}

static bool is_secret(struct str name)
{
    static const struct str parts[] = {
        STR_INIT("authorization"), STR_INIT("cookie"),  STR_INIT("token"),  STR_INIT("secret"),
        STR_INIT("password"),      STR_INIT("api-key"), STR_INIT("apikey"), STR_INIT("credential"),
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (size_t at = 0; at + parts[i].len <= name.len; at++) {
            if (str_eq_nocase(str_slice(name, at, parts[i].len), parts[i])) {
                return true;
            }
        }
    }
    return false;
}

static void add_header(struct buf *out, const struct query_param *header)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_str(&text, header->name);
    buf_add_text(&text, ": ");
    buf_add_str(&text, is_secret(header->name) ? STR("[redacted]") : header->value);
    buf_add_text(out, " -H ");
    add_quoted(out, buf_str(&text));
}

/* The form with the values of secret parameters taken out. */
static void add_form(struct buf *out, struct str form)
{
    static const struct str before = STR_INIT("http://h/?");
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf shown = BUF_INIT(BUF_UNLIMITED);

    buf_add_str(&url, before);
    buf_add_str(&url, form);
    url_add_redacted(&shown, buf_str(&url));
    buf_add_text(out, " --data ");
    add_quoted(out, str_slice(buf_str(&shown), before.len, shown.len));
}

void curl_text_add(struct buf *out, struct str url, struct str form, const struct query *q)
{
    AUTO(buf_release) struct buf shown = BUF_INIT(BUF_UNLIMITED);

    url_add_redacted(&shown, url);
    buf_add_text(out, form.len > 0 ? "curl -X POST " : "curl ");
    add_quoted(out, buf_str(&shown));
    for (size_t i = 0; i < q->header_count; i++) {
        add_header(out, &q->headers[i]);
    }
    if (form.len > 0) {
        add_form(out, form);
    }
}
