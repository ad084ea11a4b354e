/* Passwords that nobody escaped: their strings are refused, and what errors quote of them is hidden. */
#include "db/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void urls_with_a_bare_sign_are_refused(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"postgresql://bob:Hunter@ter2xyz@host/db", false},
        {"postgresql://bob:Hunter@@host/db", false},
        {"postgresql://bob:Hunter/ter2xyz@host/db", false},
        {"postgresql://bob:123/ter2xyz@host/db", false},
        {"mongodb://bob:Hunter@ter2xyz@host:1/db", false},
        {"mongodb+srv://bob:12/x@host", false},
        {"postgresql://bob@corp:Hunter@host/db", false},
        {"postgresql://bob:Hunter%40ter2xyz@host/db", true},
        {"postgresql://bob:Hun?t#e:r@host/db?application_name=a@b", true},
        {"postgresql:///db?host=/tmp&user=a@b", true},
        {"postgresql://%2Fvar%2Frun/db", true},
        {"postgresql://host", true},
        {"mongodb://me:k3y==@me.mongo.example.com:10255/?ssl=true&appName=@me@", true},
        {"host=h password=a@b/c@d", true},
        {"", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        if (connection_check_url(str_of(cases[i].text), &e) != cases[i].ok ||
            strstr(e.message, "ter") != NULL ||
            (!cases[i].ok && strstr(e.message, "%40") == NULL)) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
    }
}

static void hosts_and_ports_look_like_ones(void **state)
{
    static const struct {
        const char *hosts;
        const char *ports;
        bool ok;
    } cases[] = {
        {"a,b", "5432,", true},        {"", "", true},          {"/tmp/a@b,@abstract", "1", true},
        {"ter2@host", "", false},      {"a,ter2@b", "", false}, {"a", "Hunter", false},
        {"a,b", "5432,Hunter", false}, {"a", " 5432 ", true},   {"a", "123456", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        if (connection_check_hosts(str_of(cases[i].hosts), str_of(cases[i].ports), &e) !=
                cases[i].ok ||
            strstr(e.message, "ter") != NULL) {
            fail_msg("%s %s: %s", cases[i].hosts, cases[i].ports, e.message);
        }
    }
}

static void pieces_of_passwords_are_hidden(void **state)
{
    static const struct {
        const char *text;
        const char *message;
        const char *shown;
    } cases[] = {
        {"postgresql://bob:Hun@ter2@db.example.com/d",
         "could not translate host name \"ter2@db.example.com\" to address",
         "could not translate host name \"****@db.example.com\" to address"},
        {"postgresql://bob:Hunter/ter2@h/d", "invalid integer value \"Hunter\" for option \"port\"",
         "invalid integer value \"******\" for option \"port\""},
        {"mongodb://bob:Hun@ter2@h/d", "Failed to resolve 'ter2'", "Failed to resolve '****'"},
        {"postgresql://bob:long%40password@h/d", "xlong@passwordx long%40password",
         "x*************x ***************"},
        {"host=h password=ab port=1", "is ab in abc", "is ** in abc"},
        {"host=h password = 'a b\\'Hunter' port=1", "Hunter at h", "****** at h"},
        {"postgresql://h/d?user=u&password=Hunter&sslmode=x", "Hunter x", "****** x"},
        {"postgresql://bob:Hunter@h/d", "user \"bob\" of h and d", "user \"bob\" of h and d"},
        {"postgresql://bob@h/d", "user \"bob\" of h", "user \"bob\" of h"},
        {"password", "password", "password"},
        {"password=", "password=", "password="},
        {"", "it is gone", "it is gone"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        (void)err_set(&e, ERR_NET, "%s", cases[i].message);
        assert_false(connection_hide(str_of(cases[i].text), &e));
        assert_string_equal(e.message, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_with_a_bare_sign_are_refused),
        cmocka_unit_test(hosts_and_ports_look_like_ones),
        cmocka_unit_test(pieces_of_passwords_are_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
