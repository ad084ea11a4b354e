/*
 * printf as Go's fmt package does it, for the kinds of values that templates have: %v %s %q %d %f
 * %F %e %g %x %X %t %c %U %%, with the flags + - space 0 #, width and precision (also *). What does
 * not fit prints as Go's %!verb(type=value).
 */
#include "template/template_int.h"

#include "base/number.h"

#include <math.h>

struct verb {
    char letter;
    bool plus;
    bool minus;
    bool space;
    bool zero;
    bool sharp;
    int width;     /* -1: none */
    int precision; /* -1: none */
};

enum { PRINTF_WIDTH_MAX = 4096 };

static void add_padded(struct buf *out, struct str body, const struct verb *v, bool numeric)
{
    size_t columns = 0;

    for (size_t i = 0; i < body.len; i++) {
        columns += ((unsigned char)body.ptr[i] & 0xC0) != 0x80;
    }
    size_t pad = v->width > 0 && (size_t)v->width > columns ? (size_t)v->width - columns : 0;
    if (v->minus) {
        buf_add_str(out, body);
        buf_add_repeat(out, ' ', pad);
        return;
    }
    bool zeros = v->zero && numeric;
    if (zeros && body.len > 0 && (body.ptr[0] == '-' || body.ptr[0] == '+')) {
        buf_add_byte(out, body.ptr[0]);
        body = str_slice(body, 1, body.len);
    }
    buf_add_repeat(out, zeros ? '0' : ' ', pad);
    buf_add_str(out, body);
}

static void add_sign(struct buf *out, bool negative, const struct verb *v)
{
    if (!negative && v->plus) {
        buf_add_byte(out, '+');
    } else if (!negative && v->space) {
        buf_add_byte(out, ' ');
    }
}

/* The digits of a finite number: %f and %e default to six, %g and %v to the shortest. */
static void add_float_digits(struct buf *out, const struct verb *v, double number)
{
    int precision = v->precision >= 0 ? v->precision : 6;
    char digits[NUMBER_TEXT_MAX];

    if (v->letter == 'f' || v->letter == 'F') {
        buf_addf(out, "%.*f", precision, number);
    } else if (v->letter == 'e') {
        buf_addf(out, "%.*e", precision, number);
    } else if (v->letter == 'E') {
        buf_addf(out, "%.*E", precision, number);
    } else if (v->precision >= 0) {
        buf_addf(out, "%.*g", v->precision, number);
    } else {
        buf_add(out, digits, number_format_go(number, digits));
    }
}

static void print_float(struct buf *out, const struct verb *v, double number)
{
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);

    add_sign(&body, signbit(number) != 0 && !isnan(number), v);
    if (isnan(number)) {
        buf_add_text(&body, "NaN");
    } else if (isinf(number)) {
        buf_add_text(&body, number < 0 ? "-Inf" : v->plus ? "Inf" : "+Inf");
    } else {
        add_float_digits(&body, v, number);
    }
    add_padded(out, buf_str(&body), v, isfinite(number) != 0);
}

static void print_int(struct buf *out, const struct verb *v, int64_t number)
{
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    add_sign(&body, number < 0, v);
    if (number < 0) {
        buf_add_byte(&body, '-');
    }
    if (v->letter == 'x' || v->letter == 'X') {
        buf_add_text(&body, v->sharp ? "0x" : "");
        buf_addf(&body, v->letter == 'x' ? "%llx" : "%llX", (unsigned long long)magnitude);
    } else if (v->letter == 'o') {
        buf_addf(&body, "%llo", (unsigned long long)magnitude);
    } else if (v->letter == 'c') {
        buf_add_rune(&body, (uint32_t)number);
    } else if (v->letter == 'U') {
        buf_addf(&body, "U+%04llX", (unsigned long long)magnitude);
    } else {
        buf_add_u64(&body, magnitude);
    }
    add_padded(out, buf_str(&body), v, v->letter != 'c');
}

static void quote_text(struct buf *out, struct str text)
{
    static const char escaped[] = "\a\b\f\n\r\t\v\\\"";
    static const char letters[] = "abfnrtv\\\"";

    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *hit = c != '\0' ? strchr(escaped, c) : NULL;
        if (hit != NULL) {
            buf_addf(out, "\\%c", letters[hit - escaped]);
        } else if ((unsigned char)c < 0x20 || c == 0x7F) {
            buf_addf(out, "\\x%02x", (unsigned)(unsigned char)c);
        } else {
            buf_add_byte(out, c);
        }
    }
    buf_add_byte(out, '"');
}

/* At most <precision> characters. */
static struct str cut_text(struct str text, int precision)
{
    size_t at = 0;

    for (int i = 0; i < precision && at < text.len; i++) {
        at++;
        while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80) {
            at++;
        }
    }
    return precision < 0 ? text : str_slice(text, 0, at);
}

static void print_text(struct buf *out, const struct verb *v, struct str text)
{
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);

    text = cut_text(text, v->precision);
    if (v->letter == 'q') {
        quote_text(&body, text);
    } else if (v->letter == 'x' || v->letter == 'X') {
        for (size_t i = 0; i < text.len; i++) {
            buf_addf(&body, v->letter == 'x' ? "%02x" : "%02X",
                     (unsigned)(unsigned char)text.ptr[i]);
        }
    } else {
        buf_add_str(&body, text);
    }
    add_padded(out, buf_str(&body), v, false);
}

