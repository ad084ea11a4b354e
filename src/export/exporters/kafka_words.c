#include "export/exporters/kafka_words.h"

#include "net/kafka.h"
#include "wire/note_json.h"

static const struct str label_prefix = STR_INIT("label.");

struct kafka_row kafka_row_of(const struct record_objects *o, uint32_t i)
{
    uint32_t row = view_row(o->view, i);
    struct kafka_row ret = {.info = batch_info(o->view.batch), .labels = labels_empty()};

    if (o->samples != NULL) {
        ret.labels = o->samples->series[o->samples->series_of[row]];
        ret.name = labels_get(ret.labels, STR("__name__"));
        ret.time_ns = o->samples->time_ns[row];
    } else if (o->alerts != NULL) {
        ret.labels = o->alerts->rows[row].labels;
        ret.name = labels_get(ret.labels, STR("alertname"));
        ret.time_ns = o->alerts->rows[row].time_ns;
    } else if (o->events != NULL) {
        ret.event = &o->events->rows[row];
        ret.name = ret.event->type;
        ret.time_ns = ret.event->has_time ? ret.event->time_ns : 0;
    } else {
        ret.note = &o->notes->rows[row];
        ret.labels = ret.note->labels;
        ret.name = ret.note->name;
        ret.time_ns = ret.note->time_ns;
    }
    return ret;
}

/* ---- words ---- */

static struct str word_kind(const struct kafka_row *row)
{
    return str_of(record_kind_name(row->info->kind));
}

static struct str word_tenant(const struct kafka_row *row)
{
    return row->info->tenant;
}

static struct str word_name(const struct kafka_row *row)
{
    return row->name;
}

static struct str word_rule(const struct kafka_row *row)
{
    return row->info->rule;
}

static struct str word_group(const struct kafka_row *row)
{
    return row->info->group;
}

static struct str word_database(const struct kafka_row *row)
{
    return row->info->database;
}

static const struct {
    struct str name;
    struct str (*of)(const struct kafka_row *row);
} words[] = {
    {STR_INIT("kind"), word_kind},   {STR_INIT("tenant"), word_tenant},
    {STR_INIT("name"), word_name},   {STR_INIT("rule"), word_rule},
    {STR_INIT("group"), word_group}, {STR_INIT("database"), word_database},
};

static bool is_word(struct str word)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(word, words[i].name)) {
            return true;
        }
    }
    return str_starts(word, label_prefix) && word.len > label_prefix.len;
}

static struct str word_of(struct str word, const struct kafka_row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(word, words[i].name)) {
            return words[i].of(row);
        }
    }
    return labels_get(row->labels, str_slice(word, label_prefix.len, word.len));
}

/* Cuts the text up to the next brace off <rest>, and the word in it; false at the end. */
static bool next_part(struct str *rest, struct str *ret_text, struct str *ret_word)
{
    size_t open = str_find_byte(*rest, '{');
    struct str behind = str_slice(*rest, open + 1, rest->len);
    size_t close = str_find_byte(behind, '}');

    *ret_text = str_slice(*rest, 0, open);
    *ret_word = str_slice(behind, 0, close);
    bool goes_on = rest->len > 0;
    *rest = str_slice(behind, close + 1, behind.len);
    return goes_on;
}

static bool is_of_topic(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool check_topic_text(struct str text, struct err *e)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_of_topic(text.ptr[i])) {
            return err_set(e, ERR_CONFIG,
                           "a topic has letters, digits, '.', '_' and '-' only, not '%c'",
                           text.ptr[i]);
        }
    }
    return true;
}

bool kafka_words_check(struct str text, bool is_topic, struct err *e)
{
    struct str rest = text;
    struct str part;
    struct str word;

    while (next_part(&rest, &part, &word)) {
        if (is_topic && !check_topic_text(part, e)) {
            return false;
        }
        if ((word.len > 0 || part.ptr + part.len != text.ptr + text.len) && !is_word(word)) {
            return err_set(e, ERR_CONFIG,
                           "the word {%.*s} is not known; expected {kind}, {tenant}, {name}, "
                           "{rule}, {group}, {database} or {label.NAME}",
                           STR_FMT(word));
        }
    }
    return true;
}

void kafka_words_add(struct str text, const struct kafka_row *row, struct buf *out)
{
    struct str rest = text;
    struct str part;
    struct str word;

    while (next_part(&rest, &part, &word)) {
        buf_add_str(out, part);
        if (word.len > 0) {
            buf_add_str(out, word_of(word, row));
        }
    }
}

bool kafka_words_topic(struct str text, const struct kafka_row *row, struct buf *out)
{
    size_t from = out->len;

    kafka_words_add(text, row, out);
    buf_truncate(out, from + KAFKA_TOPIC_NAME_MAX);
    for (size_t i = from; i < out->len; i++) {
        out->ptr[i] = is_of_topic(out->ptr[i]) ? out->ptr[i] : '_';
    }
    struct str name = str_slice(buf_str(out), from, out->len);
    return name.len > 0 && !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
}

/* ---- keys ---- */

void kafka_key_of(const struct kafka_row *row, struct buf *out)
{
    if (row->event != NULL) {
        buf_add_str(out, event_key(row->event));
        return;
    }
    if (row->note != NULL && row->note->span != NULL) {
        span_id_print(row->note->span->trace_id, TRACE_ID_BYTES, out);
        return;
    }
    if (row->note != NULL) {
        buf_add_str(out, row->name);
    }
    labels_print(row->labels, out);
}
