/*
 * The variables that every rule template knows; slot 0 is $, the data itself.
 */
#include "template/template_int.h"

static struct value read_root(const struct template_data *data, const struct template_world *world)
{
    (void)world;
    return data->objects != NULL ? value_object(data->objects, data->object)
                                 : (struct value){.kind = VALUE_ROOT};
}

static struct value read_labels(const struct template_data *data,
                                const struct template_world *world)
{
    const struct labels *first = data->labels != NULL ? data->labels : labels_empty();

    (void)world;
    return (struct value){.kind = VALUE_LABELS, .as.labels = {first, data->alert_labels}};
}

static struct value read_value(const struct template_data *data, const struct template_world *world)
{
    (void)world;
    return value_float(data->value);
}

static struct value read_external_labels(const struct template_data *data,
                                         const struct template_world *world)
{
    const struct labels *labels =
        world->external_labels != NULL ? world->external_labels : labels_empty();

    (void)data;
    return (struct value){.kind = VALUE_LABELS, .as.labels = {labels, NULL}};
}

static struct value read_external_url(const struct template_data *data,
                                      const struct template_world *world)
{
    (void)data;
    return value_text(world->external_url);
}

static struct value read_expr(const struct template_data *data, const struct template_world *world)
{
    (void)world;
    return value_text(data->expr);
}

static struct value read_for(const struct template_data *data, const struct template_world *world)
{
    (void)world;
    return (struct value){.kind = VALUE_DURATION, .as.integer = data->for_ns};
}

static struct value read_interval(const struct template_data *data,
                                  const struct template_world *world)
{
    (void)world;
    return (struct value){.kind = VALUE_DURATION, .as.integer = data->interval_ns};
}

static struct value read_type(const struct template_data *data, const struct template_world *world)
{
    (void)world;
    return value_text(data->type);
}

static struct value read_alert_id(const struct template_data *data,
                                  const struct template_world *world)
{
    (void)world;
    return value_text(str_of(data->alert_id));
}

static struct value read_group_id(const struct template_data *data,
                                  const struct template_world *world)
{
    (void)world;
    return value_text(data->group_id);
}

static struct value read_active_at(const struct template_data *data,
                                   const struct template_world *world)
{
    (void)world;
    return (struct value){.kind = VALUE_TIME, .as.integer = data->active_at_ns};
}

static struct value read_is_partial(const struct template_data *data,
                                    const struct template_world *world)
{
    (void)world;
    return value_bool(data->is_partial);
}

const struct predeclared predeclared[] = {
    {"", USES_LABELS | USES_VALUE | USES_EXTERNAL | USES_ALERT | USES_TIME, read_root},
    {"labels", USES_LABELS, read_labels},
    {"value", USES_VALUE, read_value},
    {"externalLabels", USES_EXTERNAL, read_external_labels},
    {"externalURL", USES_EXTERNAL, read_external_url},
    {"expr", USES_ALERT, read_expr},
    {"for", USES_ALERT, read_for},
    {"interval", USES_ALERT, read_interval},
    {"type", USES_ALERT, read_type},
    {"alertID", USES_ALERT, read_alert_id},
    {"groupID", USES_ALERT, read_group_id},
    {"activeAt", USES_TIME, read_active_at},
    {"isPartial", USES_ALERT, read_is_partial},
};
const size_t predeclared_count = ARRAY_LEN(predeclared);
