/*
 * tenant.h - tenants of a VictoriaMetrics cluster as they are written: "ACCOUNT" or "ACCOUNT:PROJECT".
 *
 * Ownership: nothing is kept. Threads: any. Limits: both are numbers of 32 bits.
 */
#ifndef TELEX_MODEL_TENANT_H
#define TELEX_MODEL_TENANT_H

#include "base/str.h"

#include <stdbool.h>

bool tenant_is_valid(struct str text);

#endif
