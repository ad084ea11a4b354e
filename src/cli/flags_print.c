/* Flags as a config, and as the page that says what became of them. */
#include "cli/flags.h"

#include "wire/json.h"

#include <string.h>

/* ---- the config ---- */

/* The part of <path> behind <prefix>, up to the next dot that is not in quotes. */
static struct str part_behind(struct str path, size_t prefix)
{
    bool quoted = false;
    size_t i = prefix;

    for (; i < path.len && (quoted || path.ptr[i] != '.'); i++) {
        quoted = quoted != (path.ptr[i] == '"');
    }
    return str_slice(path, prefix, i - prefix);
}

static bool is_own(const struct flag_entry *entry)
{
    return entry->kind == FLAG_OWN || entry->kind == FLAG_OWN_BOOL;
}

static void add_scalar(const struct flag_entry *entry, struct buf *out)
{
    if (entry->kind == FLAG_PLAIN || entry->kind == FLAG_BOOL) {
        buf_add_str(out, entry->value);
    } else {
        json_print_str(out, entry->value);
    }
    if (entry->flag.len > 0) {
        buf_addf(out, "  # %.*s", STR_FMT(entry->flag));
    }
    buf_add_byte(out, '\n');
}

/* All items of a list stand where its first one does. */
static void add_list(const struct flags *f, struct str path, size_t depth, struct buf *out)
{
    for (size_t i = 0; i < f->entries.len; i++) {
        if (str_eq(f->entries.items[i].path, path)) {
            buf_add_repeat(out, ' ', 2 * depth + 2);
            buf_add_text(out, "- ");
            add_scalar(&f->entries.items[i], out);
        }
    }
}

static const struct flag_entry *last_at(const struct flags *f, struct str path)
{
    const struct flag_entry *last = NULL;

    for (size_t i = 0; i < f->entries.len; i++) {
        if (str_eq(f->entries.items[i].path, path)) {
            last = &f->entries.items[i];
        }
    }
    INVARIANT(last != NULL); /* the path is an entry's */
    return last;
}

/* Did an entry before <end> begin with <path> already? */
static bool is_printed(const struct flags *f, size_t end, struct str path)
{
    for (size_t i = 0; i < end; i++) {
        struct str other = f->entries.items[i].path;
        bool begins = str_starts(other, path) && !is_own(&f->entries.items[i]);
        if (begins && (other.len == path.len || other.ptr[path.len] == '.')) {
            return true;
        }
    }
    return false;
}

static void add_level(const struct flags *f, struct str prefix, size_t depth, struct buf *out)
{
    size_t from = prefix.len > 0 ? prefix.len + 1 : 0;

    for (size_t i = 0; i < f->entries.len; i++) {
        const struct flag_entry *entry = &f->entries.items[i];
        bool below =
            prefix.len == 0 || (str_starts(entry->path, prefix) && entry->path.len > from &&
                                entry->path.ptr[prefix.len] == '.');
        if (!below || is_own(entry)) {
            continue;
        }
        struct str part = part_behind(entry->path, from);
        struct str path = str_slice(entry->path, 0, from + part.len);
        if (is_printed(f, i, path)) {
            continue;
        }
        buf_add_repeat(out, ' ', 2 * depth);
        buf_addf(out, "%.*s:", STR_FMT(part));
        if (path.len < entry->path.len) {
            buf_add_byte(out, '\n');
            add_level(f, path, depth + 1, out);
        } else if (entry->kind == FLAG_LIST) {
            buf_add_byte(out, '\n');
            add_list(f, path, depth, out);
        } else {
            buf_add_byte(out, ' ');
            add_scalar(last_at(f, path), out);
        }
    }
}

void flags_print_config(const struct flags *f, struct buf *out)
{
    add_level(f, STR(""), 0, out);
}

/* ---- the page ---- */

static void add_meaning(const struct flag_row *row, struct buf *out)
{
    static const char *const words[] = {
        [FLAG_PASSED] = "taken, changes nothing",
        [FLAG_REFUSED] = "refused",
        [FLAG_OWN] = "",
        [FLAG_OWN_BOOL] = "",
    };

    if (row->path != NULL) {
        buf_addf(out, "`%s`", row->path);
    } else {
        buf_add_text(out, words[row->kind]);
    }
    if (row->note != NULL) {
        bool begins = row->path == NULL && words[row->kind][0] == '\0';
        buf_addf(out, "%s%s", begins ? "" : ": ", row->note);
    }
}

void flags_print_docs(const struct flag_table *table, struct buf *out)
{
    buf_add_text(out, "| flag | here | default |\n|---|---|---|\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct flag_row *row = &table->rows[i];
        buf_addf(out, "| `-%s` | ", row->name);
        add_meaning(row, out);
        buf_add_text(out, " | ");
        if (row->fallback != NULL) {
            buf_addf(out, "`%s`", row->fallback);
        }
        buf_add_text(out, " |\n");
    }
}
