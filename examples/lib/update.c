/* Another config while the hub runs: update http://127.0.0.1:8080/old http://127.0.0.1:8080/new */
#include <telex/telex.h>

#include <stdio.h>

static void measure(struct telex_hub *hub, double value)
{
    const struct telex_field field = {
        .name = "messages_per_second", .type = TELEX_NUMBER, .value.number = value};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};

    telex_metrics(hub, &metrics);
}

int main(int argc, char **argv)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_set(config, "exporters.api.type", "webhook", NULL);
    telex_config_set(config, "exporters.api.url", argc > 1 ? argv[1] : "http://127.0.0.1:8080/old",
                     NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    measure(hub, 1);
    telex_flush(hub, 5000, NULL);
    /* One option ... */
    int code = telex_update_option(hub, "exporters.api.buffer.buffer_size", "50", &error);
    /* ... or a whole config; what is wrong leaves the hub as it was. */
    config = telex_hub_config(hub);
    telex_config_set(config, "exporters.api.url", argc > 2 ? argv[2] : "http://127.0.0.1:8080/new",
                     NULL);
    code = code == TELEX_OK ? telex_update(hub, config, &error) : code;
    telex_config_free(config);
    if (code != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    measure(hub, 2);
    telex_close(hub, 5000, NULL, NULL);
    return code;
}
