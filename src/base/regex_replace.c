/* Replacement as Go's regexp does it: its templates, and which empty matches count. */
#include "base/number.h"
#include "base/regex_int.h"

/* A match: pairs of offsets into <subject>, that of the whole first. */
struct match {
    const struct regex *r;
    struct str subject;
    const PCRE2_SIZE *pairs;
    uint32_t count;
};

static bool is_name_byte(char c)
{
    char lower = (char)(c | 0x20);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name after '$' at the front of <s>, and how long name and braces are; 0: it is just a '$'. */
static size_t read_name(struct str s, struct str *ret_name)
{
    size_t braced = s.len > 0 && s.ptr[0] == '{';
    size_t end = braced;

    while (end < s.len && is_name_byte(s.ptr[end])) {
        end++;
    }
    *ret_name = str_slice(s, braced, end - braced);
    bool closed = !braced || (end < s.len && s.ptr[end] == '}');
    return ret_name->len > 0 && closed ? end + braced : 0;
}

/* The number of the group that is called so; UINT32_MAX for none. */
static uint32_t group_of(const struct match *m, struct str name)
{
    uint64_t number;

    if (number_parse_u64(name, &number) && (name.ptr[0] != '0' || name.len == 1)) {
        return number < m->count ? (uint32_t)number : UINT32_MAX;
    }
    for (uint32_t i = 1; i < m->count; i++) {
        if (str_eq(m->r->names[i], name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void add_group(const struct match *m, struct str name, struct buf *out)
{
    uint32_t group = group_of(m, name);

    if (group == UINT32_MAX || m->pairs[(size_t)2 * group] == PCRE2_UNSET) {
        return;
    }
    size_t start = m->pairs[(size_t)2 * group];
    buf_add_str(out, str_slice(m->subject, start, m->pairs[(size_t)2 * group + 1] - start));
}

static void add_expansion(const struct match *m, struct str replacement, struct buf *out)
{
    while (replacement.len > 0) {
        size_t dollar = str_find_byte(replacement, '$');
        buf_add_str(out, str_slice(replacement, 0, dollar));
        if (dollar == replacement.len) {
            return;
        }
        replacement = str_slice(replacement, dollar + 1, replacement.len);
        struct str name;
        size_t length = read_name(replacement, &name);
        if (length > 0) {
            add_group(m, name, out);
        } else {
            buf_add_byte(out, '$');
            length = str_starts(replacement, STR("$"));
        }
        replacement = str_slice(replacement, length, replacement.len);
    }
}

/* A match of the whole subject, found by words alone. */
static void expand_whole(const struct regex *r, struct str subject, struct str replacement,
                         struct buf *out)
{
    PCRE2_SIZE pairs[2] = {0, subject.len};
    struct match m = {.r = r, .subject = subject, .pairs = pairs, .count = 1};

    add_expansion(&m, replacement, out);
}

/* From <at> past the match that ends at <end>, and past one character at least. */
static size_t next_search(struct str subject, size_t at, size_t end)
{
    size_t width = at < subject.len ? regex_rune_length(subject, at) : 1;

    return at + width > end ? at + width : end;
}

static bool replace_all(const struct regex *r, struct str subject, struct str replacement,
                        pcre2_match_data *data, struct buf *out, struct err *e)
{
    size_t last_end = 0;

    for (size_t at = 0; at <= subject.len;) {
        int count = regex_run(r, subject, at, data, e);
        if (count < 0) {
            return false;
        }
        if (count == 0) {
            break;
        }
        const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(data);
        struct match m = {.r = r, .subject = subject, .pairs = pairs, .count = (uint32_t)count};
        buf_add_str(out, str_slice(subject, last_end, pairs[0] - last_end));
        if (pairs[1] > last_end || pairs[0] == 0) { /* not nothing right after a match */
            add_expansion(&m, replacement, out);
        }
        last_end = pairs[1];
        at = next_search(subject, at, last_end);
    }
    buf_add_str(out, str_slice(subject, last_end, subject.len));
    return true;
}

bool regex_replace(const struct regex *r, struct str subject, struct str replacement,
                   struct buf *out, struct err *e)
{
    size_t len_before = out->len;

    if (r->mode == REGEX_FULL) {
        bool matched = false;
        if (!regex_expand(r, subject, replacement, out, &matched, e)) {
            return false;
        }
        buf_add_str(out, matched ? STR("") : subject);
        return true;
    }
    pcre2_match_data *data = regex_take_data(r);
    bool ok = replace_all(r, subject, replacement, data, out, e);
    regex_give_data(r, data);
    if (!ok) {
        buf_truncate(out, len_before);
    }
    return ok;
}

static bool is_whole(const PCRE2_SIZE *pairs, struct str subject)
{
    return pairs[0] == 0 && pairs[1] == subject.len;
}

bool regex_expand(const struct regex *r, struct str subject, struct str replacement,
                  struct buf *out, bool *ret_matched, struct err *e)
{
    if (r->words.count > 0 && r->mode == REGEX_FULL && !regex_words_match(&r->words, subject)) {
        *ret_matched = false;
        return true;
    }
    if (r->code == NULL && r->groups > 0) {
        return err_set(e, ERR_LIMIT,
                       "the regular expression is too large to find its groups: write "
                       "(?:...) where the text is not used");
    }
    if (r->code == NULL) {
        expand_whole(r, subject, replacement, out);
        *ret_matched = true;
        return true;
    }
    pcre2_match_data *data = regex_take_data(r);
    int count = regex_run(r, subject, 0, data, e);
    const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(data);
    bool matched = count > 0 && is_whole(pairs, subject);
    if (matched) {
        struct match m = {.r = r, .subject = subject, .pairs = pairs, .count = (uint32_t)count};
        add_expansion(&m, replacement, out);
    }
    regex_give_data(r, data);
    if (count >= 0) {
        *ret_matched = matched;
    }
    return count >= 0;
}
