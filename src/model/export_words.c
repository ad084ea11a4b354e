#include "model/export_words.h"

#include "base/attr.h"
#include "base/number.h"

bool export_switch_read(struct str value, bool *ret_enabled, bool *ret_disabled)
{
    *ret_enabled = str_eq(value, STR("true"));
    *ret_disabled = str_eq(value, STR("false"));
    return *ret_enabled || *ret_disabled || value.len == 0;
}

bool export_threshold_read(struct str value, double *ret_threshold)
{
    return number_parse(str_trim(value), ret_threshold);
}

static const struct {
    const char *name;
    size_t offset; /* of a struct str */
} texts[] = {
    {"export_datastore", offsetof(struct export_words, datastore)},
    {"export_database", offsetof(struct export_words, database)},
    {"export_measurement", offsetof(struct export_words, measurement)},
    {"metric_type", offsetof(struct export_words, metric_type)},
    {"webhook_url", offsetof(struct export_words, webhook_url)},
};

static void read_annotation(const struct label *annotation, struct export_words *words)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(annotation->name, str_of(texts[i].name))) {
            *(struct str *)(void *)((char *)words + texts[i].offset) = annotation->value;
        }
    }
    if (str_eq(annotation->name, STR("threshold_value"))) {
        words->has_threshold = export_threshold_read(annotation->value, &words->threshold);
    }
}

void export_words_read(const struct labels *labels, const struct label *annotations, size_t count,
                       struct export_words *ret_words)
{
    *ret_words = (struct export_words){.datastore = STR(""),
                                       .database = STR(""),
                                       .measurement = STR(""),
                                       .metric_type = STR(""),
                                       .webhook_url = STR("")};
    (void)export_switch_read(labels_get(labels, STR(EXPORT_SWITCH_LABEL)), &ret_words->enabled,
                             &ret_words->disabled);
    for (size_t i = 0; i < count; i++) {
        read_annotation(&annotations[i], ret_words);
    }
}
