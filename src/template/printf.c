/*
 * printf as Go's fmt package does it: flags, width and precision (also * and [n]) are read here,
 * printf_verb.c prints. What does not fit prints as Go's %!verb(type=value).
 */
#include "template/template_int.h"

enum { PRINTF_WIDTH_MAX = 4096 };

struct format {
    struct str text;
    size_t at;
    struct value_list args; /* the format itself is not among them */
    size_t arg;
    bool reordered;    /* an [n] was seen */
    bool after_index;  /* ... directly before what is read now */
    bool is_arg_found; /* ... and it named an argument that there is */
};

static char peek(const struct format *f)
{
    return f->at < f->text.len ? f->text.ptr[f->at] : '\0';
}

static void read_flags(struct format *f, struct verb *v)
{
    bool *const flags[] = {&v->plus, &v->minus, &v->space, &v->zero, &v->sharp};
    static const char letters[] = "+- 0#";

    for (char c = peek(f); c != '\0'; c = peek(f)) {
        const char *hit = strchr(letters, c);
        if (hit == NULL) {
            return;
        }
        *flags[hit - letters] = true;
        f->at++;
    }
}

static bool read_digits(struct format *f, int *ret_number, bool *ret_found, struct err *e)
{
    int number = 0;

    *ret_found = false;
    for (char c = peek(f); c >= '0' && c <= '9'; c = peek(f)) {
        number = number * 10 + (c - '0');
        if (number > PRINTF_WIDTH_MAX) {
            return err_set(e, ERR_LIMIT, "a width or precision above %d", PRINTF_WIDTH_MAX);
        }
        *ret_found = true;
        f->at++;
    }
    *ret_number = number;
    return true;
}

/* [n]: the argument that is taken next. */
static bool read_index(struct format *f, struct err *e)
{
    bool has_digits = false;
    int number = 0;

    f->after_index = false;
    if (peek(f) != '[') {
        return true;
    }
    f->reordered = true;
    size_t close = f->at + str_find_byte(str_slice(f->text, f->at, f->text.len), ']');
    f->at++;
    if (!read_digits(f, &number, &has_digits, e)) {
        return false;
    }
    f->is_arg_found = has_digits && f->at == close && close < f->text.len && number >= 1 &&
                      (size_t)number <= f->args.count;
    if (f->is_arg_found) {
        f->arg = (size_t)number - 1;
    }
    f->after_index = f->is_arg_found;
    f->at = close < f->text.len ? close + 1 : f->at;
    return true;
}

/* '*': the next argument as a number; *ret_ok false when it is none that fits. */
static int take_count(struct format *f, bool *ret_ok)
{
    *ret_ok = false;
    if (f->arg >= f->args.count) {
        return 0;
    }
    const struct value *v = &f->args.items[f->arg++];
    *ret_ok = v->kind == VALUE_INT && v->as.integer >= -PRINTF_WIDTH_MAX &&
              v->as.integer <= PRINTF_WIDTH_MAX;
    return *ret_ok ? (int)v->as.integer : 0;
}

static bool read_width(struct format *f, struct verb *v, struct buf *out, struct err *e)
{
    bool found = false;
    int width = 0;

    if (!read_index(f, e)) {
        return false;
    }
    if (peek(f) == '*') {
        f->at++;
        width = take_count(f, &found);
        buf_add_text(out, found ? "" : "%!(BADWIDTH)");
        v->minus = v->minus || width < 0;
        width = width < 0 ? -width : width;
        f->after_index = false;
    } else if (!read_digits(f, &width, &found, e)) {
        return false;
    } else if (f->after_index && found) { /* %[3]2d */
        f->is_arg_found = false;
    }
    v->width = found ? width : -1;
    return true;
}

static bool read_precision(struct format *f, struct verb *v, struct buf *out, struct err *e)
{
    bool found = false;
    int precision = 0;

    if (peek(f) != '.') {
        return true;
    }
    f->at++;
    f->is_arg_found = f->is_arg_found && !f->after_index; /* %[3].2d */
    if (!read_index(f, e)) {
        return false;
    }
    if (peek(f) == '*') {
        f->at++;
        precision = take_count(f, &found);
        buf_add_text(out, found ? "" : "%!(BADPREC)");
        found = found && precision >= 0;
        f->after_index = false;
        v->precision = found ? precision : -1;
        return true;
    }
    if (!read_digits(f, &precision, &found, e)) {
        return false;
    }
    v->precision = precision;
    return true;
}

/* The verb's character; 0 at the end of the format. */
static uint32_t read_letter(struct format *f, struct str *ret_text)
{
    size_t start = f->at;

    if (start >= f->text.len) {
        return 0;
    }
    f->at++;
    while (f->at < f->text.len && ((unsigned char)f->text.ptr[f->at] & 0xC0) == 0x80) {
        f->at++;
    }
    *ret_text = str_slice(f->text, start, f->at - start);
    return ret_text->len == 1 ? (unsigned char)f->text.ptr[start] : 0x80;
}

static void print_one(struct format *f, struct verb *v, uint32_t letter, struct buf *out)
{
    if (letter == 0) {
        buf_add_text(out, "%!(NOVERB)");
    } else if (letter == '%') {
        buf_add_byte(out, '%');
    } else if (!f->is_arg_found) {
        buf_addf(out, "%%!%.*s(BADINDEX)", STR_FMT(v->written));
    } else if (f->arg >= f->args.count) {
        buf_addf(out, "%%!%.*s(MISSING)", STR_FMT(v->written));
    } else {
        v->letter = letter == 'w' || letter == 0x80 ? '\1' : (char)letter; /* no verb */
        template_print_verb(out, v, &f->args.items[f->arg++]);
    }
}

static bool print_directive(struct format *f, struct buf *out, struct err *e)
{
    struct verb v = {.width = -1, .precision = -1};

    f->is_arg_found = true;
    f->after_index = false;
    read_flags(f, &v);
    if (!read_width(f, &v, out, e) || !read_precision(f, &v, out, e) ||
        !(f->after_index || read_index(f, e))) {
        return false;
    }
    print_one(f, &v, read_letter(f, &v.written), out);
    return true;
}

static void print_extra(struct buf *out, const struct format *f)
{
    if (f->reordered || f->arg >= f->args.count) {
        return;
    }
    buf_add_text(out, "%!(EXTRA ");
    for (size_t i = f->arg; i < f->args.count; i++) {
        const struct value *v = &f->args.items[i];
        buf_add_text(out, i > f->arg ? ", " : "");
        if (v->kind != VALUE_NIL) {
            buf_addf(out, "%s=", value_type_name(v));
        }
        value_print(v, out);
    }
    buf_add_byte(out, ')');
}

bool template_printf(struct value_list args, struct buf *out, struct err *e)
{
    struct format f = {.args = {args.items + 1, args.count - 1}};

    if (!value_to_text(&args.items[0], &f.text, e)) {
        return err_wrap(e, "the format");
    }
    while (f.at < f.text.len) {
        size_t plain = str_find_byte(str_slice(f.text, f.at, f.text.len), '%');
        buf_add(out, f.text.ptr + f.at, plain);
        f.at += plain + 1;
        if (f.at > f.text.len) {
            break;
        }
        if (!print_directive(&f, out, e)) {
            return false;
        }
    }
    print_extra(out, &f);
    return true;
}
