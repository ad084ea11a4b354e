/*
 * Opening, changing and closing.
 *
 * Invariants
 *   1. What a plan borrows outlives it: compiled configs go after plan_change() or plan_close(), the
 *      registry, the trace and the file system in memory after the plan.
 *   2. <now> is what the plan runs with; during a change it is that or <next>.
 */
#include "lib/hub.h"

#include "base/metrics.h"
#include "base/trace.h"
#include "lib/problem.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MARK_BYTES = 4096, SEGMENTS = 16, SEGMENT_MIN = 256 * 1024, FLUSH_LOOK_MS = 2 };

/* ---- whose it is ---- */

static bool make_mark(struct telex_hub *hub, struct err *e)
{
    void *page = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return err_set(e, ERR_IO, "no memory for a page");
    }
    hub->mark = page;
    if (madvise(page, MARK_BYTES, MADV_WIPEONFORK) != 0) {
        return err_set(e, ERR_IO, "this kernel cannot tell a forked child (MADV_WIPEONFORK)");
    }
    atomic_store(&hub->mark->is_own, 1);
    return true;
}

int hub_check(const struct telex_hub *hub, struct telex_error *error)
{
    if (hub == NULL) {
        return lib_err_text(error, TELEX_INVALID, "a hub is needed");
    }
    return hub_is_own(hub) ? TELEX_OK
                           : lib_err_text(error, TELEX_FORKED,
                                          "the hub belongs to the parent process; open another");
}

/* ---- opening ---- */

static void make_env(struct telex_hub *hub, const struct lib_settings *s)
{
    rng_init(&hub->rng);
    budget_init(&hub->budget, NULL, "the library", s->limits.budget_bytes);
    hub->env = (struct env){
        .clock = clock_system(),
        .rng = &hub->rng,
        .trace = trace_sink_new(STDERR_FILENO, (enum trace_format)s->log.format, clock_system()),
        .metrics = metrics_new(),
        .budget = &hub->budget};
    trace_sink_set_level(hub->env.trace, STR_NONE, (enum trace_level)s->log.level);
}

/* Where there is no folder the log is kept in memory, of which a part is given back at a time. */
static void choose_storage(struct telex_hub *hub, struct compiled *c)
{
    int64_t limit = c->settings.limits.memory_bytes;
    int64_t segment = limit / SEGMENTS;

    if (hub->memory != NULL) {
        c->plan.storage = (struct plan_storage){
            .fs = fs_memory_fs(hub->memory),
            .max_bytes = limit,
            .max_bytes_option = "library.memory_bytes",
            .segment_bytes = segment > SEGMENT_MIN ? segment : SEGMENT_MIN,
        };
    }
}

static void free_hub(struct telex_hub *hub)
{
    plan_close(hub->plan);
    compiled_unref(hub->now);
    fs_memory_free(hub->memory);
    net_release(&hub->net);
    metrics_free(hub->env.metrics);
    trace_sink_free(hub->env.trace);
    ring_close(&hub->ring);
    lock_release(&hub->changing);
    lock_release(&hub->lock);
    if (hub->mark != NULL) {
        (void)munmap(hub->mark, MARK_BYTES);
    }
    mem_free(hub);
}

/* Dead letters and cursors need room beside the records. */
static int64_t memory_of_all(int64_t limit)
{
    return limit <= INT64_MAX / 4 ? limit * 4 : limit;
}

static bool open_parts(struct telex_hub *hub, struct compiled *c, struct err *e)
{
    const struct lib_settings *s = &c->settings;

    hub->now = c;
    make_env(hub, s);
    if (!make_mark(hub, e) || !net_init(&hub->net, e) ||
        !ring_open(&hub->ring, s->limits.ring_bytes, e)) {
        return false;
    }
    if (s->state.path.len == 0) {
        hub->memory = fs_memory_new(memory_of_all(s->limits.memory_bytes));
    }
    choose_storage(hub, c);
    return plan_open(&hub->env, &c->plan, &hub->plan, e) &&
           writer_start(&hub->writer, &hub->env, &hub->ring, hub->plan,
                        hub->memory != NULL ? s->limits.memory_bytes : INT64_MAX, e);
}

