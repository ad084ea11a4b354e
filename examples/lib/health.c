/* How a hub is doing: health http://127.0.0.1:8080/metrics */
#include <telex/telex.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_set(config, "exporters.api.type", "webhook", NULL);
    telex_config_set(config, "exporters.api.url",
                     argc > 1 ? argv[1] : "http://127.0.0.1:8080/metrics", NULL);
    telex_config_set(config, "exporters.api.health_check.unhealthy_threshold_failures", "1", NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    const struct telex_field field = {
        .name = "p95_latency_ms", .type = TELEX_NUMBER, .value.number = 12};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};
    telex_metrics(hub, &metrics);
    telex_flush(hub, 2000, NULL);

    struct telex_health health = {.struct_size = sizeof(health)};
    struct telex_result result = {.struct_size = sizeof(result)};
    struct telex_buffer_stats buffer = {.struct_size = sizeof(buffer)};
    struct telex_stats stats = {.struct_size = sizeof(stats)};
    telex_health(hub, "api", &health);
    telex_last_result(hub, "api", &result);
    telex_buffer_stats(hub, "api", &buffer);
    telex_stats(hub, &stats);
    printf("healthy: %s\n", health.is_healthy ? "yes" : health.error);
    printf("last export: %s, %llu records in %.1f ms\n", result.success ? "ok" : result.error,
           (unsigned long long)result.exported_count, result.response_time_ms);
    printf("buffer: %.1f %% used, flushes take %.1f ms\n", buffer.usage_percent,
           buffer.avg_flush_time_ms);
    printf("taken %llu, delivered %llu, dropped %llu, filtered %llu\n",
           (unsigned long long)stats.taken, (unsigned long long)stats.delivered,
           (unsigned long long)stats.dropped_full, (unsigned long long)telex_filtered_count(hub));
    telex_close(hub, 500, NULL, NULL);
    return health.is_healthy ? 0 : 1;
}
