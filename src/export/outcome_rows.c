#include "export/outcome_rows.h"

#include "base/mem.h"

#include <string.h>

/* The rows behind <settled> share the rest; those that are tried again anyway may be excepted
 * then. */
struct fate *outcome_fates(const struct outcome *out, uint32_t n)
{
    struct fate *fates = mem_alloc0((size_t)n + 1, sizeof(*fates));
    const char *reason = out->err.message[0] != '\0' ? out->err.message : "not delivered";

    for (uint32_t i = 0; i < n; i++) {
        fates[i].verdict = i < out->settled ? VERDICT_DELIVERED : out->rest;
        fates[i].reason = reason;
    }
    for (size_t i = 0; i < out->except.list.len; i++) {
        const struct exception *x = &out->except.list.items[i];
        if (x->index < n && (x->index < out->settled || !verdict_is_owed(out->rest))) {
            fates[x->index] = (struct fate){x->verdict, x->reason};
        }
    }
    return fates;
}

uint32_t *fates_owed(const struct fate *fates, struct view view, uint32_t *ret_count)
{
    uint32_t *rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    uint32_t n = 0;

    for (uint32_t i = 0; i < view.n; i++) {
        if (verdict_is_owed(fates[i].verdict)) {
            rows[n++] = view_row(view, i);
        }
    }
    *ret_count = n;
    return rows;
}

bool outcome_is_clean(const struct outcome *out, uint32_t n)
{
    return out->except.list.len == 0 && out->dropped == 0 && out->settled >= n;
}

struct str outcome_reason(const struct outcome *out)
{
    for (size_t i = 0; out->err.message[0] == '\0' && i < out->except.list.len; i++) {
        if (verdict_is_owed(out->except.list.items[i].verdict)) {
            return str_of(out->except.list.items[i].reason);
        }
    }
    return out->err.message[0] != '\0' ? str_of(out->err.message) : STR("not delivered");
}

/* ---- from calls and rows to an outcome ---- */

void outcome_add(struct outcome *out, const struct outcome *one)
{
    bool is_first = !verdict_is_owed(out->rest);

    out->requests += one->requests;
    out->bytes += one->bytes;
    out->dropped += one->dropped;
    if (one->retry_after_ms > out->retry_after_ms) {
        out->retry_after_ms = one->retry_after_ms;
    }
    if (is_first && (verdict_is_owed(one->rest) || out->err.code == ERR_NONE)) {
        out->rest = one->rest;
        out->status = one->status != 0 ? one->status : out->status;
        out->err = one->err.code != ERR_NONE ? one->err : out->err;
    }
}

struct fate fate_worse(struct fate a, struct fate b)
{
    static const uint8_t bad[VERDICTS] = {
        [VERDICT_DELIVERED] = 0, [VERDICT_HELD] = 1,    [VERDICT_REJECTED] = 2,
        [VERDICT_RETRY] = 3,     [VERDICT_UNKNOWN] = 4, [VERDICT_HALT] = 5,
    };

    return bad[b.verdict] > bad[a.verdict] ? b : a;
}

/* The verdict that rest is to have: the one that most wants another try, else none (DELIVERED). */
static enum verdict owed_verdict(const struct fate *fates, uint32_t n)
{
    enum verdict worst = VERDICT_DELIVERED;

    for (uint32_t i = 0; i < n; i++) {
        enum verdict v = fates[i].verdict;
        bool is_worse = verdict_is_owed(v) && (worst == VERDICT_DELIVERED || v < worst);
        worst = is_worse ? v : worst;
    }
    return worst;
}

static bool is_there(enum verdict v)
{
    return v == VERDICT_DELIVERED || v == VERDICT_HELD;
}

/* Rows at the end that are all of <rest> for the <common> reason need no exceptions. */
static uint32_t tail_start(const struct fate *fates, uint32_t n, enum verdict rest,
                           const char *common)
{
    while (n > 0 && fates[n - 1].verdict == rest &&
           (fates[n - 1].reason == NULL || strcmp(fates[n - 1].reason, common) == 0)) {
        n--;
    }
    return n;
}

void outcome_word(struct outcome *out, const struct fate *fates, uint32_t n, enum verdict rest)
{
    enum verdict owed = owed_verdict(fates, n);
    const char *reason = out->err.message[0] != '\0' ? out->err.message : "not delivered";

    rest = verdict_is_owed(owed) ? owed : rest;
    out->rest = is_there(rest) ? VERDICT_DELIVERED : rest;
    out->settled = is_there(rest) ? n : tail_start(fates, n, rest, reason);
    for (uint32_t i = 0; i < out->settled; i++) {
        const struct fate *f = &fates[i];
        if (!is_there(f->verdict)) {
            outcome_except(out, i, f->verdict, f->reason != NULL ? f->reason : reason);
        }
    }
}
