/*
 * vmalert_flags.h - vmalert's flags and what they are here.
 *
 * Ownership: a static table. Threads: any. Limits: none.
 */
#ifndef TELEX_CLI_VMALERT_FLAGS_H
#define TELEX_CLI_VMALERT_FLAGS_H

#include "cli/flags.h"

extern const struct flag_table vmalert_flags;

#endif
