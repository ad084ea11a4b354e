/*
 * One value printed by one verb, as Go's fmt does it for the kinds of values that templates have.
 */
#include "template/template_int.h"

#include "base/number.h"

#include <math.h>

static bool verb_in(const struct verb *v, const char *letters)
{
    return strchr(letters, v->letter) != NULL;
}

/* ---- padding ---- */

static size_t columns_of(struct str text)
{
    size_t columns = 0;

    for (size_t i = 0; i < text.len; i++) {
        columns += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    }
    return columns;
}

static void add_padded(struct buf *out, struct str body, const struct verb *v, bool zeros)
{
    size_t columns = columns_of(body);
    size_t pad = v->width > 0 && (size_t)v->width > columns ? (size_t)v->width - columns : 0;

    if (v->minus) {
        buf_add_str(out, body);
        buf_add_repeat(out, ' ', pad);
    } else {
        buf_add_repeat(out, zeros ? '0' : ' ', pad);
        buf_add_str(out, body);
    }
}

static void add_word(struct buf *out, const char *word, const struct verb *v)
{
    add_padded(out, str_of(word), v, v->zero);
}

/* ---- what does not fit ---- */

/* Go's complaint inside the text: %!d(string=hi). */
static void print_bad(struct buf *out, const struct verb *v, const struct value *value)
{
    struct verb plain = *v;

    plain.letter = 'v';
    plain.is_erring = true;
    buf_addf(out, "%%!%.*s(", STR_FMT(v->written));
    if (value->kind == VALUE_NIL) {
        buf_add_text(out, "<nil>");
    } else {
        buf_addf(out, "%s=", value_type_name(value));
        template_print_verb(out, &plain, value);
    }
    buf_add_byte(out, ')');
}

/* ---- floats ---- */

/* %b: the mantissa as an integer and the power of two. */
static void add_float_binary(struct buf *out, double number)
{
    uint64_t bits = number_bits(number);
    int64_t exponent = (int64_t)(bits >> 52 & 0x7FF);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);

    mantissa |= exponent != 0 ? UINT64_C(1) << 52 : 0;
    exponent = (exponent != 0 ? exponent : 1) - 1075;
    buf_add_text(out, number < 0 || signbit(number) ? "-" : "");
    buf_add_u64(out, mantissa);
    buf_addf(out, "p%+lld", (long long)exponent);
}

/* %x: as C has it, with two digits in the exponent at least. */
static void add_float_hex(struct buf *out, const struct verb *v, double number)
{
    size_t start = out->len;

    if (v->precision >= 0) {
        buf_addf(out, v->letter == 'X' ? "%.*A" : "%.*a", v->precision, number);
    } else {
        buf_addf(out, v->letter == 'X' ? "%A" : "%a", number);
    }
    size_t len = out->len - start;
    if (len >= 2 && (out->ptr[out->len - 2] == '+' || out->ptr[out->len - 2] == '-')) {
        char digit = out->ptr[out->len - 1];
        buf_truncate(out, out->len - 1);
        buf_add_byte(out, '0');
        buf_add_byte(out, digit);
    }
}

/* Significant ones of a number as text. */
static unsigned digits_of(struct str number)
{
    unsigned digits = 0;

    for (size_t i = 0; i < number.len && number.ptr[i] != 'e'; i++) {
        bool is_digit = number.ptr[i] >= '0' && number.ptr[i] <= '9';
        digits += is_digit && (digits > 0 || number.ptr[i] != '0');
    }
    return digits;
}

/* The shortest form, or with <precision> digits; '#' keeps zeros and the point. */
static void add_float_general(struct buf *out, const struct verb *v, double number)
{
    char digits[NUMBER_TEXT_MAX];

    if (v->sharp && v->letter != 'v' && v->precision >= 0) {
        buf_addf(out, v->letter == 'G' ? "%#.*G" : "%#.*g", v->precision, number);
        return;
    }
    if (v->precision >= 0) {
        buf_addf(out, v->letter == 'G' ? "%.*G" : "%.*g", v->precision, number);
        return;
    }
    size_t len = number_format_go(number, digits);
    if (v->sharp && v->letter != 'v' && digits_of(str_make(digits, len)) <= 6) {
        buf_addf(out, v->letter == 'G' ? "%#.6G" : "%#.6g", number);
        return;
    }
    for (size_t i = 0; i < len && v->letter == 'G'; i++) {
        digits[i] = digits[i] == 'e' ? 'E' : digits[i];
    }
    buf_add(out, digits, len);
}