static void print_other(struct buf *out, const struct verb *v, const struct value *value)
{
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);

    value_print(value, &body);
    print_text(out, v, buf_str(&body));
}

/* Go's complaint inside the text: %!d(string=hi). */
static void print_bad(struct buf *out, const struct verb *v, const struct value *value)
{
    buf_addf(out, "%%!%c(%s=", v->letter, value_type_name(value));
    value_print(value, out);
    buf_add_byte(out, ')');
}

static bool verb_in(const struct verb *v, const char *letters)
{
    return strchr(letters, v->letter) != NULL;
}

/* Kinds that every fitting verb prints alike. */
static bool prints_plain(const struct verb *v, const struct value *value)
{
    return (value->kind == VALUE_BOOL && verb_in(v, "vt")) ||
           (value->kind > VALUE_TEXT && verb_in(v, "vs"));
}

static void print_verb(struct buf *out, const struct verb *v, const struct value *value)
{
    if (value->kind == VALUE_FLOAT && verb_in(v, "vgGeEfF")) {
        print_float(out, v, value->as.number);
    } else if (value->kind == VALUE_INT && verb_in(v, "vdxXocU")) {
        print_int(out, v, value->as.integer);
    } else if (value->kind == VALUE_TEXT && verb_in(v, "vsqxX")) {
        print_text(out, v, value->as.text);
    } else if (prints_plain(v, value)) {
        print_other(out, v, value);
    } else {
        print_bad(out, v, value);
    }
}

static bool read_flag(struct verb *v, char c)
{
    bool *const flags[] = {&v->plus, &v->minus, &v->space, &v->zero, &v->sharp};
    static const char letters[] = "+- 0#";
    const char *hit = c != '\0' ? strchr(letters, c) : NULL;

    if (hit != NULL) {
        *flags[hit - letters] = true;
    }
    return hit != NULL;
}

/* Digits or '*' (the next argument); -1 when neither. */
static bool read_count(struct str fmt, size_t *at, struct value_list args, size_t *arg, int *ret,
                       struct err *e)
{
    int64_t count = -1;

    if (*at < fmt.len && fmt.ptr[*at] == '*') {
        (*at)++;
        bool is_int = *arg < args.count && args.items[*arg].kind == VALUE_INT;
        count = is_int ? args.items[(*arg)++].as.integer : -1;
    }
    while (*at < fmt.len && fmt.ptr[*at] >= '0' && fmt.ptr[*at] <= '9' &&
           count <= PRINTF_WIDTH_MAX) {
        count = (count < 0 ? 0 : count) * 10 + (fmt.ptr[(*at)++] - '0');
    }
    if (count > PRINTF_WIDTH_MAX) {
        return err_set(e, ERR_LIMIT, "a width or precision above %d", PRINTF_WIDTH_MAX);
    }
    *ret = (int)count;
    return true;
}

/* Reads the verb behind a '%'. */
static bool read_verb(struct str fmt, size_t *at, struct value_list args, size_t *arg,
                      struct verb *ret, struct err *e)
{
    *ret = (struct verb){.width = -1, .precision = -1};
    while (*at < fmt.len && read_flag(ret, fmt.ptr[*at])) {
        (*at)++;
    }
    if (!read_count(fmt, at, args, arg, &ret->width, e)) {
        return false;
    }
    if (*at < fmt.len && fmt.ptr[*at] == '.') {
        (*at)++;
        if (!read_count(fmt, at, args, arg, &ret->precision, e)) {
            return false;
        }
        ret->precision = ret->precision < 0 ? 0 : ret->precision;
    }
    ret->letter = *at < fmt.len ? fmt.ptr[(*at)++] : '\0';
    return true;
}

static void print_extra(struct buf *out, struct value_list args, size_t arg)
{
    if (arg >= args.count) {
        return;
    }
    buf_add_text(out, "%!(EXTRA ");
    for (size_t i = arg; i < args.count; i++) {
        buf_addf(out, "%s%s=", i > arg ? ", " : "", value_type_name(&args.items[i]));
        value_print(&args.items[i], out);
    }
    buf_add_byte(out, ')');
}

bool template_printf(struct value_list args, struct buf *out, struct err *e)
{
    struct str fmt;
    size_t arg = 1;

    if (!value_to_text(&args.items[0], &fmt, e)) {
        return err_wrap(e, "the format");
    }
    for (size_t at = 0; at < fmt.len;) {
        struct verb v;
        size_t plain = str_find_byte(str_slice(fmt, at, fmt.len), '%');
        buf_add(out, fmt.ptr + at, plain);
        at += plain + 1;
        if (at > fmt.len) {
            break;
        }
        if (!read_verb(fmt, &at, args, &arg, &v, e)) {
            return false;
        }
        if (v.letter == '%') {
            buf_add_byte(out, '%');
        } else if (v.letter == '\0') {
            buf_add_text(out, "%!(NOVERB)");
        } else if (arg >= args.count) {
            buf_addf(out, "%%!%c(MISSING)", v.letter);
        } else {
            print_verb(out, &v, &args.items[arg++]);
        }
    }
    print_extra(out, args, arg);
    return true;
}
