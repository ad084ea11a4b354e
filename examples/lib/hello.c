/* Measurements to a file: the least that a program does. Run it with a folder: hello /tmp/out */
#include <telex/telex.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_set(config, "exporters.archive.type", "file", NULL);
    telex_config_set(config, "exporters.archive.output_directory", argc > 1 ? argv[1] : "out",
                     NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    const struct telex_field fields[] = {
        {.name = "messages_per_second", .type = TELEX_NUMBER, .value.number = 14000},
        {.name = "avg_latency_ms", .type = TELEX_NUMBER, .value.number = 2.5},
        {.name = "total_messages", .type = TELEX_INTEGER, .value.integer = 1000000},
    };
    const struct telex_label labels[] = {{"service", "api-server"}};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics),
        .fields = fields,
        .field_count = 3,
        .labels = labels,
        .label_count = 1,
    };
    telex_metrics(hub, &metrics); /* any thread, never waits */

    int code = telex_close(hub, 5000, NULL, &error);
    if (code != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    return code;
}