static void add_float_digits(struct buf *out, const struct verb *v, double number)
{
    int precision = v->precision >= 0 ? v->precision : 6;

    if (v->letter == 'b') {
        add_float_binary(out, number);
    } else if (v->letter == 'x' || v->letter == 'X') {
        add_float_hex(out, v, number);
    } else if (v->letter == 'f' || v->letter == 'F') {
        buf_addf(out, v->sharp ? "%#.*f" : "%.*f", precision, number);
    } else if (v->letter == 'e') {
        buf_addf(out, v->sharp ? "%#.*e" : "%.*e", precision, number);
    } else if (v->letter == 'E') {
        buf_addf(out, v->sharp ? "%#.*E" : "%.*E", precision, number);
    } else {
        add_float_general(out, v, number);
    }
}

static void print_strange_float(struct buf *out, const struct verb *v, double number)
{
    const char *nan = v->plus ? "+NaN" : v->space ? " NaN" : "NaN";
    const char *inf = v->space && !v->plus ? " Inf" : "+Inf";

    add_padded(out, str_of(isnan(number) ? nan : number < 0 ? "-Inf" : inf), v, false);
}

static void print_float(struct buf *out, const struct verb *v, double number)
{
    AUTO(buf_release) struct buf digits = BUF_INIT(TEMPLATE_TEXT_MAX);

    if (!isfinite(number)) {
        print_strange_float(out, v, number);
        return;
    }
    add_float_digits(&digits, v, number);
    struct str body = buf_str(&digits);
    const char *sign = v->plus ? "+" : v->space ? " " : "";
    if (str_starts(body, STR("-"))) {
        body = str_slice(body, 1, body.len);
        sign = "-";
    }
    AUTO(buf_release) struct buf whole = BUF_INIT(TEMPLATE_TEXT_MAX);
    size_t len = strlen(sign) + body.len;
    bool zeros = v->zero && !v->minus && v->width > 0 && (size_t)v->width > len;
    buf_add_text(&whole, sign);
    buf_add_repeat(&whole, '0', zeros ? (size_t)v->width - len : 0);
    buf_add_str(&whole, body);
    add_padded(out, buf_str(&whole), v, false);
}

/* ---- integers ---- */

static const struct base {
    char letter;
    unsigned base;
    const char *prefix; /* with '#' */
} bases[] = {
    {'v', 10, ""}, {'d', 10, ""},   {'b', 2, "0b"},  {'o', 8, "0"},
    {'O', 8, ""},  {'x', 16, "0x"}, {'X', 16, "0X"},
};

static void add_in_base(struct buf *out, uint64_t number, const struct base *b)
{
    char digits[64];
    size_t at = sizeof(digits);
    const char *letters = b->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";

    do {
        digits[--at] = letters[number % b->base];
        number /= b->base;
    } while (number != 0);
    buf_add(out, digits + at, sizeof(digits) - at);
}

static void add_number(struct buf *out, const struct verb *v, int64_t number, const struct base *b)
{
    AUTO(buf_release) struct buf digits = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    const char *sign = number < 0 ? "-" : v->plus ? "+" : v->space ? " " : "";
    int wanted = v->precision;

    if (wanted == 0 && magnitude == 0) {
        buf_add_repeat(out, ' ', v->width > 0 ? (size_t)v->width : 0);
        return;
    }
    if (wanted < 0 && v->zero && !v->minus && v->width > 0) {
        wanted = v->width - (int)strlen(sign);
    }
    add_in_base(&digits, magnitude, b);
    buf_add_text(&body, sign);
    bool has_zero = wanted > (int)digits.len || digits.ptr[0] == '0';
    if (v->sharp && !(b->base == 8 && has_zero)) {
        buf_add_text(&body, b->prefix);
    }
    buf_add_text(&body, b->letter == 'O' ? "0o" : "");
    buf_add_repeat(&body, '0', wanted > (int)digits.len ? (size_t)wanted - digits.len : 0);
    buf_add_str(&body, buf_str(&digits));
    add_padded(out, buf_str(&body), v, false);
}

