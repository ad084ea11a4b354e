/*
 * Invariants
 *   1. A letter leaves its box only behind what became of it: the sink has it, or a new letter has what it refuses of it.
 *   2. What is done is durable before it is told.
 */
#include "events/stream_letters.h"

#include "base/number.h"
#include "events/left_letters.h"
#include "events/stream_int.h"
#include "export/redelivery.h"
#include "wire/frame.h"

#include <inttypes.h>
#include <stdio.h>

enum { REPLAY_MS = 2000, LETTER_MS = 5000, WRITE_MS = 10 * 1000 };

static const char *const box_names[LETTER_BOXES] = {
    [LETTERS_REFUSED] = "refused", [LETTERS_UNREADABLE] = "unreadable"};

const char *letter_box_name(enum letter_box box)
{
    return box_names[box];
}

void letter_id_print(struct letter_id id, struct buf *out)
{
    buf_addf(out, "%s-%" PRIu64, box_names[id.box], id.number);
}

bool letter_id_parse(struct str text, struct letter_id *ret, struct err *e)
{
    for (int box = 0; box < LETTER_BOXES; box++) {
        struct str name = str_of(box_names[box]);
        uint64_t number = 0;
        if (str_starts(text, name) && text.len > name.len + 1 && text.ptr[name.len] == '-' &&
            number_parse_u64(str_slice(text, name.len + 1, text.len), &number) && number > 0) {
            *ret = (struct letter_id){(enum letter_box)box, number};
            return true;
        }
    }
    return err_set(e, ERR_CONFIG,
                   "'%.*s' is no dead letter: expected a name from the list, such as refused-12",
                   STR_FMT(str_slice(text, 0, 64)));
}

/* ---- boxes ---- */

/* An exporter that the config names may be that of others, too. */
static bool is_shared(const struct event_stream *s)
{
    return s->config->options.to.len > 0;
}

static bool is_ours(const struct event_stream *s, enum letter_box box,
                    const struct dead_letter *letter)
{
    return box != LETTERS_REFUSED || s == NULL || !is_shared(s) ||
           str_eq(letter->stream, s->config->name);
}

/* Boxes while they are worked with. */
struct opened {
    const struct stream_boxes *of;
    struct redelivery *redelivery;                 /* NULL until it is needed */
    struct dead_letters *left_boxes[LETTER_BOXES]; /* of a stream that does not run */
};

static bool open_redelivery(struct opened *o, struct err *e)
{
    const struct event_stream *s = o->of->stream;

    return o->redelivery != NULL ||
           redelivery_open(s->world.plan, s->config->exporter, &o->redelivery, e);
}

/* Letters of a box; NULL: an exporter that is several has them. */
static bool open_box(struct opened *o, enum letter_box box, struct dead_letters **ret_letters,
                     struct err *e)
{
    const struct stream_boxes *of = o->of;

    if (of->stream == NULL) {
        if (o->left_boxes[box] == NULL) {
            o->left_boxes[box] = left_letters_open(of->env, of->state_path, of->name, box);
        }
        *ret_letters = o->left_boxes[box];
        return true;
    }
    if (box == LETTERS_UNREADABLE) {
        *ret_letters = of->stream->dead;
        return true;
    }
    if (!open_redelivery(o, e)) {
        return false;
    }
    *ret_letters = redelivery_letters(o->redelivery);
    return true;
}

static void close_boxes(struct opened *o)
{
    redelivery_close(o->redelivery);
    for (size_t box = 0; box < LETTER_BOXES; box++) {
        dead_letters_free(o->left_boxes[box]);
    }
}

struct places {
    const struct event_stream *s;
    void (*visit)(void *arg, const struct elsewhere *where);
    void *arg;
};

static void show_place(void *arg, struct str exporter, struct dead_letters *box)
{
    const struct places *p = arg;
    const struct elsewhere where = {exporter, dead_letters_folder(box),
                                    is_shared(p->s) ? dead_letters_sum_of(box, p->s->config->name)
                                                    : dead_letters_sum(box)};

    p->visit(p->arg, &where);
}

