/*
 * validate.h - is what we encoded what was meant? Decodes a request's body and compares it with its rows.
 *
 * For the option debug.validate_schemas: the strict readers of wire/ look at what its writers made, and
 * each record must come back as it went in. What a protocol cannot carry and changes by rule (control
 * characters in a tag) is not compared.
 *
 * Ownership: borrowed. Threads: any; pure. Limits: those of the readers.
 */
#ifndef TELEX_EXPORT_VALIDATE_H
#define TELEX_EXPORT_VALIDATE_H

#include "base/err.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

#define SENT_ALL_PARTS UINT32_MAX

/* The rows that a body was made of: first..end-1 of the view. */
struct sent_rows {
    struct view view;
    uint32_t first;
    uint32_t end;
    uint32_t part; /* of the one row, where it makes several requests; or SENT_ALL_PARTS */
};

/* Is it a text that every format carries as it is? Others are not compared. */
bool validate_is_plain(struct str text);

/* Is it the same field, by name, kind and value? */
bool validate_same_field(const struct note_field *a, const struct note_field *b);

/* Is <got> what became of <sent> where texts end after <max> bytes? */
bool validate_same_text(struct str got, struct str sent, size_t max);

/* A WriteRequest, unpacked. */
MUST_USE bool validate_rw1(const struct sent_rows *sent, struct str body, struct err *e);

/* Lines of line protocol. */
MUST_USE bool validate_influx(const struct sent_rows *sent, struct str body, struct err *e);

/* JSON objects of records, one to a line or in one array. */
MUST_USE bool validate_json(const struct sent_rows *sent, struct str body, struct err *e);

#endif
