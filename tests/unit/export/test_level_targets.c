/* What becomes of targets that were found. */
#include "export/level_targets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct labels *make(const char *text)
{
    struct str rest = str_of(text);
    struct labels *labels = NULL;
    struct labels_builder b;
    struct str part;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    while (str_split(&rest, ' ', &part)) {
        size_t equals = str_find_byte(part, '=');
        labels_builder_set(&b, str_slice(part, 0, equals), str_slice(part, equals + 1, part.len));
    }
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static const struct {
    const char *found;
    const char *rules;  /* or NULL */
    const char *prefix; /* of the path */
    bool https;
    const char *want; /* the URL, "dropped" or "bad" */
} rows[] = {
    {"__address__=h:9093", NULL, "", false, "http://h:9093/api/v2/alerts"},
    {"__address__=h:9093", NULL, "/am/", true, "https://h:9093/am/api/v2/alerts"},
    {"__address__=h:9093", NULL, "am", false, "http://h:9093/am/api/v2/alerts"},
    {"__address__=h:9093 __scheme__=https", NULL, "", false, "https://h:9093/api/v2/alerts"},
    {"__address__=h:9093 __alerts_path__=/x", NULL, "am", false, "http://h:9093/x"},
    {"__address__=h:9093 __alerts_path__=x", NULL, "", false, "http://h:9093/x"},
    {"__address__=https://h:1/p", NULL, "am", false, "https://h:1/p/api/v2/alerts"},
    {"__address__=http://h/api/v2/alerts", NULL, "", true, "http://h/api/v2/alerts"},
    {"__address__=[::1]:9093", NULL, "", false, "http://[::1]:9093/api/v2/alerts"},
    {"__address__=a_b:c:d", NULL, "", false, "bad"},
    {"__address__=ftp://h", NULL, "", false, "bad"},
    {"__address__=h:1 __meta_dc=x", "[{source_labels: [__meta_dc], regex: x, action: drop}]", "",
     false, "dropped"},
    {"__address__=h:1 __meta_dc=y", "[{source_labels: [__meta_dc], regex: x, action: drop}]", "",
     false, "http://h:1/api/v2/alerts"},
    {"__address__=h:1", "[{target_label: __address__, replacement: ''}]", "", false, "dropped"},
    {"__address__=h:1", "[{target_label: __alerts_path__, replacement: /v3}]", "", false,
     "http://h:1/v3"},
    {"__address__=h:1", "[{target_label: __scheme__, replacement: https}]", "", false,
     "https://h:1/api/v2/alerts"},
};

static struct relabel *compile(struct arena *a, const char *text)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;
    struct relabel *relabel = NULL;
    struct err e = ERR_INIT;

    *source = (struct yaml_source){STR("t"), str_of(text)};
    assert_true(yaml_parse(a, source, &documents, &e));
    assert_true(relabel_compile(documents->first, &relabel, &e));
    return relabel;
}

static void check_row(size_t i)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    AUTO(labels_autounref) struct labels *found = make(rows[i].found);
    AUTO(labels_autounref) struct labels *labels = NULL;
    AUTO(relabel_work_release) struct relabel_work work;
    const struct level_targets_config config = {.scheme = rows[i].https,
                                                .path_prefix = str_of(rows[i].prefix)};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    relabel_work_init(&work);
    struct relabel *relabel = rows[i].rules != NULL ? compile(&a, rows[i].rules) : NULL;
    enum level_found made = level_target_find(&config, relabel, &work, found, &labels, &url, &e);
    relabel_free(relabel);
    const char *got = made == LEVEL_FOUND_OK        ? buf_text(&url)
                      : made == LEVEL_FOUND_DROPPED ? "dropped"
                                                    : "bad";
    assert_string_equal(got, rows[i].want);
    assert_non_null(labels);
    assert_true((made == LEVEL_FOUND_BAD) == (e.code != ERR_NONE));
}

static void targets_become_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets_become_urls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
