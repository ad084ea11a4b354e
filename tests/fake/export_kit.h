/*
 * export_kit.h - what tests of exporters share: configs from YAML, small batches, requests as text.
 *
 * Ownership: the test owns the kit and the batches. Threads: confined. Limits: none.
 */
#ifndef TELEX_FAKE_EXPORT_KIT_H
#define TELEX_FAKE_EXPORT_KIT_H

#include "base/arena.h"
#include "base/yaml.h"
#include "export/exporter.h"
#include "model/batch.h"

struct export_request;

struct export_kit {
    struct arena arena;
    struct yaml_source source;
    const struct exporter_kind *kind;
    void *config; /* NULL: not parsed */
    struct err err;
};

/* Reads <yaml>, the options of an exporter with its type; false with k->err, whose file is "t". */
MUST_USE bool export_kit_start(struct export_kit *k, const char *yaml);
void export_kit_stop(struct export_kit *k);

struct kit_sample {
    const char *labels; /* "up,job=a,instance=b"; "" for no metric name: ",job=a" */
    int64_t time_ns;
    double value;
};

/* Rows of equal labels share a series. <info>'s kind is set here. */
struct batch *kit_samples(const struct batch_codec *codec, const struct batch_info *info,
                          const struct kit_sample *rows, uint32_t count);

/* A firing edge, a firing edge with two exported series, and a resolved one. */
struct batch *kit_alerts(const struct batch_info *info);

/* 2024-01-15T10:30:00Z */
#define KIT_TIME_NS INT64_C(1705314600000000000)

/* Appends method, path, headers, an empty line and the body before compression, in hexadecimal when
 * it is not text. */
void export_kit_print_request(const struct export_request *req, struct buf *out);

/* Appends every request for <view>, then what became of the rows. */
void export_kit_print(struct export_kit *k, struct view view, struct buf *out);

#endif
