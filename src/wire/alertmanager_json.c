#include "wire/alertmanager_json.h"

#include "wire/json_labels.h"

void alertmanager_json_add(struct json_writer *w, const struct alertmanager_alert *a)
{
    json_begin_object(w);
    json_key(w, STR("labels"));
    json_add_labels(w, a->labels, false);
    json_key(w, STR("annotations"));
    json_add_raw(w, a->annotations.len > 0 ? a->annotations : STR("{}"));
    json_key(w, STR("startsAt"));
    json_add_time(w, a->starts_at_ns);
    if (a->ends_at_ns != 0) {
        json_key(w, STR("endsAt"));
        json_add_time(w, a->ends_at_ns);
    }
    if (a->generator_url.len > 0) {
        json_key(w, STR("generatorURL"));
        json_add_str(w, a->generator_url);
    }
    json_end_object(w);
}
