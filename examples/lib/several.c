/* Several exporters on one hub, written as YAML: several http://127.0.0.1:8080/metrics /tmp/out */
#include <telex/telex.h>

#include <stdio.h>
#include <string.h>

static const char text[] = "exporters:\n"
                           "  api:     { type: webhook }\n"
                           "  archive: { type: file, file_format: jsonl }\n"
                           "routes:\n"
                           "  - { match: 'kind == \"profile\"', to: [ api, archive ] }\n"
                           "  - { to: [ archive ] }\n";

int main(int argc, char **argv)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_yaml(config, text, strlen(text), NULL);
    telex_config_set(config, "exporters.api.url",
                     argc > 1 ? argv[1] : "http://127.0.0.1:8080/metrics", NULL);
    telex_config_set(config, "exporters.archive.output_directory", argc > 2 ? argv[2] : "out",
                     NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    const struct telex_field field = {
        .name = "error_rate", .type = TELEX_NUMBER, .value.number = 0.05};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};
    telex_metrics(hub, &metrics);
    int code = telex_flush(hub, 5000, &error); /* both have it now */
    char name[64];
    for (size_t i = 0; telex_exporter_name(hub, i, name, sizeof(name)) == TELEX_OK; i++) {
        struct telex_result result = {.struct_size = sizeof(result)};
        telex_last_result(hub, name, &result);
        printf("%s: %s, %llu records\n", name, result.success ? "ok" : result.error,
               (unsigned long long)result.exported_count);
    }
    telex_close(hub, 5000, NULL, NULL);
    return code;
}
