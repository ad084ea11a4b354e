/*
 * request_maker.h - requests of records whose path, headers and body the config may write as templates.
 *
 * What `http` and `webhook` share. In a path, what an action gives is percent-encoded where it stands, so no
 * value can reach another segment or parameter; in a header, line ends and other controls become spaces.
 * Rows that go in one request have the same path and headers. A row of which a template makes nothing is
 * rejected alone.
 *
 * Ownership: templates belong to the sink that request_maker_open() makes. Threads: as sink.h. Limits:
 * REQUEST_PIECES_MAX pieces in a text, REQUEST_BODY_MAX bytes after which a request takes no more rows.
 */
#ifndef TELEX_EXPORT_REQUEST_MAKER_H
#define TELEX_EXPORT_REQUEST_MAKER_H

#include "base/options.h"
#include "export/exporter.h"
#include "export/http_sink.h"

enum {
    REQUEST_PIECES_MAX = 64,
    REQUEST_HEADERS_MAX = 32,
    REQUEST_BODY_MAX = 1024 * 1024,
};

struct http_client_config;
struct request_templates;

/* What a kind's config has, between struct exporter_common and its own; the maker fills <made>. */
struct request_options {
    struct str path;                 /* a template, or empty */
    const struct yaml_node *payload; /* or NULL: the record's own JSON */
    struct request_templates *made;  /* NULL: there are no templates */
};

extern const char *const request_alias_payload[];

#define REQUEST_TEMPLATE_ROWS(BASE)                                                               \
    {.name = "path",                                                                              \
     .type = OPTION_TEXT,                                                                         \
     .offset = (BASE) + offsetof(struct request_options, path),                                   \
     .help = "What stands behind the URL, with actions over the record: "                         \
             "`/hosts/{{ .labels.host }}?level={{ .severity }}`. What they give is "              \
             "percent-encoded."},                                                                 \
    {                                                                                             \
        .name = "payload", .aliases = request_alias_payload, .type = OPTION_NODE,                 \
        .offset = (BASE) + offsetof(struct request_options, payload),                             \
        .help = "What is sent of each record: a map whose texts are templates over its JSON, or " \
                "one text. None: the JSON itself."                                                \
    }

/* How requests look. */
struct request_shape {
    const char *method;
    enum body_encoding encoding;
    uint32_t rows_max; /* of one request; 1: one record each, without brackets */
    bool is_lines;     /* several stand on lines; else in an array */
    struct str type;   /* Content-Type; empty: none of ours */
};

/* Fills the request of the rows from *row on: see struct http_exporter.next_request. */
MUST_USE bool request_maker_next(const struct request_options *options,
                                 const struct request_shape *shape, struct view view, uint32_t *row,
                                 struct export_request *ret, struct outcome *out, struct err *e);

/* What answers mean. The URL is the config's, but where a template makes the path, that there is nothing may be
 * the record's fault: request_maker_judge() halts on 404 only where none does. */
extern const struct status_rule request_maker_statuses[];
void request_maker_judge(const struct request_options *options, const struct export_answer *answer,
                         struct outcome *out);

/* For check(): do all templates compile? <headers> are those of the client, whose values may be templates. */
MUST_USE bool request_maker_check(const struct request_options *options,
                                  const struct option_map *headers, const struct yaml_node *node,
                                  struct err *e);

/*
 * A leaf for <http>, whose config has <config_size> bytes and its request_options at <options_offset>. It
 * is handed a copy of the config that has the templates.
 */
MUST_USE bool request_maker_open(const struct http_exporter *http,
                                 const struct exporter_place *place, const void *config,
                                 size_t config_size, size_t options_offset, struct sink **ret_sink,
                                 struct err *e);

#endif
