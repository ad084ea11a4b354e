/* Dropped records: each counted, a burst told of in few lines. */
#include "export/drops.h"

#include "base/env.h"
#include "base/metrics.h"
#include "fake/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Lines on <fd> that hold <text>. */
static size_t lines_with(int fd, const char *text)
{
    static char all[64 * 1024];
    ssize_t len = pread(fd, all, sizeof(all) - 1, 0);
    size_t count = 0;

    assert_true(len >= 0);
    all[len] = '\0';
    for (const char *at = strstr(all, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}

static void a_burst_is_few_lines(void **state)
{
    char path[] = "/tmp/telex-drops-XXXXXX";
    int fd = mkstemp(path);
    struct fake_clock clock;
    struct metrics *metrics = metrics_new();
    struct drops d;

    (void)state;
    fake_clock_init(&clock, 0, NS_PER_S);
    struct trace_sink *sink = trace_sink_new(fd, TRACE_LOGFMT, &clock.clock);
    const struct env env = {.clock = &clock.clock, .metrics = metrics, .trace = sink};
    drops_init(&d, &env, STR("vm"));
    fake_clock_advance_ms(&clock, 1000);
    for (int i = 0; i < 1000; i++) {
        drops_add(&d, DROP_OVERFLOW_OLDEST, 2);
    }
    assert_int_equal(lines_with(fd, "records=2 reason=overflow_oldest"), 1);
    fake_clock_advance_ms(&clock, DROPS_TELL_MS);
    drops_add(&d, DROP_OVERFLOW_OLDEST, 2);
    assert_int_equal(lines_with(fd, "records=2000 reason=overflow_oldest"), 1);
    drops_add(&d, DROP_OVERFLOW_OLDEST, 5);
    drops_add(&d, DROP_OVERFLOW_NEWEST, 1);
    assert_true(metric_value(d.counts[DROP_OVERFLOW_OLDEST]) == 2007);
    drops_release(&d);
    assert_int_equal(lines_with(fd, "records=5 reason=overflow_oldest"), 1);
    assert_int_equal(lines_with(fd, "exporter=vm"), 4);
    trace_sink_free(sink);
    metrics_free(metrics);
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_burst_is_few_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
