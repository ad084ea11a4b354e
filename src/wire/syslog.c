#include "wire/syslog.h"

#include "base/number.h"
#include "base/timetext.h"

const char *const syslog_severities[SYSLOG_SEVERITIES + 1] = {
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", NULL};

const char *const syslog_facilities[SYSLOG_FACILITIES + 1] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "syslog",  "lpr",   "news",   "uucp",
    "cron",   "authpriv", "ftp",    "ntp",    "audit",  "console", "cron2", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7",  NULL};

enum {
    HOST_MAX = 255,
    APP_MAX = 48,
    MSGID_MAX = 32,
    PARAM_MAX = 32,
    TAG_MAX = 32,
    NS_PER_US = 1000
};

int syslog_severity_of(struct str word)
{
    static const struct {
        const char *word;
        int severity;
    } words[] = {
        {"emergency", 0}, {"emerg", 0},  {"panic", 0},   {"page", 1},  {"alert", 1},
        {"critical", 2},  {"crit", 2},   {"fatal", 2},   {"error", 3}, {"err", 3},
        {"high", 3},      {"major", 3},  {"warning", 4}, {"warn", 4},  {"medium", 4},
        {"minor", 4},     {"notice", 5}, {"low", 5},     {"info", 6},  {"informational", 6},
        {"none", 6},      {"debug", 7},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(word, str_of(words[i].word))) {
            return words[i].severity;
        }
    }
    return -1;
}

/* ---- parts ---- */

/* Printable ASCII, without what the place cannot have; a dash where nothing is left. */
static void add_name(struct buf *out, struct str name, size_t max, const char *without)
{
    size_t before = out->len;

    for (size_t i = 0; i < name.len && out->len - before < max; i++) {
        char c = name.ptr[i];
        bool fits = c > 0x20 && c < 0x7F && str_find_byte(str_of(without), c) == strlen(without);
        buf_add_byte(out, fits ? c : '_');
    }
    if (out->len == before) {
        buf_add_byte(out, '-');
    }
}

/* UTF-8 without controls, else bytes that are no ASCII become question marks. */
static void add_plain(struct buf *out, struct str text, bool escapes)
{
    bool is_utf8 = str_is_utf8(text);

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (escapes && (c == '"' || c == '\\' || c == ']')) {
            buf_add_byte(out, '\\');
        }
        bool is_broken = c >= 0x80 && !is_utf8;
        buf_add_byte(out, (char)(c < 0x20 || c == 0x7F ? ' ' : is_broken ? '?' : c));
    }
}

static void add_structured(const struct syslog_message *m, struct buf *out)
{
    if (m->sd_id.len == 0 || m->param_count == 0) {
        buf_add_byte(out, '-');
        return;
    }
    buf_add_byte(out, '[');
    add_name(out, m->sd_id, PARAM_MAX, "=]\"");
    for (size_t i = 0; i < m->param_count; i++) {
        buf_add_byte(out, ' ');
        add_name(out, m->params[i].name, PARAM_MAX, "=]\"");
        buf_add_text(out, "=\"");
        add_plain(out, m->params[i].value, true);
        buf_add_byte(out, '"');
    }
    buf_add_byte(out, ']');
}

/* ---- messages ---- */

static void head_5424(const struct syslog_message *m, struct buf *out)
{
    buf_addf(out, "<%u>1 ", m->facility * SYSLOG_SEVERITIES + m->severity);
    buf_add_rfc3339(out, m->time_ns - m->time_ns % NS_PER_US);
    buf_add_byte(out, ' ');
    add_name(out, m->host, HOST_MAX, "");
    buf_add_byte(out, ' ');
    add_name(out, m->app, APP_MAX, "");
    buf_add_text(out, " - ");
    add_name(out, m->msgid, MSGID_MAX, "");
    buf_add_byte(out, ' ');
}

static void head_3164(const struct syslog_message *m, struct buf *out)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil t = civil_of(m->time_ns);

    buf_addf(out, "<%u>%s %2d %02d:%02d:%02d ", m->facility * SYSLOG_SEVERITIES + m->severity,
             months[t.month - 1], t.day, t.hour, t.minute, t.second);
    add_name(out, m->host, HOST_MAX, "");
    buf_add_byte(out, ' ');
    add_name(out, m->app, TAG_MAX, ":[]");
    buf_add_byte(out, ':');
}

/* Cuts <out> to <end> at most, at the edge of a character. */
static void cut(struct buf *out, size_t end)
{
    while (end > 0 && ((unsigned char)out->ptr[end] & 0xC0) == 0x80) {
        end--;
    }
    buf_truncate(out, end);
}

bool syslog_write(const struct syslog_message *m, enum syslog_form form, size_t bytes_max,
                  struct buf *out)
{
    size_t begun = out->len;
    bool is_cut = false;

    (form == SYSLOG_5424 ? head_5424 : head_3164)(m, out);
    if (form == SYSLOG_5424) {
        size_t before = out->len;
        add_structured(m, out);
        if (out->len - begun >= bytes_max) {
            buf_truncate(out, before);
            buf_add_byte(out, '-');
            is_cut = true;
        }
    }
    if (m->text.len > 0) {
        buf_add_byte(out, ' ');
        add_plain(out, m->text, false);
    }
    if (buf_ok(out) && out->len - begun > bytes_max) {
        cut(out, begun + bytes_max);
        is_cut = true;
    }
    return is_cut;
}

/* ---- reading ---- */

/* The end of structured data, whose values may hold escaped brackets. */
static size_t end_of_structured(struct str text)
{
    bool quoted = false;

    if (text.len == 0 || text.ptr[0] != '[') {
        return text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    }
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ']' && !quoted) {
            return i + 1;
        }
    }
    return 0;
}

bool syslog_read(struct str message, struct syslog_parts *ret)
{
    struct str rest = message;
    struct str head;
    struct str procid;
    uint64_t priority = 0;
    int64_t ignored_ns = 0;
    struct err ignored = ERR_INIT;

    if (!str_split(&rest, ' ', &head) || !str_ends(head, STR(">1")) || head.ptr[0] != '<' ||
        !number_parse_u64(str_slice(head, 1, head.len - 3), &priority) ||
        priority >= (uint64_t)SYSLOG_FACILITIES * SYSLOG_SEVERITIES) {
        return false;
    }
    ret->priority = (unsigned)priority;
    if (!str_split(&rest, ' ', &ret->time) || !str_split(&rest, ' ', &ret->host) ||
        !str_split(&rest, ' ', &ret->app) || !str_split(&rest, ' ', &procid) ||
        !str_split(&rest, ' ', &ret->msgid) || rest.ptr == NULL) {
        return false;
    }
    size_t end = end_of_structured(rest);
    bool is_end = end > 0 && (end == rest.len || rest.ptr[end] == ' ');
    ret->sd = str_slice(rest, 0, end);
    ret->text = str_slice(rest, end < rest.len ? end + 1 : end, rest.len);
    return is_end && time_parse_rfc3339(ret->time, &ignored_ns, &ignored);
}
