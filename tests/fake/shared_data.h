/*
 * shared_data.h - public test data that is not part of the repository.
 *
 * It lies in the folder that TELEX_SHARED_DATA names, else in ../shared/data beside the repository. A test
 * whose data is absent calls skip(). Ownership: bytes go to the caller's buf. Threads: any. Limits: the
 * buf's.
 */
#ifndef TELEX_FAKE_SHARED_DATA_H
#define TELEX_FAKE_SHARED_DATA_H

#include "base/buf.h"

#include <stdbool.h>

/* Writes the path of <name> below the data folder. */
void shared_data_path(const char *name, struct buf *out);

/* Appends the file <name> of the data folder; false when it cannot be read. */
bool shared_data_read(const char *name, struct buf *out);

#endif
