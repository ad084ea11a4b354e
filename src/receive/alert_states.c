/*
 * Invariants
 *   1. An entry's key lies within it, so it stays valid while it is in the map.
 *   2. The table has never more than <max> entries when nobody holds it.
 *   3. What the table says was given to the ledger, or is reverted before anybody else looks.
 *   4. The file says nothing that is in no durable frame: a change is kept beside what stood there before until
 * its frame is held.
 */
#include "receive/alert_states.h"

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/rand.h"
#include "base/thread.h"
#include "base/vec.h"

#include <stdlib.h>
#include <xxhash.h>

enum { KEY_BYTES = 16, MAX_DEFAULT = 100 * 1000, FILE_MAX = 512 << 20, SHARE_FORGOTTEN = 16 };

static const char file_head[] = "telex received alerts 1";
static const char origin[] = "receive";

/* <known>.seq while it is compared and not yet given. */
#define SEQ_NONE UINT64_MAX

struct entry {
    char key[KEY_BYTES];
    struct alert_known known;
    struct alert_known held; /* while known.seq is not durable: what was before it */
    bool has_held;           /* likewise; false: there was nothing */
};

struct alert_states {
    const struct env *env;
    struct lock lock; /* taken between begin and end; guards what follows */
    struct map map;
    size_t max;
    uint64_t changes;
    uint64_t held_seq; /* the newest durable frame */
};

struct alert_states *alert_states_new(const struct env *env)
{
    struct alert_states *s = mem_new(struct alert_states);

    s->env = env;
    s->max = MAX_DEFAULT;
    lock_init(&s->lock);
    map_init(&s->map, 0); /* keys are hashes already */
    return s;
}

void alert_states_free(struct alert_states *s)
{
    uint32_t at = 0;
    void *entry = NULL;

    if (s == NULL) {
        return;
    }
    while (map_next(&s->map, &at, NULL, &entry)) {
        mem_free(entry);
    }
    map_release(&s->map);
    lock_release(&s->lock);
    mem_free(s);
}

void alert_states_limit(struct alert_states *s, size_t max)
{
    lock_take(&s->lock);
    s->max = max;
    lock_give(&s->lock);
}

TSA(no_thread_safety_analysis) void alert_states_begin(struct alert_states *s)
{
    lock_take(&s->lock);
}

/* ---- entries ---- */

static void make_key(const struct labels *labels, char key[KEY_BYTES])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(labels->bytes, labels->len));
    memcpy(key, canonical.digest, KEY_BYTES);
}

static struct entry *find(const struct alert_states *s, const char key[KEY_BYTES])
{
    return map_get(&s->map, str_make(key, KEY_BYTES));
}

static struct entry *find_labels(const struct alert_states *s, const struct labels *labels)
{
    char key[KEY_BYTES];

    make_key(labels, key);
    return find(s, key);
}

static void forget(struct alert_states *s, struct entry *entry)
{
    (void)map_del(&s->map, str_make(entry->key, KEY_BYTES));
    mem_free(entry);
    s->changes++;
}

static struct entry *add(struct alert_states *s, const char key[KEY_BYTES])
{
    struct entry *entry = mem_new(struct entry);

    memcpy(entry->key, key, KEY_BYTES);
    (void)map_put(&s->map, str_make(entry->key, KEY_BYTES), entry);
    return entry;
}

/* Before it changes. */
static void keep_held(const struct alert_states *s, struct entry *entry)
{
    if (entry->known.seq <= s->held_seq) {
        entry->held = entry->known;
        entry->has_held = true;
    }
}

static void set(struct alert_states *s, const struct labels *labels, const struct alert_known *to)
{
    char key[KEY_BYTES];

    make_key(labels, key);
    struct entry *entry = find(s, key);
    if (entry != NULL) {
        keep_held(s, entry);
    }
    entry = entry != NULL ? entry : add(s, key);
    entry->known = *to;
    s->changes++;
}

/* ---- room ---- */

/* Resolved ones before firing ones, then the longest unheard of. */
static int cmp_worth(const void *a, const void *b)
{
    const struct alert_known *x = &(*(struct entry *const *)a)->known;
    const struct alert_known *y = &(*(struct entry *const *)b)->known;

    if (x->is_firing != y->is_firing) {
        return x->is_firing ? 1 : -1;
    }
    return (x->seen_ns > y->seen_ns) - (x->seen_ns < y->seen_ns);
}

/* Forgets some, so that this is not done for each new one. */
static void make_room(struct alert_states *s)
{
    VEC(struct entry *) all = {0};
    uint32_t at = 0;
    void *entry = NULL;

    if (s->map.len <= s->max) {
        return;
    }
    while (map_next(&s->map, &at, NULL, &entry)) {
        struct entry *one = entry;
        vec_push(&all, one);
    }
    INVARIANT(all.items != NULL); /* there are more than the most that may be */
    qsort((void *)all.items, all.len, sizeof(struct entry *), cmp_worth);
    size_t over = all.len - s->max + s->max / SHARE_FORGOTTEN;
    for (size_t i = 0; i < over && i < all.len; i++) {
        forget(s, all.items[i]);
    }
    vec_release(&all);
}

