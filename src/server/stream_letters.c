/* /api/v1/streams/{name}/dead: a stream's dead letters, shown, given again, thrown away. */
#include "events/stream_letters.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/number.h"
#include "events/events.h"
#include "server/letter_status.h"
#include "server/reply.h"
#include "server/server_int.h"
#include "wire/frame.h"
#include "wire/record_json.h"

enum {
    LIST_MAX = 4 * 1024 * 1024,
    ONE_MAX = 512 * 1024 * 1024,
    LIMIT_USUAL = 100,
    LIMIT_MAX = 1000,
    HEADS_MAX = 20
};

/* ---- what a letter says ---- */

static void add_id(struct json_writer *w, const char *name, struct letter_id id)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    letter_id_print(id, &text);
    reply_str(w, name, buf_str(&text));
}

/* Which events they are; of many the first. */
static void add_heads(struct json_writer *w, struct batch *b)
{
    const struct events *events = NULL;
    struct err ignored = ERR_INIT;

    if (batch_info(b)->kind != RECORD_EVENT || !batch_events(b, &events, &ignored)) {
        return;
    }
    json_key(w, STR("events"));
    json_begin_array(w);
    for (size_t i = 0; i < events->count && i < HEADS_MAX; i++) {
        json_begin_object(w);
        reply_str(w, "id", events->rows[i].id);
        reply_str(w, "source", events->rows[i].source);
        reply_str(w, "type", events->rows[i].type);
        json_end_object(w);
    }
    json_end_array(w);
}

static void add_events(struct json_writer *w, struct batch *b)
{
    struct record_objects objects;
    AUTO(buf_release) struct buf one = BUF_INIT(BUF_UNLIMITED);
    struct err ignored = ERR_INIT;
    const struct view view = {.batch = b, .n = batch_rows(b)};

    if (!record_objects_init(&objects, view, &ignored)) {
        return;
    }
    json_key(w, STR("events"));
    json_begin_array(w);
    for (uint32_t i = 0; i < view.n; i++) {
        for (uint32_t part = 0; part < record_objects_count(&objects, i); part++) {
            buf_clear(&one);
            record_objects_add(&objects, i, part, &one);
            json_add_raw(w, buf_str(&one));
        }
    }
    json_end_array(w);
    record_objects_release(&objects);
}

/* Bytes as text where they are one. */
static void add_bytes(struct json_writer *w, struct str bytes)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    bool is_text = str_is_utf8(bytes);

    if (!is_text) {
        base64_encode(bytes, &text);
    }
    reply_str(w, is_text ? "text" : "base64", is_text ? bytes : buf_str(&text));
}

static void add_content(struct json_writer *w, const struct dead_letter *l, bool whole)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    struct err ignored = ERR_INIT;

    if (l->note.len > 0) {
        json_key(w, STR("from"));
        json_add_raw(w, l->note);
    }
    if (!l->is_batch || !batch_from_frame(l->bytes, &b, &ignored)) {
        if (whole) {
            add_bytes(w, l->bytes);
        }
        return;
    }
    (whole ? add_events : add_heads)(w, b);
}

static void add_letter(struct json_writer *w, enum letter_box box, const struct dead_letter *l,
                       bool whole)
{
    json_begin_object(w);
    add_id(w, "id", (struct letter_id){box, l->number});
    reply_text(w, "kind", letter_box_name(box));
    reply_time(w, "time", l->time_ns);
    reply_str(w, "reason", l->reason);
    reply_known(w, "status", letter_status(l->reason));
    reply_u64(w, "records", l->records);
    add_content(w, l, whole);
    json_end_object(w);
}

/* ---- asking a stream ---- */

/* What is done with a stream, by a thread of the streams', and where the answer goes. */
struct asking {
    struct http_exchange *x; /* held */
    struct json_writer w;
    struct buf out;
    struct letter_id from;
    size_t limit;
    size_t shown;
    bool whole; /* one letter, with what is in it */
    bool has_next;
    struct letter_id next;
    struct letter_choice choice;
    bool (*change)(const struct stream_boxes *boxes, const struct letter_choice *choice,
                   struct letters_done *ret, struct err *e);
    struct letters_done done;
};

static struct asking *new_asking(size_t answer_max)
{
    struct asking *a = mem_new(struct asking);

    buf_init(&a->out, answer_max);
    reply_begin(&a->w, &a->out);
    return a;
}

static void free_asking(struct asking *a)
{
    if (a->x != NULL) {
        http_exchange_drop(a->x);
    }
    buf_release(&a->out);
    mem_free(a);
}

