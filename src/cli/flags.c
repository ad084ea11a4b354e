/*
 * Invariants
 *   1. Entries stand in the order of the command line; of a path that is no list the last one counts.
 *   2. A value is written so that YAML reads back exactly that text.
 */
#include "cli/flags.h"

#include "base/mem.h"
#include "wire/json.h"

#include <string.h>

/* ---- the table ---- */

static bool row_is(const struct flag_row *row, struct str name)
{
    struct str own = str_of(row->name);

    if (str_ends(own, STR("*"))) {
        return str_starts(name, str_slice(own, 0, own.len - 1));
    }
    return str_eq(own, name);
}

static const struct flag_row *find_row(const struct flag_table *t, struct str name)
{
    for (const char *const(*alias)[2] = t->aliases; alias != NULL && (*alias)[0] != NULL; alias++) {
        name = str_eq(name, str_of((*alias)[0])) ? str_of((*alias)[1]) : name;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (row_is(&t->rows[i], name)) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static bool is_bool(const struct flag_row *row)
{
    return row->kind == FLAG_BOOL || row->kind == FLAG_OWN_BOOL;
}

static bool fail_unknown(const struct flag_table *t, struct str name, struct err *e)
{
    AUTO(mem_autofree) const char **names = mem_alloc0(t->count + 1, sizeof(*names));

    for (size_t i = 0; i < t->count; i++) {
        names[i] = t->rows[i].name;
    }
    const char *meant = str_nearest(name, names, t->count);
    return err_set(e, ERR_CONFIG, "there is no flag -%.*s%s%s%s", STR_FMT(name),
                   meant != NULL ? "; did you mean -" : "", meant != NULL ? meant : "",
                   meant != NULL ? "?" : "");
}

/* ---- values ---- */

void flags_set(struct flags *f, const char *path, enum flag_kind kind, struct str value,
               struct str flag)
{
    struct flag_entry entry = {arena_dup(f->arena, str_of(path)), value, flag, kind};

    vec_push(&f->entries, entry);
}

/* The flag as it is shown. */
static struct str shown(struct flags *f, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_byte(&text, '-');
    buf_add_str(&text, name);
    return arena_dup(f->arena, buf_str(&text));
}

/* The next of several values: up to a comma that is not in quotes, without these. */
static bool next_value(struct str *rest, struct str *ret_value)
{
    if (rest->ptr == NULL) {
        return false;
    }
    char first = rest->len > 0 ? rest->ptr[0] : ',';
    char quote = first == '"' || first == '\'' ? first : '\0';
    size_t i = quote != '\0' ? 1 : 0;

    while (i < rest->len && rest->ptr[i] != (quote != '\0' ? quote : ',')) {
        i++;
    }
    *ret_value = quote != '\0' ? str_slice(*rest, 1, i - 1) : str_slice(*rest, 0, i);
    i += quote != '\0' && i < rest->len;
    *rest = i < rest->len ? str_slice(*rest, i + 1, rest->len) : STR_NONE;
    return true;
}

/* <path> with <part> for its {}. */
static const char *fill(struct flags *f, const char *path, struct str part)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    const char *at = strstr(path, "{}");

    buf_add(&text, path, (size_t)(at - path));
    buf_add_str(&text, part);
    buf_add_text(&text, at + 2);
    buf_add_byte(&text, '\0');
    return arena_dup(f->arena, buf_str(&text)).ptr;
}

static uint32_t count_of(const struct flags *f, struct str flag)
{
    uint32_t count = 0;

    for (size_t i = 0; i < f->entries.len; i++) {
        count += str_eq(f->entries.items[i].flag, flag);
    }
    return count;
}

/* Each value belongs to another one of what <path> names, in order. */
static void add_each(struct flags *f, const struct flag_row *row, struct str value, struct str flag)
{
    AUTO(buf_release) struct buf number = BUF_INIT(BUF_SMALL);

    buf_addf(&number, "%u", count_of(f, flag) + 1);
    enum flag_kind kind = row->kind == FLAG_EACH ? FLAG_TEXT : FLAG_PLAIN;
    flags_set(f, fill(f, row->path, buf_str(&number)), kind, value, flag);
}

static bool add_pair(struct flags *f, const struct flag_row *row, struct str pair, char sign,
                     struct str flag, struct err *e)
{
    struct str rest = pair;
    struct str name;

    if (!str_split(&rest, sign, &name) || name.len == 0 || rest.ptr == NULL) {
        return err_set(e, ERR_CONFIG, "%.*s: expected name%cvalue, not '%.*s'", STR_FMT(flag), sign,
                       STR_FMT(pair));
    }
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    buf_addf(&path, "%s.", row->path);
    json_print_str(&path, str_trim(name));
    flags_set(f, buf_text(&path), FLAG_TEXT, str_trim(rest), flag);
    return true;
}

static bool add_headers(struct flags *f, const struct flag_row *row, struct str value,
                        struct str flag, struct err *e)
{
    const struct str between = STR("^^");
    bool ok = true;

    while (ok && value.len > 0) {
        const char *end = memmem(value.ptr, value.len, between.ptr, between.len);
        size_t len = end != NULL ? (size_t)(end - value.ptr) : value.len;
        ok = add_pair(f, row, str_slice(value, 0, len), ':', flag, e);
        value = str_slice(value, len + between.len, value.len);
    }
    return ok;
}

static bool add_several(struct flags *f, const struct flag_row *row, struct str value,
                        struct str flag, struct err *e)
{
    struct str one;
    bool ok = true;

    while (ok && next_value(&value, &one)) {
        if (row->kind == FLAG_EACH || row->kind == FLAG_EACH_PLAIN) {
            add_each(f, row, one, flag);
        } else if (row->kind == FLAG_PAIRS) {
            ok = add_pair(f, row, one, '=', flag, e);
        } else {
            flags_set(f, row->path, FLAG_LIST, one, flag);
        }
    }
    return ok;
}

static bool add_value(struct flags *f, const struct flag_row *row, struct str name,
                      struct str value, struct err *e)
{
    struct str flag = shown(f, name);

    switch (row->kind) {
    case FLAG_REFUSED:
        return err_set(e, ERR_CONFIG, "%.*s: %s", STR_FMT(flag), row->note);
    case FLAG_PASSED: {
        AUTO(buf_release) struct buf note = BUF_INIT(BUF_SMALL);
        buf_addf(&note, "%.*s changes nothing: %s", STR_FMT(flag), row->note);
        vec_push(&f->notes, arena_dup(f->arena, buf_str(&note)));
        return true;
    }
    case FLAG_LIST:
    case FLAG_EACH:
    case FLAG_EACH_PLAIN:
    case FLAG_PAIRS:
        return add_several(f, row, value, flag, e);
    case FLAG_HEADERS:
        return add_headers(f, row, value, flag, e);
    case FLAG_OWN:
    case FLAG_OWN_BOOL:
        flags_set(f, row->name, row->kind, value, flag);
        return true;
    case FLAG_TEXT:
    case FLAG_PLAIN:
    case FLAG_BOOL:
        break;
    }
    flags_set(f, row->path, row->kind, value, flag);
    return true;
}

/* ---- the command line ---- */

/* The flag at argv[*i], which moves behind its value. */
static bool read_flag(struct flags *f, int argc, char **argv, int *i, struct err *e)
{
    struct str rest = str_of(argv[*i]);
    struct str name;

    rest = str_slice(rest, str_starts(rest, STR("--")) ? 2 : 1, rest.len);
    bool has_value = memchr(rest.ptr, '=', rest.len) != NULL;
    (void)str_split(&rest, '=', &name);
    const struct flag_row *row = find_row(f->table, name);
    if (row == NULL) {
        return fail_unknown(f->table, name, e);
    }
    struct str value = has_value ? (rest.ptr != NULL ? rest : STR("")) : STR("true");
    if (!has_value && !is_bool(row) && row->kind != FLAG_REFUSED && *i + 1 < argc) {
        bool is_flag = argv[*i + 1][0] == '-' && row->kind == FLAG_PASSED;
        value = is_flag ? value : str_of(argv[++*i]);
    } else if (!has_value && !is_bool(row) && row->kind != FLAG_REFUSED &&
               row->kind != FLAG_PASSED) {
        return err_set(e, ERR_CONFIG, "-%.*s needs a value", STR_FMT(name));
    }
    ++*i;
    return add_value(f, row, name, value, e);
}

bool flags_read(struct flags *f, const struct flag_table *table, struct arena *a, int argc,
                char **argv, struct err *e)
{
    *f = (struct flags){.table = table, .arena = a};
    for (int i = 1; i < argc;) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            return err_set(e, ERR_CONFIG, "'%s' is no flag; write -flag=value", argv[i]);
        }
        if (!read_flag(f, argc, argv, &i, e)) {
            return false;
        }
    }
    return true;
}