static uint32_t as_rune(int64_t number)
{
    return number < 0 || number > 0x10FFFF ? 0xFFFD : (uint32_t)number;
}

static void print_unicode(struct buf *out, const struct verb *v, int64_t number)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);
    int digits = v->precision > 4 ? v->precision : 4;

    buf_addf(&body, "U+%0*llX", digits, (unsigned long long)number);
    if (v->sharp && number >= 0 && number <= 0x10FFFF && number >= 0x20) {
        buf_add_text(&body, " '");
        buf_add_rune(&body, (uint32_t)number);
        buf_add_byte(&body, '\'');
    }
    add_padded(out, buf_str(&body), v, false);
}

/* ---- text ---- */

static void quote_rune(struct buf *out, uint32_t rune, char quote, bool ascii)
{
    static const char escaped[] = "\a\b\f\n\r\t\v";
    static const char letters[] = "abfnrtv";
    const char *hit = rune != 0 && rune < 0x20 ? strchr(escaped, (char)rune) : NULL;

    if (hit != NULL) {
        buf_addf(out, "\\%c", letters[hit - escaped]);
    } else if (rune == (uint32_t)quote || rune == '\\') {
        buf_addf(out, "\\%c", (char)rune);
    } else if (!template_rune_is_hidden(rune) && (rune < 0x80 || !ascii)) {
        buf_add_rune(out, rune);
    } else if (rune < 0x20 || rune == 0x7F) {
        buf_addf(out, "\\x%02x", (unsigned)rune);
    } else {
        buf_addf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)rune);
    }
}

static void quote_text(struct buf *out, struct str text, bool ascii)
{
    buf_add_byte(out, '"');
    for (size_t at = 0; at < text.len;) {
        uint32_t rune = 0;
        size_t len = template_rune_at(text, at, &rune);
        if (len == 0) {
            buf_addf(out, "\\x%02x", (unsigned)(unsigned char)text.ptr[at++]);
            continue;
        }
        quote_rune(out, rune, '"', ascii);
        at += len;
    }
    buf_add_byte(out, '"');
}

/* May it stand between `...`? */
static bool fits_backquotes(struct str text)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t rune = 0;
        size_t len = template_rune_at(text, at, &rune);
        if (len == 0 || rune == '`' || rune == 0x7F || (rune < 0x20 && rune != '\t') ||
            rune == 0xFEFF) {
            return false;
        }
        at += len;
    }
    return true;
}

static void add_quoted(struct buf *out, const struct verb *v, struct str text)
{
    if (v->sharp && v->letter == 'q' && fits_backquotes(text)) {
        buf_addf(out, "`%.*s`", STR_FMT(text));
    } else {
        quote_text(out, text, v->plus && v->letter == 'q');
    }
}

static void add_hex(struct buf *out, const struct verb *v, struct str text)
{
    const char *prefix = !v->sharp ? "" : v->letter == 'x' ? "0x" : "0X";

    for (size_t i = 0; i < text.len; i++) {
        buf_add_text(out, i > 0 && v->space ? " " : "");
        buf_add_text(out, i == 0 || v->space ? prefix : "");
        buf_addf(out, v->letter == 'x' ? "%02x" : "%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
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
    size_t most = v->precision >= 0 ? (size_t)v->precision : text.len;

    if (v->letter == 'x' || v->letter == 'X') {
        add_hex(&body, v, str_slice(text, 0, most < text.len ? most : text.len));
        add_padded(out, buf_str(&body), v, v->zero && !v->minus);
        return;
    }
    text = cut_text(text, v->precision);
    if (v->letter == 'q' || (v->letter == 'v' && v->sharp && !v->is_erring)) {
        add_quoted(&body, v, text);
    } else {
        buf_add_str(&body, text);
    }
    add_padded(out, buf_str(&body), v, v->zero && !v->minus);
}

/* ---- kinds ---- */

static void print_bool(struct buf *out, const struct verb *v, const struct value *value)
{
    if (verb_in(v, "vt")) {
        add_word(out, value->as.boolean ? "true" : "false", v);
    } else {
        print_bad(out, v, value);
    }
}

static void print_rune(struct buf *out, const struct verb *v, int64_t number)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);

    if (v->letter == 'c') {
        buf_add_rune(&body, as_rune(number));
    } else {
        buf_add_byte(&body, '\'');
        quote_rune(&body, as_rune(number), '\'', v->plus);
        buf_add_byte(&body, '\'');
    }
    add_padded(out, buf_str(&body), v, v->zero && !v->minus);
}

