#include "cli/man.h"

enum { CELLS_MAX = 4 };

struct man {
    struct buf *out;
    bool in_code;
    bool needs_paragraph; /* before the next text */
    struct str cells[CELLS_MAX];
    size_t columns; /* of the table that is read: 0 outside of one */
    struct str headings[CELLS_MAX];
};

/* ---- text ---- */

/* Text as roff has it; <at_start> of a line a dot or quote would begin a request. */
static void add_plain(struct buf *out, struct str text, bool at_start)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (i == 0 && at_start && (c == '.' || c == '\'')) {
            buf_add_text(out, "\\&");
        }
        if (c == '\\') {
            buf_add_text(out, "\\e");
        } else if (c == '-') {
            buf_add_text(out, "\\-");
        } else {
            buf_add_byte(out, c);
        }
    }
}

/* [text](place): its length, and the text; 0 when there is none. */
static size_t link_len(struct str rest, struct str *ret_text)
{
    size_t close = str_find_byte(rest, ']');
    struct str behind = str_slice(rest, close, rest.len);
    size_t end = str_find_byte(behind, ')');

    if (rest.ptr[0] != '[' || !str_starts(behind, STR("](")) || end == behind.len) {
        return 0;
    }
    *ret_text = str_slice(rest, 1, close - 1);
    return close + end + 1;
}

static size_t plain_len(struct str rest)
{
    size_t n = 0;

    while (n < rest.len && rest.ptr[n] != '`' && rest.ptr[n] != '[') {
        n++;
    }
    return n;
}

/* Text with its code in bold and its links as text. */
static void add_spans(struct buf *out, struct str text, bool at_start)
{
    while (text.len > 0) {
        struct str shown = STR("");
        size_t code = text.ptr[0] == '`' ? str_find_byte(str_slice(text, 1, text.len), '`') : 0;
        size_t link = link_len(text, &shown);
        size_t used = plain_len(text);
        if (code > 0 && code + 1 < text.len) {
            buf_add_text(out, "\\fB");
            add_plain(out, str_slice(text, 1, code), false);
            buf_add_text(out, "\\fR");
            used = code + 2;
        } else if (link > 0) {
            add_spans(out, shown, false);
            used = link;
        } else {
            used = used > 0 ? used : 1;
            add_plain(out, str_slice(text, 0, used), at_start);
        }
        text = str_slice(text, used, text.len);
        at_start = false;
    }
}

/* A line of it. */
static void add_inline(struct buf *out, struct str text)
{
    add_spans(out, text, true);
    buf_add_byte(out, '\n');
}

/* ---- lines ---- */

static void add_heading(struct man *m, const char *request, struct str text)
{
    buf_addf(m->out, ".%s ", request);
    add_inline(m->out, text);
    m->needs_paragraph = false;
}

/* - `-c`, `--config FILE`: what it does */
static void add_item(struct man *m, struct str text)
{
    size_t colon = str_find(text, STR("`: "));

    if (text.len > 0 && text.ptr[0] == '`' && colon < text.len) {
        buf_add_text(m->out, ".TP\n");
        add_inline(m->out, str_slice(text, 0, colon + 1));
        add_inline(m->out, str_slice(text, colon + 3, text.len));
    } else {
        buf_add_text(m->out, ".IP \\(bu 2\n");
        add_inline(m->out, text);
    }
    m->needs_paragraph = true;
}

/* The cells of "| a | b |"; a | in code is none between cells. */
static size_t split_row(struct str line, struct str *cells)
{
    size_t count = 0;
    size_t start = 1;
    bool in_code = false;

    for (size_t i = 1; i < line.len && count < CELLS_MAX; i++) {
        in_code = in_code != (line.ptr[i] == '`');
        if (line.ptr[i] == '|' && !in_code) {
            cells[count++] = str_trim(str_slice(line, start, i - start));
            start = i + 1;
        }
    }
    return count;
}

/* The first cell is what is explained, the last explains it, those between say more: (duration; default 1s). */
static void add_row(struct man *m, size_t count)
{
    AUTO(buf_release) struct buf tag = BUF_INIT(BUF_UNLIMITED);
    size_t said = 0;

    buf_add_str(&tag, m->cells[0]);
    for (size_t i = 1; i + 1 < count; i++) {
        bool is_default = str_eq(m->headings[i], STR("default"));
        if (m->cells[i].len > 0) {
            buf_addf(&tag, "%s%s%.*s", said++ == 0 ? " (" : "; ", is_default ? "default " : "",
                     STR_FMT(m->cells[i]));
        }
    }
    buf_add_text(&tag, said > 0 ? ")" : "");
    buf_add_text(m->out, ".TP\n");
    add_inline(m->out, buf_str(&tag));
    if (m->cells[count - 1].len > 0) {
        add_inline(m->out, m->cells[count - 1]);
    } else {
        buf_add_text(m->out, "\\&\n");
    }
    m->needs_paragraph = true;
}

static void add_table_line(struct man *m, struct str line)
{
    size_t count = split_row(line, m->cells);
    bool is_rule = str_starts(line, STR("|-"));

    if (m->columns == 0) {
        m->columns = count;
        for (size_t i = 0; i < count; i++) {
            m->headings[i] = m->cells[i];
        }
    } else if (!is_rule && count > 1) {
        add_row(m, count);
    }
}

static void add_code_line(struct man *m, struct str line)
{
    if (line.len == 0) {
        buf_add_text(m->out, "\\&\n");
        return;
    }
    add_plain(m->out, line, true);
    buf_add_byte(m->out, '\n');
}

static void toggle_code(struct man *m)
{
    m->in_code = !m->in_code;
    buf_add_text(m->out, m->in_code ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n");
    m->needs_paragraph = true;
}

static void add_text(struct man *m, struct str line)
{
    if (line.len == 0) {
        m->needs_paragraph = true;
        return;
    }
    if (m->needs_paragraph) {
        buf_add_text(m->out, ".PP\n");
        m->needs_paragraph = false;
    }
    add_inline(m->out, line);
}

static void add_line(struct man *m, struct str line)
{
    bool is_row = !m->in_code && str_starts(line, STR("| "));
    bool is_rule = !m->in_code && str_starts(line, STR("|-"));

    m->columns = is_row || is_rule ? m->columns : 0;
    if (str_starts(line, STR("```"))) {
        toggle_code(m);
    } else if (m->in_code) {
        add_code_line(m, line);
    } else if (is_row || is_rule) {
        add_table_line(m, line);
    } else if (str_starts(line, STR("### "))) {
        add_heading(m, "SS", str_slice(line, 4, line.len));
    } else if (str_starts(line, STR("## "))) {
        add_heading(m, "SH", str_slice(line, 3, line.len));
    } else if (str_starts(line, STR("- "))) {
        add_item(m, str_slice(line, 2, line.len));
    } else if (!str_starts(line, STR("# ")) && !str_starts(line, STR("<!--"))) {
        add_text(m, line);
    }
}

void man_print(const struct man_head *head, struct str markdown, struct buf *out)
{
    struct man m = {.out = out};
    struct str line;

    buf_addf(out, ".TH %s %s \"\" \"telex %s\" \"telex\"\n.ad l\n.SH NAME\n", head->name,
             head->section, head->version);
    add_plain(out, str_of(head->name), true);
    buf_add_text(out, " \\- ");
    add_plain(out, str_of(head->help), false);
    buf_add_byte(out, '\n');
    while (str_split(&markdown, '\n', &line)) {
        add_line(&m, line);
    }
}
