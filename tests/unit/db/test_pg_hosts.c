/* Names of several addresses become several hosts; whatever else a connection string says of hosts stays. */
#include "db/pg_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* two and three have as many addresses, one has one, many has more than are taken, nobody is not known. */
static void resolve(const char *name, pg_add_address *add, void *arg)
{
    static const struct {
        const char *name;
        unsigned count;
    } names[] = {{"one", 1}, {"two", 2}, {"three", 3}, {"many", PG_ADDRESSES_MAX + 9}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (unsigned n = 1; strcmp(name, names[i].name) == 0 && n <= names[i].count; n++) {
            char address[32];
            (void)snprintf(address, sizeof(address), n == 2 ? "fe80::%u" : "10.0.0.%u", n);
            add(arg, address);
        }
    }
}

/* Host, hostaddr and port, before and after; NULL: as before. */
static const struct {
    const char *was[3];
    const char *is[3];
    size_t count;
} expansions[] = {
    {{"", "", ""}, {NULL}, 1},
    {{"one", "", "5432"}, {NULL}, 1},
    {{"nobody", "", ""}, {NULL}, 1},
    {{"two", "", ""}, {"two,two", "10.0.0.1,fe80::2", ""}, 2},
    {{"two", "", "1"}, {"two,two", "10.0.0.1,fe80::2", "1,1"}, 2},
    {{"two", "10.9.9.9", "1"}, {NULL}, 1},
    {{"", "10.9.9.9", "1"}, {NULL}, 1},
    {{"one,two,nobody", "", "1,2,3"}, {"one,two,two,nobody", ",10.0.0.1,fe80::2,", "1,2,2,3"}, 4},
    {{"/tmp,three", "", "7"},
     {"/tmp,three,three,three", ",10.0.0.1,fe80::2,10.0.0.3", "7,7,7,7"},
     4},
    {{"@two,,two", "", ""}, {"@two,,two,two", ",,10.0.0.1,fe80::2", ""}, 4},
    {{"two,two", ",10.9.9.9", "1,"}, {"two,two,two", "10.0.0.1,fe80::2,10.9.9.9", "1,1,"}, 3},
    {{"two,one", "10.9.9.9", ""}, {NULL}, 1}, /* libpq refuses these two */
    {{"two,one", "", "1,2,3"}, {NULL}, 2},
};

static void names_become_their_addresses(void **state)
{
    static const char *const lists[] = {"host", "hostaddr", "port"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
        struct pg_hosts h;
        pg_hosts_init(&h);
        const struct buf *const got[] = {&h.host, &h.hostaddr, &h.port};
        for (size_t list = 0; list < ARRAY_LEN(lists); list++) {
            pg_hosts_take(&h, lists[list], expansions[i].was[list]);
        }
        pg_hosts_take(&h, "user", "x");
        pg_hosts_expand(&h, resolve);
        for (size_t list = 0; list < ARRAY_LEN(lists); list++) {
            const char *want =
                expansions[i].is[0] != NULL ? expansions[i].is[list] : expansions[i].was[list];
            assert_true(str_eq(buf_str(got[list]), str_of(want)));
        }
        assert_int_equal(pg_hosts_count(&h), expansions[i].count);
        pg_hosts_release(&h);
    }
}

static void addresses_are_bounded(void **state)
{
    struct pg_hosts h;

    (void)state;
    pg_hosts_init(&h);
    pg_hosts_take(&h, "host", "many");
    pg_hosts_expand(&h, resolve);
    assert_int_equal(pg_hosts_count(&h), PG_ADDRESSES_MAX);
    pg_hosts_release(&h);
}

static void the_first_becomes_the_last(void **state)
{
    struct pg_hosts h;

    (void)state;
    pg_hosts_init(&h);
    pg_hosts_take(&h, "host", "a,b,c");
    pg_hosts_take(&h, "port", "1");
    pg_hosts_turn(&h);
    assert_true(str_eq(buf_str(&h.host), STR("b,c,a")));
    assert_true(str_eq(buf_str(&h.port), STR("1")));
    pg_hosts_release(&h);
}

static void count_address(void *arg, const char *address)
{
    size_t *count = arg;

    assert_true(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0);
    ++*count;
}

static void the_system_knows_this_host(void **state)
{
    size_t count = 0;

    (void)state;
    pg_resolve_name("127.0.0.1", count_address, &count);
    assert_int_equal(count, 1);
    pg_resolve_name("no such name", count_address, &count);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_their_addresses),
        cmocka_unit_test(addresses_are_bounded),
        cmocka_unit_test(the_first_becomes_the_last),
        cmocka_unit_test(the_system_knows_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
