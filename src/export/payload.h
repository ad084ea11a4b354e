/*
 * payload.h - what is sent of a record where its own JSON is not what is wanted: templates that the config wrote.
 *
 * A payload is compiled from YAML. A mapping becomes a JSON object, a sequence an array, of any depth; a text at a
 * leaf is a template over the record's JSON object (record_json.h): `{{ .labels.host }}`, with the functions of
 * template_compile_record(). A leaf that is one action keeps its type (`{{ .value }}` is a number, `{{ .labels }}` an
 * object, what is not there is null); one with text around it is a text. Plain numbers, true, false and null
 * are what they are in YAML. A payload that is a text as a whole is rendered as it stands, JSON or not.
 *
 *   payload_compile(node, &p, e); payload_writer_init(&w, p, wall_ns); payload_add(&w, object, out, e) per record
 *
 * Ownership: a payload owns its templates, texts are the config's; a writer borrows both. Threads: a payload is
 * immutable; a writer is confined. Limits: those of templates; PAYLOAD_BYTES_MAX per record.
 */
#ifndef TELEX_EXPORT_PAYLOAD_H
#define TELEX_EXPORT_PAYLOAD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"
#include "template/template.h"

enum { PAYLOAD_BYTES_MAX = 16 * 1024 * 1024 };

struct payload;

/* Errors point to the leaf that is wrong. */
MUST_USE bool payload_compile(const struct yaml_node *node, struct payload **ret_payload,
                              struct err *e);

/* A text as a whole; <name> is for error texts, which point into it. */
MUST_USE bool payload_compile_text(struct str name, struct str text, struct payload **ret_payload,
                                   struct err *e);
void payload_free(struct payload *p); /* NULL is fine */
DEFINE_AUTOFREE(payload)

/* For a kind's check(): does it compile? NULL does. */
MUST_USE bool payload_check(const struct yaml_node *node, struct err *e);

/* Is it a text as a whole, and not JSON by construction? */
bool payload_is_text(const struct payload *p);

/* This host and this process. */
struct payload_host {
    struct template_host host;
    char hostname[256];
    char os[65];
    char os_release[65];
    char arch[65];
};
void payload_host_init(struct payload_host *h);

struct payload_writer {
    const struct payload *payload;
    struct payload_host host;
    struct arena arena; /* of a record */
    struct buf text;    /* of a leaf */
};

void payload_writer_init(struct payload_writer *w, const struct payload *p);
void payload_writer_release(struct payload_writer *w);

/*
 * Appends what the payload makes of <object>, the JSON object of a record; <wall_ns> is `now`. On failure nothing
 * is appended.
 */
MUST_USE bool payload_add(struct payload_writer *w, struct str object, int64_t wall_ns,
                          struct buf *out, struct err *e);

#endif
