#include "wire/grpc.h"

#include "base/clock.h"
#include "base/number.h"

enum { BYTE_BITS = 8, TIMEOUT_DIGITS_MAX = 8, LENGTH_AT = 1 };

/* ---- codes ---- */

static const struct {
    const char *name;
    int http;
} codes[GRPC_CODES] = {
    [GRPC_OK] = {"OK", 200},
    [GRPC_CANCELLED] = {"CANCELLED", 499},
    [GRPC_UNKNOWN] = {"UNKNOWN", 500},
    [GRPC_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", 400},
    [GRPC_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", 504},
    [GRPC_NOT_FOUND] = {"NOT_FOUND", 404},
    [GRPC_ALREADY_EXISTS] = {"ALREADY_EXISTS", 409},
    [GRPC_PERMISSION_DENIED] = {"PERMISSION_DENIED", 403},
    [GRPC_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", 429},
    [GRPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 400},
    [GRPC_ABORTED] = {"ABORTED", 409},
    [GRPC_OUT_OF_RANGE] = {"OUT_OF_RANGE", 400},
    [GRPC_UNIMPLEMENTED] = {"UNIMPLEMENTED", 501},
    [GRPC_INTERNAL] = {"INTERNAL", 500},
    [GRPC_UNAVAILABLE] = {"UNAVAILABLE", 503},
    [GRPC_DATA_LOSS] = {"DATA_LOSS", 500},
    [GRPC_UNAUTHENTICATED] = {"UNAUTHENTICATED", 401},
};

static int known(int code)
{
    return code >= 0 && code < GRPC_CODES ? code : GRPC_UNKNOWN;
}

const char *grpc_code_name(int code)
{
    return codes[known(code)].name;
}

int grpc_code_to_http(int code)
{
    return codes[known(code)].http;
}

enum grpc_code grpc_code_from_http(int status)
{
    static const struct {
        int status;
        enum grpc_code code;
    } table[] = {
        {400, GRPC_INTERNAL},      {401, GRPC_UNAUTHENTICATED}, {403, GRPC_PERMISSION_DENIED},
        {404, GRPC_UNIMPLEMENTED}, {429, GRPC_UNAVAILABLE},     {502, GRPC_UNAVAILABLE},
        {503, GRPC_UNAVAILABLE},   {504, GRPC_UNAVAILABLE},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].status == status) {
            return table[i].code;
        }
    }
    return GRPC_UNKNOWN;
}

enum grpc_code grpc_code_read(struct str header)
{
    uint64_t code;

    return number_parse_u64(str_trim(header), &code) && code < GRPC_CODES ? (enum grpc_code)code
                                                                          : GRPC_UNKNOWN;
}

/* ---- frames ---- */

void grpc_prefix(bool is_compressed, size_t len, char ret_prefix[static GRPC_PREFIX_BYTES])
{
    ret_prefix[0] = (char)is_compressed;
    for (int i = GRPC_PREFIX_BYTES - 1; i >= LENGTH_AT; i--) {
        ret_prefix[i] = (char)(len & 0xFF);
        len >>= BYTE_BITS;
    }
}

size_t grpc_prefix_length(const char prefix[static GRPC_PREFIX_BYTES])
{
    size_t len = 0;

    for (int i = LENGTH_AT; i < GRPC_PREFIX_BYTES; i++) {
        len = len << BYTE_BITS | (unsigned char)prefix[i];
    }
    return len;
}

bool grpc_next(struct str *rest, bool *ret_is_compressed, struct str *ret_message)
{
    if (rest->len < GRPC_PREFIX_BYTES) {
        return false;
    }
    size_t len = grpc_prefix_length(rest->ptr);
    if ((unsigned char)rest->ptr[0] > 1 || rest->len - GRPC_PREFIX_BYTES < len) {
        return false;
    }
    *ret_is_compressed = rest->ptr[0] != 0;
    *ret_message = str_slice(*rest, GRPC_PREFIX_BYTES, len);
    *rest = str_slice(*rest, GRPC_PREFIX_BYTES + len, rest->len);
    return true;
}

/* ---- texts ---- */

void grpc_add_text(struct buf *out, struct str text)
{
    text = str_slice(text, 0, GRPC_TEXT_MAX);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            buf_add_byte(out, (char)c);
        } else {
            buf_addf(out, "%%%02X", c);
        }
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void grpc_read_text(struct str header, struct buf *out)
{
    for (size_t i = 0; i < header.len; i++) {
        bool is_escape = header.ptr[i] == '%' && i + 2 < header.len &&
                         digit_of(header.ptr[i + 1]) >= 0 && digit_of(header.ptr[i + 2]) >= 0;
        if (is_escape) {
            buf_add_byte(out,
                         (char)(digit_of(header.ptr[i + 1]) * 16 + digit_of(header.ptr[i + 2])));
            i += 2;
        } else {
            buf_add_byte(out, header.ptr[i]);
        }
    }
}

static const struct {
    char unit;
    int64_t ns;
} units[] = {{'n', 1},        {'u', 1000},          {'m', NS_PER_MS},
             {'S', NS_PER_S}, {'M', 60 * NS_PER_S}, {'H', 3600 * NS_PER_S}};

void grpc_add_timeout(struct buf *out, int64_t timeout_ns)
{
    enum { DIGITS_END = 100 * 1000 * 1000 };
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(units) && timeout_ns / units[i].ns >= DIGITS_END) {
        i++;
    }
    buf_add_i64(out, timeout_ns / units[i].ns);
    buf_add_byte(out, units[i].unit);
}

bool grpc_read_timeout(struct str header, int64_t *ret_timeout_ns)
{
    uint64_t count;

    if (header.len < 2 || header.len > TIMEOUT_DIGITS_MAX + 1 ||
        !number_parse_u64(str_slice(header, 0, header.len - 1), &count)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit == header.ptr[header.len - 1]) {
            int64_t max = INT64_MAX / units[i].ns;
            *ret_timeout_ns = (int64_t)count < max ? (int64_t)count * units[i].ns : INT64_MAX;
            return true;
        }
    }
    return false;
}
