/* What exporters do, call by call, on standard error: debug http://127.0.0.1:8080/metrics */
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
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);
    /* Payloads may hold what is private. */
    telex_debug_mode(hub,
                     TELEX_TRACE_EXPORTS | TELEX_LOG_PAYLOADS | TELEX_MEASURE_PERFORMANCE |
                         TELEX_VALIDATE_SCHEMAS,
                     NULL);

    const struct telex_field field = {
        .name = "messages_per_second", .type = TELEX_NUMBER, .value.number = 1};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};
    telex_metrics(hub, &metrics);
    return telex_close(hub, 5000, NULL, NULL);
}
