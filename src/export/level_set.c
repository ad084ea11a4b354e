/*
 * Invariants
 *   1. <members> changes under both locks; whoever holds either may read it.
 *   2. <changing> is held while targets are exchanged and while a source is set, which may wait for a walk;
 *      <lock> only for moments. <changing> is taken first.
 *   3. Each member has the source that the set has.
 *   4. A target is known by its URL: one that is found again keeps its output, whatever its labels.
 */
#include "export/level_set.h"

#include "base/env.h"
#include "base/fs.h"
#include "base/trace.h"
#include "discover/discover.h"
#include "export/exporter_options.h"
#include "export/level_store.h"
#include "export/level_targets.h"
#include "export/plan.h"
#include "net/http_client.h"

#include <unistd.h>

#define FILE_NAME "/told"

struct member {
    char *url; /* owned; NULL: that of the config, which is the only one */
    const char *kind;
    struct labels *labels;
    struct level_output *output; /* NULL: the rules dropped it */
};

/* What a target of the graph before was told. */
struct heirloom {
    char *url;
    struct level_memory *memory;
};

struct level_set {
    const struct level_exporter *exporter;
    struct exporter_place place;
    const void *config;
    struct level_filter filter;
    char *path; /* owned: of what was told, over a restart; NULL: not kept */
    const struct level_targets_config *targets; /* NULL: it has one */
    uint64_t words; /* how labels of alerts are made, as a hash of the config */
    struct relabel *relabel;
    struct relabel *alert_relabel;
    struct relabel_work work; /* under <changing> */
    struct discover *discover;
    struct trace trace;
    struct thread thread;
    bool stopped; /* by whoever changes graphs */

    struct lock changing;
    VEC(struct heirloom) heirlooms GUARDED_BY(changing);

    struct lock lock;
    struct cond changed;
    VEC(struct member *) members GUARDED_BY(lock);
    const struct level_source *source GUARDED_BY(lock);
    bool dirty GUARDED_BY(lock);
    bool stopping GUARDED_BY(lock);
};

/* ---- members ---- */

static void member_free(struct member *m)
{
    level_output_close(m->output);
    labels_unref(m->labels);
    mem_free(m->url);
    mem_free(m);
}

static struct level_memory *take_heirloom(struct level_set *s, const char *url)
{
    for (size_t i = 0; i < s->heirlooms.len; i++) {
        if (strcmp(s->heirlooms.items[i].url, url) == 0) {
            return TAKE(s->heirlooms.items[i].memory);
        }
    }
    return NULL;
}

/* Opens the output of a member that has a URL. */
static bool member_open(struct level_set *s, struct member *m, struct err *e)
{
    const struct level_target target = {str_of(m->url), s->alert_relabel};

    if (!level_output_open_at(s->exporter, &s->place, s->config, &s->filter, &target, &m->output,
                              e)) {
        return false;
    }
    struct level_memory *memory = take_heirloom(s, m->url);
    if (memory != NULL) {
        level_output_remember(m->output, memory);
    }
    return true;
}

/* ---- exchanging targets; all of it under <changing> ---- */

struct found {
    struct level_set *set;
    VEC(struct member *) members;
};

static struct member *find_url(struct member *const *members, size_t count, struct str url)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i]->url != NULL && str_eq(str_of(members[i]->url), url)) {
            return members[i];
        }
    }
    return NULL;
}

static void tell_bad(struct level_set *s, const struct labels *labels, const struct err *e)
{
    trace_warn(&s->trace, "a target is left out", T_STR("exporter", s->place.name),
               T_STR("address", labels_get(labels, STR("__address__"))), T_ERR(e));
}

static void add_found(void *arg, const struct discovery_kind *kind, struct labels *target)
{
    struct found *f = arg;
    struct level_set *s = f->set;
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct labels *labels = NULL;
    struct err e = ERR_INIT;
    enum level_found made =
        level_target_find(s->targets, s->relabel, &s->work, target, &labels, &url, &e);

    if (made == LEVEL_FOUND_OK && f->members.len >= LEVEL_SET_TARGETS_MAX) {
        made = LEVEL_FOUND_BAD;
        (void)err_set(&e, ERR_LIMIT, "more than %d targets", LEVEL_SET_TARGETS_MAX);
    }
    bool is_twice =
        made == LEVEL_FOUND_OK && find_url(f->members.items, f->members.len, buf_str(&url)) != NULL;
    if (made == LEVEL_FOUND_BAD || is_twice) {
        if (!is_twice) {
            tell_bad(s, labels, &e);
        }
        labels_unref(labels);
        return;
    }
    struct member *m = mem_new(struct member);
    m->kind = kind != NULL ? kind->name : "url";
    m->labels = labels;
    m->url = made == LEVEL_FOUND_OK ? buf_take(&url) : NULL;
    vec_push(&f->members, m);
}

