/* An exporter of the application's own: it prints what it is given. Buffers, retries and dead letters come with it. */
#include <telex/telex.h>

#include <stdio.h>

static int open_printer(void *arg, const char *name, const struct telex_label *options,
                        size_t option_count, void **ret_self, struct telex_error *error)
{
    FILE *out = arg;

    (void)error;
    for (size_t i = 0; i < option_count; i++) {
        fprintf(out, "%s: %s is %s\n", name, options[i].name, options[i].value);
    }
    *ret_self = out;
    return 0;
}

static void print_batch(void *self, const struct telex_record *records, size_t count,
                        int64_t timeout_ms, struct telex_outcome *outcome)
{
    FILE *out = self;

    (void)timeout_ms;
    for (size_t i = 0; i < count; i++) {
        for (size_t f = 0; f < records[i].field_count; f++) {
            fprintf(out, "%s %g\n", records[i].fields[f].name, records[i].fields[f].value.number);
        }
    }
    outcome->verdict = TELEX_DELIVERED; /* or TELEX_RETRY, and they come again */
}

int main(void)
{
    const struct telex_exporter printer = {
        .struct_size = sizeof(printer),
        .kind = "printer",
        .arg = stdout,
        .takes_metrics = 1,
        .open = open_printer,
        .export_batch = print_batch,
    };
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;

    telex_config_exporter(config, &printer, NULL);
    telex_config_set(config, "exporters.screen.type", "printer", NULL);
    telex_config_set(config, "exporters.screen.options.colour", "none", NULL);
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        fprintf(stderr, "%s\n", error.message);
        telex_config_free(config);
        return 1;
    }
    telex_config_free(config);

    const struct telex_field field = {
        .name = "messages_per_second", .type = TELEX_NUMBER, .value.number = 14000};
    const struct telex_metrics metrics = {
        .struct_size = sizeof(metrics), .fields = &field, .field_count = 1};
    telex_metrics(hub, &metrics);
    return telex_close(hub, 5000, NULL, NULL);
}
