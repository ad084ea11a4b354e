/*
 * Any text in both forms. A sample that was read, made into labels and written again, is read as the same.
 */
#include "wire/prom_text.h"

#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct wanted {
    double value;
    size_t labels;
    size_t seen;
};

static bool check_again(void *arg, const struct prom_sample *s, struct err *e)
{
    struct wanted *w = arg;

    (void)e;
    INVARIANT(s->label_count == w->labels);
    INVARIANT(number_bits(s->value) == number_bits(w->value) || s->value != s->value);
    w->seen++;
    return true;
}

static bool check_sample(void *arg, const struct prom_sample *s, struct err *e)
{
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct wanted w = {.value = s->value};
    const struct prom_lines lines = {check_again, NULL, &w};
    struct err ignored = ERR_INIT;

    (void)e;
    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), s->name);
    for (size_t i = 0; i < s->label_count; i++) {
        labels_builder_push(&b, s->labels[i].name, s->labels[i].value);
    }
    if (labels_build(&b, &l, &ignored) && str_eq(labels_get(l, STR("__name__")), s->name) &&
        s->name.len > 0) {
        w.labels = l->count - 1;
        prom_text_add_sample(&out, l, s->value, s->has_time ? &s->time_ns : NULL);
        INVARIANT(prom_text_read(buf_str(&out), PROM_TEXT_PLAIN, arg, &lines, &ignored));
        INVARIANT(w.seen == 1);
    }
    return true;
}

static bool pass_meta(void *arg, const struct prom_meta *m, struct err *e)
{
    (void)arg;
    (void)e;
    INVARIANT(m->name.len > 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    const struct prom_lines lines = {check_sample, pass_meta, &a};

    for (int form = 0; form < 2; form++) {
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        bool ok = prom_text_read(str_make((const char *)data, size), (enum prom_text_form)form, &a,
                                 &lines, &e);
        INVARIANT(ok == (e.code == ERR_NONE));
        arena_release(&a);
    }
    return 0;
}
