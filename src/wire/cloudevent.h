/*
 * cloudevent.h - CloudEvents 1.0 as they travel: JSON (one event, or an array of them) and HTTP headers.
 *
 * A message over HTTP is in one of three modes, told apart by its Content-Type: structured (the event is
 * the body), batched (the body is an array of events), binary (attributes are headers that begin with
 * "ce-", the body is the data). What is read is checked: every event that comes out passes
 * event_check(), and what does not follow the specification is refused with the place.
 *
 * Ownership: an event read has views of the text it was read from and of the arena. Threads: any; pure.
 * Limits: EVENT_EXTENSIONS_MAX extensions of an event, JSON's depth, the arena's cap.
 */
#ifndef TELEX_WIRE_CLOUDEVENT_H
#define TELEX_WIRE_CLOUDEVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/event.h"

enum cloudevent_mode {
    CLOUDEVENT_STRUCTURED,
    CLOUDEVENT_BINARY,
    CLOUDEVENT_BATCHED,
    CLOUDEVENT_FOREIGN, /* an event in a format that is not JSON: to be answered 415 */
    CLOUDEVENT_MODES
};

#define CLOUDEVENT_TYPE "application/cloudevents+json; charset=UTF-8"
#define CLOUDEVENT_BATCH_TYPE "application/cloudevents-batch+json; charset=UTF-8"

/* The mode of a message with this Content-Type, which may be empty. */
enum cloudevent_mode cloudevent_mode_of(struct str content_type);

/* ---- JSON ---- */

/* Appends the event as one JSON object, on one line. <ev> passes event_check(). */
void cloudevent_write(const struct event *ev, struct buf *out);

/* Reads one JSON object, or an array of them, which may be empty. */
MUST_USE bool cloudevent_read(struct str json, struct arena *a, struct event *ret_event,
                              struct err *e);
MUST_USE bool cloudevents_read(struct str json, struct arena *a, struct events *ret_events,
                               struct err *e);

/* ---- HTTP ---- */

struct cloudevent_header {
    struct str name;
    struct str value;
};

/* One header for each attribute, time and extensions too; datacontenttype is not among them. */
enum { CLOUDEVENT_OWN_HEADERS = 7 };

/*
 * The headers of an event in binary mode, made in <a>; <max> of them have room. False when it has more.
 * The Content-Type is cloudevent_body_type()'s, the body the event's data as they are.
 */
MUST_USE bool cloudevent_headers(const struct event *ev, struct arena *a,
                                 struct cloudevent_header *headers, size_t max, size_t *ret_count,
                                 struct err *e);
struct str cloudevent_body_type(const struct event *ev); /* empty: none is to be sent */

/* The same for a record of Kafka in binary mode: "ce_" and values as they are, in UTF-8. cloudevent_body_type() is its
 * header "content-type". */
MUST_USE bool cloudevent_kafka_headers(const struct event *ev, struct arena *a,
                                       struct cloudevent_header *headers, size_t max,
                                       size_t *ret_count, struct err *e);

/* What a request says; only headers that begin with "ce-", in any case, are looked at. */
struct cloudevent_message {
    struct str content_type;
    const struct cloudevent_header *headers;
    size_t header_count;
    struct str body;
};

/* The events of a message in any of the three modes. */
MUST_USE bool cloudevents_read_message(const struct cloudevent_message *m, struct arena *a,
                                       struct events *ret_events, struct err *e);

/* A header's value: percent-encoded, so that it is printable ASCII without quotes and spaces. */
void cloudevent_print_header(struct str value, struct buf *out);

/* Back, quoted strings too; false (with <out> as it was) when it is broken or no UTF-8. */
MUST_USE bool cloudevent_parse_header(struct str value, struct buf *out);

#endif
