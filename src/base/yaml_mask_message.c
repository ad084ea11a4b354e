/*
 * A message is in words of ours, which a secret may have pieces of: hidden is what stands there as a word, or what a quoted
 * text mostly is made of. Of a connection string only what proves who we are is a secret: hosts, databases and users are
 * words that a message needs.
 */
#include "base/yaml_mask.h"

#include "base/yaml_int.h"

/* How long a piece of a secret in a message is no accident: in quotes, as a word, and inside of one. */
enum { QUOTED_MIN = 2, COMMON_MIN = 4, INSIDE_MIN = 8, COMPARED_MAX = 4096 };

/* How many bytes at the front of <text> are those of <secret> from <at> on, white space aside. */
static size_t equal_len(const char *text, struct str secret, size_t at)
{
    size_t n = 0;
    size_t solid = 0;

    while (at < secret.len && text[n] != '\0') {
        if (yaml_is_space(secret.ptr[at])) {
            at++;
        } else if (yaml_is_space(text[n])) {
            n++;
        } else if (text[n] == secret.ptr[at]) {
            n++;
            at++;
            solid = n;
        } else {
            break;
        }
    }
    return solid;
}

/* How many of them stand somewhere in <secret>. */
static size_t common_len(const char *text, struct str secret)
{
    size_t longest = 0;

    for (size_t i = 0; i < secret.len && !yaml_is_space(text[0]); i++) {
        size_t n = equal_len(text, secret, i);
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Is the text between the quotes around <at> mostly made of pieces of <secret>? One that was decoded is no slice. */
static bool is_mostly(const char *first, const char *at, struct str secret)
{
    const char *from = *at == '\'' ? at + 1 : at;
    size_t common = 0;

    while (from > first && from[-1] != '\'') {
        from--;
    }
    size_t len = strcspn(from, "'");
    for (size_t i = 0; i < len;) {
        size_t n = common_len(from + i, secret);
        common += n >= QUOTED_MIN ? n : 0;
        i += n > 0 ? n : 1;
    }
    return common * 3 >= len * 2;
}

void yaml_hide_in_message(struct err *e, struct str secret)
{
    AUTO(buf_release) struct buf said = BUF_INIT(BUF_UNLIMITED);

    secret = str_slice(secret, 0, COMPARED_MAX);
    buf_add_text(&said, e->message);
    const char *text = buf_text(&said);
    const char *quote = strchr(text, '\'');
    for (const char *at = quote; at != NULL && *at != '\0';) {
        size_t n = common_len(at, secret);
        int quotes = n == 0 ? 0 : (at > quote && at[-1] == '\'') + (at[n] == '\'');
        bool is_word = n > 0 && (at == text || !yaml_is_letter_or_digit(at[-1])) &&
                       !yaml_is_letter_or_digit(at[n]);
        bool is_told = quotes == 2 || n >= INSIDE_MIN ||
                       (is_word && n >= (quotes > 0 ? QUOTED_MIN : COMMON_MIN)) ||
                       (n >= QUOTED_MIN && is_mostly(quote, at, secret));
        for (size_t i = 0; is_told && i < n; i++) {
            e->message[at - text + (ptrdiff_t)i] = '*';
        }
        at += is_told ? n : 1;
    }
}

/* Can the value of <key> in a connection string be told? What is not known may be a misspelt password. */
static bool is_plain_setting(struct str key)
{
    static const char *const keys[] = {"host",
                                       "hostaddr",
                                       "port",
                                       "dbname",
                                       "user",
                                       "sslmode",
                                       "sslrootcert",
                                       "sslcert",
                                       "sslkey",
                                       "connect_timeout",
                                       "application_name",
                                       "target_session_attrs",
                                       "options",
                                       "replicaSet",
                                       "tls",
                                       "authSource"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, str_of(keys[i]))) {
            return true;
        }
    }
    return false;
}

/* Where the word that ends at <end> begins. */
static size_t word_start(struct str text, size_t end)
{
    while (end > 0 && yaml_is_word_byte(text.ptr[end - 1])) {
        end--;
    }
    return end;
}

/* The next '=' behind a key that begins behind a sign that parts settings; text.len: there is none. */
static size_t next_setting(struct str text, size_t from)
{
    size_t at = from + str_find_byte(str_slice(text, from, text.len), '=');

    while (at < text.len) {
        size_t start = word_start(text, at);
        if (start < at && start >= from &&
            (start == 0 || yaml_is_one_of(text.ptr[start - 1], " \t\r\n?&;\"'"))) {
            return at;
        }
        at++;
        at += str_find_byte(str_slice(text, at, text.len), '=');
    }
    return text.len;
}

/* Hides the values of "key=value" in <text>; each goes up to the next key, in quotes to the end. False: there is none. */
static bool hide_settings(struct err *e, struct str text)
{
    size_t from = next_setting(text, 0);
    bool has_any = from < text.len;

    while (from < text.len) {
        size_t start = word_start(text, from);
        bool is_plain = is_plain_setting(str_slice(text, start, from - start));
        size_t next = text.ptr[from + 1 < text.len ? from + 1 : from] == '\'' && !is_plain
                          ? text.len
                          : next_setting(text, from + 1);
        size_t end = next < text.len ? word_start(text, next) : text.len;
        if (!is_plain) {
            yaml_hide_in_message(e, str_slice(text, from + 1, end - from - 1));
        }
        from = next;
    }
    return has_any;
}

/* Hides what a message quotes of a connection beyond a name: whoever cut it there took a password for something else. */
static void hide_quoted(struct err *e, struct str value)
{
    value = str_slice(value, 0, COMPARED_MAX);
    for (char *at = strchr(e->message, '\''); at != NULL; at = strchr(at + 1, '\'')) {
        size_t n = at[1] != '\0' ? common_len(at + 1, value) : 0;
        struct str quoted = str_make(at + 1, n);
        if (n > 0 && at[1 + n] == '\'' && word_start(quoted, n) > 0) {
            memset(at + 1, '*', n);
        }
    }
}

void yaml_hide_connection(struct err *e, struct str text)
{
    hide_quoted(e, text);
    size_t scheme = str_find(text, STR("://"));
    size_t at = text.len;

    while (at > 0 && text.ptr[at - 1] != '@') {
        at--;
    }
    if (scheme >= text.len) {
        if (!hide_settings(e, text)) {
            yaml_hide_in_message(e, text);
        }
        return;
    }
    struct str user = str_slice(text, scheme + 3, at > scheme + 3 ? at - scheme - 4 : text.len);
    size_t colon = str_find_byte(user, ':');
    yaml_hide_in_message(e, str_slice(user, colon < user.len ? colon + 1 : 0, user.len));
    (void)hide_settings(e, str_slice(text, at > scheme ? at : text.len, text.len));
}
