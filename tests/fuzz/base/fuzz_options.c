/*
 * Any bytes as the YAML of an options mapping, and, after a NUL, as the value of every variable.
 * Not as files of secrets: harnesses read none but their input.
 */
#include "base/options.h"
#include "base/secret.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct inner {
    struct str text;
    struct secret *secret;
};

struct config {
    struct str url;
    bool flag;
    int64_t whole;
    double number;
    int64_t duration_ns;
    int64_t bytes;
    int choice;
    struct secret *secret;
    struct option_list list;
    struct option_map map;
    struct option_ints ints;
    struct inner inner;
    const struct yaml_node *node;
};

#define AT(member) .offset = offsetof(struct config, member)

static const char *const choices[] = {"one", "two", NULL};
static const char *const aliases[] = {"d_ms", "d_hours", NULL};

static const struct option inner_rows[] = {
    {.name = "t", .type = OPTION_TEXT, .offset = offsetof(struct inner, text)},
    {.name = "s", .type = OPTION_SECRET, .offset = offsetof(struct inner, secret)},
};

static const struct option_table inner_table = {.name = "inner",
                                                .options = inner_rows,
                                                .count = ARRAY_LEN(inner_rows),
                                                .config_size = sizeof(struct inner)};

static const struct option rows[] = {
    {.name = "u", .type = OPTION_URL, AT(url)},
    {.name = "f", .type = OPTION_BOOL, AT(flag), .fallback = "true"},
    {.name = "i", .type = OPTION_INT, AT(whole), .min = -5, .max = 5, .flags = OPTION_SIGNED},
    {.name = "n", .type = OPTION_DOUBLE, AT(number), .unit = "%"},
    {.name = "d", .aliases = aliases, .type = OPTION_DURATION, AT(duration_ns), .fallback = "5m"},
    {.name = "b", .type = OPTION_BYTES, AT(bytes), .unit = "mb"},
    {.name = "c", .type = OPTION_ENUM, AT(choice), .choices = choices},
    {.name = "s", .type = OPTION_SECRET, AT(secret)},
    {.name = "l", .type = OPTION_LIST, AT(list), .fallback = "a, b"},
    {.name = "m", .type = OPTION_MAP, AT(map)},
    {.name = "x", .type = OPTION_INT_LIST, AT(ints)},
    {.name = "t", .type = OPTION_TABLE, .table = &inner_table, AT(inner)},
    {.name = "y", .type = OPTION_NODE, AT(node)},
};

static const struct option_table table = {.name = "fuzz",
                                          .options = rows,
                                          .count = ARRAY_LEN(rows),
                                          .config_size = sizeof(struct config)};

/* The value for every name but those that would name a file. */
static const char *lookup(void *arg, const char *name)
{
    return name[0] == 'N' ? NULL : arg;
}

/* A path in the input would be read: such inputs are passed over. */
static bool names_a_file(struct str s)
{
    return str_find(s, STR("file")) != s.len;
}

static void check_texts(const struct config *c)
{
    size_t bytes = c->url.len + c->inner.text.len;

    for (size_t i = 0; i < c->list.count; i++) {
        bytes += str_hash(c->list.items[i], 0) & 1;
    }
    for (size_t i = 0; i < c->map.count; i++) {
        bytes += (str_hash(c->map.items[i].name, 0) ^ str_hash(c->map.items[i].value, 0)) & 1;
    }
    for (size_t i = 0; i < c->ints.count; i++) {
        bytes += (size_t)(c->ints.items[i] & 1);
    }
    if (bytes == SIZE_MAX || c->whole < -5 || c->whole > 5 || c->bytes < 0 || c->choice > 1) {
        abort();
    }
}

static void parse(struct str yaml, char *value)
{
    struct yaml_source text = {.file = STR("fuzz"), .text = yaml};
    struct option_source source = {
        .lookup = value != NULL ? lookup : NULL, .arg = value, .prefix = "F_"};
    struct err e = ERR_INIT;
    const struct yaml_node *documents;
    struct config config;
    struct arena arena;

    arena_init(&arena, (size_t)16 << 20);
    if (yaml_parse(&arena, &text, &documents, &e)) {
        if (options_parse(&table, documents->first, &source, &arena, &config, &e)) {
            check_texts(&config);
            options_release(&table, &config);
        } else if (e.code == ERR_NONE || e.message[0] == '\0') {
            abort();
        }
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size};
    size_t split = str_find_byte(all, '\0');

    if (names_a_file(all)) {
        return 0;
    }
    char *value = split < size ? mem_dup_text(all.ptr + split + 1, size - split - 1) : NULL;
    parse(str_slice(all, 0, split), value);
    mem_free(value);
    return 0;
}
