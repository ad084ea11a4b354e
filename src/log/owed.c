/*
 * What each consumer has still to do: counted as frames come and cursors move, so that asking costs nothing.
 *
 * While a consumer passes over frames that are in memory, each is counted once. One that is further behind is counted anew
 * whenever it moves, from the sums of the segments and their marks; in the segment where it stands it may then seem to owe
 * up to MARK_BYTES more than it does, and all of that segment's frames when no marks were kept. At the start the headers of
 * the segments where consumers stand are looked at once, which makes their first count exact.
 *
 * Invariants, under the log's lock
 *   1. owed.count and owed.bytes are never less than what is owed; 0 is exact.
 *   2. owed.oldest_ns is never later than the oldest frame owed; 0 when there is none.
 *   3. While cursor + 1 is in memory and has been since it was last counted, all of it is exact.
 */
#include "log/log_int.h"
#include "log/scan.h"

#include "base/mem.h"

static uint64_t first_in_memory(const struct log *l)
{
    return l->recent.len > 0 ? recent_at(&l->recent, 0)->frame.seq : l->next_seq;
}

static bool is_for(const struct held *h, unsigned bit)
{
    return (h->frame.mask >> bit & 1) && !h->withdrawn;
}

static void forget(struct owed *o, uint64_t count, int64_t bytes)
{
    o->count -= count < o->count ? count : o->count;
    o->bytes -= bytes < o->bytes ? bytes : o->bytes;
}

/* The last mark of <s> at or before <seq>; NULL when there is none. */
static const struct mark *mark_before(const struct segment *s, uint64_t seq)
{
    size_t i = s->marks.len;

    while (i > 0 && s->marks.items[i - 1].seq > seq) {
        i--;
    }
    return i > 0 ? &s->marks.items[i - 1] : NULL;
}

/* What is for <bit> before a mark. */
static struct tally tally_of(const struct segment *s, const struct mark *m, unsigned bit)
{
    uint64_t below = m->mask & ((UINT64_C(1) << bit) - 1);

    if (!(m->mask >> bit & 1)) {
        return (struct tally){0};
    }
    return s->tallies.items[m->tallies + (size_t)__builtin_popcountll(below)];
}

void segment_mark(struct segment *s, const struct footer *sum)
{
    struct mark m = {.seq = sum->last_seq + 1,
                     .offset = (int64_t)sum->end,
                     .time_ns = sum->newest_ns,
                     .mask = sum->mask,
                     .tallies = s->tallies.len};

    for (uint64_t rest = m.mask; rest != 0; rest &= rest - 1) {
        const struct bit_sum *of_bit = &sum->of_bit[__builtin_ctzll(rest)];
        vec_push(&s->tallies, ((struct tally){of_bit->count, of_bit->bytes}));
    }
    vec_push(&s->marks, m);
}

/* Adds what a segment without sums may hold for <bit> from <from> on. */
static void add_unsummed(const struct segment *s, unsigned bit, uint64_t from, struct owed *o)
{
    uint64_t first = s->sum.first_seq > from ? s->sum.first_seq : from;
    uint64_t span = s->sum.last_of_bit[bit] - first + 1;

    o->count += span < s->sum.count ? span : s->sum.count;
    o->bytes += (int64_t)s->sum.end - FILE_DATA_START;
    o->slack_bytes += (int64_t)s->sum.end - FILE_DATA_START;
    o->oldest_ns = o->oldest_ns == 0 ? s->created_ns : o->oldest_ns;
}

/* Does what was found at the start say more than the marks? */
static bool place_helps(const struct place *p, const struct segment *s, uint64_t from,
                        struct tally done)
{
    return p->serial == s->serial && p->seq < from && p->done.count >= done.count;
}

/* How much of the <bytes> that are said to be owed from <from> on may be done. */
static int64_t slack_of(const struct segment *s, const struct place *p, unsigned bit, uint64_t from,
                        int64_t bytes)
{
    bool is_exact =
        s->sum.of_bit[bit].first_seq >= from || (p->serial == s->serial && p->seq + 1 == from);

    if (is_exact) {
        return 0;
    }
    return s->marks.len > 0 && bytes > MARK_BYTES ? MARK_BYTES : bytes;
}

