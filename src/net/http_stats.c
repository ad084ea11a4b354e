#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/http_server_int.h"

#include <stdio.h>

enum { CODES_MAX = 24 }; /* kinds of status per route; more are counted under the last */

static const struct metric_desc requests_desc = {
    .name = "telex_http_requests_total",
    .help = "Requests answered, by route and status; code 0 went away unanswered.",
    .type = METRIC_COUNTER,
    .labels = {"route", "code"},
};

static const struct metric_desc in_flight_desc = {
    .name = "telex_http_requests_in_flight",
    .help = "Requests that began and are not over.",
    .type = METRIC_GAUGE,
};

static const struct metric_desc seconds_desc = {
    .name = "telex_http_request_duration_seconds",
    .help = "Time from a request's first line to the end of its answer.",
    .type = METRIC_HISTOGRAM,
    .labels = {"route"},
    .buckets = metric_seconds_buckets,
    .bucket_count = METRIC_SECONDS_BUCKETS,
};

struct route_stats {
    const char *name;
    struct metric *seconds;
    size_t count;
    int codes[CODES_MAX];
    struct metric *requests[CODES_MAX];
};

struct http_stats {
    struct metrics *metrics; /* NULL: nothing is counted */
    struct metric *in_flight;
    struct lock lock;
    size_t count;               /* routes, and one for what has none */
    struct route_stats *routes; /* under the lock */
};

static double read_in_flight(void *arg)
{
    return (double)http_server_in_flight(arg);
}

static void name_routes(struct http_stats *stats, const struct http_router *router)
{
    size_t index = 0;

    for (size_t t = 0; t < router->count; t++) {
        for (size_t i = 0; i < router->tables[t].count; i++) {
            const struct http_route *route = &router->tables[t].routes[i];
            stats->routes[index++].name = route->name != NULL ? route->name : route->pattern;
        }
    }
    stats->routes[index].name = "other";
}

struct http_stats *http_stats_new(const struct env *env, const struct http_router *router,
                                  struct http_server *server)
{
    struct http_stats *stats = mem_new(struct http_stats);

    stats->metrics = env->metrics;
    stats->count = http_router_size(router) + 1;
    stats->routes = mem_alloc0(stats->count, sizeof(*stats->routes));
    lock_init(&stats->lock);
    name_routes(stats, router);
    if (stats->metrics == NULL) {
        return stats;
    }
    stats->in_flight = metrics_watch(stats->metrics, &in_flight_desc, NULL, read_in_flight, server);
    return stats;
}

void http_stats_free(struct http_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    for (size_t i = 0; i < stats->count; i++) {
        struct route_stats *route = &stats->routes[i];
        metric_drop(route->seconds);
        for (size_t k = 0; k < route->count; k++) {
            metric_drop(route->requests[k]);
        }
    }
    metric_drop(stats->in_flight);
    lock_release(&stats->lock);
    mem_free(stats->routes);
    mem_free(stats);
}

static struct metric *find_requests(struct http_stats *stats, struct route_stats *route, int status)
    REQUIRES(&stats->lock)
{
    char code[16];

    for (size_t i = 0; i < route->count; i++) {
        if (route->codes[i] == status) {
            return route->requests[i];
        }
    }
    if (route->count == CODES_MAX) {
        return route->requests[CODES_MAX - 1];
    }
    (void)snprintf(code, sizeof(code), "%d", status);
    struct metric *found =
        metrics_get2(stats->metrics, &requests_desc, str_of(route->name), str_of(code));
    route->codes[route->count] = status;
    route->requests[route->count++] = found;
    return found;
}

void http_stats_count(struct http_stats *stats, size_t index, int status, int64_t took_ns)
{
    if (stats->metrics == NULL) {
        return;
    }
    struct route_stats *route = &stats->routes[index < stats->count ? index : stats->count - 1];
    lock_take(&stats->lock);
    if (route->seconds == NULL) {
        route->seconds = metrics_get1(stats->metrics, &seconds_desc, str_of(route->name));
    }
    struct metric *requests = find_requests(stats, route, status);
    lock_give(&stats->lock);
    metric_add(requests, 1);
    metric_observe(route->seconds, (double)took_ns / (double)NS_PER_S);
}
