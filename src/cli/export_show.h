/*
 * export_show.h - what `export --dry-run` prints: each thing that would be sent, text as it is, all else as
 * hexadecimal.
 *
 * Ownership: the caller's struct; the file of --raw is closed by export_show_end(). Threads: confined.
 * Limits: none.
 */
#ifndef TELEX_CLI_EXPORT_SHOW_H
#define TELEX_CLI_EXPORT_SHOW_H

#include "base/err.h"
#include "export/dry_run.h"

#include <stdio.h>

struct export_show {
    struct dry_run dry;
    FILE *raw; /* or NULL */
    bool failed;
};

/* <raw_path>: a file that gets all bytes, one behind the other; or NULL. */
MUST_USE bool export_show_begin(struct export_show *s, const char *raw_path, struct err *e);
MUST_USE bool export_show_end(struct export_show *s, struct err *e);

#endif