/* All boxes of refused events; of several exporters only, if <elsewhere>. */
static void each_place(const struct event_stream *s, bool elsewhere,
                       void (*visit)(void *arg, const struct elsewhere *where), void *arg)
{
    struct places places = {s, visit, arg};
    struct redelivery *r = NULL;
    struct err ignored = ERR_INIT;

    if (redelivery_open(s->world.plan, s->config->exporter, &r, &ignored) &&
        (!elsewhere || redelivery_letters(r) == NULL)) {
        redelivery_each_box(r, show_place, &places);
    }
    redelivery_close(r);
}

void event_stream_elsewhere(const struct stream_boxes *boxes,
                            void (*visit)(void *arg, const struct elsewhere *where), void *arg)
{
    if (boxes->stream != NULL) {
        each_place(boxes->stream, true, visit, arg);
    }
}

static void add_up(void *arg, const struct elsewhere *where)
{
    struct dead_letters_sum *sum = arg;

    sum->letters += where->sum.letters;
    sum->records += where->sum.records;
}

struct dead_letters_sum event_stream_letters(struct event_stream *s, enum letter_box box)
{
    struct dead_letters_sum sum = {0};

    if (box == LETTERS_UNREADABLE) {
        return dead_letters_sum(s->dead);
    }
    each_place(s, false, add_up, &sum);
    return sum;
}

static void add_folder(void *arg, const struct elsewhere *where)
{
    struct buf *out = arg;

    buf_addf(out, "%s%.*s", out->len > 0 ? ", " : "", STR_FMT(where->folder));
}

static bool refuse_several(const struct event_stream *s, struct err *e)
{
    AUTO(buf_release) struct buf folders = BUF_INIT(BUF_UNLIMITED);

    each_place(s, true, add_folder, &folders);
    return err_set(e, ERR_CONFLICT,
                   "exporter '%.*s' is several, each with refused events of its own; `telex queue` "
                   "works on their folders while Telex does not: %s",
                   STR_FMT(s->config->exporter), buf_text(&folders));
}

/* ---- looking ---- */

struct looking {
    const struct event_stream *stream;
    enum letter_box box;
    bool (*visit)(void *arg, enum letter_box box, const struct dead_letter *letter);
    void *arg;
    bool goes_on;
};

static bool show(void *arg, const struct dead_letter *letter)
{
    struct looking *l = arg;

    if (is_ours(l->stream, l->box, letter)) {
        l->goes_on = l->visit(l->arg, l->box, letter);
    }
    return l->goes_on;
}

bool event_stream_walk_letters(const struct stream_boxes *boxes, struct letter_id from,
                               bool (*visit)(void *arg, enum letter_box box,
                                             const struct dead_letter *letter),
                               void *arg, struct err *e)
{
    struct event_stream *s = boxes->stream;
    struct looking l = {.stream = s, .visit = visit, .arg = arg, .goes_on = true};
    struct opened opened = {.of = boxes};
    bool ok = true;

    for (int box = (int)from.box; ok && l.goes_on && box < LETTER_BOXES; box++) {
        struct dead_letters *letters = NULL;
        l.box = (enum letter_box)box;
        ok = open_box(&opened, l.box, &letters, e);
        if (ok && letters != NULL) {
            uint64_t first = l.box == from.box ? from.number : 0;
            ok = dead_letters_walk(letters, first, show, &l, e);
        } else if (ok && from.number > 0 && l.box == from.box) {
            ok = refuse_several(s, e);
        }
    }
    close_boxes(&opened);
    return ok;
}

/* ---- giving again ---- */

struct replay {
    struct event_stream *s; /* NULL: it does not run */
    const struct env *env;
    struct cancel *hurry;
    const struct letter_choice *choice;
    struct letters_done *done;
    struct opened opened;
    struct transform *transform;
    struct dead_letters *letters; /* of the box */
    enum letter_box box;
    int64_t ends_ns; /* monotonic; nothing is begun behind it */
    bool discards;
    bool goes_on;
    bool found;
};

static struct wait letter_wait(const struct replay *r)
{
    return (struct wait){clock_deadline_ms(r->env->clock, LETTER_MS), r->hurry};
}

/* Not cut short: what the sink has must not be a letter after the next start. */
static struct wait write_wait(const struct replay *r)
{
    return (struct wait){clock_deadline_ms(r->env->clock, WRITE_MS), NULL};
}

