/*
 * A config from the environment:
 *     PROFILING_EXPORTER_ENDPOINT=http://127.0.0.1:8080/metrics PROFILING_EXPORTER_API_KEY=secret environment
 */
#include <telex/telex.h>

#include <stdio.h>

int main(void)
{
    static const char *const required[] = {"endpoint", "api_key", NULL};
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    if (telex_config_from_env(config, "production", "PROFILING_EXPORTER", required, &error) !=
            TELEX_OK ||
        telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    const struct telex_field field = {
        .name = "total_messages", .type = TELEX_INTEGER, .value.integer = 1000};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};
    telex_metrics(hub, &metrics);
    int code = telex_close(hub, 5000, NULL, &error);
    if (code != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    return code;
}