static void add_segment(const struct segment *s, const struct place *place, unsigned bit,
                        uint64_t from, struct owed *o)
{
    const struct bit_sum *sum = &s->sum.of_bit[bit];
    struct tally done = {0};
    int64_t oldest_ns = sum->first_ns;

    if (s->sum.sums_lost) {
        add_unsummed(s, bit, from, o);
        return;
    }
    const struct mark *m = sum->first_seq < from ? mark_before(s, from) : NULL;
    if (m != NULL) {
        done = tally_of(s, m, bit);
        oldest_ns = m->time_ns > oldest_ns ? m->time_ns : oldest_ns;
    }
    if (place_helps(place, s, from, done)) {
        done = place->done;
        oldest_ns = place->next_ns;
    }
    if (done.count >= sum->count || done.bytes >= sum->bytes) {
        done = (struct tally){0}; /* the frames are not those that the sums count */
    }
    uint64_t count = sum->count - done.count;
    uint64_t span = s->sum.last_of_bit[bit] - from + 1;
    o->count += count < span ? count : span;
    o->bytes += sum->bytes - done.bytes;
    o->slack_bytes += slack_of(s, place, bit, from, sum->bytes - done.bytes);
    o->oldest_ns = o->oldest_ns == 0 ? oldest_ns : o->oldest_ns;
}

static void add_frames(const struct log *l, unsigned bit, uint64_t from, struct owed *o)
{
    for (size_t i = recent_find(&l->recent, from); i < l->recent.len; i++) {
        const struct held *h = recent_at(&l->recent, i);
        if (is_for(h, bit)) {
            o->count++;
            o->bytes += frame_bytes(h->length);
            o->oldest_ns = o->oldest_ns == 0 ? h->frame.time_ns : o->oldest_ns;
            o->oldest_seq = o->oldest_seq == 0 ? h->frame.seq : o->oldest_seq;
        }
    }
}

void owed_count(struct log *l, unsigned bit)
{
    struct consumer *c = &l->consumers[bit];
    uint64_t from = c->cursor + 1;
    struct owed o = {0};

    if (from < first_in_memory(l)) {
        for (size_t i = 0; i < l->segments.len; i++) {
            const struct segment *s = l->segments.items[i];
            if (s->sum.count > 0 && s->sum.last_of_bit[bit] >= from) {
                add_segment(s, &c->place, bit, from, &o);
            }
        }
        o.oldest_seq = o.count > 0 ? from : 0; /* looked for again as soon as the cursor moves */
        from = l->durable_seq + 1 > from ? l->durable_seq + 1 : from;
    }
    add_frames(l, bit, from, &o);
    c->owed = o;
}

/* ---- the start ---- */

/* Segments that are looked through at most: the start must not depend on how many consumers are behind. */
enum { SETTLE_SEGMENTS = 8 };

/* The bits whose consumers stand in the middle of <s>. */
static uint64_t who_stands_in(const struct log *l, const struct segment *s)
{
    uint64_t mask = 0;

    for (uint64_t rest = s->sum.mask; rest != 0; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        const struct consumer *c = &l->consumers[bit];
        if (c->name != NULL && !c->retired && c->cursor >= s->sum.of_bit[bit].first_seq &&
            c->cursor < s->sum.last_of_bit[bit]) {
            mask |= UINT64_C(1) << bit;
        }
    }
    return mask;
}

/* One frame of a segment: what of it is done, or the next thing to do, for those who stand there. */
static void place_frame(struct log *l, const struct frame_header *h, uint64_t mask)
{
    for (uint64_t rest = h->mask & mask; rest != 0; rest &= rest - 1) {
        struct consumer *c = &l->consumers[__builtin_ctzll(rest)];
        if (h->seq <= c->cursor) {
            c->place.done.count++;
            c->place.done.bytes += frame_bytes(h->length);
        } else if (c->place.next_ns == 0) {
            c->place.next_ns = h->time_ns;
        }
    }
}

/* Looks at the headers of all frames, and sets marks; ends early where something is bad. */
static void look_through(struct log *l, struct segment *s, struct window *w, uint64_t mask)
{
    struct footer *sum = mem_new(struct footer);
    struct frame_header h;
    enum look look = LOOK_FRAME;
    int64_t marked = FILE_DATA_START;

    sum->end = FILE_DATA_START;
    while (scan_look(w, (int64_t)sum->end, &look, &h) == 0 && look == LOOK_FRAME &&
           h.type < LOG_TYPE_RESERVED) {
        place_frame(l, &h, mask);
        footer_add(sum, &h);
        sum->end += (uint64_t)frame_bytes(h.length);
        if ((int64_t)sum->end - marked >= MARK_BYTES && !s->sum.sums_lost) {
            marked = (int64_t)sum->end;
            segment_mark(s, sum);
        }
    }
    mem_free(sum);
}