TSA(no_thread_safety_analysis) void alert_states_end(struct alert_states *s)
{
    make_room(s);
    lock_give(&s->lock);
}

/* ---- what a post changes ---- */

/* Is it said of an episode that is over, or one before? */
static bool is_old(const struct alert_known *known, const struct alert_said *said)
{
    return said->starts_ns != 0 && said->starts_ns <= known->episode_ns;
}

/* Does it change what is known? */
static bool changes(const struct alert_known *known, const struct alert_said *said)
{
    if (known->is_firing) {
        return !said->is_firing && !(said->ends_ns != 0 && said->ends_ns < known->episode_ns);
    }
    return said->is_firing ? !is_old(known, said)
                           : said->starts_ns != 0 && said->starts_ns > known->ended_ns;
}

/* Does it speak of another episode than the one that fires, which nobody said the end of? */
static bool is_another(const struct alert_known *known, const struct alert_said *said,
                       int64_t now_ns)
{
    int64_t starts_ns = said->starts_ns != 0 ? said->starts_ns : said->is_firing ? now_ns : 0;

    return known->is_firing && known->until_ns != 0 && starts_ns > known->until_ns;
}

/* The start of the episode that an edge belongs to. */
static int64_t episode_of(const struct alert_known *known, const struct alert_said *said,
                          int64_t now_ns)
{
    if (known != NULL && known->is_firing) {
        return known->episode_ns;
    }
    if (said->starts_ns != 0) {
        return said->starts_ns;
    }
    return !said->is_firing && said->ends_ns != 0 ? said->ends_ns : now_ns;
}

/* It is heard of again; its episode ends first when the post is of another one. */
static void note_post(struct alert_states *s, struct entry *entry, const struct alert_said *said,
                      int64_t now_ns, struct alert_news *news)
{
    struct alert_known *known = &entry->known;

    known->seen_ns = now_ns;
    news->is_another = is_another(known, said, now_ns);
    if (news->is_another) {
        news->ended = *known;
        keep_held(s, entry);
        known->seq = SEQ_NONE;
        known->is_firing = false;
        known->ended_ns = known->until_ns;
    }
    if (said->is_firing && said->ends_ns > known->until_ns) {
        known->until_ns = said->ends_ns;
    }
    news->before = *known;
    news->seq = known->seq != SEQ_NONE ? known->seq : 0;
}

void alert_states_compare(struct alert_states *s, const struct alert_said *said, int64_t now_ns,
                          struct alert_news *ret_news)
{
    struct entry *entry = find_labels(s, said->labels);
    struct alert_known *known = entry != NULL ? &entry->known : NULL;

    *ret_news = (struct alert_news){.was_known = known != NULL};
    if (known != NULL) {
        note_post(s, entry, said, now_ns, ret_news);
    }
    ret_news->is_news = known == NULL || changes(known, said);
    ret_news->episode_ns = episode_of(known, said, now_ns);
    if (ret_news->is_news) {
        const struct alert_known to = {.episode_ns = ret_news->episode_ns,
                                       .ended_ns = said->ends_ns != 0 ? said->ends_ns : now_ns,
                                       .seen_ns = now_ns,
                                       .until_ns = said->is_firing ? said->ends_ns : 0,
                                       .seq = SEQ_NONE,
                                       .is_firing = said->is_firing};
        set(s, said->labels, &to);
    }
}

void alert_states_given(struct alert_states *s, const struct labels *labels, uint64_t seq)
{
    struct entry *entry = find_labels(s, labels);

    if (entry != NULL) {
        entry->known.seq = seq;
    }
}

void alert_states_held(struct alert_states *s, uint64_t seq)
{
    lock_take(&s->lock);
    if (seq > s->held_seq) {
        s->held_seq = seq;
        s->changes++; /* for who saves: the file may say more now */
    }
    lock_give(&s->lock);
}

void alert_states_revert(struct alert_states *s, const struct labels *labels,
                         const struct alert_news *news)
{
    struct entry *entry = find_labels(s, labels);

    if (entry != NULL && news->was_known) {
        uint64_t seq = entry->known.seq; /* of the end before, if that was given */
        entry->known = news->before;
        entry->known.seq = news->before.seq != SEQ_NONE ? news->before.seq : seq;
    } else if (entry != NULL) {
        forget(s, entry);
    }
}

void alert_states_lost(struct alert_states *s, uint64_t first, uint64_t last)
{
    uint32_t at = 0;
    void *value = NULL;

    lock_take(&s->lock);
    while (map_next(&s->map, &at, NULL, &value)) {
        struct entry *entry = value;
        if (entry->known.seq >= first && entry->known.seq <= last) {
            forget(s, entry);
        }
    }
    lock_give(&s->lock);
}