static void refuse(struct http_exchange *x, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    bool is_unknown = str_starts(str_of(e->message), STR("no stream ")) ||
                      str_starts(str_of(e->message), STR("there is no letter "));
    bool is_busy = e->code == ERR_FULL;

    err_print_line(e, &text);
    (void)http_exchange_error(x,
                              is_unknown ? 404
                              : is_busy  ? 503
                                         : 409,
                              is_unknown ? "not_found"
                              : is_busy  ? "unavailable"
                                         : "conflict",
                              "%s", buf_text(&text));
}

static void told(void *arg, bool ok, const struct err *e)
{
    struct asking *a = arg;

    if (ok) {
        json_end_object(&a->w);
        buf_add_byte(&a->out, '\n');
        server_answer(a->x, 200, "application/json", &a->out);
    } else {
        refuse(a->x, e);
    }
    free_asking(a);
}

/* Has <work> done for the answer; takes <a>. */
static void ask(struct http_exchange *x, struct asking *a,
                bool (*work)(void *arg, const struct stream_boxes *boxes, struct err *e))
{
    struct event_streams *streams = app_event_streams(server_app(x));
    const struct stream_use use = {.name = http_exchange_param(x, 0),
                                   .is_change = a->change != NULL,
                                   .work = work,
                                   .told = told,
                                   .arg = a};
    struct err e = ERR_INIT;

    a->x = http_exchange_hold(x);
    bool ok = streams != NULL ? event_streams_use(streams, &use, &e)
                              : err_set(&e, ERR_PARSE, "no stream '%.*s' runs",
                                        STR_FMT(str_slice(use.name, 0, 64)));
    if (!ok) {
        refuse(x, &e);
        free_asking(a);
    }
}

static bool bad_id(struct http_exchange *x, const struct err *e)
{
    (void)http_exchange_error(x, 400, "bad_data", "%s", e->message);
    return false;
}

/* ---- looking ---- */

static bool show_letter(void *arg, enum letter_box box, const struct dead_letter *letter)
{
    struct asking *a = arg;

    if (a->whole && (box != a->from.box || letter->number != a->from.number)) {
        return false;
    }
    if (a->shown >= a->limit || (a->shown > 0 && a->out.len > LIST_MAX / 2)) {
        a->has_next = true;
        a->next = (struct letter_id){box, letter->number};
        return false;
    }
    add_letter(&a->w, box, letter, a->whole);
    a->shown++;
    return true;
}

static void add_elsewhere(void *arg, const struct elsewhere *where)
{
    struct json_writer *w = arg;

    json_begin_object(w);
    reply_str(w, "exporter", where->exporter);
    reply_str(w, "folder", where->folder);
    reply_u64(w, "records", where->sum.records);
    json_end_object(w);
}

static bool list_letters(void *arg, const struct stream_boxes *boxes, struct err *e)
{
    struct asking *a = arg;

    json_begin_object(&a->w);
    json_key(&a->w, STR("letters"));
    json_begin_array(&a->w);
    bool ok = event_stream_walk_letters(boxes, a->from, show_letter, a, e);
    json_end_array(&a->w);
    if (a->has_next) {
        add_id(&a->w, "next", a->next);
    } else {
        reply_text(&a->w, "next", NULL);
    }
    json_key(&a->w, STR("elsewhere"));
    json_begin_array(&a->w);
    event_stream_elsewhere(boxes, add_elsewhere, &a->w);
    json_end_array(&a->w);
    json_end_object(&a->w);
    return ok;
}

static bool show_one(void *arg, const struct stream_boxes *boxes, struct err *e)
{
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_SMALL);
    struct asking *a = arg;

    if (!event_stream_walk_letters(boxes, a->from, show_letter, a, e)) {
        return false;
    }
    letter_id_print(a->from, &id);
    return a->shown > 0 ||
           err_set(e, ERR_CONFLICT, "there is no letter %s any more", buf_text(&id));
}

static bool read_range(struct http_exchange *x, struct asking *a)
{
    struct str text = STR("");
    struct err e = ERR_INIT;
    uint64_t limit = LIMIT_USUAL;

    if (http_exchange_query_value(x, STR("limit"), &text) &&
        (!number_parse_u64(text, &limit) || limit == 0 || limit > LIMIT_MAX)) {
        return http_exchange_error(x, 400, "bad_data", "limit: expected a number from 1 to %d",
                                   LIMIT_MAX) &&
               false;
    }
    a->limit = (size_t)limit;
    return !http_exchange_query_value(x, STR("from"), &text) ||
           letter_id_parse(text, &a->from, &e) || bad_id(x, &e);
}

