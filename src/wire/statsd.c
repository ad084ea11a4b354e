#include "wire/statsd.h"

#include "base/number.h"

bool statsd_next_line(struct str *datagram, struct str *ret_line)
{
    struct str line;

    while (str_split(datagram, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0) {
            *ret_line = line;
            return true;
        }
    }
    return false;
}

static bool read_type(struct str text, enum statsd_type *ret)
{
    static const struct {
        struct str text;
        enum statsd_type type;
    } types[] = {
        {STR_INIT("c"), STATSD_COUNTER}, {STR_INIT("m"), STATSD_COUNTER},
        {STR_INIT("g"), STATSD_GAUGE},   {STR_INIT("ms"), STATSD_TIMER},
        {STR_INIT("h"), STATSD_TIMER},   {STR_INIT("d"), STATSD_TIMER},
        {STR_INIT("s"), STATSD_SET},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq(text, types[i].text)) {
            *ret = types[i].type;
            return true;
        }
    }
    return false;
}

/* What stands behind the type, between bars. */
static bool read_section(struct str section, struct statsd_line *ret)
{
    char mark = section.len > 0 ? section.ptr[0] : '\0';
    struct str rest = str_slice(section, 1, section.len);

    if (mark == '@') {
        return number_parse(rest, &ret->rate) && ret->rate > 0 && ret->rate <= 1;
    }
    if (mark == '#') {
        ret->tags = rest;
        ret->has_equals = false;
    }
    return true;
}

/* Tags behind the name, as Telegraf and InfluxDB have them. */
static void cut_name(struct statsd_line *ret)
{
    size_t comma = str_find_byte(ret->name, ',');

    if (comma < ret->name.len) {
        ret->tags = str_slice(ret->name, comma + 1, ret->name.len);
        ret->name = str_slice(ret->name, 0, comma);
        ret->has_equals = true;
    }
}

enum statsd_result statsd_read(struct str line, struct statsd_line *ret)
{
    struct str rest = line;
    struct str head;
    struct str section;
    size_t colon;

    *ret = (struct statsd_line){.rate = 1, .tags = STR("")};
    if (str_starts(line, STR("_e{")) || str_starts(line, STR("_sc|"))) {
        return STATSD_OTHER;
    }
    if (!str_split(&rest, '|', &head) || !str_split(&rest, '|', &section) ||
        !read_type(section, &ret->type)) {
        return STATSD_BAD;
    }
    colon = str_find_byte(head, ':');
    ret->name = str_slice(head, 0, colon);
    ret->values = str_slice(head, colon + 1, head.len);
    cut_name(ret);
    while (str_split(&rest, '|', &section)) {
        if (!read_section(section, ret)) {
            return STATSD_BAD;
        }
    }
    return colon < head.len && ret->name.len > 0 && ret->values.len > 0 ? STATSD_TAKEN : STATSD_BAD;
}

/* A set's text may hold colons: it is one value. */
bool statsd_next_value(struct statsd_line *line, struct str *ret_value)
{
    if (line->values.ptr == NULL) {
        return false;
    }
    if (line->type == STATSD_SET) {
        *ret_value = line->values;
        line->values = STR_NONE;
        return true;
    }
    return str_split(&line->values, ':', ret_value);
}

bool statsd_next_tag(struct statsd_line *line, struct str *ret_name, struct str *ret_value)
{
    struct str tag;

    while (line->tags.len > 0 && str_split(&line->tags, ',', &tag)) {
        size_t at = str_find_byte(tag, line->has_equals ? '=' : ':');
        *ret_name = str_slice(tag, 0, at);
        *ret_value = at < tag.len ? str_slice(tag, at + 1, tag.len) : STR("true");
        if (ret_name->len > 0) {
            return true;
        }
    }
    return false;
}
