/*
 * html.h - writing HTML in which nothing that came from outside can become markup.
 *
 * html_print() takes a literal of ours as format, in which every % stands for a text of
 * others, escaped. Ownership: borrows the buf. Threads: confined. Limits: the buf's.
 */
#ifndef TELEX_SERVER_HTML_H
#define TELEX_SERVER_HTML_H

#include "base/buf.h"
#include "base/str.h"

/* Appends text for an element or a quoted attribute: & < > " ' escaped. */
void html_add(struct buf *out, struct str text);

/* Appends <format> as it is, but each % replaced by the next of <count> texts, escaped. */
void html_fill(struct buf *out, const char *format, const struct str *texts, size_t count);

/* html_print(out, "<b>%</b>", text, ...): the texts are struct str. */
#define html_print(out, format, ...)                              \
    html_fill((out), (format), (const struct str[]){__VA_ARGS__}, \
              sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

#endif