size_t alert_states_count(struct alert_states *s)
{
    lock_take(&s->lock);
    size_t count = s->map.len;
    lock_give(&s->lock);
    return count;
}

uint64_t alert_states_changes(struct alert_states *s)
{
    lock_take(&s->lock);
    uint64_t n = s->changes;
    lock_give(&s->lock);
    return n;
}

uint64_t alert_states_seq(struct alert_states *s)
{
    lock_take(&s->lock);
    uint64_t seq = s->held_seq;
    lock_give(&s->lock);
    return seq;
}

uint64_t alert_states_seed(const struct alert_states *s)
{
    return rng_u64(s->env->rng);
}

/* ---- the ledger ---- */

bool alert_states_own(const struct batch *b)
{
    return str_eq(batch_info(b)->origin, str_of(origin));
}

bool alert_states_replay(struct alert_states *s, struct batch *b, struct err *e)
{
    const struct alerts *alerts = NULL;

    if (!batch_alerts(b, &alerts, e)) {
        return false;
    }
    alert_states_begin(s);
    for (uint32_t i = 0; i < alerts->count; i++) {
        const struct alert *a = &alerts->rows[i];
        const struct alert_known known = {.episode_ns = a->episode_ns,
                                          .ended_ns = a->resolved_at_ns,
                                          .seen_ns = batch_info(b)->time_ns,
                                          .is_firing = a->to == ALERT_ALERTING};
        set(s, a->labels, &known);
    }
    alert_states_end(s);
    return true;
}

/* ---- the file: a line per alert ---- */

static void print_entry(const struct alert_states *s, const struct entry *entry, struct buf *out)
{
    bool is_held = entry->known.seq <= s->held_seq;
    const struct alert_known *known = is_held ? &entry->known : &entry->held;

    if (!is_held && !entry->has_held) {
        return;
    }
    for (size_t i = 0; i < KEY_BYTES; i++) {
        buf_addf(out, "%02x", (unsigned char)entry->key[i]);
    }
    buf_addf(out, " %d %lld %lld %lld %lld\n", known->is_firing, (long long)known->episode_ns,
             (long long)known->ended_ns, (long long)known->seen_ns, (long long)known->until_ns);
}

bool alert_states_save(struct alert_states *s, struct str path, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(FILE_MAX);
    uint32_t at = 0;
    void *entry = NULL;

    buf_addf(&text, "%s\n", file_head);
    lock_take(&s->lock);
    while (map_next(&s->map, &at, NULL, &entry)) {
        print_entry(s, entry, &text);
    }
    lock_give(&s->lock);
    return fs_replace_file(fs_system(), path, buf_str(&text), e);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_key(struct str text, char key[KEY_BYTES])
{
    if (text.len != (size_t)2 * KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < KEY_BYTES; i++) {
        int high = digit(text.ptr[2 * i]);
        int low = digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        key[i] = (char)(high << 4 | low);
    }
    return true;
}

static bool read_entry(struct alert_states *s, struct str line)
{
    struct alert_known known = {0};
    struct str part = STR("");
    struct str rest = line;
    char key[KEY_BYTES];

    bool ok = str_split(&rest, ' ', &part) && read_key(part, key);
    ok = ok && str_split(&rest, ' ', &part) && part.len == 1;
    known.is_firing = ok && part.ptr[0] == '1';
    ok = ok && str_split(&rest, ' ', &part) && number_parse_i64(part, &known.episode_ns);
    ok = ok && str_split(&rest, ' ', &part) && number_parse_i64(part, &known.ended_ns);
    ok = ok && str_split(&rest, ' ', &part) && number_parse_i64(part, &known.seen_ns);
    if (ok && rest.len > 0) { /* earlier versions did not write it */
        ok = str_split(&rest, ' ', &part) && number_parse_i64(part, &known.until_ns);
    }
    if (ok && find(s, key) == NULL) {
        add(s, key)->known = known;
    }
    return ok;
}

bool alert_states_load(struct alert_states *s, struct str path, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(FILE_MAX);
    struct str line = STR("");
    size_t number = 1;

    if (!fs_read_file(fs_system(), path, FILE_MAX, &text, e)) {
        return false;
    }
    struct str rest = buf_str(&text);
    bool ok = str_split(&rest, '\n', &line) && str_eq(line, str_of(file_head));
    alert_states_begin(s);
    while (ok && str_split(&rest, '\n', &line)) {
        number++;
        ok = line.len == 0 || read_entry(s, line);
    }
    alert_states_end(s);
    return ok || err_set(e, ERR_PARSE, "line %zu of %.*s is not what was written there", number,
                         STR_FMT(path));
}
