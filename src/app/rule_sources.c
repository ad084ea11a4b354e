/*
 * Invariants
 *   1. What is kept on disk is what was fetched last without an error; loading it says so.
 *   2. <loaded> has for each place the hash of the rules that the last load was given, right or wrong:
 *      a job asks for a reload when there are others, once.
 *   3. Standard input is read once; reloads get what it was.
 */
#include "app/rule_sources.h"

#include "app/rule_fetch.h"
#include "app/rule_sources_int.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/timetext.h"

#include <errno.h>
#include <unistd.h>

/* Places that do not answer hold up a load so long together, and then this much each where rules of them are kept: the thread
 * that loads has other things to do, and the jobs go on asking. */
#define PATIENCE_NS (5 * NS_PER_S)
enum { IMPATIENT_MS = 1000 };

/* Of one place. */
struct loaded_place {
    struct str place;
    uint64_t fetched; /* hash of what the last load had */
    uint64_t loaded;  /* of what runs */
    int64_t told_ns;  /* monotonic: somebody was told of news */
};

struct rule_sources {
    bool keeps;
    bool input_read;
    struct buf input; /* what stood on standard input */
    struct env env;   /* of fetches at a load */
    const struct config *config;
    int64_t waited_ns;  /* for places that failed, in this load */
    struct arena arena; /* names of places */
    struct lock lock;
    VEC(struct loaded_place) loaded GUARDED_BY(lock);
};

struct rule_sources *rule_sources_new(bool keeps)
{
    struct rule_sources *s = mem_new(struct rule_sources);

    s->keeps = keeps;
    buf_init(&s->input, RULE_FILE_MAX);
    arena_init(&s->arena, ARENA_UNLIMITED);
    lock_init(&s->lock);
    s->env = (struct env){.clock = clock_system(), .metrics = metrics_new()};
    return s;
}

void rule_sources_free(struct rule_sources *s)
{
    if (s == NULL) {
        return;
    }
    vec_release(&s->loaded);
    metrics_free(s->env.metrics);
    lock_release(&s->lock);
    arena_release(&s->arena);
    buf_release(&s->input);
    mem_free(s);
}

/* ---- what was loaded ---- */

static struct loaded_place *find_loaded(struct rule_sources *s, struct str place) REQUIRES(s->lock)
{
    for (size_t i = 0; i < s->loaded.len; i++) {
        if (str_eq(s->loaded.items[i].place, place)) {
            return &s->loaded.items[i];
        }
    }
    return NULL;
}

static void note_fetched(struct rule_sources *s, struct str place, uint64_t hash)
{
    lock_take(&s->lock);
    struct loaded_place *found = find_loaded(s, place);
    if (found == NULL) {
        struct loaded_place added = {
            .place = arena_dup(&s->arena, place), .fetched = hash, .loaded = hash};
        vec_push(&s->loaded, added);
    } else {
        found->fetched = hash;
    }
    lock_give(&s->lock);
}

void rule_sources_run(struct rule_sources *s)
{
    if (s == NULL) {
        return;
    }
    lock_take(&s->lock);
    for (size_t i = 0; i < s->loaded.len; i++) {
        s->loaded.items[i].loaded = s->loaded.items[i].fetched;
    }
    lock_give(&s->lock);
}

bool rule_sources_is_news(struct rule_sources *s, struct str place, uint64_t hash, int64_t again_ns)
{
    int64_t now_ns = clock_mono_ns(s->env.clock);

    lock_take(&s->lock);
    struct loaded_place *found = find_loaded(s, place);
    bool news = found != NULL && found->loaded != hash &&
                (found->fetched != hash || now_ns - found->told_ns >= again_ns);
    if (news) {
        found->fetched = hash;
        found->told_ns = now_ns;
    }
    lock_give(&s->lock);
    return news;
}

/* ---- standard input ---- */

static bool read_input(struct rule_sources *s, struct err *e)
{
    char chunk[4096];
    ssize_t n = 1;

    while (!s->input_read && n != 0) {
        n = read(STDIN_FILENO, chunk, sizeof(chunk));
        if (n < 0 && errno != EINTR) {
            return err_set_errno(e, ERR_IO, errno, "reading rules from standard input");
        }
        buf_add(&s->input, chunk, n > 0 ? (size_t)n : 0);
        if (!buf_ok(&s->input)) {
            return err_set(e, ERR_LIMIT, "the rules on standard input have more than %d bytes",
                           RULE_FILE_MAX);
        }
    }
    s->input_read = true;
    return true;
}

