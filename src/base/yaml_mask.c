/*
 * The line that an error shows must not give a secret away, whatever is wrong with the file: so places
 * of values are found by a scanner of our own that never fails, and where it is unsure it hides more.
 *
 * 1. Bytes are hidden in place, so what the caret points to stays where it is.
 * 2. A value begins behind the key and ends, in a flow, before an entry that has a key of its own, and
 *    in a block at a line that is not indented more than the key. So a secret that is cut by what YAML
 *    takes for punctuation is hidden to its end.
 * 3. Inside texts and comments, what follows "password:" or "token=" is hidden too, and users and
 *    passwords in URLs.
 */
#include "base/yaml_mask.h"
#include "base/trace.h"
#include "base/yaml_int.h"

#define NOWHERE SIZE_MAX

enum { LARGE_BYTES = 256 * 1024, NEAR_BYTES = 16 * 1024 };

struct mask {
    struct str text;
    struct err *e;
    size_t line; /* the one that is shown: from here */
    size_t line_end;
    size_t from; /* what the error points to */
    size_t to;
    size_t at; /* the scanner */
    size_t line_start;
    size_t parent;        /* column of the last key or dash of this line */
    bool expects_key;     /* no value of this entry was seen */
    bool has_told;        /* something in a text was hidden */
    int depth;            /* of flows */
    size_t secret_column; /* of a key whose mapping below holds secrets, or NOWHERE */
    int secret_depth;     /* of a flow mapping that holds secrets, or 0 */
    struct str scalar;    /* the last one, which ':' may make a key */
    size_t scalar_at;
};

static char byte_at(const struct mask *m, size_t at)
{
    return at < m->text.len ? m->text.ptr[at] : '\n';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t line_end_of(const struct mask *m, size_t at)
{
    while (at < m->text.len && m->text.ptr[at] != '\n') {
        at++;
    }
    return at;
}

static size_t skip_blanks(const struct mask *m, size_t at)
{
    while (at < m->text.len && is_blank(m->text.ptr[at])) {
        at++;
    }
    return at;
}

static size_t skip_space(const struct mask *m, size_t at)
{
    while (at < m->text.len && yaml_is_space(m->text.ptr[at])) {
        at++;
    }
    return at;
}

/* Hiding */

static void hide_line(struct mask *m, size_t from, size_t to)
{
    size_t shown = strlen(m->e->source);

    for (size_t i = from > m->line ? from : m->line; i < to && i < m->line_end; i++) {
        if (i - m->line < shown && !yaml_is_space(m->text.ptr[i])) {
            m->e->source[i - m->line] = '*';
        }
    }
}

static bool is_pointed_at(const struct mask *m, size_t from, size_t to)
{
    return from < m->to && m->from < to;
}

static void hide(struct mask *m, size_t from, size_t to)
{
    hide_line(m, from, to);
    if (is_pointed_at(m, from, to)) {
        yaml_hide_in_message(m->e, str_slice(m->text, from, to - from));
    }
}

/* Names */

/* Does the key name where a secret is, rather than what? */
static bool names_place(struct str key)
{
    static const char *const endings[] = {"_file", "_url", "_path", "_header", "File",
                                          "Url",   "URL",  "_name", "Name"};

    for (size_t i = 0; i < ARRAY_LEN(endings) && !str_eq(key, STR("connection_url")); i++) {
        if (str_ends(key, str_of(endings[i]))) {
            return true;
        }
    }
    struct str secret =
        STR("_secret"); /* api_key_secret is the name of one, client_secret is one */
    return str_eq(key, STR("secrets")) ||
           (str_ends(key, secret) && trace_key_is_secret(str_slice(key, 0, key.len - secret.len)));
}

/* What may be shown of a mapping that holds a secret. */
static bool is_harmless(struct str key)
{
    static const char *const keys[] = {"file", "env", "path", "type", "username"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, str_of(keys[i]))) {
            return true;
        }
    }
    return false;
}

