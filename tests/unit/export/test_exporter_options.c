/* The options of holding: an exporter's own defaults send at once, and overflow has two spellings. */
#include "export/exporter_options.h"

#include "base/clock.h"
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *no_variable(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

static struct exporter_buffer parse(const char *text, struct arena *a)
{
    const struct option_source options = {.lookup = no_variable};
    const struct yaml_source source = {.file = STR("test"), .text = str_of(text)};
    const struct yaml_node *documents = NULL;
    struct exporter_buffer buffer;
    struct err e = ERR_INIT;

    assert_true(yaml_parse(a, &source, &documents, &e));
    if (!options_parse(&exporter_buffer_options, documents->first, &options, a, &buffer, &e)) {
        fail_msg("%s", e.message);
    }
    return buffer;
}

static void an_exporters_own_buffer_sends_at_once(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    struct exporter_buffer buffer = parse("{}", &a);
    assert_int_equal(buffer.flush_interval_ns, 0);
    assert_int_equal(buffer.buffer_size, 10000);
    assert_int_equal(buffer.max_disk_bytes, 0);
    assert_int_equal(buffer.lanes, 1);
    assert_int_equal(buffer.fsync, FSYNC_INTERVAL);
    assert_int_equal(exporter_overflow(&buffer), OVERFLOW_BLOCK);
    assert_true(buffer.flush_on_shutdown);
    assert_false(buffer.adaptive_flushing);
    arena_release(&a);
}

static void the_seeds_names_are_taken(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    struct exporter_buffer buffer =
        parse("{flush_interval_seconds: 30, max_memory_usage_mb: 50, max_disk_usage_mb: 2, "
              "min_flush_interval_seconds: 6, max_flush_interval_seconds: 200}",
              &a);
    assert_int_equal(buffer.flush_interval_ns, 30 * NS_PER_S);
    assert_int_equal(buffer.max_memory_bytes, 50 * 1000 * 1000);
    assert_int_equal(buffer.max_disk_bytes, 2 * 1000 * 1000);
    assert_int_equal(buffer.min_flush_interval_ns, 6 * NS_PER_S);
    assert_int_equal(buffer.max_flush_interval_ns, 200 * NS_PER_S);
    arena_release(&a);
}

static const struct {
    const char *text;
    enum overflow_policy policy;
} overflows[] = {
    {"{}", OVERFLOW_BLOCK},
    {"{overflow: block}", OVERFLOW_BLOCK},
    {"{overflow: drop_oldest}", OVERFLOW_DROP_OLDEST},
    {"{overflow: drop_newest}", OVERFLOW_DROP_NEWEST},
    {"{drop_oldest_on_overflow: true}", OVERFLOW_DROP_OLDEST},
    {"{drop_oldest_on_overflow: false}", OVERFLOW_BLOCK},
    {"{overflow: drop_oldest, drop_oldest_on_overflow: false}", OVERFLOW_BLOCK},
    {"{overflow: drop_newest, drop_oldest_on_overflow: false}", OVERFLOW_DROP_NEWEST},
};

static void overflow_has_two_spellings(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    for (size_t i = 0; i < ARRAY_LEN(overflows); i++) {
        struct exporter_buffer buffer = parse(overflows[i].text, &a);
        print_message("%s\n", overflows[i].text);
        assert_int_equal(exporter_overflow(&buffer), overflows[i].policy);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exporters_own_buffer_sends_at_once),
        cmocka_unit_test(the_seeds_names_are_taken),
        cmocka_unit_test(overflow_has_two_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
