/* Any bytes as an answer; each label object is parsed as a caller would. */
#include "wire/prom_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool row(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e)
{
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;

    (void)time_ns;
    (void)value;
    labels_builder_init(&b);
    return prom_labels_parse(raw_labels, arg, &b, e) && labels_build(&b, &l, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    const struct prom_rows rows = {row, &a};
    struct prom_answer answer;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = prom_answer_decode(str_make((const char *)data, size), &a, &rows, &answer, &e);
    INVARIANT(ok == (e.code == ERR_NONE));
    return 0;
}
