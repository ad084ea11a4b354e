#include "export/kept_letters.h"

#include "base/mem.h"
#include "log/log_inspect.h"

#include <string.h>

/* Where <number> stands among the gone, or would. */
static size_t index_of(const struct kept_letters *k, uint64_t number)
{
    size_t first = 0;
    size_t end = k->gone.len;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (k->gone.items[middle].number < number) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

bool kept_letters_is_gone(const struct kept_letters *k, uint64_t number)
{
    size_t i = index_of(k, number);

    return i < k->gone.len && k->gone.items[i].number == number;
}

/* ---- counting ---- */

static struct dead_letters_sum *share_of(const struct kept_letters *k, struct str stream)
{
    for (size_t i = 0; i < k->shares.len; i++) {
        if (str_eq(k->shares.items[i].stream, stream)) {
            return &k->shares.items[i].sum;
        }
    }
    return NULL;
}

static void add_to(struct dead_letters_sum *sum, uint32_t records)
{
    sum->letters++;
    sum->records += records;
}

static void take_from(struct dead_letters_sum *sum, uint32_t records)
{
    sum->letters -= sum->letters > 0;
    sum->records -= records < sum->records ? records : sum->records;
}

static struct dead_letters_sum *make_share(struct kept_letters *k, struct str stream)
{
    struct kept_share share = {.stream =
                                   str_make(mem_dup_text(stream.ptr, stream.len), stream.len)};

    vec_push(&k->shares, share);
    return &k->shares.items[k->shares.len - 1].sum;
}

void kept_letters_add(struct kept_letters *k, struct str stream, uint32_t records)
{
    add_to(&k->sum, records);
    if (stream.len > 0) {
        struct dead_letters_sum *share = share_of(k, stream);
        add_to(share != NULL ? share : make_share(k, stream), records);
    }
}

struct dead_letters_sum kept_letters_sum_of(const struct kept_letters *k, struct str stream)
{
    const struct dead_letters_sum *sum = share_of(k, stream);

    return sum != NULL ? *sum : (struct dead_letters_sum){0};
}

static void count_out(struct kept_letters *k, struct str stream, uint32_t records)
{
    struct dead_letters_sum *share = share_of(k, stream);

    take_from(&k->sum, records);
    if (share != NULL) {
        take_from(share, records);
    }
}

/* ---- what left ---- */

static void insert_gone(struct kept_letters *k, struct gone_letter letter)
{
    size_t i = index_of(k, letter.number);

    vec_push(&k->gone, letter);
    memmove(&k->gone.items[i + 1], &k->gone.items[i], (k->gone.len - 1 - i) * sizeof(letter));
    k->gone.items[i] = letter;
    k->gone_bytes += letter.bytes;
}

void kept_letters_note_gone(struct kept_letters *k, const struct dead_letter *letter, int64_t bytes)
{
    insert_gone(k, (struct gone_letter){letter->number, bytes});
    count_out(k, letter->stream, letter->records);
}

/* False: the frame is a mark. What does not read as either is kept as one record. */
static bool read_letter(uint16_t type, struct str payload, struct dead_letter *ret)
{
    uint64_t number = 0;
    uint32_t records = 0;
    struct err ignored = ERR_INIT;

    *ret = (struct dead_letter){.records = 1, .stream = STR("")};
    if (dead_letter_parse_mark(type, payload, &number, &records)) {
        return false;
    }
    bool ok = dead_letter_parse(type, payload, ret, &ignored);
    (void)ok;
    return true;
}

uint32_t kept_letters_pass(struct kept_letters *k, uint64_t number, uint16_t type,
                           struct str payload)
{
    struct dead_letter letter;
    bool was_kept = !kept_letters_is_gone(k, number) && read_letter(type, payload, &letter);
    size_t passed = index_of(k, number + 1);

    if (was_kept) {
        count_out(k, letter.stream, letter.records);
    }
    for (size_t i = 0; i < passed; i++) {
        k->gone_bytes -= k->gone.items[i].bytes;
    }
    if (passed > 0) {
        k->gone.len -= passed;
        memmove(k->gone.items, k->gone.items + passed, k->gone.len * sizeof(k->gone.items[0]));
    }
    return was_kept ? letter.records : 0;
}

/* ---- a folder ---- */

struct counting {
    struct kept_letters *kept;
    uint64_t cursor;
};

/* A mark stands behind its letter, so what is gone is known before letters are counted. */
static bool find_mark(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct counting *c = arg;
    uint64_t number = 0;
    uint32_t records = 0;

    (void)e;
    if (f->seq > c->cursor && dead_letter_parse_mark(f->type, f->payload, &number, &records) &&
        number > c->cursor && !kept_letters_is_gone(c->kept, number)) {
        insert_gone(c->kept, (struct gone_letter){.number = number});
    }
    return true;
}

static void weigh_gone(struct kept_letters *k, uint64_t number, size_t bytes)
{
    struct gone_letter *gone = &k->gone.items[index_of(k, number)];

    gone->bytes = (int64_t)bytes;
    k->gone_bytes += gone->bytes;
}

static bool count_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct counting *c = arg;
    struct dead_letter letter;

    (void)e;
    if (kept_letters_is_gone(c->kept, f->seq)) {
        weigh_gone(c->kept, f->seq, f->payload.len);
    } else if (f->seq > c->cursor && read_letter(f->type, f->payload, &letter)) {
        kept_letters_add(c->kept, letter.stream, letter.records);
    }
    return true;
}

static void forget_all(struct kept_letters *k)
{
    for (size_t i = 0; i < k->shares.len; i++) {
        mem_free(k->shares.items[i].stream.ptr);
    }
    vec_clear(&k->shares);
    vec_clear(&k->gone);
    k->gone_bytes = 0;
    k->sum = (struct dead_letters_sum){0};
}

void kept_letters_read(struct kept_letters *k, const struct fs *fs, struct str folder)
{
    const struct log_view_consumer *all = NULL;
    struct counting counting = {k, 0};
    struct log_view *v = NULL;
    struct err ignored = ERR_INIT;

    forget_all(k);
    if (!log_view_is_log(fs, folder) || !log_view_open(fs, folder, &v, &ignored)) {
        return;
    }
    for (size_t i = 0, n = log_view_consumers(v, &all); i < n; i++) {
        counting.cursor = all[i].has_cursor ? all[i].cursor : counting.cursor;
    }
    struct log_walk walk = {.arg = &counting, .frame = find_mark, .from_seq = counting.cursor + 1};
    bool read = log_view_walk(v, &walk, &ignored);
    walk.frame = count_frame;
    read = read && log_view_walk(v, &walk, &ignored);
    (void)read; /* what cannot be read could not be shown either */
    log_view_close(v);
}

void kept_letters_release(struct kept_letters *k)
{
    forget_all(k);
    vec_release(&k->shares);
    vec_release(&k->gone);
}
