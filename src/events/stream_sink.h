/*
 * stream_sink.h - a stream's `sink`, `oidc` and `failureHandling` as one exporter, in the words that the user wrote.
 *
 * The exporter is compiled by the delivery plan with the others. It is read here too, so that what is wrong is said at
 * its place in the stream and by the names that stand there.
 *
 * Ownership: nodes live in the arena. Threads: confined. Limits: none of its own.
 */
#ifndef TELEX_EVENTS_STREAM_SINK_H
#define TELEX_EVENTS_STREAM_SINK_H

#include "events/stream_config.h"

/* The options of the exporter that stream <s> delivers through; <options> is the stream's section. NULL: it would be
 * none, as <e> says. */
const struct yaml_node *stream_sink_exporter(const struct stream_config *s,
                                             const struct yaml_node *options,
                                             const struct option_source *source, struct arena *a,
                                             struct err *e);

/* What becomes of what cannot be read, by what that exporter does with what is refused: enum refused_policy. */
int stream_sink_policy(const struct yaml_node *exporter);

/* Is the secret that the stream names by oidcSecretName used by nobody? */
bool stream_sink_ignores_secret(const struct stream_config *s);

/* Is <node> a mapping, or not there? An error says what <key> looks like. */
MUST_USE bool stream_check_mapping(const struct yaml_node *node, const char *key,
                                   const char *example, struct err *e);

/* <before> and the name in capitals with <behind>. */
const char *stream_env_prefix(struct arena *a, const char *before, struct str name,
                              const char *behind);

#endif
