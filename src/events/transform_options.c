/* The options of what events are made: the section `event` of a stream. */
#include "events/transform.h"

/* As enum transform_shape and enum oversize_policy. */
static const char *const shapes[] = {"auto", "health", "plain", NULL};
static const char *const policies[] = {"refuse", "drop_data", "send", NULL};
static const char *const alias_max_bytes[] = {"maxEventBytes", NULL};
static const char *const alias_document[] = {"documentColumn", NULL};

#define AT(member) offsetof(struct transform_options, member)

static const struct option rows[] = {
    {.name = "type",
     .type = OPTION_TEXT,
     .offset = AT(type),
     .help =
         "`type` of the events; without it `com.nvidia.nvsentinel.health.v1` for health events and "
         "`dev.telex.change` for all else."},
    {.name = "source",
     .type = OPTION_TEXT,
     .offset = AT(source),
     .help = "`source` of the events, a URI; without it `nvsentinel://CLUSTER/healthevents` and "
             "`telex://CLUSTER/STREAM`, with `metadata.cluster`."},
    {.name = "subject",
     .type = OPTION_TEXT,
     .offset = AT(subject),
     .help =
         "`subject` of the events, a template over the change (`{{ .record.nodeName }}`); without it "
         "the table's name, and none for health events."},
    {.name = "name",
     .type = OPTION_TEXT,
     .offset = AT(name),
     .help =
         "The member of `data` that carries the record; without it `healthEvent`, or `record`."},
    {.name = "shape",
     .type = OPTION_ENUM,
     .offset = AT(shape),
     .fallback = "auto",
     .choices = shapes,
     .help = "`auto` recognises health events by their members and takes all else as it is; with "
             "`health` what is none is refused; `plain` recognises nothing."},
    {.name = "document_column",
     .aliases = alias_document,
     .type = OPTION_TEXT,
     .offset = AT(document_column),
     .help = "The column whose JSON is the record; without it a health event is looked for in all "
             "columns, and else the row is the record."},
    {.name = "extensions",
     .type = OPTION_BOOL,
     .offset = AT(extensions),
     .fallback = "true",
     .help =
         "Add `sequence`, `partitionkey`, `recordedtime` and `traceparent` where they are known."},
    {.name = "attributes",
     .type = OPTION_MAP,
     .offset = AT(more),
     .help = "More attributes of each event."},
    {.name = "data",
     .type = OPTION_NODE,
     .offset = AT(data),
     .help =
         "`data` as a template instead: a mapping whose texts are templates over `.record`, `.metadata`, "
         "`.id`, `.key`, `.table` and `.operation`."},
    {.name = "max_event_bytes",
     .aliases = alias_max_bytes,
     .type = OPTION_BYTES,
     .offset = AT(max_event_bytes),
     .fallback = "1MB",
     .min = 0,
     .max = 64e6,
     .unit = "bytes",
     .help = "Larger events are dealt with as `oversize` says; 0: none is too large."},
    {.name = "oversize",
     .type = OPTION_ENUM,
     .offset = AT(oversize),
     .fallback = "refuse",
     .choices = policies,
     .help =
         "`refuse`: as an event that the sink refuses; `drop_data`: sent without `data`, with their "
         "size as `databytes`; `send`: sent all the same."},
};

const struct option_table transform_option_table = {
    .name = "event",
    .help = "What the events are called and carry.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct transform_options),
};