static void note_stop(struct replay *r, const struct err *why)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    err_print_line(why, &text);
    (void)snprintf(r->done->stopped, sizeof(r->done->stopped), "%s", buf_text(&text));
    r->goes_on = false;
}

static void count(struct dead_letters_sum *sum, uint64_t records)
{
    sum->letters++;
    sum->records += records;
}

/* The letter stays. */
static void note_refusal(struct replay *r, const struct dead_letter *letter, const struct err *why)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct letters_done *done = r->done;
    size_t i = done->refusal_count;

    count(&done->refused, letter->records);
    if (i < LETTER_REFUSALS_MAX) {
        err_print_line(why, &text);
        done->refusals[i].id = (struct letter_id){r->box, letter->number};
        (void)snprintf(done->refusals[i].reason, sizeof(done->refusals[i].reason), "%s",
                       buf_text(&text));
        done->refusal_count++;
    }
}

static bool leave(struct replay *r, const struct dead_letter *letter, uint32_t kept,
                  struct dead_letters_sum *sum)
{
    struct err e = ERR_INIT;

    if (!dead_letters_remove(r->letters, letter->number, write_wait(r), &e)) {
        note_stop(r, &e);
        return false;
    }
    count(sum, letter->records - kept);
    return true;
}

/* Through the exporter; through our log where it is several. <ret_kept>: records that are a letter of their own now. */
static enum redelivered give_batch(struct replay *r, struct batch *b, uint32_t *ret_kept,
                                   struct err *e)
{
    if (!open_redelivery(&r->opened, e)) {
        return REDELIVERED_LATER;
    }
    if (redelivery_letters(r->opened.redelivery) != NULL) {
        return redelivery_give(r->opened.redelivery, b, letter_wait(r), ret_kept, e);
    }
    return stream_hold_again(r->s, b, letter_wait(r), e) ? REDELIVERED : REDELIVERED_LATER;
}

static bool give(struct replay *r, const struct dead_letter *letter, struct batch *b)
{
    struct err why = ERR_INIT;
    uint32_t kept = 0;

    switch (give_batch(r, b, &kept, &why)) {
    case REDELIVERED:
        return leave(r, letter, kept, &r->done->delivered);
    case REDELIVERED_NOT:
        note_refusal(r, letter, &why);
        return true;
    case REDELIVERED_LATER:
    default:
        note_stop(r, &why);
        return false;
    }
}

static bool give_records(struct replay *r, const struct dead_letter *letter)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    struct err why = ERR_INIT;

    if (!letter->is_batch || !batch_from_frame(letter->bytes, &b, &why)) {
        if (why.code == ERR_NONE) {
            (void)err_set(&why, ERR_PARSE, "these bytes were no record");
        }
        note_refusal(r, letter, &why);
        return true;
    }
    return give(r, letter, b);
}

static void keep_fault(void *arg, const struct transform_fault *f)
{
    *(struct err *)arg = f->why;
}

/* The change becomes an event, as the config has it now. */
static bool give_change(struct replay *r, const struct dead_letter *letter)
{
    struct intake *in = intake_new();
    struct transform_counts counts = {0};
    struct err why = ERR_INIT;
    bool ok = true;

    in->read_ns = clock_wall_ns(r->env->clock);
    bool is_change = change_letter_read(letter, &in->changes, &why);
    if (is_change) {
        transform_intake(r->transform, in, &counts, keep_fault, &why);
    }
    if (why.code != ERR_NONE) {
        note_refusal(r, letter, &why);
    } else if (in->events == NULL) {
        ok = leave(r, letter, 0, &r->done->left_out);
    } else {
        ok = give(r, letter, in->events);
    }
    intake_unref(in);
    return ok;
}

static bool discard(struct replay *r, const struct dead_letter *letter)
{
    return leave(r, letter, 0, &r->done->discarded);
}

static bool use_letter(void *arg, const struct dead_letter *letter)
{
    struct replay *r = arg;
    const struct wait until = {r->ends_ns, r->hurry};

    if (!r->choice->all && letter->number != r->choice->id.number) {
        return false;
    }
    if (!is_ours(r->s, r->box, letter)) {
        return r->choice->all;
    }
    if (r->found && wait_is_over(until, r->env->clock)) {
        r->goes_on = false;
    }
    if (r->goes_on) {
        r->found = true;
        (void)(r->discards                 ? discard
               : r->box == LETTERS_REFUSED ? give_records
                                           : give_change)(r, letter);
    }
    if (!r->goes_on) { /* this one is the next, if it did not go */
        r->done->next = (struct letter_id){r->box, letter->number};
    }
    return r->goes_on && r->choice->all;
}

