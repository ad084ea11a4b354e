/*
 * tap.h - what exporters send, for somebody who looks: the calls to destinations as lines of JSON.
 *
 * A tap is opened for one exporter by the first who asks, keeps the newest lines, and closes by
 * itself when nobody has asked for TAP_IDLE_MS. A line is one call: when, how many records, what became
 * of them, how long it took, and the first TAP_RECORDS of the records as webhooks get them. Nothing of a
 * request's head is in it, so no credentials are.
 *
 * Ownership: the plan owns its taps. Threads: any. Limits: TAPS_MAX taps, TAP_BYTES of lines each; when
 * nobody looks a call costs one atomic load.
 */
#ifndef TELEX_EXPORT_TAP_H
#define TELEX_EXPORT_TAP_H

#include "base/buf.h"
#include "base/err.h"
#include "export/sink.h"

#include <stdbool.h>
#include <stdint.h>

enum { TAPS_MAX = 8, TAP_RECORDS = 20, TAP_BYTES = 512 * 1024, TAP_IDLE_MS = 30 * 1000 };

struct env;
struct taps;

/* Appends the first TAP_RECORDS of <view> as a JSON array, redacted (redact.h). */
void tap_add_records(struct view view, struct buf *out);

struct taps *taps_new(const struct env *env);
void taps_free(struct taps *t); /* NULL is fine */

/* Does anybody look at this exporter? NULL: nobody. */
bool taps_is_open(struct taps *t, struct str exporter);

/* A call ended: <view> was handed over, <out> came of it. */
void taps_tell(struct taps *t, struct str exporter, struct view view, const struct outcome *out,
               int64_t took_ns);

/*
 * Appends the lines behind number <after> to <out>, opening the tap if need be; *ret_next is to be
 * asked with the next time, *ret_missed how many lines were lost between. False: TAPS_MAX are open.
 */
MUST_USE bool taps_read(struct taps *t, struct str exporter, uint64_t after, struct buf *out,
                        uint64_t *ret_next, uint64_t *ret_missed, struct err *e);

#endif
