/*
 * level_targets.h - the targets of a level output: options that say where they are, and the URL that becomes of
 * what discovery finds.
 *
 * A target begins as what discovery knows, with __scheme__ and __alerts_path__ as the config has them; the
 * relabel rules may change all of it or drop it; what then stands in __scheme__, __address__ and __alerts_path__
 * is where its alerts go. An address may be a whole URL.
 *
 * Ownership: rules are the caller's; the labels given are its reference. Threads: rules are immutable, a work is
 * confined. Limits: those of model/relabel.h.
 */
#ifndef TELEX_EXPORT_LEVEL_TARGETS_H
#define TELEX_EXPORT_LEVEL_TARGETS_H

#include "discover/discovery.h"
#include "model/relabel.h"

struct level_targets_config {
    struct discovery_lists found;
    int scheme; /* index into level_schemes */
    struct str path_prefix;
    const struct yaml_node *relabel_configs;
    const struct yaml_node *alert_relabel_configs;
};

extern const char *const level_schemes[];

#define LEVEL_TARGETS_ROWS(base)                                                                 \
    DISCOVERY_ROWS((base) + offsetof(struct level_targets_config, found)),                       \
        {.name = "scheme",                                                                       \
         .type = OPTION_ENUM,                                                                    \
         .offset = (base) + offsetof(struct level_targets_config, scheme),                       \
         .fallback = "http",                                                                     \
         .choices = level_schemes,                                                               \
         .help = "How targets are spoken to that do not say it (`__scheme__`)."},                \
        {.name = "path_prefix",                                                                  \
         .type = OPTION_TEXT,                                                                    \
         .offset = (base) + offsetof(struct level_targets_config, path_prefix),                  \
         .help =                                                                                 \
             "What stands before `/api/v2/alerts` in the path of targets (`__alerts_path__`)."}, \
        {.name = "relabel_configs",                                                              \
         .type = OPTION_NODE,                                                                    \
         .offset = (base) + offsetof(struct level_targets_config, relabel_configs),              \
         .help = "Rules that change or drop targets, by what is known of them."},                \
    {                                                                                            \
        .name = "alert_relabel_configs", .type = OPTION_NODE,                                    \
        .offset = (base) + offsetof(struct level_targets_config, alert_relabel_configs),         \
        .help = "Rules that change the labels of alerts for these targets, or drop alerts."      \
    }

/* Checks what tables cannot say; points errors into <node>, the exporter's mapping. <url> is that of the config,
 * or empty. */
MUST_USE bool level_targets_check(const struct level_targets_config *c, struct str url,
                                  const struct yaml_node *node, struct err *e);

/* What is made of a target that was found. */
enum level_found { LEVEL_FOUND_OK, LEVEL_FOUND_DROPPED, LEVEL_FOUND_BAD };

/*
 * *ret_labels (unref them) is the target after the rules, or as it was found when they drop it; OK appends its
 * URL to <url>; BAD says why in <e>.
 */
enum level_found level_target_find(const struct level_targets_config *c,
                                   const struct relabel *relabel, struct relabel_work *work,
                                   struct labels *found, struct labels **ret_labels,
                                   struct buf *url, struct err *e);

#endif