static void settle_segment(struct log *l, struct segment *s, uint64_t mask)
{
    char name[32];
    char path[PATH_MAX];
    int fd = -1;

    segment_name(s->serial, name);
    log_path(l, name, path);
    if (l->fs->ops->open(l->fs, path, FS_READ, &fd) != 0) {
        return;
    }
    for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
        struct consumer *c = &l->consumers[__builtin_ctzll(rest)];
        c->place = (struct place){.serial = s->serial, .seq = c->cursor};
    }
    struct window *w = window_new(l->fs, fd, s->salt, (int64_t)s->sum.end);
    look_through(l, s, w, mask);
    window_free(w);
    (void)l->fs->ops->close(l->fs, fd);
}

void owed_settle(struct log *l)
{
    int looked = 0;

    for (size_t i = l->segments.len; i > 0 && looked < SETTLE_SEGMENTS; i--) {
        struct segment *s = l->segments.items[i - 1];
        uint64_t mask = s->sum.sums_lost ? 0 : who_stands_in(l, s);
        if (mask != 0) {
            settle_segment(l, s, mask);
            looked++;
        }
    }
}

/* ---- what comes and goes ---- */

/* The oldest frame owed, when all of them are in memory. */
static void find_oldest(struct log *l, unsigned bit)
{
    struct owed *o = &l->consumers[bit].owed;
    size_t i = recent_find(&l->recent, l->consumers[bit].cursor + 1);

    while (i < l->recent.len && !is_for(recent_at(&l->recent, i), bit)) {
        i++;
    }
    const struct held *h = i < l->recent.len ? recent_at(&l->recent, i) : NULL;
    o->oldest_seq = h != NULL ? h->frame.seq : 0;
    o->oldest_ns = h != NULL ? h->frame.time_ns : 0;
}

void owed_add(struct log *l, const struct held *h)
{
    for (uint64_t rest = h->frame.mask; rest != 0; rest &= rest - 1) {
        struct owed *o = &l->consumers[__builtin_ctzll(rest)].owed;
        o->oldest_seq = o->count == 0 ? h->frame.seq : o->oldest_seq;
        o->oldest_ns = o->count == 0 ? h->frame.time_ns : o->oldest_ns;
        o->count++;
        o->bytes += frame_bytes(h->length);
    }
}

void owed_withdraw(struct log *l, const struct held *h)
{
    for (uint64_t rest = h->frame.mask; rest != 0; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        struct consumer *c = &l->consumers[bit];
        if (h->frame.seq > c->cursor) {
            forget(&c->owed, 1, frame_bytes(h->length));
        }
        if (c->owed.oldest_seq == h->frame.seq) {
            find_oldest(l, bit);
        }
    }
}

void owed_move(struct log *l, unsigned bit, uint64_t from_seq)
{
    struct consumer *c = &l->consumers[bit];

    if (from_seq + 1 < first_in_memory(l)) {
        owed_count(l, bit);
        return;
    }
    for (size_t i = recent_find(&l->recent, from_seq + 1); i < l->recent.len; i++) {
        const struct held *h = recent_at(&l->recent, i);
        if (h->frame.seq > c->cursor) {
            break;
        }
        if (is_for(h, bit)) {
            forget(&c->owed, 1, frame_bytes(h->length));
        }
    }
    if (c->owed.oldest_seq <= c->cursor) {
        find_oldest(l, bit);
    }
}

uint64_t log_pending(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    uint64_t count = l->consumers[bit].owed.count;
    lock_give(&l->lock);
    return count;
}

int64_t log_owed_bytes(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    int64_t bytes = l->consumers[bit].owed.bytes;
    lock_give(&l->lock);
    return bytes;
}

int64_t log_owed_slack_bytes(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    const struct consumer *c = &l->consumers[bit];
    bool is_exact = c->cursor + 1 >= first_in_memory(l);
    int64_t bytes = is_exact ? 0 : c->owed.slack_bytes;
    lock_give(&l->lock);
    return bytes;
}

int64_t log_oldest_ns(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    int64_t oldest_ns = l->consumers[bit].owed.oldest_ns;
    lock_give(&l->lock);
    return oldest_ns;
}
