/* What somebody asks of the log's levels: taken, or refused with words. */
#include "app/trace_control.h"

#include "base/clock.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_sink *sink = trace_sink_new(-1, TRACE_LOGFMT, clock_system());
    const struct env env = {.clock = clock_system(), .trace = sink};
    struct trace_control *t = trace_control_new(&env);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;
    struct err e = ERR_INIT;

    bool taken = trace_control_change(t, str_make((const char *)data, size), &e);
    INVARIANT(taken == (e.code == ERR_NONE));
    json_write_init(&w, &out);
    trace_control_print(t, &w);
    trace_control_free(t);
    trace_sink_free(sink);
    return 0;
}
