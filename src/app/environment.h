/*
 * environment.h - the program's own env: clock, chance, log, metrics and memory, made from a config.
 *
 * The metrics of the process itself (memory, processor time, open files) belong to it. Ownership:
 * main keeps it and outlives all who borrow env. Threads: made and released by the main thread,
 * read-only between. Limits: the memory budget is the config's, or a share of what the machine or
 * container has.
 */
#ifndef TELEX_APP_ENVIRONMENT_H
#define TELEX_APP_ENVIRONMENT_H

#include "app/config.h"
#include "base/budget.h"
#include "base/env.h"
#include "base/rand.h"

struct process_metrics;

struct environment {
    struct env env;
    struct rng rng;
    struct budget budget;
    struct process_metrics *process;
};

/* Lines of the log go to <log_fd>. */
void environment_init(struct environment *en, const struct config *config, int log_fd);
void environment_release(struct environment *en);

/* Bytes of memory that this process may use: the machine's, or less where a container says so. */
int64_t memory_of_machine(void);

struct process_metrics *process_metrics_new(const struct env *env);
void process_metrics_free(struct process_metrics *p);

#endif
