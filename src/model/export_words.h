/*
 * export_words.h - what labels and annotations of an alert say of where it is exported to: the label
 * export_to_datastore, and the annotations export_datastore, export_database and so on.
 *
 * Rules say it for all that they find, and alerts that others push say it for themselves; both are read
 * with the words that stand here. Ownership: texts are borrowed. Threads: any. Limits: none of its own.
 */
#ifndef TELEX_MODEL_EXPORT_WORDS_H
#define TELEX_MODEL_EXPORT_WORDS_H

#include "model/labels.h"

#include <stdbool.h>
#include <stddef.h>

/* The label that switches exporting on ("true") or off ("false"). */
#define EXPORT_SWITCH_LABEL "export_to_datastore"

struct export_words {
    bool enabled;
    bool disabled;
    struct str datastore; /* texts are empty where nothing is said */
    struct str database;
    struct str measurement;
    struct str metric_type;
    struct str webhook_url; /* where to, when no datastore is named */
    bool has_threshold;
    double threshold;
};

/* Reads the label's value; false when it is none that is understood. */
bool export_switch_read(struct str value, bool *ret_enabled, bool *ret_disabled);

/* Reads a threshold; false when it is no number. */
bool export_threshold_read(struct str value, double *ret_threshold);

/* What an alert says of itself. Words that make no sense count as not said. */
void export_words_read(const struct labels *labels, const struct label *annotations, size_t count,
                       struct export_words *ret_words);

#endif