/* Is a word of the key nearly that for a secret, or the key nearly that of a connection? */
static bool is_misspelt_secret(struct str key)
{
    static const char *const connections[] = {"connection", "connection_string"};
    static const char *const passwords[] = {"password"};
    static const char *const secrets[] = {"secret", "passwd"};
    size_t from = 0;

    for (size_t i = 0; i <= key.len; i++) {
        if (i < key.len && !yaml_is_one_of(key.ptr[i], "_-.")) {
            continue;
        }
        struct str word = str_slice(key, from, i - from);
        bool is_short = str_eq(word, STR("pass")) || str_eq(word, STR("pwd")) ||
                        str_eq(word, STR("kinit")) || str_eq(word, STR("oauthbearer"));
        if (is_short || (word.len >= 5 && str_nearest_within(word, secrets, 2, 1) != NULL) ||
            (word.len >= 6 && str_nearest_within(word, passwords, 1, 2) != NULL)) {
            return true;
        }
        from = i + 1;
    }
    return str_nearest_within(key, connections, ARRAY_LEN(connections), 1) != NULL;
}

static bool is_secret(struct str key)
{
    enum { KEY_MAX = 64 };

    return (trace_key_is_secret(key) || (key.len <= KEY_MAX && is_misspelt_secret(key))) &&
           !names_place(key);
}

/* Where values end */

/* Behind the quoted text at <at>. */
static size_t quoted_end(const struct mask *m, size_t at)
{
    char quote = byte_at(m, at);

    for (size_t i = at + 1; i < m->text.len; i++) {
        bool is_pair = quote == '\'' && byte_at(m, i) == quote && byte_at(m, i + 1) == quote;
        if ((quote == '"' && m->text.ptr[i] == '\\') || is_pair) {
            i++;
        } else if (m->text.ptr[i] == quote) {
            return i + 1;
        }
    }
    return m->text.len;
}

/* Is the ':' at <at> one that ends a key? */
static bool ends_key(const struct mask *m, size_t at)
{
    char before = at > 0 ? m->text.ptr[at - 1] : ' ';

    return byte_at(m, at) == ':' &&
           (yaml_is_space(byte_at(m, at + 1)) || yaml_is_one_of(before, "\"'") ||
            (m->depth > 0 && yaml_is_one_of(byte_at(m, at + 1), ",[]{}")));
}

/* Does an entry with a key begin here, or nothing at all? */
static bool has_key(const struct mask *m, size_t at)
{
    bool is_solid = false;

    for (at = skip_space(m, at); at < m->text.len; at++) {
        char c = m->text.ptr[at];
        if (c == '\n' || yaml_is_one_of(c, ",[]{}")) {
            return !is_solid && yaml_is_one_of(c, "]}");
        }
        if (is_solid && ends_key(m, at)) {
            return true;
        }
        is_solid = true;
    }
    return !is_solid;
}

/* The end of a value in a flow; rule 2. */
static size_t flow_end(const struct mask *m, size_t at)
{
    int inside = 0;

    if (yaml_is_one_of(byte_at(m, at), "\"'")) {
        at = quoted_end(m, at);
    }
    for (; at < m->text.len; at++) {
        char c = m->text.ptr[at];
        char next = byte_at(m, at + 1);
        bool is_close = yaml_is_one_of(c, "]}");
        bool ends_flow = is_close && (yaml_is_space(next) || yaml_is_one_of(next, ",]}"));
        bool ends_entry = (c == ',' || c == '\n') && inside == 0 && has_key(m, at + 1);
        if (inside == 0 && (ends_flow || ends_entry)) {
            return at;
        }
        inside += yaml_is_one_of(c, "[{") ? 1 : 0;
        inside -= is_close && inside > 0 ? 1 : 0;
    }
    return at;
}

/* The end of the flow at <at>, or of its line. */
static size_t collection_end(const struct mask *m, size_t at)
{
    int inside = 0;

    for (size_t i = at; i < m->text.len; i++) {
        inside += yaml_is_one_of(m->text.ptr[i], "[{") ? 1 : 0;
        inside -= yaml_is_one_of(m->text.ptr[i], "]}") ? 1 : 0;
        if (inside == 0) {
            return line_end_of(m, i);
        }
    }
    return m->text.len;
}

