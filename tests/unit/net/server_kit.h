/*
 * server_kit.h - what the tests of the server share.
 *
 * Ownership: the site of the group is the test's state. Threads: confined. Limits: none.
 */
#ifndef TELEX_TESTS_SERVER_KIT_H
#define TELEX_TESTS_SERVER_KIT_H

#include "base/mem.h"
#include "fake/http_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static inline UNUSED void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) {
        fail_msg("got '%.*s', want '%s'", STR_FMT(got), want);
    }
}

static inline UNUSED void assert_contains(const struct buf *b, const char *part)
{
    if (str_find(buf_str(b), str_of(part)) == b->len) {
        fail_msg("'%s' is not in '%.*s'", part, STR_FMT(buf_str(b)));
    }
}

static inline UNUSED void start_server(struct http_site *f)
{
    struct err e = ERR_INIT;

    if (!http_site_try_start(f, &e)) {
        fail_msg("%s", e.message);
    }
}

static inline UNUSED int setup(void **state)
{
    struct http_site *f = mem_new(struct http_site);

    http_site_init(f);
    *state = f;
    return 0;
}

static inline UNUSED int setup_started(void **state)
{
    (void)setup(state);
    start_server(*state);
    return 0;
}

static inline UNUSED int teardown(void **state)
{
    struct http_site *f = *state;

    http_site_release(f);
    mem_free(f);
    return 0;
}

static inline UNUSED void must_call(struct http_site *f, const struct http_request *request,
                                    int status)
{
    if (!http_kit_call(&f->kit, request)) {
        fail_msg("%.*s: %s", STR_FMT(request->path), f->kit.err.message);
    }
    if (f->kit.response.status != status) {
        fail_msg("%.*s: %d: %s", STR_FMT(request->path), f->kit.response.status,
                 buf_text(&f->kit.body));
    }
}

static inline UNUSED void must_get(struct http_site *f, const char *path, int status)
{
    must_call(f, &(struct http_request){.path = str_of(path)}, status);
}

static inline UNUSED void post(struct http_site *f, const char *path, struct str body, int status)
{
    must_call(f,
              &(struct http_request){
                  .method = "POST", .path = str_of(path), .parts = &body, .part_count = 1},
              status);
}

/*
 * A body too large to drain, refused before it is read: the answer comes, or the connection breaks
 * while the body is still being sent, which no server can prevent.
 */
static inline UNUSED void post_refused(struct http_site *f, const char *path, struct str body,
                                       int status)
{
    struct http_request request = {
        .method = "POST", .path = str_of(path), .parts = &body, .part_count = 1};

    if (http_kit_call(&f->kit, &request)) {
        assert_int_equal(f->kit.response.status, status);
    } else {
        assert_int_equal(f->kit.response.failure, HTTP_FAILURE_BROKEN);
    }
}

static inline UNUSED void wait_held(struct http_site *f)
{
    assert_true(http_site_wait_held(f));
}

static inline UNUSED void wait_count(_Atomic unsigned *count, unsigned want)
{
    if (!http_site_wait_count(count, want)) {
        fail_msg("%u, want %u", atomic_load(count), want);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)

#endif
