/*
 * sqlstate.h - what a SQLSTATE means for rows on their way: a table, by code and then by class.
 *
 * Ownership: static. Threads: any; pure. Limits: none.
 */
#ifndef TELEX_EXPORT_SQLSTATE_H
#define TELEX_EXPORT_SQLSTATE_H

#include "export/sink.h"

struct sqlstate {
    const char *code; /* five characters, or the two of a class */
    enum verdict verdict;
    bool is_lost;     /* connect again before the next try */
    const char *todo; /* for a person, where waiting mends nothing; or NULL */
};

/* Never NULL: what is not known is tried again. */
const struct sqlstate *sqlstate_find(const char *code);

#endif
