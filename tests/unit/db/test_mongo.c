/* What errors of MongoDB mean, and values as text. */
#include "db/mongo_int.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void test_errors(void **state)
{
    static const struct {
        uint32_t domain;
        uint32_t code;
        enum mongo_answer answer;
        const char *words;
    } cases[] = {
        {MONGOC_ERROR_SERVER, 286, MONGO_GONE, "what happened"},
        {MONGOC_ERROR_SERVER, 280, MONGO_GONE, ""},
        {MONGOC_ERROR_SERVER, 260, MONGO_GONE, ""},
        {MONGOC_ERROR_SERVER, 40573, MONGO_REFUSED, "--replSet"},
        {MONGOC_ERROR_SERVER, 13, MONGO_REFUSED, "what happened"},
        {MONGOC_ERROR_SERVER, 18, MONGO_REFUSED, ""},
        {MONGOC_ERROR_SERVER, 59, MONGO_REFUSED, ""},
        {MONGOC_ERROR_SERVER, 189, MONGO_AWAY, ""},
        {MONGOC_ERROR_QUERY, 43, MONGO_AWAY, ""},
        {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, MONGO_REFUSED, ""},
        {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, MONGO_AWAY, ""},
        {MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE, MONGO_AWAY, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bson_error_t error = {.domain = cases[i].domain, .code = cases[i].code};
        struct err e = ERR_INIT;
        (void)snprintf(error.message, sizeof(error.message), "what happened");
        if (mongo_judge(&error, "it", &e) != cases[i].answer ||
            strstr(e.message, cases[i].words) == NULL) {
            fail_msg("%u: %s", cases[i].code, e.message);
        }
    }
}

static void test_ids(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"{\"_id\":{\"$oid\":\"65e1f0a2b3c4d5e6f7081920\"}}", "65e1f0a2b3c4d5e6f7081920"},
        {"{\"_id\":\"a b\"}", "a b"},
        {"{\"_id\":7}", "7"},
        {"{\"_id\":{\"$numberLong\":\"1099511627776\"}}", "1099511627776"},
        {"{\"_id\":{\"a\":[1]}}", "{ \"a\" : [ 1 ] }"},
        {"{\"_id\":null}", "null"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena AUTO(arena_release) a = {0};
        bson_iter_t id;
        arena_init(&a, ARENA_UNLIMITED);
        bson_t *b = mongo_bson(str_of(cases[i].json));
        assert_non_null(b);
        assert_true(bson_iter_init_find(&id, b, "_id"));
        struct str text = mongo_id_text(&id, &a);
        if (!str_eq(text, str_of(cases[i].text))) {
            fail_msg("%s: '%.*s'", cases[i].json, STR_FMT(text));
        }
        bson_destroy(b);
    }
    assert_null(mongo_bson(STR("{\"a\":")));
}

static void test_connection_strings(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct str database = STR("");
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(mongo_parse("mongodb://h1,h2:1/db?replicaSet=rs0", &a, &database, &e));
    assert_true(str_eq(database, STR("db")));
    assert_true(mongo_parse("mongodb://h/", &a, &database, &e));
    assert_int_equal(database.len, 0);
    assert_false(mongo_parse("postgres://u:geheim@h/", &a, &database, &e));
    assert_false(mongo_parse("mongodb://u:gehe/im@h/", &a, &database, &e));
    assert_null(strstr(e.message, "gehe"));
    assert_false(mongo_parse("mongodb://u:gehe@im@h/", &a, &database, &e));
    assert_null(strstr(e.message, "im@"));
}

/* What libmongoc would take for a host of a password is hidden. The client is static for its alignment: a checked stack has
 * not the 128 bytes that iterators want. */
static void test_errors_quote_no_password(void **state)
{
    static char text[] = "mongodb://u:gehe@im@h/";
    static const struct mongo m = {.text = text};
    bson_error_t error = {.domain = MONGOC_ERROR_SERVER_SELECTION};
    struct err e = ERR_INIT;

    (void)state;
    (void)snprintf(error.message, sizeof(error.message), "Failed to resolve 'im@h'");
    assert_int_equal(mongo_fail(&m, &error, "MongoDB", &e), MONGO_AWAY);
    assert_string_equal(e.message, "MongoDB: Failed to resolve '**@h'");
}

/* Also where an earlier process of our pid left some: the library does not come up in a temper about them. */
static void test_no_counters_are_left(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct str database = STR("");
    struct err e = ERR_INIT;
    char name[32];

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    (void)snprintf(name, sizeof(name), "/mongoc-%u", (unsigned)getpid());
    int left = shm_open(name, O_CREAT | O_RDWR, 0600);
    assert_true(left >= 0);
    (void)close(left);
    assert_true(mongo_parse("mongodb://h/", &a, &database, &e));
    assert_int_equal(shm_open(name, O_RDONLY, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_counters_are_left), /* the first to load it */
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_connection_strings),
        cmocka_unit_test(test_errors_quote_no_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