/* The end of the value of the key in <column>, whose line is read up to <at>. */
static size_t block_end(const struct mask *m, size_t at, size_t column)
{
    size_t end = line_end_of(m, at);

    if (yaml_is_one_of(byte_at(m, at), "\"'")) {
        end = line_end_of(m, quoted_end(m, at));
    } else if (yaml_is_one_of(byte_at(m, at), "[{")) {
        end = collection_end(m, at);
    }
    for (size_t start = end + 1; start < m->text.len;) {
        size_t solid = skip_blanks(m, start);
        size_t indent = solid - start;
        bool is_item = indent == column && byte_at(m, solid) == '-';
        size_t line = line_end_of(m, start);
        if (byte_at(m, solid) != '\n' && indent <= column && !is_item) {
            break;
        }
        end = byte_at(m, solid) == '\n' ? end : line;
        start = line + 1;
    }
    return end;
}

/* Texts */

/* The end of what follows a secret's name inside a text, from <at> on. */
static size_t told_end(const struct mask *m, size_t at, size_t end, char sign)
{
    if (yaml_is_one_of(byte_at(m, at), "\"'")) {
        size_t line = line_end_of(m, at);
        size_t quoted = quoted_end(m, at);
        return quoted < line ? quoted : line;
    }
    if (at >= end) { /* the quote that ends the text may be the one that begins the secret */
        return line_end_of(m, at);
    }
    while (sign == '=' && at < end && !yaml_is_space(m->text.ptr[at]) &&
           !yaml_is_one_of(m->text.ptr[at], "\"'")) {
        at++;
    }
    return sign == '=' ? at : end;
}

/* Hides what follows the secret's name that ends at <at>. */
static void hide_told(struct mask *m, size_t at, size_t end)
{
    size_t sign = skip_blanks(m, at + yaml_is_one_of(byte_at(m, at), "\"'"));
    char c = sign < end ? m->text.ptr[sign] : '\0';
    bool is_told =
        c == '=' || (c == ':' && (m->expects_key || yaml_is_space(byte_at(m, sign + 1)) ||
                                  yaml_is_one_of(byte_at(m, sign + 1), "\"'")));

    if (is_told) {
        size_t from = skip_blanks(m, sign + 1);
        size_t to = m->depth > 0 && m->expects_key ? flow_end(m, from) : told_end(m, from, end, c);
        hide(m, from, to);
        m->has_told = true;
    } else if (m->expects_key && sign > at && sign < end) { /* a colon is missing */
        hide(m, sign, m->depth > 0 ? flow_end(m, sign) : line_end_of(m, sign));
    }
}

/* Does a ':' that no port follows stand between? */
static bool has_password(const struct mask *m, size_t from, size_t to)
{
    size_t colon = from + str_find_byte(str_slice(m->text, from, to - from), ':');
    size_t at = colon + 1;

    while (at < to && m->text.ptr[at] >= '0' && m->text.ptr[at] <= '9') {
        at++;
    }
    return colon < to && (at == colon + 1 || (at < to && !yaml_is_one_of(m->text.ptr[at], "/?#,")));
}

/* Hides the user and the password of a URL whose scheme, or what should be one, ends at <at>. */
static void hide_user(struct mask *m, size_t at, size_t end)
{
    size_t last = at;
    size_t i = at;

    for (; i < end && !yaml_is_space(m->text.ptr[i]); i++) {
        last = m->text.ptr[i] == '@' ? i : last;
    }
    if (last == at && has_password(m, at, i)) { /* with white space in it */
        for (; i < end; i++) {
            last = m->text.ptr[i] == '@' ? i : last;
        }
    }
    hide(m, at, last);
}

/* Can nothing that is said up to <end> reach the line that is shown? Values in flows go over lines. */
static bool is_far_away(const struct mask *m, size_t end)
{
    return end < m->line && m->depth == 0 && line_end_of(m, end) < m->line;
}

static void read_text(struct mask *m, size_t from, size_t end)
{
    for (size_t at = from; at < end;) {
        size_t start = at;
        while (at < end && yaml_is_word_byte(m->text.ptr[at])) {
            at++;
        }
        if (at > start && is_secret(str_slice(m->text, start, at - start))) {
            hide_told(m, at, end);
        }
        struct str rest = str_slice(m->text, at, end - at);
        if (str_starts(rest, STR("://"))) {
            hide_user(m, at + 3, end);
        } else if (str_starts(rest, STR(":/")) || str_starts(rest, STR("//"))) {
            hide_user(m, at + 2, end);
        }
        at += at == start;
    }
}

