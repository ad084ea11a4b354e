#include "rules/rule_batch.h"

#include "base/mem.h"

enum { NUMBER_DIGITS_MAX = 6, PART_OVERHEAD = 48, CHARGE_BYTES = 256 << 10 };

static const struct str key = STR_INIT("\"__rule__\":\"");

void rule_batch_init(struct rule_batch *b, struct budget *budget)
{
    *b = (struct rule_batch){.budget = budget};
    arena_init(&b->arena, ARENA_UNLIMITED);
}

void rule_batch_clear(struct rule_batch *b)
{
    vec_clear(&b->parts);
    vec_clear(&b->rows);
    arena_reset(&b->arena);
    budget_give(b->budget, b->charged);
    b->charged = 0;
    b->expr_bytes = 0;
}

void rule_batch_release(struct rule_batch *b)
{
    rule_batch_clear(b);
    vec_release(&b->parts);
    vec_release(&b->rows);
    arena_release(&b->arena);
}

bool rule_batch_add(struct rule_batch *b, uint32_t rule, struct str expr)
{
    size_t bytes = b->expr_bytes + expr.len + PART_OVERHEAD;

    if (b->parts.len >= BATCH_RULES_MAX || bytes > BATCH_EXPR_BYTES) {
        return false;
    }
    b->expr_bytes = bytes;
    struct batch_part part = {.rule = rule, .expr = expr};
    vec_push(&b->parts, part);
    return true;
}

/* ---- the request ---- */

/* A comment at the end ends with its line. */
static void print_part(struct str expr, size_t number, struct buf *out)
{
    buf_add_text(out, "label_replace(");
    buf_add_str(out, expr);
    buf_add_text(out, str_find_byte(expr, '#') < expr.len ? "\n" : "");
    buf_add_text(out, ",\"__rule__\",\"");
    buf_add_u64(out, number);
    buf_add_text(out, "\",\"\",\"\")");
}

/* Halves, each in parentheses: a chain of thousands would be nested as deeply in the store. */
static void print_parts(const struct rule_batch *b, size_t from, size_t to, struct buf *out)
{
    size_t middle = from + (to - from) / 2;

    if (to - from == 1) {
        print_part(b->parts.items[from].expr, from, out);
        return;
    }
    buf_add_byte(out, '(');
    print_parts(b, from, middle, out);
    buf_add_text(out, " or ");
    print_parts(b, middle, to, out);
    buf_add_byte(out, ')');
}

void rule_batch_print(const struct rule_batch *b, struct buf *out)
{
    if (b->parts.len > 0) {
        print_parts(b, 0, b->parts.len, out);
    }
}

/* ---- the answer ---- */

/*
 * Where the label's key is. A quote inside a value is escaped, so these bytes behind a brace or comma are
 * a key. raw.len: nowhere.
 */
static size_t find_key(struct str raw)
{
    for (size_t i = 1; i + key.len <= raw.len; i++) {
        if (raw.ptr[i] == '"' && (raw.ptr[i - 1] == ',' || raw.ptr[i - 1] == '{') &&
            memcmp(raw.ptr + i, key.ptr, key.len) == 0) {
            return i;
        }
    }
    return raw.len;
}

static bool take_number(struct str raw, size_t *at, uint32_t *ret_number)
{
    uint32_t number = 0;
    size_t from = *at;

    for (; *at < raw.len && *at - from < NUMBER_DIGITS_MAX; (*at)++) {
        char c = raw.ptr[*at];
        if (c < '0' || c > '9') {
            break;
        }
        number = number * 10 + (uint32_t)(c - '0');
    }
    *ret_number = number;
    return *at > from && *at < raw.len && raw.ptr[*at] == '"';
}

bool rule_batch_split(struct str raw, struct arena *a, uint32_t *ret_number, struct str *ret_raw)
{
    size_t start = find_key(raw);
    size_t end = start + key.len;
    uint32_t number;

    if (start == raw.len || !take_number(raw, &end, &number)) {
        return false;
    }
    end++;
    if (end < raw.len && raw.ptr[end] == ',') {
        end++; /* the comma behind it goes with it, */
    } else if (raw.ptr[start - 1] == ',') {
        start--; /* or the one before it, where it was the last */
    }
    char *text = arena_alloc(a, raw.len - (end - start));
    memcpy(text, raw.ptr, start);
    memcpy(text + start, raw.ptr + end, raw.len - end);
    *ret_number = number;
    *ret_raw = str_make(text, raw.len - (end - start));
    return true;
}

/* Room for a row of so many bytes; taken in large steps. */
static bool charge(struct rule_batch *b, size_t bytes, struct err *e)
{
    int64_t held = (int64_t)(arena_bytes(&b->arena) + b->rows.len * sizeof(struct batch_row));
    int64_t more = held + (int64_t)bytes - b->charged;

    if (more <= 0) {
        return true;
    }
    if (!budget_take(b->budget, more + CHARGE_BYTES, e)) {
        return false;
    }
    b->charged += more + CHARGE_BYTES;
    return true;
}

static bool take_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct rule_batch *b = arg;
    struct batch_row row = {.time_ns = time_ns, .value = value};
    uint32_t number;

    if (!charge(b, raw.len + sizeof(row), e)) {
        return false;
    }
    if (!rule_batch_split(raw, &b->arena, &number, &row.raw) || number >= b->parts.len) {
        return err_set(e, ERR_PARSE, "a series of the answer does not say whose it is: %.*s",
                       STR_FMT(str_slice(raw, 0, 300)));
    }
    struct batch_part *part = &b->parts.items[number];
    uint32_t id = (uint32_t)b->rows.len;
    if (part->count++ == 0) {
        part->first = id;
    } else {
        b->rows.items[part->last].next = id;
    }
    part->last = id;
    vec_push(&b->rows, row);
    return true;
}

static bool check_answer(const struct answer_info *info, struct err *e)
{
    const char *doubt = info->is_partial       ? "is partial"
                        : info->has_histograms ? "has histograms"
                        : info->is_scalar      ? "is a scalar"
                        : info->warnings > 0   ? "comes with warnings"
                                               : NULL;

    return doubt == NULL ||
           err_set(e, ERR_PARSE, "the answer to many rules in one request %s", doubt);
}

bool rule_batch_ask(struct rule_batch *b, struct datasource *d, const struct query *q,
                    struct err *e)
{
    AUTO(buf_release) struct buf expr = BUF_INIT(BUF_UNLIMITED);
    const struct answer_sink sink = {take_row, b};
    struct batch_row nobody = {0};
    struct query whole = *q;
    struct answer_info info;

    rule_batch_print(b, &expr);
    whole.expr = buf_str(&expr);
    vec_push(&b->rows, nobody);
    return datasource_query(d, &whole, &sink, &info, e) && check_answer(&info, e);
}

bool rule_batch_replay(const struct rule_batch *b, size_t part, const struct answer_sink *sink,
                       struct answer_info *ret_info, struct err *e)
{
    const struct batch_part *p = &b->parts.items[part];

    for (uint32_t id = p->first; id != 0; id = b->rows.items[id].next) {
        const struct batch_row *row = &b->rows.items[id];
        if (!sink->row(sink->arg, row->raw, row->time_ns, row->value, e)) {
            return false;
        }
    }
    *ret_info = (struct answer_info){.series_fetched = -1, .rows = p->count};
    return true;
}
