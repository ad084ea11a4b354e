/*
 * reply.h - members of the objects that the API answers with, and the envelope around them; for src/server only.
 *
 * Ownership: borrows the writer. Threads: any. Limits: none.
 */
#ifndef TELEX_SERVER_REPLY_H
#define TELEX_SERVER_REPLY_H

#include "wire/json.h"

void reply_u64(struct json_writer *w, const char *name, uint64_t value);
void reply_double(struct json_writer *w, const char *name, double value);
void reply_bool(struct json_writer *w, const char *name, bool value);
void reply_text(struct json_writer *w, const char *name, const char *value); /* NULL is null */
void reply_str(struct json_writer *w, const char *name, struct str value);

/* A number that is not known when it is negative: null then. */
void reply_known(struct json_writer *w, const char *name, int64_t value);

/* RFC 3339; 0 is null. */
void reply_time(struct json_writer *w, const char *name, int64_t wall_ns);

/* {"status":"success","data": */
void reply_begin(struct json_writer *w, struct buf *out);

#endif
