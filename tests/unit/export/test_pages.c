/* Pages that are served: who shares one, who may see it, and when a listener ends. */
#include "export/pages.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scene {
    struct http_kit kit;
    struct rng rng;
    struct pages *pages;
    struct page_config config;
};

static void start(struct scene *s)
{
    uint16_t port = http_peer_closed_port();

    http_kit_start(&s->kit, port);
    rng_seed(&s->rng, 1);
    s->kit.env.rng = &s->rng;
    s->pages = pages_new(&s->kit.env);
    s->config = (struct page_config){.address = STR("127.0.0.1"),
                                     .port = port,
                                     .path = STR("/metrics"),
                                     .limits = {.max_series = 10}};
}

static void stop(struct scene *s)
{
    pages_free(s->pages);
    http_kit_stop(&s->kit);
}

static struct page *must_get(struct scene *s)
{
    struct page *p = NULL;
    struct err e = ERR_INIT;

    assert_true(page_get(s->pages, &s->config, &p, &e));
    assert_int_equal(page_port(p), s->config.port);
    return p;
}

static void note(struct page *p, const char *labels, double value)
{
    const struct kit_sample row = {labels, KIT_TIME_NS, value};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &(struct batch_info){0}, &row, 1);
    struct outcome out;

    outcome_init(&out);
    latest_note(page_table(p), view_all(b), &out);
    outcome_release(&out);
}

/* The status of an answer to GET <path>; 0: nobody answers. */
static int status_of(struct scene *s, const char *path)
{
    return http_kit_get(&s->kit, path) ? s->kit.response.status : 0;
}

static void who_says_the_same_place_shares_a_page(void **state)
{
    struct scene s;

    (void)state;
    start(&s);
    struct page *a = must_get(&s);
    struct page *b = must_get(&s);
    s.config.path = STR("/others");
    struct page *other = must_get(&s);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, other);
    note(a, "up", 1);
    assert_int_equal(status_of(&s, "/metrics"), 200);
    assert_string_equal(buf_text(&s.kit.body), "up 1\n");
    assert_int_equal(status_of(&s, "/others"), 200);
    assert_int_equal(s.kit.body.len, 0);
    assert_int_equal(status_of(&s, "/nowhere"), 404);

    page_put(a);
    assert_int_equal(status_of(&s, "/metrics"), 200);
    page_put(b);
    assert_int_equal(status_of(&s, "/metrics"), 404);
    page_put(other);
    assert_int_equal(status_of(&s, "/others"), 0);
    stop(&s);
}

static void credentials_are_those_of_who_came_last(void **state)
{
    struct scene s;
    struct secret *first = secret_from_text(STR("first"));
    struct secret *second = secret_from_text(STR("second"));

    (void)state;
    start(&s);
    s.config.auth.bearer_token = first;
    struct page *a = must_get(&s);
    secret_free(first); /* as with the graph that it came with */
    assert_int_equal(status_of(&s, "/metrics"), 401);
    s.kit.config.bearer_token = secret_from_text(STR("first"));
    http_kit_client(&s.kit);
    assert_int_equal(status_of(&s, "/metrics"), 200);

    s.config.auth.bearer_token = second;
    struct page *b = must_get(&s);
    assert_int_equal(status_of(&s, "/metrics"), 401);
    s.config.auth.bearer_token = NULL;
    struct page *c = must_get(&s);
    assert_int_equal(status_of(&s, "/metrics"), 200);
    page_put(a);
    page_put(b);
    page_put(c);
    secret_free(second);
    secret_free(s.kit.config.bearer_token);
    stop(&s);
}

static void what_cannot_be_served_is_said(void **state)
{
    struct scene s;
    struct page *p = NULL;
    struct err e = ERR_INIT;

    (void)state;
    start(&s);
    struct page *plain = must_get(&s);
    s.config.tls.cert_file = STR("/nowhere/page.crt");
    assert_false(page_get(s.pages, &s.config, &p, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.message, "served with other certificates"));
    assert_false(page_check(&s.config, &e));
    assert_non_null(strstr(e.message, "key_file"));
    page_put(plain);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_the_same_place_shares_a_page),
        cmocka_unit_test(credentials_are_those_of_who_came_last),
        cmocka_unit_test(what_cannot_be_served_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