/* Keys and their values */

/* Does a mapping stand at <at>, behind the key in <column>? Then its entries are looked at. */
static bool enter_mapping(struct mask *m, size_t at, size_t column)
{
    if (byte_at(m, at) == '{' && byte_at(m, skip_space(m, at + 1)) != '}' && has_key(m, at + 1)) {
        m->secret_depth = m->secret_depth > 0 ? m->secret_depth : m->depth + 1;
        return true;
    }
    if (m->depth > 0 || (byte_at(m, at) != '\n' && byte_at(m, at) != '#')) {
        return false;
    }
    size_t next = line_end_of(m, at) + 1;
    size_t solid = skip_space(m, next < m->text.len ? next : m->text.len);
    size_t start = solid;
    while (start > 0 && m->text.ptr[start - 1] != '\n') {
        start--;
    }
    if (solid >= m->text.len || solid - start <= column || !has_key(m, solid)) {
        return false;
    }
    m->secret_column = column < m->secret_column ? column : m->secret_column;
    return true;
}

static void hide_value(struct mask *m, struct str key, size_t from, size_t to)
{
    if (!str_starts(key, STR("connection")) && !str_eq(key, STR("dsn"))) {
        hide(m, from, to);
        return;
    }
    hide_line(m, from, to);
    if (is_pointed_at(m, from, to)) {
        yaml_hide_connection(m->e, str_slice(m->text, from, to - from));
    }
}

static void read_value(struct mask *m, struct str key, size_t column)
{
    bool is_inside = m->secret_column != NOWHERE || m->secret_depth > 0;
    bool is_hidden = is_secret(key) || (is_inside && !is_harmless(key) && !names_place(key));

    if (is_hidden) {
        size_t at = m->depth > 0 ? skip_space(m, m->at) : skip_blanks(m, m->at);
        if (!enter_mapping(m, at, column)) {
            hide_value(m, key, at, m->depth > 0 ? flow_end(m, at) : block_end(m, at, column));
        }
    }
}

/* At the ':' behind a key. */
static void read_colon(struct mask *m)
{
    size_t column = m->scalar_at >= m->line_start ? m->scalar_at - m->line_start : m->parent;

    m->at++;
    m->expects_key = false;
    m->parent = m->depth == 0 ? column : m->parent;
    read_value(m, m->scalar, column);
    m->scalar = STR("");
}

/* The scanner's steps */

static void read_line_end(struct mask *m)
{
    m->at++;
    m->line_start = m->at;
    size_t solid = skip_blanks(m, m->at);
    m->parent = solid - m->at;
    m->expects_key = m->expects_key || m->depth == 0;
    if (m->depth == 0 && byte_at(m, solid) != '\n' && m->secret_column != NOWHERE &&
        m->parent <= m->secret_column) {
        m->secret_column = NOWHERE;
    }
}

/* A key that is commented out may have left the lines of its value behind. */
static void read_comment(struct mask *m)
{
    size_t end = line_end_of(m, m->at);
    bool is_line = m->at == m->line_start + m->parent;
    bool expected = m->expects_key;

    m->expects_key = false;
    m->has_told = false;
    read_text(m, m->at, end);
    if (m->has_told && is_line) {
        hide(m, end, block_end(m, m->at, m->parent));
    }
    m->expects_key = expected;
    m->at = end;
}

static void read_bracket(struct mask *m)
{
    m->depth += yaml_is_one_of(m->text.ptr[m->at], "[{") ? 1 : 0;
    m->depth -= yaml_is_one_of(m->text.ptr[m->at], "]}") && m->depth > 0 ? 1 : 0;
    m->secret_depth = m->depth < m->secret_depth ? 0 : m->secret_depth;
    m->expects_key = m->text.ptr[m->at] != ']' && m->text.ptr[m->at] != '}';
    m->at++;
}

