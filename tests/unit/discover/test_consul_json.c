/* Consul's answers, made into targets. */
#include "discover/consul_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char health[] =
    "[{\"Node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Datacenter\":\"dc1\","
    "\"TaggedAddresses\":{\"lan\":\"10.0.0.1\"},\"Meta\":{\"rack-no\":\"7\"}},"
    "\"Service\":{\"ID\":\"am-1\",\"Service\":\"am\",\"Tags\":[\"a\",\"b\"],\"Address\":\"\","
    "\"Port\":9093,\"Meta\":{\"version\":\"1\"}},"
    "\"Checks\":[{\"CheckID\":\"serfHealth\",\"Status\":\"passing\"},"
    "{\"CheckID\":\"service:am\",\"Status\":\"critical\"}]},"
    "{\"Node\":{\"Node\":\"n2\",\"Address\":\"10.0.0.2\"},"
    "\"Service\":{\"Service\":\"am\",\"Address\":\"fd00::2\",\"Port\":9094}}]";

static void instances(void **state)
{
    AUTO(target_list_release) struct target_list list = {0};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    (void)state;
    assert_true(consul_read_health(str_of(health), STR(","), &list, &e));
    assert_int_equal(list.sets.len, 2);
    labels_print(list.sets.items[0], &out);
    assert_string_equal(
        buf_text(&out),
        "{__address__=\"10.0.0.1:9093\", __meta_consul_address=\"10.0.0.1\", "
        "__meta_consul_dc=\"dc1\", __meta_consul_health=\"critical\", "
        "__meta_consul_metadata_rack_no=\"7\", __meta_consul_node=\"n1\", "
        "__meta_consul_service=\"am\", __meta_consul_service_id=\"am-1\", "
        "__meta_consul_service_metadata_version=\"1\", __meta_consul_service_port=\"9093\", "
        "__meta_consul_tagged_address_lan=\"10.0.0.1\", __meta_consul_tags=\",a,b,\"}");
    assert_true(str_eq(labels_get(list.sets.items[1], STR("__address__")), STR("[fd00::2]:9094")));
    assert_true(
        str_eq(labels_get(list.sets.items[1], STR("__meta_consul_health")), STR("passing")));
}

static void services(void **state)
{
    AUTO(arena_release) struct arena a;
    struct str *names = NULL;
    size_t count = 0;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(consul_read_services(STR("{\"web\":[\"x\"],\"db\":[]}"), &a, &names, &count, &e));
    assert_int_equal(count, 2);
    assert_true(str_eq(names[0], STR("web")) && str_eq(names[1], STR("db")));
    assert_false(consul_read_services(STR("[]"), &a, &names, &count, &e));
}

static void broken(void **state)
{
    static const char *const texts[] = {"{}", "[1]", "[{}]", "[{\"Node\":{}}]", "["};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(target_list_release) struct target_list list = {0};
        struct err e = ERR_INIT;
        assert_false(consul_read_health(str_of(texts[i]), STR(","), &list, &e));
        assert_int_not_equal(e.code, ERR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(instances), cmocka_unit_test(services),
                                       cmocka_unit_test(broken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
