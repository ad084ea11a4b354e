/*
 * env.h - what every constructor gets instead of globals.
 *
 * Ownership: main (or the library's handle, or a test) owns everything in it and outlives all who
 * borrow it. Threads: the struct is read-only after start. Limits: none.
 */
#ifndef TELEX_BASE_ENV_H
#define TELEX_BASE_ENV_H

struct clock;
struct rng;
struct trace_sink;
struct metrics;
struct budget;

struct env {
    const struct clock *clock;
    struct rng *rng;
    struct trace_sink *trace; /* components make their own struct trace on it */
    struct metrics *metrics;
    struct budget *budget;
};

#endif
