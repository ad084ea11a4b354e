/*
 * place.h - where a command stands in the file system, and how it shows problems there.
 *
 * Relative paths in a config are relative to its folder, so that folder becomes the current one of
 * the process; what is shown stays relative to where the user is. Ownership: whoever entered
 * releases. Threads: the main thread, before others start. Limits: PATH_MAX.
 */
#ifndef TELEX_CLI_PLACE_H
#define TELEX_CLI_PLACE_H

#include "app/problems.h"
#include "base/str.h"
#include "cli/cli.h"

struct place {
    char *config; /* absolute; "" without a config */
    char *folder; /* of the config, absolute; where we are, without one */
    char *start;  /* where the user is */
};

/* Stays where we are, without a config. */
MUST_USE bool place_stay(struct place *ret_place, struct err *e);

/* <config>: as given; NULL: ./telex.yaml if it is there. On failure too *ret_place is to be released. */
MUST_USE bool place_enter(const char *config, struct place *ret_place, struct err *e);
void place_release(struct place *p);

/* A path as the user would write it from where they are. */
struct str place_shown(const struct place *p, struct str path);

/* Problems printed to standard error, with their lines and carets. */
struct printer {
    const struct place *place;
};
struct problems printer_problems(struct printer *p);

/* The same for one error that ends a command; gives CLI_FAILED. */
int cli_fail(const struct place *place, const struct err *e);

#endif
