/*
 * man.h - manual pages from the Markdown that the reference pages are written in.
 *
 * What the pages use is known: headings, paragraphs, lists, tables of options, code, links. Markdown of any other kind comes out
 * as text. A list item that begins with code, and a row of a table, becomes a tagged paragraph.
 *
 * Ownership: borrowed. Threads: any; pure. Limits: the buf's.
 */
#ifndef TELEX_CLI_MAN_H
#define TELEX_CLI_MAN_H

#include "base/buf.h"
#include "base/str.h"

struct man_head {
    const char *name;    /* "telex.yaml" */
    const char *section; /* "5" */
    const char *help;    /* what stands behind the name */
    const char *version;
};

/* Appends the page: its head, NAME, and <markdown>, whose first heading is left out. */
void man_print(const struct man_head *head, struct str markdown, struct buf *out);

#endif
