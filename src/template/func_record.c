/*
 * Functions that templates of records have beside the usual ones: of the host, of the process, of objects.
 */
#include "template/template_int.h"

#include <math.h>

static const struct template_host nowhere;

static const struct template_host *host_of(const struct render *r)
{
    return r->world->host != NULL ? r->world->host : &nowhere;
}

static bool hostname(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(host_of(r)->hostname);
    return true;
}

static bool pid(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_int(host_of(r)->pid);
    return true;
}

static bool os(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(host_of(r)->os);
    return true;
}

static bool os_release(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(host_of(r)->os_release);
    return true;
}

static bool arch(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(host_of(r)->arch);
    return true;
}

static bool version(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    *ret = value_text(host_of(r)->version);
    return true;
}

/* What a JSON string has to have escaped; all else is UTF-8 already. */
static void add_json_text(struct str text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add_text(out, c == '"' || c == '\\' ? "\\" : "");
            buf_add_byte(out, (char)c);
        }
    }
    buf_add_byte(out, '"');
}

static bool to_json(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    const struct value *v = &args.items[0];

    (void)e;
    value_print(v, &plain);
    if (v->kind == VALUE_NIL) {
        buf_add_text(&out, "null");
    } else if (v->kind == VALUE_OBJECT || v->kind == VALUE_BOOL || v->kind == VALUE_INT ||
               (v->kind == VALUE_FLOAT && isfinite(v->as.number))) {
        buf_add_str(&out, buf_str(&plain));
    } else {
        add_json_text(buf_str(&plain), &out);
    }
    r->is_cut = r->is_cut || !buf_ok(&plain);
    *ret = render_take_text(r, &out);
    return true;
}

const struct function functions_record[] = {
    {"toJson", 1, 1, USES_NOTHING, false, to_json},
    {"hostname", 0, 0, USES_NOTHING, false, hostname},
    {"pid", 0, 0, USES_NOTHING, false, pid},
    {"os", 0, 0, USES_NOTHING, false, os},
    {"osRelease", 0, 0, USES_NOTHING, false, os_release},
    {"arch", 0, 0, USES_NOTHING, false, arch},
    {"version", 0, 0, USES_NOTHING, false, version},
    {NULL, 0, 0, 0, false, NULL},
};
