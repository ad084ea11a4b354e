#include "server/reply.h"

void reply_u64(struct json_writer *w, const char *name, uint64_t value)
{
    json_key(w, str_of(name));
    json_add_u64(w, value);
}

void reply_double(struct json_writer *w, const char *name, double value)
{
    json_key(w, str_of(name));
    json_add_double(w, value);
}

void reply_bool(struct json_writer *w, const char *name, bool value)
{
    json_key(w, str_of(name));
    json_add_bool(w, value);
}

void reply_text(struct json_writer *w, const char *name, const char *value)
{
    json_key(w, str_of(name));
    if (value != NULL) {
        json_add_text(w, value);
    } else {
        json_add_null(w);
    }
}

void reply_str(struct json_writer *w, const char *name, struct str value)
{
    json_key(w, str_of(name));
    json_add_str(w, value);
}

void reply_known(struct json_writer *w, const char *name, int64_t value)
{
    json_key(w, str_of(name));
    if (value >= 0) {
        json_add_i64(w, value);
    } else {
        json_add_null(w);
    }
}

void reply_time(struct json_writer *w, const char *name, int64_t wall_ns)
{
    json_key(w, str_of(name));
    if (wall_ns != 0) {
        json_add_time(w, wall_ns);
    } else {
        json_add_null(w);
    }
}

void reply_begin(struct json_writer *w, struct buf *out)
{
    json_write_init(w, out);
    json_begin_object(w);
    reply_text(w, "status", "success");
    json_key(w, STR("data"));
}