static void read_quoted(struct mask *m)
{
    size_t end = quoted_end(m, m->at);
    bool is_closed = end > m->at + 1 && byte_at(m, end - 1) == byte_at(m, m->at);
    size_t inner = is_closed ? end - 1 : end;

    m->scalar = str_slice(m->text, m->at + 1, inner - m->at - 1);
    m->scalar_at = m->at;
    bool expected = m->expects_key;
    m->expects_key = false;
    if (!is_far_away(m, inner)) {
        read_text(m, m->at + 1, inner);
    }
    m->expects_key = expected;
    m->at = end;
}

/* Is it '|' or '>' with what may follow it, and then the end of the line? */
static bool is_block_text(const struct mask *m)
{
    size_t at = m->at + 1;

    while (yaml_is_one_of(byte_at(m, at), "+-0123456789")) {
        at++;
    }
    at = skip_blanks(m, at);
    return m->depth == 0 && yaml_is_one_of(m->text.ptr[m->at], "|>") &&
           yaml_is_one_of(byte_at(m, at), "\n#");
}

static void read_block_text(struct mask *m)
{
    size_t at = line_end_of(m, m->at);
    size_t end = block_end(m, at, m->parent);

    m->expects_key = false;
    while (at < end) {
        size_t line = line_end_of(m, at + 1);
        if (line >= m->line) {
            read_text(m, at + 1, line);
        }
        at = line;
    }
    m->at = end > at ? end : at;
}

static void read_plain(struct mask *m)
{
    size_t at = m->at;
    size_t last = at;

    while (at < m->text.len && m->text.ptr[at] != '\n' && !(at > m->at && ends_key(m, at)) &&
           !(m->depth > 0 && yaml_is_one_of(m->text.ptr[at], ",[]{}")) &&
           !(m->text.ptr[at] == '#' && at > m->at && is_blank(m->text.ptr[at - 1]))) {
        last = is_blank(m->text.ptr[at]) ? last : at + 1;
        at++;
    }
    m->scalar = str_slice(m->text, m->at, last - m->at);
    m->scalar_at = m->at;
    if (!is_far_away(m, last)) {
        read_text(m, m->at, last);
    }
    m->at = at > m->at ? at : at + 1;
}

static bool is_indicator(const struct mask *m)
{
    return m->depth == 0 && yaml_is_one_of(m->text.ptr[m->at], "-?") &&
           yaml_is_space(byte_at(m, m->at + 1));
}

static void step(struct mask *m)
{
    char c = m->text.ptr[m->at];

    if (c == '\n') {
        read_line_end(m);
    } else if (is_blank(c)) {
        m->at++;
    } else if (c == '#') {
        read_comment(m);
    } else if (c == ':' && ends_key(m, m->at)) {
        read_colon(m);
    } else if (yaml_is_one_of(c, "[]{}")) {
        read_bracket(m);
    } else if (c == ',' && m->depth > 0) {
        m->expects_key = true;
        m->at++;
    } else if (is_indicator(m)) {
        m->parent = m->at - m->line_start;
        m->at++;
    } else if (yaml_is_one_of(c, "\"'")) {
        read_quoted(m);
    } else if (is_block_text(m)) {
        read_block_text(m);
    } else {
        read_plain(m);
    }
}

/* Where to begin: a large file, which is one of rules, is not read from its start for each of its errors. */
static size_t start_of(const struct mask *m)
{
    return m->text.len <= LARGE_BYTES || m->line <= NEAR_BYTES
               ? 0
               : line_end_of(m, m->line - NEAR_BYTES);
}

void yaml_point(const struct yaml_source *source, size_t offset, size_t len, struct err *e)
{
    struct str text = yaml_source_text(source);
    struct mask m = {.text = text, .e = e, .expects_key = true, .secret_column = NOWHERE};

    err_point(e, text, offset, len, (struct pos){1, 1});
    m.from = offset < text.len ? offset : text.len;
    m.to = m.from + (len > 0 ? len : 1);
    m.line = m.from - (e->pos.column - 1);
    m.line_end = line_end_of(&m, m.from);
    m.at = start_of(&m);
    if (str_starts(source->file, STR("environment variable ")) &&
        trace_key_is_secret(source->file)) {
        hide(&m, 0, text.len);
    }
    while (m.at < text.len && m.at <= (m.to > m.line_end ? m.to : m.line_end)) {
        step(&m);
    }
}
