/* What applications push of themselves: profiles and spans as JSON, held before they are answered. */
#include "base/budget.h"
#include "base/mem.h"
#include "receive/receive_int.h"
#include "wire/note_push.h"

enum { ARENA_SHARE = 8, ARENA_LEAST = 64 << 10 };

/* ---- the head ---- */

static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {"application/json", "application/x-ndjson",
                                        "application/jsonl", NULL};
    static const char *const encodings[] = {"identity", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");

    if (!header_is_one_of(header_value(type), types)) {
        return err_set(e, ERR_CONFIG, "Content-Type '%.*s' is not taken here; send %s or %s",
                       STR_FMT(str_slice(type, 0, 100)), types[0], types[1]);
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send plain JSON",
                   STR_FMT(str_slice(encoding, 0, 100)));
}

static void begin(struct http_exchange *x)
{
    struct err e = ERR_INIT;

    if (!receiver_config(receiver_of(x)).profiles) {
        (void)err_set(&e, ERR_CONFIG, "profiles are not taken here: see receive.profiles");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
    } else if (!check_headers(x, &e)) {
        receiver_refuse(x, RECEIVE_UNSUPPORTED, "unsupported", &e);
    } else {
        (void)!receiver_admits(x, RECORD_PROFILE, "no exporter takes profiles here");
    }
}

/* ---- giving ---- */

static const struct push_kind push_of_notes = {0};

static void count(struct receiver *r, const struct receipt *receipt, enum receive_note what,
                  uint32_t rows)
{
    metric_add(r->metrics.notes[what], rows);
    if (receipt->unrouted_rows > 0) {
        receiver_dropped(r, &r->unrouted, DROP_NO_ROUTE, receipt->unrouted_rows,
                         "profiles or spans were received that the routes give to no exporter; "
                         "they are answered and go nowhere");
    }
}

/* False when the log has no room just now. */
static bool offer(struct push *push, struct receiver *r, struct batch *b, enum receive_note what)
{
    const struct give how = {.wait = {0, NULL}};
    struct receipt receipt = {0};
    struct err ignored = ERR_INIT;

    if (b == NULL) {
        return true;
    }
    if (!plan_offer(push->plan, b, &how, &receipt, &ignored)) {
        return false;
    }
    count(r, &receipt, what, batch_rows(b));
    if (receipt.seq < push->receipt.seq) {
        receipt.seq = push->receipt.seq; /* both are in one log: the later one is held last */
    }
    push->receipt = receipt;
    return true;
}

/* Profiles and spans go one after the other; a request that was taken in part is sent again whole, and its
 * records are known by their ids and times. */
static void give(struct http_exchange *x, const struct note_push *notes)
{
    struct receiver *r = receiver_of(x);
    const struct batch_info profile = {
        .kind = RECORD_PROFILE, .origin = STR("receive"), .time_ns = clock_wall_ns(r->env->clock)};
    struct batch_info span = profile;
    struct push *push = mem_new(struct push);

    span.kind = RECORD_SPAN;
    AUTO(batch_autounref) struct batch *profiles = note_push_batch(notes, profile.kind, &profile);
    AUTO(batch_autounref) struct batch *spans = note_push_batch(notes, span.kind, &span);
    *push = (struct push){.kind = &push_of_notes,
                          .plan = atomic_load(&r->plan),
                          .receipt = {.kind = RECORD_PROFILE},
                          .came_mono_ns = clock_mono_ns(r->env->clock)};
    if (!offer(push, r, profiles, NOTE_OF_PROFILE) || !offer(push, r, spans, NOTE_OF_SPAN)) {
        mem_free(push);
        receiver_refuse_busy(x, RECEIVE_FULL_S, "there is no room for this just now");
        return;
    }
    push->exchange = http_exchange_hold(x);
    acker_push(r->acker, push);
}

/* ---- the body ---- */

static void read_and_give(struct http_exchange *x, size_t arena_max)
{
    struct receiver *r = receiver_of(x);
    struct str body = http_exchange_body(x);
    AUTO(arena_release) struct arena a;
    struct note_push notes;
    struct err e = ERR_INIT;

    arena_init(&a, arena_max);
    if (!note_push_read(body, clock_wall_ns(r->env->clock), &a, &notes, &e)) {
        bool large = e.code == ERR_LIMIT;
        receiver_refuse(x, large ? RECEIVE_TOO_LARGE : RECEIVE_BAD_REQUEST,
                        large ? "too_large" : "bad_data", &e);
        return;
    }
    metric_add(r->metrics.bytes, body.len);
    give(x, &notes);
    note_push_release(&notes);
}

/* What reading may need beside the body is taken from the budget first. */
static void end(struct http_exchange *x)
{
    struct budget *budget = receiver_of(x)->env->budget;
    size_t arena_max = http_exchange_body(x).len * ARENA_SHARE + ARENA_LEAST;

    if (budget != NULL && !budget_try_take(budget, (int64_t)arena_max)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to read this");
        return;
    }
    read_and_give(x, arena_max);
    if (budget != NULL) {
        budget_give(budget, (int64_t)arena_max);
    }
}

const struct http_handler receive_profiles = {.begin = begin, .end = end};
