/*
 * Any text as line protocol; then the same bytes as a label value, measurement and alert state, whose
 * lines must be readable.
 */
#include "wire/influx_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool count_point(void *arg, const struct influx_point *point, struct err *e)
{
    (void)e;
    INVARIANT(point->field_count > 0 && point->measurement.len > 0);
    *(size_t *)arg += 1;
    return true;
}

static size_t count_points(struct str text, bool *ret_ok)
{
    AUTO(arena_release) struct arena a;
    size_t count = 0;
    const struct influx_points points = {count_point, &count};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    *ret_ok = influx_read(text, &a, &points, &e);
    return count;
}

static void check_writer(struct str bytes)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(influx_writer_release) struct influx_writer w;
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;
    const struct batch_info info = {.measurement = str_slice(bytes, bytes.len / 2, bytes.len)};
    const uint32_t series_of = 0;
    const int64_t time_ns = 1;
    const double value = 1;
    struct err e = ERR_INIT;
    bool ok;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), STR("x"));
    labels_builder_push(&b, STR("a"), bytes);
    labels_builder_push(&b, STR("b"), str_slice(bytes, 0, bytes.len / 2));
    if (!labels_build(&b, &l, &e)) {
        return;
    }
    const struct samples s = {&l, 1, 1, &series_of, &time_ns, &value, NULL};
    influx_writer_init(&w, &info);
    INVARIANT(influx_add_sample(&w, &s, 0, &out) == INFLUX_WRITTEN);
    INVARIANT(count_points(buf_str(&out), &ok) == 1 && ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make((const char *)data, size);
    bool ok;

    (void)count_points(bytes, &ok);
    check_writer(bytes);
    return 0;
}
