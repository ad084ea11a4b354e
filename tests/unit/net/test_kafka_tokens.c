/* Tokens for logins at Kafka: how long they are said to be good, and which refusals end by themselves. */
#include "net/kafka_tokens.h"

#include "base/clock.h"
#include "base/secret.h"
#include "fake/http_kit.h"
#include "fake/token_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000 };

struct fixture {
    struct token_server server;
    struct http_kit kit;
    struct kafka_config config;
    struct kafka_tokens *tokens;
    struct buf token;
    int64_t end_ms;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    token_server_start(&f->server);
    http_kit_start(&f->kit, f->server.peer.port);
    f->server.secret = "s";
    f->config.sasl_mechanism = KAFKA_SASL_OAUTHBEARER;
    f->config.oauth2 = (struct http_oauth2_config){.client_id = str_of(f->server.client_id),
                                                   .token_url = buf_str(&f->server.token_url),
                                                   .client_secret = secret_from_text(STR("s"))};
    buf_init(&f->token, BUF_UNLIMITED);
    assert_true(kafka_tokens_new(&f->kit.env, &f->config, &f->tokens, &f->err));
    assert_non_null(f->tokens);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kafka_tokens_free(f->tokens);
    secret_free(f->config.oauth2.client_secret);
    buf_release(&f->token);
    http_kit_stop(&f->kit);
    token_server_stop(&f->server);
    mem_free(f);
    return 0;
}

static bool get(struct fixture *f)
{
    struct wait wait = {clock_deadline_ms(clock_system(), 10000), NULL};

    buf_clear(&f->token);
    f->err = ERR_INIT;
    return kafka_tokens_get(f->tokens, wait, &f->token, &f->end_ms, &f->err);
}

static int64_t left_ms(const struct fixture *f)
{
    return f->end_ms - clock_wall_ns(clock_system()) / NS_PER_MS;
}

static void who_logs_in_otherwise_has_none(void **state)
{
    struct fixture *f = *state;
    const struct kafka_config plain = {.sasl_mechanism = KAFKA_SASL_PLAIN};
    struct kafka_tokens *none = f->tokens;

    assert_true(kafka_tokens_new(&f->kit.env, &plain, &none, &f->err));
    assert_null(none);
    kafka_tokens_free(none);
}

/* It is kept, and ends when the server says. */
static void a_token_ends(void **state)
{
    struct fixture *f = *state;

    f->server.expires = "600";
    assert_true(get(f));
    assert_true(left_ms(f) > 500 * 1000 && left_ms(f) <= 600 * 1000);
    assert_true(get(f));
    assert_int_equal(f->server.requests, 1);
}

static void one_without_an_end_is_good_for_a_day(void **state)
{
    struct fixture *f = *state;

    f->server.expires = NULL;
    assert_true(get(f));
    assert_true(left_ms(f) > DAY_MS - 60 * 1000 && left_ms(f) <= DAY_MS);
}

/* As after a 401 over HTTP; once it worked, once more. */
static void what_brokers_refuse_is_asked_for_anew_once(void **state)
{
    struct fixture *f = *state;
    bool anew = false;

    for (unsigned i = 0; i < 2; i++) {
        assert_true(get(f));
        kafka_tokens_worked(f->tokens);
        assert_true(kafka_tokens_refused(f->tokens, &anew));
        assert_true(anew);
        assert_true(get(f));
        assert_int_equal(f->server.requests, 2 * i + 2);
        assert_false(kafka_tokens_refused(f->tokens, &anew));
        assert_false(anew);
    }
}

/* A token that went stale is refused by each broker that is there, before anyone has another. */
static void brokers_that_refuse_one_token_are_one_refusal(void **state)
{
    struct fixture *f = *state;
    bool anew = false;

    assert_true(get(f));
    for (unsigned i = 0; i < 3; i++) {
        anew = false;
        assert_true(kafka_tokens_refused(f->tokens, &anew));
        assert_true(anew && kafka_tokens_wants_another(f->tokens));
    }
    assert_true(get(f));
    assert_int_equal(f->server.requests, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(kafka_tokens_refused(f->tokens, &anew));
        assert_false(anew || kafka_tokens_wants_another(f->tokens));
    }
}

/* ... and between the two tokens a broker took one: that is no second in a row. */
static void one_that_worked_is_between(void **state)
{
    struct fixture *f = *state;
    bool anew = false;

    for (unsigned i = 0; i < 3; i++) {
        assert_true(get(f));
        assert_true(kafka_tokens_refused(f->tokens, &anew));
        assert_true(get(f));
        kafka_tokens_worked(f->tokens);
        assert_false(kafka_tokens_wants_another(f->tokens));
        assert_true(kafka_tokens_refused(f->tokens, &anew));
        assert_true(anew);
        assert_true(get(f));
        kafka_tokens_worked(f->tokens);
    }
}

static void a_server_that_is_busy_passes(void **state)
{
    struct fixture *f = *state;
    bool anew = true;

    f->server.status = 503;
    f->server.error = "{}";
    assert_false(get(f));
    assert_true(kafka_tokens_refused(f->tokens, &anew));
    assert_false(anew);
    f->server.status = 200;
    assert_true(get(f));
}

static void a_secret_that_is_refused_does_not(void **state)
{
    struct fixture *f = *state;
    bool anew = true;

    f->server.secret = "another";
    assert_false(get(f));
    assert_non_null(strstr(f->err.message, "invalid_client"));
    assert_false(kafka_tokens_refused(f->tokens, &anew));
    assert_false(anew);
}

/* What cannot be is told when it is opened. */
static void settings_that_make_no_sense(void **state)
{
    struct fixture *f = *state;
    struct kafka_config config = f->config;
    struct kafka_tokens *none = NULL;

    config.oauth2.client_id = STR("");
    assert_false(kafka_tokens_new(&f->kit.env, &config, &none, &f->err));
    assert_non_null(strstr(f->err.message, "client_id"));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(who_logs_in_otherwise_has_none),
        WITH_SERVER(a_token_ends),
        WITH_SERVER(one_without_an_end_is_good_for_a_day),
        WITH_SERVER(what_brokers_refuse_is_asked_for_anew_once),
        WITH_SERVER(brokers_that_refuse_one_token_are_one_refusal),
        WITH_SERVER(one_that_worked_is_between),
        WITH_SERVER(a_server_that_is_busy_passes),
        WITH_SERVER(a_secret_that_is_refused_does_not),
        WITH_SERVER(settings_that_make_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
