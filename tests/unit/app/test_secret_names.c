/* Every option that takes a secret is named like one, so that what is shown of a config hides its value. */
#include "app/config.h"
#include "app/rule_servers.h"
#include "base/trace.h"
#include "datasource/datasource.h"
#include "discover/discovery.h"
#include "export/exporter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void look_at_name(const struct option_table *table, const char *name)
{
    if (!trace_key_is_secret(str_of(name))) {
        fail_msg("%s: '%s' takes a secret, and trace_key_is_secret() does not know the name",
                 table->name, name);
    }
}

/* How many options of <table>, and of those in it, take secrets. */
static size_t look_at(const struct option_table *table)
{
    size_t seen = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct option *o = &table->options[i];
        if (o->type == OPTION_TABLE || o->type == OPTION_TABLES) {
            seen += look_at(o->table);
        }
        if (o->type != OPTION_SECRET) {
            continue;
        }
        seen++;
        look_at_name(table, o->name);
        for (size_t a = 0; o->aliases != NULL && o->aliases[a] != NULL; a++) {
            look_at_name(table, o->aliases[a]);
        }
    }
    return seen;
}

static void secrets_are_named_like_secrets(void **state)
{
    size_t seen = look_at(&config_options) + look_at(&rule_server_options);

    (void)state;
    for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
        seen += look_at(discovery_kinds[i]->options);
    }
    for (size_t i = 0; exporter_kinds[i] != NULL; i++) {
        seen += look_at(exporter_kinds[i]->options);
    }
    for (size_t i = 0; datasource_kinds[i] != NULL; i++) {
        seen += look_at(datasource_kinds[i]->options);
    }
    assert_true(seen > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(secrets_are_named_like_secrets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
