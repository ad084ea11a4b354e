#include "export/file_name.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/timetext.h"

const char *const file_format_names[FILE_FORMATS + 1] = {"jsonl", "csv", "parquet", NULL};
const char *const file_packing_names[FILE_PACKINGS + 1] = {"none", "gzip", "zstd", "snappy", NULL};

static const char *const format_extensions[FILE_FORMATS] = {".jsonl", ".csv", ".parquet"};
static const char *const packing_extensions[FILE_PACKINGS] = {"", ".gz", ".zst", ""};

void file_name_add_extension(struct file_kind kind, struct buf *out)
{
    buf_add_text(out, format_extensions[kind.format]);
    buf_add_text(out, packing_extensions[kind.packing]);
}

/* Cuts the first of <extensions> that <name> ends in; false when there is none. */
static bool cut(struct str *name, const char *const *extensions, size_t count, size_t *ret_which)
{
    for (size_t i = 0; i < count; i++) {
        struct str extension = str_of(extensions[i]);
        if (extension.len > 0 && str_ends(*name, extension)) {
            name->len -= extension.len;
            *ret_which = i;
            return true;
        }
    }
    return false;
}

/* The name without its extensions. */
static struct str stem_of(struct str name, bool *ret_has_format, struct file_kind *ret_kind)
{
    size_t packing = PACKING_NONE;
    size_t format = FORMAT_JSONL;

    (void)cut(&name, packing_extensions, FILE_PACKINGS, &packing);
    *ret_has_format = cut(&name, format_extensions, FILE_FORMATS, &format);
    *ret_kind = (struct file_kind){(enum file_format)format, (enum file_packing)packing};
    return name;
}

bool file_name_kind(struct str name, struct file_kind *ret_kind)
{
    bool has_format = false;

    (void)stem_of(name, &has_format, ret_kind);
    return has_format;
}

/* ---- what stands in braces ---- */

static void add_timestamp(const struct file_name_facts *f, struct buf *out)
{
    struct civil c = civil_of(f->began_ns);

    buf_addf(out, "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static void add_date(const struct file_name_facts *f, struct buf *out)
{
    struct civil c = civil_of(f->began_ns);

    buf_addf(out, "%04d%02d%02d", c.year, c.month, c.day);
}

static void add_hour(const struct file_name_facts *f, struct buf *out)
{
    buf_addf(out, "%02d", civil_of(f->began_ns).hour);
}

static void add_unix(const struct file_name_facts *f, struct buf *out)
{
    buf_add_i64(out, time_floor_div(f->began_ns, NS_PER_S));
}

static void add_hostname(const struct file_name_facts *f, struct buf *out)
{
    buf_add_str(out, f->hostname);
}

static void add_pid(const struct file_name_facts *f, struct buf *out)
{
    buf_add_i64(out, f->pid);
}

static void add_exporter(const struct file_name_facts *f, struct buf *out)
{
    buf_add_str(out, f->exporter);
}

typedef void add_fact(const struct file_name_facts *f, struct buf *out);

static const struct {
    const char *name;
    add_fact *add;
} placeholders[] = {
    {"timestamp", add_timestamp}, {"date", add_date}, {"hour", add_hour},     {"unix", add_unix},
    {"hostname", add_hostname},   {"pid", add_pid},   {"name", add_exporter},
};

static add_fact *find_placeholder(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(placeholders); i++) {
        if (str_eq(name, str_of(placeholders[i].name))) {
            return placeholders[i].add;
        }
    }
    return NULL;
}

/* The next piece of a template: text, or with *ret_add what stands in braces. */
static bool next_piece(struct str *rest, struct str *ret_text, bool *ret_is_placeholder)
{
    size_t open = str_find_byte(*rest, '{');

    if (rest->len == 0) {
        return false;
    }
    *ret_is_placeholder = open == 0;
    if (open > 0) {
        *ret_text = str_make(rest->ptr, open);
        *rest = str_make(rest->ptr + open, rest->len - open);
        return true;
    }
    size_t close = str_find_byte(*rest, '}');
    size_t end = close < rest->len ? close + 1 : rest->len;
    *ret_text = str_make(rest->ptr + 1, close - 1);
    *rest = str_make(rest->ptr + end, rest->len - end);
    return true;
}

static void add_pattern(struct str pattern, const struct file_name_facts *facts, struct buf *out)
{
    bool is_placeholder = false;
    struct str text;

    while (next_piece(&pattern, &text, &is_placeholder)) {
        add_fact *add = is_placeholder ? find_placeholder(text) : NULL;
        if (add != NULL) {
            add(facts, out);
        } else {
            buf_add_str(out, text);
        }
    }
}

void file_name_add_family(struct str pattern, struct file_kind kind, struct str exporter,
                          struct buf *out)
{
    struct file_kind ignored;
    bool has_format = false;
    bool is_placeholder = false;
    struct str rest = stem_of(pattern, &has_format, &ignored);
    struct str text;

    while (next_piece(&rest, &text, &is_placeholder)) {
        if (is_placeholder && str_eq(text, STR("name"))) {
            buf_add_str(out, exporter);
        } else {
            buf_addf(out, is_placeholder ? "{%.*s}" : "%.*s", STR_FMT(text));
        }
    }
    file_name_add_extension(kind, out);
}

/* Names are one part of a path, visible, and whole on any system. */
static void make_plain(struct buf *out, size_t start)
{
    if (out->len - start > FILE_NAME_MAX) {
        buf_truncate(out, start + FILE_NAME_MAX);
    }
    for (size_t i = start; i < out->len; i++) {
        unsigned char c = (unsigned char)out->ptr[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || (i == start && c == '.')) {
            out->ptr[i] = '-';
        }
    }
}

void file_name_add(struct str pattern, struct file_kind kind, const struct file_name_facts *facts,
                   unsigned again, struct buf *out)
{
    struct file_kind ignored;
    bool has_format = false;
    size_t start = out->len;

    add_pattern(stem_of(pattern, &has_format, &ignored), facts, out);
    make_plain(out, start);
    if (again > 0) {
        buf_addf(out, "-%u", again);
    }
    file_name_add_extension(kind, out);
}

static bool check_placeholders(struct str pattern, struct err *e)
{
    bool is_placeholder = false;
    struct str text;

    while (next_piece(&pattern, &text, &is_placeholder)) {
        if (is_placeholder && find_placeholder(text) == NULL) {
            return err_set(e, ERR_CONFIG,
                           "{%.*s} is not known; there are {timestamp}, {date}, {hour}, {unix}, "
                           "{hostname}, {pid} and {name}",
                           STR_FMT(text));
        }
    }
    return true;
}

bool file_name_check(struct str pattern, struct file_kind kind, struct err *e)
{
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
    struct file_kind said;
    bool has_format = false;
    struct str stem = stem_of(pattern, &has_format, &said);

    file_name_add_extension(kind, &want);
    if (stem.len == 0 || pattern.len > FILE_NAME_MAX || str_find_byte(pattern, '/') < pattern.len) {
        return err_set(e, ERR_CONFIG,
                       "expected the name of a file of at most %d bytes without "
                       "folders, such as telex-{timestamp}-{hostname}",
                       FILE_NAME_MAX);
    }
    bool says_other = (has_format && said.format != kind.format) ||
                      (said.packing != PACKING_NONE && said.packing != kind.packing) ||
                      (has_format && said.packing == PACKING_NONE && kind.packing != PACKING_NONE);
    if (says_other) {
        return err_set(e, ERR_CONFIG, "what is written by file_format and compression ends in %.*s",
                       STR_FMT(buf_str(&want)));
    }
    return check_placeholders(stem, e);
}