void flags_release(struct flags *f)
{
    vec_release(&f->entries);
    vec_release(&f->notes);
}

bool flags_read_environment(struct flags *f, struct str prefix,
                            const char *(*lookup)(void *arg, const char *name), void *arg,
                            struct err *e)
{
    bool ok = true;

    for (size_t i = 0; ok && i < f->table->count; i++) {
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        const struct flag_row *row = &f->table->rows[i];
        buf_add_str(&name, prefix);
        for (const char *p = row->name; *p != '\0'; p++) {
            buf_add_byte(&name, *p == '.' ? '_' : *p);
        }
        const char *value = lookup(arg, buf_text(&name));
        if (value != NULL && count_of(f, shown(f, str_of(row->name))) == 0) {
            ok = add_value(f, row, str_of(row->name), str_of(value), e);
        }
    }
    return ok;
}

struct str flags_value(const struct flags *f, const char *name_or_path)
{
    struct str value = STR("");

    for (size_t i = 0; i < f->entries.len; i++) {
        if (str_eq(f->entries.items[i].path, str_of(name_or_path))) {
            value = f->entries.items[i].value;
        }
    }
    return value;
}

static bool is_said(const struct flags *f, const char *path)
{
    for (size_t i = 0; i < f->entries.len; i++) {
        if (str_eq(f->entries.items[i].path, str_of(path))) {
            return true;
        }
    }
    return false;
}

/* Where a value comes from that nobody gave. */
static struct str default_of(struct flags *f, const struct flag_row *row)
{
    return arena_printf(f->arena, "default of -%s", row->name);
}

void flags_add_fallbacks(struct flags *f)
{
    for (size_t i = 0; i < f->table->count; i++) {
        const struct flag_row *row = &f->table->rows[i];
        if (row->fallback != NULL && row->path != NULL && strstr(row->path, "{}") == NULL &&
            !is_said(f, row->path)) {
            flags_set(f, row->path, row->kind, str_of(row->fallback), default_of(f, row));
        }
    }
}