/* The URL of the config is a target too. */
static void add_own(struct found *f)
{
    const struct level_set *s = f->set;
    const struct http_client_config *client =
        (const void *)((const char *)s->config + s->exporter->client_offset);
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err ignored = ERR_INIT;

    if (client->url.len == 0) {
        return;
    }
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__address__"), client->url);
    if (labels_build(&b, &labels, &ignored)) {
        add_found(f, NULL, labels);
        labels_unref(labels);
    }
    labels_builder_release(&b);
}

/* A member that was there goes on with its output. */
static void keep_output(struct member *m, struct member *before)
{
    char *url = m->url; /* the output borrows the other */
    m->url = before->url;
    before->url = url;
    m->output = TAKE(before->output);
}

/* Opens what is new; members that cannot be opened are let go of. */
static void open_new(struct level_set *s, struct found *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->members.len; i++) {
        struct member *m = f->members.items[i];
        struct err e = ERR_INIT;
        struct member *before =
            m->url != NULL ? find_url(s->members.items, s->members.len, str_of(m->url)) : NULL;
        if (m->url != NULL && before == NULL && !member_open(s, m, &e)) {
            tell_bad(s, m->labels, &e);
            member_free(m);
            continue;
        }
        f->members.items[kept++] = m;
    }
    f->members.len = kept;
}

static void give_source(struct level_set *s, const struct found *f)
{
    lock_take(&s->lock);
    const struct level_source *source = s->source;
    lock_give(&s->lock);
    for (size_t i = 0; source != NULL && i < f->members.len; i++) {
        if (f->members.items[i]->output != NULL) {
            level_output_set_source(f->members.items[i]->output, source);
        }
    }
}

/* <f> becomes what was there before, less what goes on. */
static void exchange(struct level_set *s, struct found *f)
{
    lock_take(&s->lock);
    for (size_t i = 0; i < f->members.len; i++) {
        struct member *m = f->members.items[i];
        struct member *before = m->url != NULL && m->output == NULL
                                    ? find_url(s->members.items, s->members.len, str_of(m->url))
                                    : NULL;
        if (before != NULL) {
            keep_output(m, before);
        }
    }
    struct member **items = s->members.items;
    size_t len = s->members.len;
    size_t cap = s->members.cap;
    s->members.items = f->members.items;
    s->members.len = f->members.len;
    s->members.cap = f->members.cap;
    f->members.items = items;
    f->members.len = len;
    f->members.cap = cap;
    lock_give(&s->lock);
}

static void look_for_targets(struct level_set *s)
{
    struct found f = {.set = s};

    lock_take(&s->changing);
    add_own(&f);
    discover_each(s->discover, add_found, &f);
    open_new(s, &f);
    give_source(s, &f); /* only what is new has an output yet */
    exchange(s, &f);
    for (size_t i = 0; i < f.members.len; i++) {
        member_free(f.members.items[i]);
    }
    vec_release(&f.members);
    lock_give(&s->changing);
}

static void note_change(void *arg)
{
    struct level_set *s = arg;

    lock_take(&s->lock);
    s->dirty = true;
    cond_broadcast(&s->changed);
    lock_give(&s->lock);
}

static void run(void *arg)
{
    struct level_set *s = arg;
    bool goes_on = true;

    while (goes_on) {
        lock_take(&s->lock);
        while (!s->dirty && !s->stopping) {
            (void)cond_wait_until(&s->changed, &s->lock, DEADLINE_NEVER);
        }
        s->dirty = false;
        goes_on = !s->stopping;
        lock_give(&s->lock);
        if (goes_on) {
            look_for_targets(s);
        }
    }
}

/* ---- over a restart ---- */

static struct level_store_time now_of(const struct level_set *s)
{
    const struct clock *clock = s->place.env->clock;

