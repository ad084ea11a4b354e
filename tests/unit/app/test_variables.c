/* Variables that look like ours and that nothing reads. */
#include "app/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { VARIABLES_MAX = 4 };

static const struct {
    const char *config;
    const char *variables[VARIABLES_MAX];
    const char *warnings;
} cases[] = {
    {"server: { threads: 2 }\n", {"PATH=/bin", "TELEXX=1", "MY_TELEX_X=1"}, ""},
    {"server: { threads: 2 }\n", {"TELEX_SERVER_LISTEN=:0", "TELEX_STATE_PATH=/tmp/none"}, ""},
    {"",
     {"TELEX_SEVER_LISTEN=hush"},
     "environment: nothing reads the variable TELEX_SEVER_LISTEN: did you mean "
     "TELEX_SERVER_LISTEN?\n"},
    {"",
     {"TELEX_NOTHING_LIKE_IT=hush"},
     "environment: nothing reads the variable TELEX_NOTHING_LIKE_IT: expected "
     "TELEX_SECTION_OPTION, as `telex help config` lists them\n"},
    {"exporters: { f: { type: file, output_directory: '${TELEX_MY_FOLDER}' } }\n",
     {"TELEX_MY_FOLDER=/tmp"},
     ""},
    {"exporters: { f: { type: file, output_directory: /tmp } }\n",
     {"TELEX_EXPORTER_F_FILE_FORMAT=csv", "TELEX_EXPORTER_F_FILEFORMAT=csv"},
     "environment: nothing reads the variable TELEX_EXPORTER_F_FILEFORMAT: did you mean "
     "TELEX_EXPORTER_F_FILE_FORMAT?\n"},
    {"exporters: { f: { type: file, output_directory: /tmp } }\n",
     {"TELEX_EXPORTER_ELSE_WHATEVER_IT_IS=1"},
     "environment: nothing reads the variable TELEX_EXPORTER_ELSE_WHATEVER_IT_IS: "
     "TELEX_EXPORTER_NAME_OPTION changes an option of an exporter NAME that stands in the "
     "config\n"},
    {"",
     {"PROFILING_PROMETHEUS_PUSHGATWAY_URL=http://hush:1"},
     "environment: nothing reads the variable PROFILING_PROMETHEUS_PUSHGATWAY_URL: did you mean "
     "PROFILING_PROMETHEUS_PUSHGATEWAY_URL?\n"},
    {"", {"PROFILING_PROMETHEUS_PUSHGATEWAY_URL=http://127.0.0.1:9"}, ""},
    {"",
     {"TELEX_SERVICE_HOST=10.0.0.1", "TELEX_PORT=tcp://10.0.0.1:8420",
      "TELEX_PORT_8420_TCP_ADDR=10.0.0.1", "TELEX_SERVICE_PORT_HTTP=8420"},
     ""},
    {"",
     {"TELEX_SERVER_PORT=8420"},
     "environment: nothing reads the variable TELEX_SERVER_PORT: expected TELEX_SECTION_OPTION, "
     "as `telex help config` lists them\n"},
};

static const char *look_up(void *arg, const char *name)
{
    const char *const *all = arg;
    struct str wanted = str_of(name);

    for (; *all != NULL; all++) {
        struct str entry = str_of(*all);
        size_t equals = str_find_byte(entry, '=');
        if (str_eq(str_slice(entry, 0, equals), wanted)) {
            return *all + equals + 1;
        }
    }
    return NULL;
}

static void report(void *arg, bool is_warning, const struct err *problem)
{
    struct buf *out = arg;

    if (is_warning && str_eq(str_of(problem->file), STR("environment"))) {
        err_print(problem, out);
        buf_add_byte(out, '\n');
    } else if (!is_warning) {
        fail_msg("%s", problem->message);
    }
}

static void what_nothing_reads_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        const char *all[VARIABLES_MAX + 1] = {0};
        memcpy(all, cases[i].variables, sizeof(cases[i].variables));
        struct problems problems = {.report = report, .arg = &out};
        struct loaded l = {0};
        struct err e = ERR_INIT;
        const struct load_input input = {.config_path = STR("t.yaml"),
                                         .config_text = str_of(cases[i].config),
                                         .base_folder = STR("/tmp"),
                                         .tells_variables = true,
                                         .environment = {look_up, all, all, NULL, false, false}};
        if (!load_all(&input, &problems, &l, &e)) {
            fail_msg("%s: %s", cases[i].config, e.message);
        }
        assert_string_equal(buf_text(&out), cases[i].warnings);
        loaded_release(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_nothing_reads_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