int telex_open(const struct telex_config *config, struct telex_hub **ret_hub,
               struct telex_error *error)
{
    struct compiled *c = NULL;
    struct err e = ERR_INIT;

    if (ret_hub == NULL) {
        return lib_err_text(error, TELEX_INVALID, "a place for the hub is needed");
    }
    if (!lib_has_memory(LIB_OPEN_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    if (!compiled_new(config, &c, &e)) {
        return lib_err(error, &e);
    }
    struct telex_hub *hub = mem_new(struct telex_hub);
    lock_init(&hub->changing);
    lock_init(&hub->lock);
    if (!open_parts(hub, c, &e)) {
        free_hub(hub);
        return lib_err(error, &e);
    }
    *ret_hub = hub;
    return TELEX_OK;
}

/* ---- closing ---- */

static void count_left(struct telex_hub *hub, const struct plan_left *left,
                       struct telex_left *ret_left)
{
    const struct writer *w = &hub->writer;
    uint64_t given = atomic_load(&w->logged) + atomic_load(&w->unrouted);

    *ret_left = (struct telex_left){.struct_size = ret_left->struct_size,
                                    .records = ring_taken(&hub->ring) - given,
                                    .frames = left->frames,
                                    .dead_letters = left->dead_letters,
                                    .dropped = left->dropped};
    for (enum drop_cause cause = 0; cause < DROP_CAUSES; cause++) {
        ret_left->dropped += atomic_load(&w->dropped[cause]);
    }
}

int telex_close(struct telex_hub *hub, int64_t timeout_ms, struct telex_left *ret_left,
                struct telex_error *error)
{
    struct telex_left own = {.struct_size = sizeof(own)};
    struct plan_left left = {0};
    int code = hub_check(hub, error);

    if (code != TELEX_OK) {
        return code;
    }
    struct telex_left *said =
        ret_left != NULL && ret_left->struct_size >= sizeof(own) ? ret_left : &own;
    int64_t deadline_ns = clock_deadline_ms(hub->env.clock, timeout_ms > 0 ? timeout_ms : 0);
    writer_stop(&hub->writer, deadline_ns);
    (void)plan_drain(hub->plan, (struct wait){deadline_ns, NULL}, &left);
    count_left(hub, &left, said);
    writer_release(&hub->writer);
    free_hub(hub);
    if (said->records + said->frames + said->dead_letters + said->dropped == 0) {
        return TELEX_OK;
    }
    return lib_err_text(error, TELEX_UNDELIVERED,
                        "%llu records lost, %llu batches not delivered, %llu dead letters, %llu "
                        "dropped%s%.500s",
                        (unsigned long long)said->records, (unsigned long long)said->frames,
                        (unsigned long long)said->dead_letters, (unsigned long long)said->dropped,
                        left.text[0] != '\0' ? ": " : "", left.text);
}

/* ---- changing ---- */

struct hub_view hub_view_begin(struct telex_hub *hub)
{
    lock_take(&hub->lock);
    struct hub_view v = {compiled_ref(hub->now), NULL};
    v.next = hub->next != NULL ? compiled_ref(hub->next) : NULL;
    lock_give(&hub->lock);
    return v;
}

void hub_view_end(struct hub_view *v)
{
    compiled_unref(v->now);
    compiled_unref(v->next);
}

static void set_next(struct telex_hub *hub, struct compiled *c)
{
    lock_take(&hub->lock);
    hub->next = c;
    lock_give(&hub->lock);
}

/* Those that were opened with another state folder or in memory stay so. */
static bool change(struct telex_hub *hub, struct compiled *c, struct err *e)
    REQUIRES(&hub->changing)
{
    const struct compiled *before = hub->now;

    c->plan.state_path = before->plan.state_path;
    choose_storage(hub, c);
    set_next(hub, c);
    bool ok = plan_change(hub->plan, &c->plan, e);
    lock_take(&hub->lock);
    struct compiled *old = ok ? hub->now : c;
    hub->now = ok ? c : hub->now;
    hub->next = NULL;
    lock_give(&hub->lock);
    if (ok) {
        trace_sink_set_level(hub->env.trace, STR_NONE, (enum trace_level)c->settings.log.level);
    }
    compiled_unref(old);
    return ok;
}

static int change_to(struct telex_hub *hub, const struct telex_config *config,
                     struct telex_error *error) REQUIRES(&hub->changing)
{
    struct compiled *c = NULL;
    struct err e = ERR_INIT;

    if (!lib_has_memory(LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    return compiled_new(config, &c, &e) && change(hub, c, &e) ? TELEX_OK : lib_err(error, &e);
}

int telex_update(struct telex_hub *hub, const struct telex_config *config,
                 struct telex_error *error)
{
    int code = hub_check(hub, error);

    if (code != TELEX_OK) {
        return code;
    }
    lock_take(&hub->changing);
    code = change_to(hub, config, error);
    lock_give(&hub->changing);
    return code;
}

struct telex_config *telex_hub_config(struct telex_hub *hub)
{
    if (!hub_is_own(hub)) {
        return NULL;
    }
    struct hub_view v = hub_view_begin(hub);
    struct telex_config *copy = telex_config_copy(v.now->config);
    hub_view_end(&v);
    return copy;
}

/* One thing that is said otherwise in the config that the hub runs with. */
struct edit {
    bool is_debug;
    const char *path;
    const char *value;
    uint32_t flags;
};

static int apply(struct telex_config *config, const struct edit *edit, struct telex_error *error)
{
    if (!edit->is_debug) {
        return telex_config_set(config, edit->path, edit->value, error);
    }
    config->debug = edit->flags;
    config->has_debug = true;
    return TELEX_OK;
}

static int edit_config(struct telex_hub *hub, const struct edit *edit, struct telex_error *error)
    REQUIRES(&hub->changing)
{
    struct telex_config *config = telex_hub_config(hub);

    if (config == NULL) {
        return lib_err_text(error, TELEX_NO_MEMORY, "the system has no memory for this");
    }
    int code = apply(config, edit, error);
    code = code == TELEX_OK ? change_to(hub, config, error) : code;
    telex_config_free(config);
    return code;
}

/* Nobody else changes the config between the copy and the change: of two at once both hold. */
static int change_one(struct telex_hub *hub, const struct edit *edit, struct telex_error *error)
{
    int code = hub_check(hub, error);

    if (code != TELEX_OK) {
        return code;
    }
    lock_take(&hub->changing);
    code = edit_config(hub, edit, error);
    lock_give(&hub->changing);
    return code;
}

int telex_update_option(struct telex_hub *hub, const char *path, const char *value,
                        struct telex_error *error)
{
    const struct edit edit = {.path = path, .value = value};

    return change_one(hub, &edit, error);
}

int telex_debug_mode(struct telex_hub *hub, uint32_t flags, struct telex_error *error)
{
    const struct edit edit = {.is_debug = true, .flags = flags};

    return change_one(hub, &edit, error);
}

/* ---- flushing ---- */

static bool is_delivered(struct telex_hub *hub, const struct compiled *c, uint64_t seq)
{
    for (size_t i = 0; i < c->plan.target_count; i++) {
        if (!plan_target_delivered(hub->plan, i, RECORD_PROFILE, seq)) {
            return false;
        }
    }
    return true;
}

int telex_flush(struct telex_hub *hub, int64_t timeout_ms, struct telex_error *error)
{
    uint64_t seq = 0;
    int code = hub_check(hub, error);

    if (code != TELEX_OK) {
        return code;
    }
    int64_t deadline_ns = clock_deadline_ms(hub->env.clock, timeout_ms > 0 ? timeout_ms : 0);
    bool done = writer_wait_given(&hub->writer, deadline_ns, &seq);
    while (done && seq > 0) {
        struct hub_view v = hub_view_begin(hub);
        plan_hurry(hub->plan); /* again each time: what was given comes out of the log bit by bit */
        bool delivered = is_delivered(hub, v.now, seq);
        hub_view_end(&v);
        if (delivered) {
            break;
        }
        done = clock_mono_ns(hub->env.clock) < deadline_ns;
        (void)wait_sleep((struct wait){clock_deadline_ms(hub->env.clock, FLUSH_LOOK_MS), NULL});
    }
    return done ? TELEX_OK
                : lib_err_text(error, TELEX_TIMEOUT, "not everything was delivered within %lld ms",
                               (long long)timeout_ms);
}