static void print_int(struct buf *out, const struct verb *v, const struct value *value)
{
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (bases[i].letter == v->letter) {
            add_number(out, v, value->as.integer, &bases[i]);
            return;
        }
    }
    if (verb_in(v, "cq")) {
        print_rune(out, v, value->as.integer);
    } else if (v->letter == 'U') {
        print_unicode(out, v, value->as.integer);
    } else {
        print_bad(out, v, value);
    }
}

static void print_float_value(struct buf *out, const struct verb *v, const struct value *value)
{
    if (verb_in(v, "vbgGxXfFeE")) {
        print_float(out, v, value->as.number);
    } else {
        print_bad(out, v, value);
    }
}

static void print_text_value(struct buf *out, const struct verb *v, const struct value *value)
{
    if (verb_in(v, "vsxXq")) {
        print_text(out, v, value->as.text);
    } else {
        print_bad(out, v, value);
    }
}

static void print_labels(struct buf *out, const struct verb *v, const struct value *value)
{
    struct labels_walk walk = {0};
    struct label pair;
    bool is_go = v->letter == 'v' && v->sharp;
    const char *between = "";

    buf_add_text(out, is_go ? "map[string]string{" : "map[");
    while (value_labels_next(value, &walk, &pair)) {
        struct value name = value_text(pair.name);
        struct value text = value_text(pair.value);
        buf_add_text(out, between);
        print_text_value(out, v, &name);
        buf_add_byte(out, ':');
        print_text_value(out, v, &text);
        between = is_go ? ", " : " ";
    }
    buf_add_byte(out, is_go ? '}' : ']');
}

/* Kinds that have a text of their own: times, durations, months, answers. */
static void print_other(struct buf *out, const struct verb *v, const struct value *value)
{
    AUTO(buf_release) struct buf body = BUF_INIT(TEMPLATE_TEXT_MAX);
    bool is_number =
        value->kind == VALUE_DURATION || value->kind == VALUE_MONTH || value->kind == VALUE_WEEKDAY;

    if (verb_in(v, "vsxXq")) {
        value_print(value, &body);
        print_text(out, v, buf_str(&body));
    } else if (is_number && verb_in(v, "dboOcU")) {
        struct value number = value_int(value->as.integer);
        print_int(out, v, &number);
    } else {
        print_bad(out, v, value);
    }
}

static void print_nil(struct buf *out, const struct verb *v, const struct value *value)
{
    if (v->letter == 'v') {
        add_word(out, "<nil>", v);
    } else {
        print_bad(out, v, value);
    }
}

static void (*const printers[VALUE_KINDS])(struct buf *, const struct verb *,
                                           const struct value *) = {
    [VALUE_NIL] = print_nil,         [VALUE_BOOL] = print_bool,
    [VALUE_INT] = print_int,         [VALUE_FLOAT] = print_float_value,
    [VALUE_TEXT] = print_text_value, [VALUE_LABELS] = print_labels,
    [VALUE_SAMPLES] = print_other,   [VALUE_SAMPLE] = print_other,
    [VALUE_TIME] = print_other,      [VALUE_DURATION] = print_other,
    [VALUE_MONTH] = print_other,     [VALUE_WEEKDAY] = print_other,
    [VALUE_MAP] = print_other,       [VALUE_ROOT] = print_other,
    [VALUE_OBJECT] = print_other,
};

void template_print_verb(struct buf *out, const struct verb *v, const struct value *value)
{
    if (v->letter == 'T') {
        struct verb s = *v;
        s.letter = 's';
        print_text(out, &s, str_of(value->kind == VALUE_NIL ? "<nil>" : value_type_name(value)));
        return;
    }
    struct verb used = *v;
    used.plus = v->plus && v->letter != 'v'; /* %+v names fields, of which there are none here */
    printers[value->kind](out, &used, value);
}
