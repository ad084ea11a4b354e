/*
 * note_push.h - what an application pushes of itself: profiles and spans as JSON, in one request.
 *
 * One object, an array of them, or one to a line (note_json.h). One that says no "kind" is a span when it
 * has a "function_name" or an "execution_time_ms", else a profile. "parent" of a span is the id of
 * another, or the function_name of one in the same request, the last one before it, else the first
 * behind it; the span is then of that one's trace.
 *
 * Ownership: notes are views of the body and of the arena, with counted labels. Threads: confined.
 * Limits: NOTE_PUSH_MAX objects; memory is the arena's cap.
 */
#ifndef TELEX_WIRE_NOTE_PUSH_H
#define TELEX_WIRE_NOTE_PUSH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/batch.h"

enum { NOTE_PUSH_MAX = 100 * 1000 };

struct note_push {
    VEC(struct note) notes; /* in the order of the request */
};

/* False when any of it cannot be taken, with nothing to release; errors point into <body>. */
MUST_USE bool note_push_read(struct str body, int64_t now_ns, struct arena *a,
                             struct note_push *ret_push, struct err *e);
void note_push_release(struct note_push *push);

/* A batch of those that are of <kind>; NULL when there are none. Texts are copied. */
struct batch *note_push_batch(const struct note_push *push, enum record_kind kind,
                              const struct batch_info *info);

#endif
