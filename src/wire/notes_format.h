/*
 * notes_format.h - the field numbers of profiles and spans as the log keeps them.
 *
 * They are the format: a number is never given another meaning. docs/internals/wire.md lists them, and a test
 * holds the bytes of one span. For the codec (notes.c) and for the library, which writes a record in place.
 * Ownership: none. Threads: any. Limits: none.
 */
#ifndef TELEX_WIRE_NOTES_FORMAT_H
#define TELEX_WIRE_NOTES_FORMAT_H

enum { NOTES_NOTE = 1 };
enum { NOTE_TIME = 1, NOTE_NAME = 2, NOTE_LABELS = 3, NOTE_FIELD = 4, NOTE_SPAN = 5 };
enum { FIELD_NAME = 1, FIELD_NUMBER = 2, FIELD_INTEGER = 3, FIELD_TEXT = 4, FIELD_FLAG = 5 };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_PARENT_ID = 3,
    SPAN_END = 4,
    SPAN_KIND = 5,
    SPAN_STATUS = 6,
    SPAN_MESSAGE = 7,
    SPAN_MORE = 8,
};

/* A set of labels is {1 repeated {1 name, 2 value}}, sorted by name. */
enum { LABELS_PAIR = 1, PAIR_NAME = 1, PAIR_VALUE = 2 };

#endif
