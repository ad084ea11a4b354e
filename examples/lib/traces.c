/* Spans, one part of the other: traces http://127.0.0.1:4318/v1/traces */
#include <telex/telex.h>

#include <stdio.h>

static void finish(struct telex_hub *hub, const char *name, const struct telex_span_ids *ids,
                   int64_t ns)
{
    const struct telex_field memory = {
        .name = "memory_usage_mb", .type = TELEX_NUMBER, .value.number = 8.5};
    const struct telex_span span = {
        .struct_size = sizeof(span),
        .function_name = name,
        .duration_ns = ns, /* it ends now */
        .ids = *ids,
        .status = TELEX_SPAN_OK,
        .fields = &memory,
        .field_count = 1,
    };
    telex_trace(hub, &span);
}

int main(int argc, char **argv)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_set(config, "exporters.otel.type", "otlp", NULL);
    telex_config_set(config, "exporters.otel.traces_endpoint",
                     argc > 1 ? argv[1] : "http://127.0.0.1:4318/v1/traces", NULL);
    telex_config_set(config, "exporters.otel.service_name", "example", NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    struct telex_span_ids request;
    struct telex_span_ids query;
    telex_span_ids(hub, NULL, &request);   /* a new trace */
    telex_span_ids(hub, &request, &query); /* a part of it */
    finish(hub, "query", &query, 2000000);
    finish(hub, "request", &request, 5000000);

    int code = telex_close(hub, 5000, NULL, &error);
    if (code != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    return code;
}
