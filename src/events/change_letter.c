/* A change that made no event, as a dead letter and back. */
#include "events/stream_letters.h"

#include "base/number.h"
#include "base/timetext.h"
#include "export/delivery.h"
#include "wire/cloudevent.h"
#include "wire/frame.h"
#include "wire/json.h"

static const char *const op_names[CHANGE_OPS] = {
    [CHANGE_INSERT] = "insert", [CHANGE_UPDATE] = "update", [CHANGE_DELETE] = "delete"};

static const char *const form_names[CHANGE_FORMS] = {
    [CHANGE_ROW] = "row",
    [CHANGE_DOCUMENT] = "document",
    [CHANGE_EVENT] = "event",
    [CHANGE_BROKEN] = "broken",
};

static void add_member(struct json_writer *w, const char *name, struct str value)
{
    if (value.len > 0) {
        json_key(w, str_of(name));
        json_add_str(w, value);
    }
}

uint64_t change_hash(struct str id, struct str position)
{
    return str_hash(id, str_hash(position, 0)) | 1;
}

void change_letter_note(const struct change *ch, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    add_member(&w, "position", ch->position);
    add_member(&w, "id", ch->id);
    add_member(&w, "sequence", ch->sequence);
    add_member(&w, "key", ch->key);
    add_member(&w, "table", ch->name);
    add_member(&w, "operation", str_of(op_names[ch->op]));
    if (ch->time_ns != 0) {
        json_key(&w, STR("time"));
        json_add_time(&w, ch->time_ns);
    }
    add_member(&w, "form", str_of(form_names[ch->form]));
    json_end_object(&w);
}

/* Index of <text> among <names>; <count> when it is none of them. */
static size_t find_name(const char *const *names, size_t count, struct str text)
{
    size_t i = 0;

    while (i < count && !str_eq(text, str_of(names[i]))) {
        i++;
    }
    return i;
}

/* ---- and back ---- */

static struct change_column column_of(const struct json_node *n, struct arena *a)
{
    static const enum column_type types[] = {
        [JSON_NULL] = COLUMN_NULL,     [JSON_TRUE] = COLUMN_FLAG,   [JSON_FALSE] = COLUMN_FLAG,
        [JSON_NUMBER] = COLUMN_NUMBER, [JSON_STRING] = COLUMN_TEXT, [JSON_ARRAY] = COLUMN_JSON,
        [JSON_OBJECT] = COLUMN_JSON,
    };
    struct change_column c = {.name = n->key, .text = n->text, .type = types[n->kind]};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    if (c.type == COLUMN_FLAG) {
        c.text = str_of(n->kind == JSON_TRUE ? "true" : "false");
    } else if (c.type == COLUMN_JSON) {
        json_write_init(&w, &text);
        json_add_node(&w, n);
        c.text = arena_dup(a, buf_str(&text));
    }
    return c;
}

static bool read_row(struct str json, struct arena *a, struct change *ch, struct err *e)
{
    struct json_node *root = NULL;

    if (!json_parse(json, a, &root, e)) {
        return false;
    }
    if (root->kind != JSON_OBJECT || root->count > CHANGE_COLUMNS_MAX) {
        return err_set(e, ERR_PARSE, "this is no row: expected an object");
    }
    struct change_column *columns = arena_array(a, struct change_column, root->count + 1);
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        columns[ch->column_count++] = column_of(n, a);
    }
    ch->columns = columns;
    return true;
}

static bool read_event(struct str json, struct arena *a, struct change *ch, struct err *e)
{
    struct event *ev = arena_array(a, struct event, 1);

    ch->event = ev;
    return cloudevent_read(json, a, ev, e);
}

static bool read_form(struct str bytes, struct arena *a, struct change *ch, struct err *e)
{
    ch->document = bytes;
    switch (ch->form) {
    case CHANGE_ROW:
        return read_row(bytes, a, ch, e);
    case CHANGE_EVENT:
        return read_event(bytes, a, ch, e);
    case CHANGE_DOCUMENT:
        return true;
    case CHANGE_BROKEN:
    case CHANGE_FORMS:
    default:
        return err_set(
            e, ERR_CONFLICT,
            "its source could not read it, so there is nothing that could be tried again: "
            "give what it should be with `telex events append`, or at the source, and discard it");
    }
}

bool change_letter_read(const struct dead_letter *letter, struct changes *changes, struct err *e)
{
    struct arena *a = &changes->arena;
    struct json_node *note = NULL;

    if (letter->note.len == 0) {
        return err_set(e, ERR_CONFLICT,
                       "it was kept by a version that did not note where it is from: "
                       "nothing can be made of it");
    }
    if (!json_parse(arena_dup(a, letter->note), a, &note, e)) {
        return false;
    }
    struct str time = json_get_str(note, STR("time"));
    struct change *ch = changes_add(changes);
    *ch = (struct change){
        .position = json_get_str(note, STR("position")),
        .id = json_get_str(note, STR("id")),
        .sequence = json_get_str(note, STR("sequence")),
        .key = json_get_str(note, STR("key")),
        .name = json_get_str(note, STR("table")),
        .op = (enum change_op)find_name(op_names, CHANGE_OPS, json_get_str(note, STR("operation"))),
        .form =
            (enum change_form)find_name(form_names, CHANGE_FORMS, json_get_str(note, STR("form"))),
    };
    if (ch->op == CHANGE_OPS || (time.len > 0 && !time_parse_rfc3339(time, &ch->time_ns, e))) {
        return err_set(e, ERR_PARSE, "what is noted of it does not read");
    }
    return read_form(arena_dup(a, letter->bytes), a, ch, e);
}

/* ---- which ones ---- */

static bool change_is(struct str note, uint64_t halted)
{
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    return json_parse(note, &a, &root, &ignored) &&
           change_hash(json_get_str(root, STR("id")), json_get_str(root, STR("position"))) ==
               halted;
}

bool letter_has(const struct dead_letter *letter, uint64_t halted)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    const struct events *events = NULL;
    struct err ignored = ERR_INIT;

    if (!letter->is_batch) {
        return letter->note.len > 0 && change_is(letter->note, halted);
    }
    if (!batch_from_frame(letter->bytes, &b, &ignored) || batch_info(b)->kind != RECORD_EVENT ||
        !batch_events(b, &events, &ignored)) {
        return false;
    }
    bool found = false;
    for (size_t i = 0; i < events->count && !found; i++) {
        found = delivery_event_hash(&events->rows[i]) == halted;
    }
    return found;
}
