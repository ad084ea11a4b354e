/*
 * Any bytes as what a peer says to the gRPC server: an even first byte puts HTTP/2's preface before the rest,
 * the second says how much is given at once. Nothing of it stays in the budget or is left unanswered for ever.
 */
#include "net/grpc_server_int.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 256 * 1024, MESSAGE_MAX = 64 * 1024 };

static void echo(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    const struct grpc_reply reply = {.code = GRPC_OK, .message = str_slice(message, 0, 1000)};

    (void)is_gzip;
    grpc_exchange_answer(x, &reply);
}

static const struct grpc_method methods[] = {
    {.path = "/t/Echo", .message = echo, .access = HTTP_ACCESS_CLIENT}};

static void drain(struct grpc_session *s)
{
    struct str bytes = STR("x");

    grpc_exchanges_submit(s->loop);
    while (bytes.len > 0 && grpc_session_send(s, &bytes)) {
    }
}

static void play(struct grpc_loop *loop, const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    size_t step = (size_t)data[1] + 1;
    struct grpc_session s;
    struct err e = ERR_INIT;

    INVARIANT(grpc_session_init(&s, loop, &e));
    bool goes_on =
        data[0] % 2 != 0 || grpc_session_receive(&s, str_make(preface, sizeof(preface) - 1));
    for (size_t at = 2; goes_on && at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        goes_on = grpc_session_receive(&s, str_make((const char *)data + at, len));
        drain(&s);
        INVARIANT(s.count <= GRPC_STREAMS_MAX);
    }
    (void)!grpc_session_tick(&s, INT64_MAX / 2);
    drain(&s);
    grpc_session_release(&s);
    grpc_exchanges_submit(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct budget budget;
    struct env env = {.clock = clock_system(), .budget = &budget, .metrics = metrics_new()};
    const struct http_server_config config = {.request_timeout_ns = NS_PER_S,
                                              .idle_timeout_ns = NS_PER_S};
    struct grpc_server *server = mem_new(struct grpc_server);

    if (size < 2) {
        metrics_free(env.metrics);
        mem_free(server);
        return 0;
    }
    budget_init(&budget, NULL, "the fuzzer", BUDGET);
    grpc_server_prepare(server, &env,
                        &(struct grpc_server_config){.message_max = MESSAGE_MAX, .server = &config},
                        methods, ARRAY_LEN(methods), NULL);
    server->loop_count = 1;
    server->loops = mem_new(struct grpc_loop);
    *server->loops = (struct grpc_loop){.server = server, .epoll_fd = -1, .wake_fd = -1};
    lock_init(&server->loops->lock);
    play(server->loops, data, size);
    INVARIANT(budget_used(&budget) == 0);
    grpc_server_free(server);
    metrics_free(env.metrics);
    return 0;
}
