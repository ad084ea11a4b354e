/*
 * Does an annotation look at the metric name or at all labels of the series? Other labels can be read
 * from those of the alert, where no label of the rule replaced them, so the series' own need not be
 * kept.
 *
 * The text is scanned for $labels and .Labels. Followed by the name of a label they are harmless;
 * followed by anything else (range, index, print) they may show all.
 */
#include "rules/rule_int.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((unsigned char)c & 0x80) != 0;
}

/* The label in ".label" at the front of <rest>; empty when there is none. */
static struct str field_name(struct str rest)
{
    size_t len = 1;

    if (rest.len == 0 || rest.ptr[0] != '.') {
        return STR_NONE;
    }
    while (len < rest.len && is_name_byte(rest.ptr[len])) {
        len++;
    }
    return str_slice(rest, 1, len - 1);
}

/* Offset behind the next $labels or .Labels; source.len when there is none. */
static size_t next_mention(struct str source)
{
    static const struct str words[] = {STR_INIT("$labels"), STR_INIT(".Labels")};
    size_t first = source.len;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t at = str_find(source, words[i]);
        first = at < source.len && at + words[i].len < first ? at + words[i].len : first;
    }
    return first;
}

static bool text_needs_series(const struct template *text, struct str source)
{
    bool is_mentioned = false;

    if (text == NULL || (template_uses(text) & USES_LABELS) == 0) {
        return false;
    }
    for (size_t at = next_mention(source); at < source.len; at = next_mention(source)) {
        is_mentioned = true;
        source = str_slice(source, at, source.len);
        struct str name = field_name(source);
        if (name.len == 0 || str_eq(name, STR("__name__"))) {
            return true;
        }
    }
    return !is_mentioned;
}

bool rule_needs_series(const struct rule *rule)
{
    if (text_needs_series(rule->export.query_text, rule->export.query)) {
        return true;
    }
    for (size_t i = 0; i < rule->annotation_count; i++) {
        const struct rule_text *a = &rule->annotations[i];
        if (text_needs_series(a->text, a->source)) {
            return true;
        }
    }
    return false;
}
