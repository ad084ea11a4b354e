/*
 * Breaks one rule, chosen by name, so that the build which should notice can show that it does.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int overrun(void)
{
    char *volatile p = malloc(8);
    volatile size_t past = 8;
    int seen = p == NULL ? 0 : ((volatile char *)p)[past];
    free(p);
    return seen & 0;
}

static int leak(void)
{
    char *volatile p = malloc(32);
    p = NULL;
    return p != NULL;
}

static int overflow(void)
{
    volatile int most = INT_MAX;
    volatile int more = most + 1;
    return more & 0;
}

static void *add(void *count)
{
    for (int i = 0; i < 1000; i++) {
        *(volatile int *)count += 1;
    }
    return NULL;
}

static int race(void)
{
    int count = 0;
    pthread_t one;
    pthread_t two;
    if (pthread_create(&one, NULL, add, &count) != 0) {
        return 0;
    }
    if (pthread_create(&two, NULL, add, &count) == 0) {
        (void)pthread_join(two, NULL);
    }
    (void)pthread_join(one, NULL);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} rules[] = {
    {"overrun", overrun},
    {"leak", leak},
    {"overflow", overflow},
    {"race", race},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(argv[1], rules[i].name) == 0) {
            return rules[i].run();
        }
    }
    (void)fputs("usage: broken overrun|leak|overflow|race\n", stderr);
    return 0;
}