    return (struct level_store_time){clock_wall_ns(clock), clock_mono_ns(clock)};
}

static void keep_heirloom(void *arg, struct str url, struct level_memory *memory)
{
    struct level_set *s = arg;

    struct heirloom heirloom = {.url = mem_dup_text(url.ptr, url.len), .memory = memory};

    vec_push(&s->heirlooms, heirloom);
}

/* What the program before told; it is true once only, since from now on more is told. */
static void load(struct level_set *s)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(LEVEL_STORE_MAX);
    struct err e = ERR_INIT;

    if (s->path == NULL || access(s->path, F_OK) != 0) {
        return;
    }
    if (!fs_read_file(fs_system(), str_of(s->path), LEVEL_STORE_MAX, &bytes, &e) ||
        !level_store_read(buf_str(&bytes), s->words, now_of(s), keep_heirloom, s, &e)) {
        trace_warn(&s->trace, "what was told before is not known; everything is told again",
                   T_STR("exporter", s->place.name), T_TEXT("file", s->path), T_ERR(&e));
    }
    (void)fs_system()->ops->unlink(fs_system(), s->path);
}

/* What targets were told that are not found yet. */
static size_t save_heirlooms(struct level_set *s, struct buf *bytes)
{
    size_t told = 0;

    lock_take(&s->changing);
    for (size_t i = 0; i < s->heirlooms.len; i++) {
        const struct heirloom *h = &s->heirlooms.items[i];
        if (h->memory != NULL && h->url != NULL) {
            level_store_add(bytes, str_of(h->url), h->memory, now_of(s));
            told++;
        }
    }
    lock_give(&s->changing);
    return told;
}

/* When nothing is told any more. */
static void save(struct level_set *s)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(LEVEL_STORE_MAX);
    struct str folder = str_of(s->path);
    struct err e = ERR_INIT;
    size_t told = 0;

    level_store_begin(&bytes, s->words);
    for (size_t i = 0; i < s->members.len; i++) {
        const struct member *m = s->members.items[i];
        const struct level_memory *memory =
            m->output != NULL && m->url != NULL ? level_output_memory(m->output) : NULL;
        if (memory != NULL) {
            level_store_add(&bytes, str_of(m->url), memory, now_of(s));
            told++;
        }
    }
    told += save_heirlooms(s, &bytes);
    level_store_end(&bytes);
    folder.len -= sizeof(FILE_NAME) - 1;
    if (told > 0 && buf_ok(&bytes) &&
        (!fs_make_path(fs_system(), folder, &e) ||
         !fs_replace_file(fs_system(), str_of(s->path), buf_str(&bytes), &e))) {
        trace_warn(&s->trace, "what was told is not kept; it will be told again",
                   T_STR("exporter", s->place.name), T_ERR(&e));
    }
}

/* ---- life ---- */

static uint64_t hash_node(const struct yaml_node *node, uint64_t hash)
{
    if (node == NULL) {
        return hash;
    }
    hash = str_hash(node->text, str_hash(node->key, hash + node->kind));
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        hash = hash_node(n, hash);
    }
    return hash;
}

/* All that decides how labels of alerts are made. */
static uint64_t words_of(const struct level_set *s)
{
    const struct exporter_common *common = s->config;
    const struct level_options *options =
        (const void *)((const char *)s->config + s->exporter->options_offset);
    uint64_t hash = options->utf8_names ? 1 : 2;

    for (size_t i = 0; i < common->labels.count; i++) {
        hash = str_hash(common->labels.items[i].name, hash);
        hash = str_hash(common->labels.items[i].value, hash);
    }
    return s->targets != NULL ? hash_node(s->targets->alert_relabel_configs, hash) : hash;
}

static bool compile(const struct yaml_node *rules, struct relabel **ret_relabel, struct err *e)
{
    return rules == NULL || relabel_compile(rules, ret_relabel, e);
}

/* Static targets are there when this returns. */
static bool open_targets(struct level_set *s, struct err *e)
{
    const struct discover_listener listener = {note_change, s};

    if (!compile(s->targets->relabel_configs, &s->relabel, e) ||
        !compile(s->targets->alert_relabel_configs, &s->alert_relabel, e) ||
        !discover_open(s->place.env, s->place.name, &s->targets->found, &listener, &s->discover,
                       e)) {
        return false;
    }
    look_for_targets(s);
    return thread_start(&s->thread, "targets", run, s, e);
}

