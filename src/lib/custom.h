/*
 * custom.h - a kind of exporter whose functions are the application's.
 *
 * It becomes a const table like every built-in kind, so that options, buffers, retries, breakers and dead
 * letters are the same. Ownership: counted, since configs and hubs share it. Threads: counting from any; a
 * sink belongs to its lane. Limits: CUSTOM_ROWS_MAX records in one call.
 */
#ifndef TELEX_LIB_CUSTOM_H
#define TELEX_LIB_CUSTOM_H

#include "export/exporter.h"
#include <telex/telex.h>

enum { CUSTOM_ROWS_MAX = 5000 };

struct custom_kind;

/* TELEX_INVALID where the table is not one. */
int custom_kind_new(const struct telex_exporter *exporter, struct custom_kind **ret_kind,
                    struct telex_error *error);
struct custom_kind *custom_kind_ref(struct custom_kind *k);
void custom_kind_unref(struct custom_kind *k);
const char *custom_kind_name(const struct custom_kind *k);
const struct exporter_kind *custom_kind_table(const struct custom_kind *k);

#endif
