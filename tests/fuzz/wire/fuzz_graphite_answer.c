/* Any bytes as an answer; each label object is parsed as a caller would. */
#include "wire/graphite_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool row(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e)
{
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;

    (void)time_ns;
    (void)value;
    labels_builder_init(&b);
    return graphite_labels_parse(raw_labels, arg, &b, e) && labels_build(&b, &l, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    const struct graphite_rows rows = {row, &a};
    uint64_t series = 0;
    uint64_t given = 0;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok =
        graphite_answer_decode(str_make((const char *)data, size), &a, &rows, &series, &given, &e);
    INVARIANT(ok == (e.code == ERR_NONE) && given <= series);
    return 0;
}
