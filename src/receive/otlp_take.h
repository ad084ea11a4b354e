/*
 * otlp_take.h - an export request of OTLP, however it came: unpacked, read into samples or spans, given to
 * the plan; for src/receive only.
 *
 * Ownership: the caller makes the push and gives it to the acker once it was given. Threads: any. Limits:
 * <max_decoded> unpacked; what reading may need beside the body is taken from the process's budget first.
 */
#ifndef TELEX_RECEIVE_OTLP_TAKE_H
#define TELEX_RECEIVE_OTLP_TAKE_H

#include "receive/receive_int.h"
#include "wire/otlp.h"
#include "wire/otlp_json.h"

/* What differs between metrics and traces. */
struct otlp_signal {
    enum record_kind kind;
    const char *nobody;      /* why such records are not taken when no output takes them */
    enum otlp_form request;  /* of bodies */
    enum otlp_form response; /* of answers */
    struct batch *(*read)(struct str message, const struct otlp_limits *limits,
                          struct otlp_extras *ret_extras, struct err *e);
};

extern const struct otlp_signal otlp_metrics;
extern const struct otlp_signal otlp_traces;

/* A body as it came. */
struct otlp_body {
    struct str bytes;
    bool is_gzip;
    bool is_json;
};

/* A push on its way; the first member of what each way in makes of it. */
struct otlp_push {
    struct push push;
    struct otlp_extras extras;
};

enum otlp_fate {
    OTLP_GIVEN,     /* to the plan: the acker says when it is held */
    OTLP_EMPTY,     /* there was nothing in it: to be answered at once */
    OTLP_BAD,       /* not to be read: never to be sent again */
    OTLP_TOO_LARGE, /* unpacked */
    OTLP_BUSY,      /* for now */
};

/* Fills <p>, all but its kind and who is answered. <e> says why it is bad, too large, or what is lacking. */
enum otlp_fate otlp_take(struct receiver *r, const struct otlp_signal *signal,
                         const struct otlp_body *body, struct otlp_push *p, struct err *e);

/* What an answer to a request that was taken says, as protobuf. */
void otlp_add_partial(const struct otlp_extras *extras, struct buf *message);

#endif