static void list(struct http_exchange *x)
{
    struct asking *a = new_asking(LIST_MAX);

    if (server_app(x) != NULL && read_range(x, a)) {
        ask(x, a, list_letters);
    } else {
        free_asking(a);
    }
}

static void one(struct http_exchange *x)
{
    struct asking *a = new_asking(ONE_MAX);
    struct err e = ERR_INIT;

    a->whole = true;
    a->limit = 1;
    if (server_app(x) == NULL) {
        free_asking(a);
    } else if (!letter_id_parse(http_exchange_param(x, 1), &a->from, &e)) {
        (void)bad_id(x, &e);
        free_asking(a);
    } else {
        ask(x, a, show_one);
    }
}

/* ---- changing ---- */

static const struct {
    const char *name;
    bool (*change)(const struct stream_boxes *boxes, const struct letter_choice *choice,
                   struct letters_done *ret, struct err *e);
} verbs[] = {{"replay", event_stream_replay}, {"discard", event_stream_discard}};

static bool find_verb(struct http_exchange *x, struct asking *a)
{
    struct str verb = http_exchange_param(x, 1);

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (str_eq(verb, str_of(verbs[i].name))) {
            a->change = verbs[i].change;
            return true;
        }
    }
    return http_exchange_error(x, 404, "not_found",
                               "dead letters can be asked to replay or discard, not to '%.*s'",
                               STR_FMT(str_slice(verb, 0, 64))) &&
           false;
}

static bool read_choice(struct http_exchange *x, struct letter_choice *c)
{
    struct str all = STR("");
    struct str id = STR("");
    struct err e = ERR_INIT;
    bool has_id = http_exchange_query_value(x, STR("id"), &id);

    c->all = http_exchange_query_value(x, STR("all"), &all) && str_eq(all, STR("true"));
    if (c->all == has_id) {
        return http_exchange_error(x, 400, "bad_data", "expected either id=LETTER or all=true") &&
               false;
    }
    if (!has_id && !http_exchange_query_value(x, STR("from"), &id)) {
        return true;
    }
    return letter_id_parse(id, &c->id, &e) || bad_id(x, &e);
}

static const struct {
    const char *name;
    size_t offset; /* in struct letters_done */
} fates[] = {{"delivered", offsetof(struct letters_done, delivered)},
             {"left_out", offsetof(struct letters_done, left_out)},
             {"refused", offsetof(struct letters_done, refused)},
             {"discarded", offsetof(struct letters_done, discarded)}};

static const struct dead_letters_sum *sum_of(const struct letters_done *d, size_t fate)
{
    return (const struct dead_letters_sum *)(const void *)((const char *)d + fates[fate].offset);
}

/* Letters by what became of them, how many records these had, and what is kept now. */
static void print_sums(struct json_writer *w, const struct letters_done *d)
{
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        reply_u64(w, fates[i].name, sum_of(d, i)->letters);
    }
    json_key(w, STR("records"));
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        reply_u64(w, fates[i].name, sum_of(d, i)->records);
    }
    json_end_object(w);
    json_key(w, STR("kept"));
    json_begin_object(w);
    reply_u64(w, "letters", d->kept.letters);
    reply_u64(w, "records", d->kept.records);
    json_end_object(w);
}

static void print_done(struct json_writer *w, const struct letters_done *d)
{
    json_begin_object(w);
    print_sums(w, d);
    json_key(w, STR("refusals"));
    json_begin_array(w);
    for (size_t i = 0; i < d->refusal_count; i++) {
        json_begin_object(w);
        add_id(w, "id", d->refusals[i].id);
        reply_text(w, "reason", d->refusals[i].reason);
        json_end_object(w);
    }
    json_end_array(w);
    reply_text(w, "stopped", d->stopped[0] != '\0' ? d->stopped : NULL);
    if (d->next.number != 0) {
        add_id(w, "next", d->next);
    } else {
        reply_text(w, "next", NULL);
    }
    json_end_object(w);
}

static bool change_letters(void *arg, const struct stream_boxes *boxes, struct err *e)
{
    struct asking *a = arg;
    bool ok = a->change(boxes, &a->choice, &a->done, e);

    print_done(&a->w, &a->done);
    return ok;
}

static void change(struct http_exchange *x)
{
    struct asking *a = new_asking(LIST_MAX);

    if (server_app(x) != NULL && find_verb(x, a) && read_choice(x, &a->choice)) {
        ask(x, a, change_letters);
    } else {
        free_asking(a);
    }
}

const struct http_handler resource_letters = {.end = list};
const struct http_handler resource_letter = {.end = one};
const struct http_handler resource_letters_change = {.end = change};
