#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void sizes_of_nothing(void **state)
{
    (void)state;
    void *a = mem_alloc(0);
    void *b = mem_alloc0(0, 8);
    void *c = mem_resize(NULL, 0, 8);
    char *d = mem_dup(NULL, 0);
    char *text = mem_dup_text(NULL, 0);

    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_string_equal(text, "");
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(d);
    mem_free(text);
    mem_free(NULL);
}

static void copies(void **state)
{
    (void)state;
    AUTO(mem_autofree) char *text = mem_dup_text("abcdef", 3);
    AUTO(mem_autofree) char *bytes = mem_dup("ab\0c", 4);

    assert_string_equal(text, "abc");
    assert_memory_equal(bytes, "ab\0c", 4);
    char *moved = TAKE(text);
    assert_null(text);
    mem_free(moved);
}

static void refusals_are_null(void **state)
{
    (void)state;
    char *kept = mem_dup_text("kept", 4);
    volatile size_t huge = SIZE_MAX / 2;

    assert_null(mem_try_resize(kept, huge, 3));
    assert_null(mem_try_alloc(huge + 2));
    assert_string_equal(kept, "kept");
    mem_free(kept);
}

static void ask_too_much(void)
{
    volatile size_t huge = SIZE_MAX / 2;

    (void)dup2(open("/dev/null", O_WRONLY), 2);
    mem_free(mem_alloc0(huge, 3));
}

/* The policy of ADR 1: the program ends, by SIGABRT. */
static void exhaustion_ends_the_program(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        ask_too_much();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_nothing),
        cmocka_unit_test(copies),
        cmocka_unit_test(refusals_are_null),
        cmocka_unit_test(exhaustion_ends_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