/* ---- fetching ---- */

static void add_folder(struct buf *out, const struct config *c)
{
    buf_addf(out, "%.*s/rules", STR_FMT(c->settings.state.path));
}

static void warn_of_kept(const struct rule_bundle *kept, struct str place, const struct err *why,
                         const struct rule_receiver *to)
{
    AUTO(buf_release) struct buf shown = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    buf_add_rfc3339(&shown, kept->fetched_ns);
    (void)err_set(&e, why->code, "%.*s cannot be fetched, so its rules of %s are used: %s",
                  STR_FMT(place), buf_text(&shown), why->message);
    to->warn(to->arg, &e);
}

static void give(const struct rule_bundle *b, const struct rule_receiver *to)
{
    for (size_t i = 0; i < b->files.len; i++) {
        to->file(to->arg, b->files.items[i].name, b->files.items[i].text);
    }
}

static void keep(struct rule_sources *s, const struct rule_bundle *kept,
                 const struct rule_bundle *fetched, struct str place,
                 const struct rule_receiver *to)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    bool is_same = kept->files.len > 0 && rule_bundle_hash(kept) == rule_bundle_hash(fetched);

    add_folder(&folder, s->config);
    if (s->keeps && !is_same && !rule_bundle_save(fetched, buf_str(&folder), place, &e)) {
        (void)err_wrap(&e, "the rules of %.*s are not kept for a restart", STR_FMT(place));
        to->warn(to->arg, &e);
    }
}

void rule_sources_load_kept(const struct rule_sources *s, const struct config *c, struct str place,
                            struct rule_bundle *ret)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    struct err ignored = ERR_INIT;

    add_folder(&folder, c);
    if (s->keeps && !rule_bundle_load(ret, buf_str(&folder), place, &ignored)) {
        rule_bundle_release(ret);
        rule_bundle_init(ret);
    }
}

static bool fetch_place(struct rule_sources *s, struct str place, const struct rule_receiver *to,
                        struct err *e)
{
    const struct rule_server *server = rule_servers_find(&s->config->rule_servers, place);
    int64_t began_ns = clock_mono_ns(s->env.clock);
    struct rule_bundle kept;
    struct rule_bundle fetched;

    rule_bundle_init(&kept);
    rule_bundle_init(&fetched);
    rule_sources_load_kept(s, s->config, place, &kept);
    bool has_kept = kept.files.len > 0;
    bool is_hurried = has_kept && s->waited_ns >= PATIENCE_NS;
    struct wait wait = {is_hurried ? clock_deadline_ms(s->env.clock, IMPATIENT_MS) : DEADLINE_NEVER,
                        NULL};
    bool ok = rule_fetch(&s->env, server, place, &kept, wait, &fetched, e);
    s->waited_ns += ok ? 0 : clock_mono_ns(s->env.clock) - began_ns;
    if (ok) {
        keep(s, &kept, &fetched, place, to);
    } else if (has_kept) {
        warn_of_kept(&kept, place, e, to);
    }
    const struct rule_bundle *used = ok ? &fetched : &kept;
    if (ok || has_kept) {
        note_fetched(s, place, rule_bundle_hash(used));
        give(used, to);
    }
    rule_bundle_release(&kept);
    rule_bundle_release(&fetched);
    return ok || has_kept || err_wrap(e, "fetching rules");
}

static bool takes(void *arg, struct str place)
{
    (void)arg;
    return rule_place_is_elsewhere(place);
}

static bool fetch(void *arg, struct str place, const struct rule_receiver *to, struct err *e)
{
    struct rule_sources *s = arg;

    if (!str_eq(place, STR("-"))) {
        return fetch_place(s, place, to, e);
    }
    if (!read_input(s, e)) {
        return false;
    }
    to->file(to->arg, STR("stdin"), buf_str(&s->input));
    return true;
}

struct rule_fetcher rule_sources_fetcher(struct rule_sources *s, const struct config *c)
{
    s->config = c;
    s->waited_ns = 0;
    return (struct rule_fetcher){.takes = takes, .fetch = fetch, .arg = s};
}
