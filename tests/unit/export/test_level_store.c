/* What targets were told, written and read again. */
#include "export/level_store.h"

#include "export/level_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct level_memory *memory_of(size_t count)
{
    struct level_memory *m = mem_new(struct level_memory);

    map_init(&m->confirmed, 0);
    for (size_t i = 0; i < count; i++) {
        struct confirmed *c = mem_new(struct confirmed);
        *c = (struct confirmed){
            .key = 7 * i + 1, .at_ns = (int64_t)(1000 + i), .is_told = true, .firing = i % 2};
        (void)map_put(&m->confirmed, str_make((const char *)&c->key, sizeof(c->key)), c);
    }
    return m;
}

static void print(void *arg, struct str url, struct level_memory *m)
{
    struct buf *out = arg;
    int64_t sum_ns = 0;
    size_t firing = 0;
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&m->confirmed, &at, NULL, &value)) {
        const struct confirmed *c = value;
        sum_ns += c->at_ns;
        firing += c->firing;
    }
    buf_addf(out, "%.*s:%u:%zu:%lld ", STR_FMT(url), m->confirmed.len, firing, (long long)sum_ns);
    level_memory_free(m);
}

static void write_two(struct buf *out)
{
    const struct level_store_time now = {.wall_ns = 5000000, .mono_ns = 3000};
    struct level_memory *one = memory_of(3);
    struct level_memory *none = memory_of(0);

    level_store_begin(out, 42);
    level_store_add(out, STR("http://a"), one, now);
    level_store_add(out, STR(""), none, now);
    level_store_end(out);
    level_memory_free(one);
    level_memory_free(none);
}

static void round_trip(void **state)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    (void)state;
    write_two(&bytes);
    /* 500 ns later, by a monotonic clock that began anew. */
    const struct level_store_time later = {.wall_ns = 5000500, .mono_ns = 100};
    assert_true(level_store_read(buf_str(&bytes), 42, later, print, &got, &e));
    assert_string_equal(buf_text(&got), "http://a:3:1:-7197 :0:0:0 ");

    /* The wall clock was set back: told just now, at the earliest. */
    buf_clear(&got);
    const struct level_store_time back = {.wall_ns = 1, .mono_ns = 100};
    assert_true(level_store_read(buf_str(&bytes), 42, back, print, &got, &e));
    assert_string_equal(buf_text(&got), "http://a:3:1:300 :0:0:0 ");

    buf_clear(&got);
    assert_true(level_store_read(buf_str(&bytes), 43, later, print, &got, &e));
    assert_string_equal(buf_text(&got), "");
}

/* Cut anywhere, or with any byte changed, it is refused. */
static void broken(void **state)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    const struct level_store_time now = {0, 0};

    (void)state;
    write_two(&bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        struct err e = ERR_INIT;
        assert_false(level_store_read(str_make(bytes.ptr, i), 42, now, print, &got, &e));
        bytes.ptr[i] = (char)(bytes.ptr[i] ^ 0x10);
        assert_false(level_store_read(buf_str(&bytes), 42, now, print, &got, &e));
        bytes.ptr[i] = (char)(bytes.ptr[i] ^ 0x10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(broken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
