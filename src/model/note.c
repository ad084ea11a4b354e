#include "model/note.h"

#include "base/number.h"

const struct note_field *note_get(const struct note *n, struct str name)
{
    for (size_t i = 0; i < n->field_count; i++) {
        if (str_eq(n->fields[i].name, name)) {
            return &n->fields[i];
        }
    }
    return NULL;
}

bool note_field_number(const struct note_field *f, double *ret_number)
{
    if (f->type == NOTE_TEXT) {
        return false;
    }
    *ret_number = f->type == NOTE_NUMBER ? f->number : (double)f->integer;
    return true;
}

static void print_number(const struct note_field *f, struct buf *out)
{
    buf_add_double(out, f->number);
}

static void print_integer(const struct note_field *f, struct buf *out)
{
    buf_add_i64(out, f->integer);
}

static void print_text(const struct note_field *f, struct buf *out)
{
    buf_add_str(out, f->text);
}

static void print_flag(const struct note_field *f, struct buf *out)
{
    buf_add_text(out, f->integer != 0 ? "true" : "false");
}

void note_field_print(const struct note_field *f, struct buf *out)
{
    static void (*const printers[NOTE_TYPES])(const struct note_field *, struct buf *) = {
        [NOTE_NUMBER] = print_number,
        [NOTE_INTEGER] = print_integer,
        [NOTE_TEXT] = print_text,
        [NOTE_FLAG] = print_flag,
    };

    printers[f->type](f, out);
}

static struct str dup(struct arena *a, struct str s)
{
    return s.len > 0 ? arena_dup(a, s) : STR("");
}

static const struct span_part *copy_span(struct arena *a, const struct span_part *from)
{
    struct span_part *to = arena_new(a, struct span_part);

    *to = *from;
    to->status_message = dup(a, from->status_message);
    to->more = dup(a, from->more);
    return to;
}

struct note note_copy(struct arena *a, const struct note *n)
{
    struct note_field *fields = arena_array(a, struct note_field, n->field_count);
    struct note copy = *n;

    for (size_t i = 0; i < n->field_count; i++) {
        fields[i] = n->fields[i];
        fields[i].name = dup(a, n->fields[i].name);
        fields[i].text = dup(a, n->fields[i].text);
    }
    copy.name = dup(a, n->name);
    copy.labels = labels_ref(n->labels);
    copy.fields = fields;
    copy.span = n->span != NULL ? copy_span(a, n->span) : NULL;
    return copy;
}

bool span_id_is_none(const uint8_t *id, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any |= id[i];
    }
    return any == 0;
}