static bool settle(struct replay *r, struct err *e)
{
    return dead_letters_settle(r->letters, write_wait(r), e);
}

static bool has_found(const struct replay *r, struct err *e)
{
    return r->found || r->choice->all ||
           err_set(e, ERR_CONFLICT, "there is no letter %s-%" PRIu64 " any more",
                   box_names[r->choice->id.box], r->choice->id.number);
}

/* Box by box, from the choice on. */
static bool each_box(struct replay *r, struct err *e)
{
    int last = r->choice->all ? LETTER_BOXES - 1 : (int)r->choice->id.box;
    bool ok = true;

    for (int box = (int)r->choice->id.box; ok && r->goes_on && box <= last; box++) {
        r->box = (enum letter_box)box;
        uint64_t from = r->box == r->choice->id.box ? r->choice->id.number : 0;
        ok = open_box(&r->opened, r->box, &r->letters, e);
        if (ok && r->letters != NULL) {
            ok = dead_letters_walk(r->letters, from, use_letter, r, e) && settle(r, e);
        } else if (ok && !r->choice->all) {
            ok = refuse_several(r->s, e);
        }
    }
    return ok && has_found(r, e);
}

/* What is there now, in the boxes that could be worked with. */
static void count_kept(struct replay *r)
{
    const struct event_stream *s = r->s;

    for (int box = 0; box < LETTER_BOXES; box++) {
        struct dead_letters *letters = NULL;
        struct err ignored = ERR_INIT;
        if (!open_box(&r->opened, (enum letter_box)box, &letters, &ignored) || letters == NULL) {
            continue;
        }
        bool is_part = box == LETTERS_REFUSED && s != NULL && is_shared(s);
        struct dead_letters_sum sum =
            is_part ? dead_letters_sum_of(letters, s->config->name) : dead_letters_sum(letters);
        r->done->kept.letters += sum.letters;
        r->done->kept.records += sum.records;
    }
}

static struct replay begin(const struct stream_boxes *boxes, const struct letter_choice *choice,
                           struct letters_done *done)
{
    *done = (struct letters_done){0};
    return (struct replay){
        .s = boxes->stream,
        .env = boxes->env,
        .opened = {.of = boxes},
        .hurry = boxes->hurry,
        .choice = choice,
        .done = done,
        .ends_ns = clock_deadline_ms(boxes->env->clock, REPLAY_MS),
        .goes_on = true,
    };
}

bool event_stream_replay(const struct stream_boxes *boxes, const struct letter_choice *choice,
                         struct letters_done *ret, struct err *e)
{
    struct replay r = begin(boxes, choice, ret);

    if (boxes->stream == NULL) {
        return err_set(e, ERR_CONFLICT,
                       "stream '%.*s' does not run: its dead letters can be listed and discarded, "
                       "nothing else",
                       STR_FMT(boxes->name));
    }
    bool ok = stream_make_transform(boxes->stream, &r.transform, e) && each_box(&r, e);
    transform_free(r.transform);
    count_kept(&r);
    close_boxes(&r.opened);
    trace_warn(boxes->trace, "somebody replays dead letters", T_STR("stream", boxes->name),
               T_U64("delivered", ret->delivered.letters), T_U64("left_out", ret->left_out.letters),
               T_U64("refused", ret->refused.letters), T_U64("kept", ret->kept.letters),
               T_TEXT("stopped", ret->stopped));
    return ok;
}

/* ---- throwing away ---- */

bool event_stream_discard(const struct stream_boxes *boxes, const struct letter_choice *choice,
                          struct letters_done *ret, struct err *e)
{
    struct replay r = begin(boxes, choice, ret);

    r.discards = true;
    bool ok = each_box(&r, e);
    count_kept(&r);
    close_boxes(&r.opened);
    trace_warn(boxes->trace, "somebody discards dead letters", T_STR("stream", boxes->name),
               T_U64("letters", ret->discarded.letters), T_U64("records", ret->discarded.records),
               T_U64("kept", ret->kept.letters));
    return ok;
}
