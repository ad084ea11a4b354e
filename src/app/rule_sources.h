/*
 * rule_sources.h - rules from elsewhere: URLs, buckets of S3, standard input.
 *
 * Implements rules/rule.h's fetcher over net. What was fetched is kept below the state folder, with what
 * the server calls that version, so that nothing is sent twice, and a restart while the server is down
 * has the rules, with a warning. A job per place asks now and then whether there are other rules.
 *
 * Ownership: main keeps one for the life of the program; a watch refs the config of
 * its jobs. Threads: loading on the main thread, jobs on any. Limits: FETCH_FILES_MAX files of a
 * prefix, the client's max_response_bytes for each.
 */
#ifndef TELEX_APP_RULE_SOURCES_H
#define TELEX_APP_RULE_SOURCES_H

#include "app/config.h"
#include "app/scheduler.h"
#include "rules/rule.h"

enum { FETCH_FILES_MAX = 10000 };

struct rule_sources;

/* Without <keeps> nothing is written: what is fetched is looked at and forgotten. */
struct rule_sources *rule_sources_new(bool keeps);
void rule_sources_free(struct rule_sources *s); /* NULL is fine */

/* The fetcher for one load with <c>, which outlives it. */
struct rule_fetcher rule_sources_fetcher(struct rule_sources *s, const struct config *c);

/* What was fetched last runs now; a reload that is refused leaves it at that. NULL is fine. */
void rule_sources_run(struct rule_sources *s);

/* ---- asking now and then ---- */

struct rule_watch;

/* <changed> is called on any thread when a place of <c> has other rules than were loaded. */
struct rule_watch *rule_watch_new(const struct env *env, struct rule_sources *s, struct config *c,
                                  void (*changed)(void *arg), void *arg);
void rule_watch_free(struct rule_watch *w); /* only while its jobs do not run; NULL is fine */
size_t rule_watch_count(const struct rule_watch *w);
struct job rule_watch_job(struct rule_watch *w, size_t i);

#endif
