#include "export/kept_letters.h"

#include "log/log_inspect.h"

#include <string.h>

/* Where <number> stands among the gone, or would. */
static size_t index_of(const struct kept_letters *k, uint64_t number)
{
    size_t first = 0;
    size_t end = k->gone.len;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (k->gone.items[middle] < number) {
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

    return i < k->gone.len && k->gone.items[i] == number;
}

static void count_out(struct kept_letters *k, uint32_t records)
{
    k->sum.letters -= k->sum.letters > 0;
    k->sum.records -= records < k->sum.records ? records : k->sum.records;
}

void kept_letters_add(struct kept_letters *k, uint32_t records)
{
    k->sum.letters++;
    k->sum.records += records;
}

void kept_letters_note_gone(struct kept_letters *k, uint64_t number, uint32_t records)
{
    size_t i = index_of(k, number);

    vec_push(&k->gone, number);
    memmove(&k->gone.items[i + 1], &k->gone.items[i], (k->gone.len - 1 - i) * sizeof(number));
    k->gone.items[i] = number;
    count_out(k, records);
}

/* Records of a letter; 0: the frame is a mark. What does not read as either is kept as one. */
static uint32_t records_of(uint16_t type, struct str payload)
{
    struct dead_letter letter;
    uint64_t number = 0;
    uint32_t records = 0;
    struct err ignored = ERR_INIT;

    if (dead_letter_parse_mark(type, payload, &number, &records)) {
        return 0;
    }
    return dead_letter_parse(type, payload, &letter, &ignored) ? letter.records : 1;
}

uint32_t kept_letters_pass(struct kept_letters *k, uint64_t number, uint16_t type,
                           struct str payload)
{
    uint32_t records = kept_letters_is_gone(k, number) ? 0 : records_of(type, payload);
    size_t passed = index_of(k, number + 1);

    if (records > 0) {
        count_out(k, records);
    }
    if (passed > 0) {
        k->gone.len -= passed;
        memmove(k->gone.items, k->gone.items + passed, k->gone.len * sizeof(number));
    }
    return records;
}

/* ---- a folder ---- */

struct counting {
    struct kept_letters *kept;
    uint64_t cursor;
};

static bool count_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct counting *c = arg;
    uint64_t number = 0;
    uint32_t records = 0;

    (void)e;
    if (f->seq <= c->cursor) {
        return true;
    }
    if (!dead_letter_parse_mark(f->type, f->payload, &number, &records)) {
        kept_letters_add(c->kept, records_of(f->type, f->payload));
    } else if (number > c->cursor && !kept_letters_is_gone(c->kept, number)) {
        kept_letters_note_gone(c->kept, number, records);
    }
    return true;
}

void kept_letters_read(struct kept_letters *k, const struct fs *fs, struct str folder)
{
    const struct log_view_consumer *all = NULL;
    struct counting counting = {k, 0};
    struct log_view *v = NULL;
    struct err ignored = ERR_INIT;

    k->sum = (struct dead_letters_sum){0};
    vec_clear(&k->gone);
    if (!log_view_is_log(fs, folder) || !log_view_open(fs, folder, &v, &ignored)) {
        return;
    }
    for (size_t i = 0, n = log_view_consumers(v, &all); i < n; i++) {
        counting.cursor = all[i].has_cursor ? all[i].cursor : counting.cursor;
    }
    const struct log_walk walk = {
        .arg = &counting, .frame = count_frame, .from_seq = counting.cursor + 1};
    bool read = log_view_walk(v, &walk, &ignored);
    (void)read; /* what cannot be read could not be shown either */
    log_view_close(v);
}

void kept_letters_release(struct kept_letters *k)
{
    vec_release(&k->gone);
}