static bool open_one(struct level_set *s, struct err *e)
{
    struct member *m = mem_new(struct member);

    m->kind = "url";
    m->labels = labels_empty();
    lock_take(&s->lock);
    vec_push(&s->members, m);
    lock_give(&s->lock);
    return level_output_open(s->exporter, &s->place, s->config, &s->filter, &m->output, e);
}

static char *path_of(const struct exporter_place *place, bool is_kept)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_addf(&path, "%.*s%s", STR_FMT(place->data_folder), FILE_NAME);
    return is_kept && place->data_folder.len > 0 ? buf_take(&path) : NULL;
}

bool level_set_open(const struct exporter_kind *kind, const struct exporter_place *place,
                    const void *config, const struct level_filter *filter,
                    struct level_set **ret_set, struct err *e)
{
    struct level_set *s = mem_new(struct level_set);
    size_t offset = kind->level->targets_offset;

    s->exporter = kind->level;
    s->place = *place;
    s->config = config;
    s->filter = *filter;
    s->targets = offset != 0 ? (const void *)((const char *)config + offset) : NULL;
    s->words = words_of(s);
    s->path = path_of(place, s->targets != NULL);
    trace_init_part(&s->trace, place->env->trace, "export", place->name, TRACE_INFO);
    relabel_work_init(&s->work);
    lock_init(&s->changing);
    lock_init(&s->lock);
    cond_init(&s->changed);
    s->place.data_folder = STR(""); /* was the caller's */
    load(s);
    if (!(s->targets != NULL ? open_targets(s, e) : open_one(s, e))) {
        level_set_close(s);
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    *ret_set = s;
    return true;
}

/* A target that is found already takes the memory now, others when they are found. Takes over *url (NULL: the only one) when it
 * has to wait. */
static void pass_on(struct level_set *s, char **url, struct level_memory *memory)
    REQUIRES(&s->changing)
{
    struct member *m =
        *url != NULL ? find_url(s->members.items, s->members.len, str_of(*url)) : NULL;

    m = *url == NULL && s->members.len == 1 ? s->members.items[0] : m;
    if (m != NULL && m->output != NULL) {
        level_output_remember(m->output, memory);
    } else {
        struct heirloom heirloom = {.url = TAKE(*url), .memory = memory};
        vec_push(&s->heirlooms, heirloom);
    }
}

static void hand_over(struct level_set *s, struct member *before) REQUIRES(&s->changing)
{
    if (before->output != NULL && (before->url != NULL || s->targets == NULL)) {
        pass_on(s, &before->url, level_output_take_memory(before->output));
    }
}

/* What <before> was handed over for targets that it never found. */
static void hand_on(struct level_set *s, struct level_set *before) REQUIRES(&s->changing)
{
    lock_take(&before->changing);
    for (size_t i = 0; i < before->heirlooms.len; i++) {
        struct heirloom *h = &before->heirlooms.items[i];
        if (h->memory != NULL && h->url != NULL && s->targets != NULL) {
            pass_on(s, &h->url, TAKE(h->memory));
        }
    }
    lock_give(&before->changing);
}

void level_set_follow(struct level_set *s, struct level_set *before, bool is_same)
{
    if (is_same && s->discover != NULL && before->discover != NULL) {
        discover_follow(s->discover, before->discover);
    }
    if (s->words != before->words) {
        return;
    }
    if (s->path != NULL) {
        (void)fs_system()->ops->unlink(fs_system(), s->path); /* <before> wrote it when it ended */
    }
    lock_take(&s->changing);
    for (size_t i = 0; i < before->members.len; i++) {
        hand_over(s, before->members.items[i]);
    }
    hand_on(s, before);
    lock_give(&s->changing);
}

void level_set_source(struct level_set *s, const struct level_source *source)
{
    lock_take(&s->changing);
    lock_take(&s->lock);
    s->source = source;
    lock_give(&s->lock);
    for (size_t i = 0; i < s->members.len; i++) {
        if (s->members.items[i]->output != NULL) {
            level_output_set_source(s->members.items[i]->output, source);
        }
    }
    lock_give(&s->changing);
}

static void each_output(struct level_set *s, void (*visit)(struct level_output *))
    REQUIRES(&s->lock)
{
    for (size_t i = 0; i < s->members.len; i++) {
        if (s->members.items[i]->output != NULL) {
            visit(s->members.items[i]->output);
        }
    }
}

void level_set_wake(struct level_set *s)
{
    lock_take(&s->lock);
    each_output(s, level_output_wake);
    lock_give(&s->lock);
}

void level_set_drain(struct level_set *s)
{
    lock_take(&s->lock);
    s->stopping = true;
    cond_broadcast(&s->changed);
    each_output(s, level_output_drain);
    lock_give(&s->lock);
}

void level_set_stop(struct level_set *s, struct wait wait)
{
    level_set_drain(s);
    thread_join(&s->thread);
    level_set_drain(s); /* those that came while it ended */
    bool was_open = s->path != NULL && !s->stopped;
    s->stopped = true;
    for (size_t i = 0; i < s->members.len; i++) {
        if (s->members.items[i]->output != NULL) {
            level_output_stop(s->members.items[i]->output, wait);
        }
    }
    if (was_open) {
        save(s);
    }
}

void level_set_close(struct level_set *s)
{
    if (s == NULL) {
        return;
    }
    level_set_drain(s);
    thread_join(&s->thread);
    discover_close(s->discover);
    for (size_t i = 0; i < s->members.len; i++) {
        member_free(s->members.items[i]);
    }
    for (size_t i = 0; i < s->heirlooms.len; i++) {
        mem_free(s->heirlooms.items[i].url);
        level_memory_free(s->heirlooms.items[i].memory);
    }
    vec_release(&s->members);
    vec_release(&s->heirlooms);
    mem_free(s->path);
    relabel_free(s->relabel);
    relabel_free(s->alert_relabel);
    relabel_work_release(&s->work);
    cond_release(&s->changed);
    lock_release(&s->lock);
    lock_release(&s->changing);
    mem_free(s);
}

/* ---- looking ---- */

static void add_status(struct output_status *ret, const struct output_status *one, bool is_first)
{
    struct output_status sum = *ret;
    bool is_worse = is_first || one->trouble > ret->trouble;

    *ret = is_worse ? *one : *ret;
    ret->delivered_rows = sum.delivered_rows + one->delivered_rows;
    ret->rejected_rows = sum.rejected_rows + one->rejected_rows;
    ret->retries = sum.retries + one->retries;
    ret->calls = sum.calls + one->calls;
    ret->failed_calls = sum.failed_calls + one->failed_calls;
    ret->call_ns = sum.call_ns + one->call_ns;
    ret->sent_bytes = sum.sent_bytes + one->sent_bytes;
    ret->untold_alerts = sum.untold_alerts + one->untold_alerts;
    ret->is_healthy = sum.is_healthy && one->is_healthy;
    ret->last_success_ns =
        sum.last_success_ns > one->last_success_ns ? sum.last_success_ns : one->last_success_ns;
}

void level_set_status(struct level_set *s, struct output_status *ret)
{
    struct output_status empty = *ret;
    bool is_first = true;

    lock_take(&s->lock);
    for (size_t i = 0; i < s->members.len; i++) {
        struct output_status one = empty;
        if (s->members.items[i]->output != NULL) {
            level_output_status(s->members.items[i]->output, &one);
            add_status(ret, &one, is_first);
            is_first = false;
        }
    }
    lock_give(&s->lock);
}

void level_set_targets(struct level_set *s,
                       void (*visit)(void *arg, const struct level_set_target *target), void *arg)
{
    const struct http_client_config *client =
        (const void *)((const char *)s->config + s->exporter->client_offset);

    lock_take(&s->lock);
    for (size_t i = 0; i < s->members.len; i++) {
        const struct member *m = s->members.items[i];
        struct output_status status = {.state = "idle", .is_healthy = true};
        if (m->output != NULL) {
            level_output_status(m->output, &status);
            if (status.last_result.success) {
                status.last_error[0] = '\0';
            }
        }
        visit(arg, &(struct level_set_target){.exporter = s->place.name,
                                              .kind = m->kind,
                                              .url = m->url != NULL       ? str_of(m->url)
                                                     : s->targets == NULL ? client->url
                                                                          : STR(""),
                                              .labels = m->labels,
                                              .is_dropped = m->output == NULL,
                                              .status = &status});
    }
    lock_give(&s->lock);
}
