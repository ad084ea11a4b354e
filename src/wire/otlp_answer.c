/* What is answered to an export: how much of it was refused, or why all of it was. */
#include "wire/otlp_int.h"

enum { RESPONSE_PARTIAL = 1 };
enum { PARTIAL_REJECTED = 1, PARTIAL_MESSAGE = 2 };
enum { RPC_CODE = 1, RPC_MESSAGE = 2, RPC_DETAILS = 3 };
enum { ANY_TYPE = 1, ANY_VALUE = 2 };
enum { RETRY_DELAY = 1 };
enum { DURATION_S = 1, DURATION_NS = 2 };
enum { S_MAX = 86400, MS_PER_S = 1000, NS_PER_MS = 1000 * 1000 };

void otlp_partial_write(const struct otlp_partial *partial, struct buf *out)
{
    if (partial->rejected == 0 && partial->message.len == 0) {
        return;
    }
    size_t part = pb_begin(out, RESPONSE_PARTIAL);
    pb_add_i64(out, PARTIAL_REJECTED, partial->rejected);
    otlp_add_text(out, PARTIAL_MESSAGE, partial->message);
    pb_end(out, part);
}

static bool read_partial(struct str message, struct otlp_partial *ret)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        if (f.number == PARTIAL_REJECTED && f.type == PB_VARINT) {
            ret->rejected = (int64_t)f.value;
        } else if (f.number == PARTIAL_MESSAGE && f.type == PB_BYTES) {
            ret->message = f.bytes;
        }
    }
    return pb_ok(&r);
}

bool otlp_partial_read(struct str message, struct otlp_partial *ret)
{
    struct otlp_partial partial = {0, STR("")};
    struct pb_reader r;
    struct pb_field f;
    bool ok = true;

    pb_read_init(&r, message);
    while (ok && pb_next(&r, &f)) {
        if (f.number == RESPONSE_PARTIAL && f.type == PB_BYTES) {
            ok = read_partial(f.bytes, &partial);
        }
    }
    if (!ok || !pb_ok(&r)) {
        return false;
    }
    *ret = partial;
    return true;
}

void otlp_status_write(const struct otlp_status *status, struct buf *out)
{
    pb_add_i64(out, RPC_CODE, status->code);
    otlp_add_text(out, RPC_MESSAGE, status->message);
    if (!status->has_retry) {
        return;
    }
    size_t any = pb_begin(out, RPC_DETAILS);
    pb_add_str(out, ANY_TYPE, STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = pb_begin(out, ANY_VALUE);
    size_t delay = pb_begin(out, RETRY_DELAY);
    pb_add_i64(out, DURATION_S, status->retry_ms / MS_PER_S);
    pb_add_i64(out, DURATION_NS, status->retry_ms % MS_PER_S * NS_PER_MS);
    pb_end(out, delay);
    pb_end(out, info);
    pb_end(out, any);
}

/* The length-delimited field <number> of a message; empty without one. */
static struct str bytes_of(struct str message, uint32_t number)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        if (f.number == number && f.type == PB_BYTES) {
            return f.bytes;
        }
    }
    return STR("");
}

/* Any{type.googleapis.com/google.rpc.RetryInfo, RetryInfo{Duration{s, ns}}} */
static void read_detail(struct str any, struct otlp_status *ret)
{
    struct pb_reader r;
    struct pb_field f;

    if (!str_ends(bytes_of(any, ANY_TYPE), STR("google.rpc.RetryInfo"))) {
        return;
    }
    ret->has_retry = true;
    pb_read_init(&r, bytes_of(bytes_of(any, ANY_VALUE), RETRY_DELAY));
    while (pb_next(&r, &f)) {
        if (f.type == PB_VARINT && f.number == DURATION_S) {
            ret->retry_ms += (int64_t)(f.value < S_MAX ? f.value : S_MAX) * MS_PER_S;
        } else if (f.type == PB_VARINT && f.number == DURATION_NS) {
            ret->retry_ms += (int64_t)(f.value / NS_PER_MS % MS_PER_S);
        }
    }
}

bool otlp_status_read(struct str message, struct otlp_status *ret)
{
    struct otlp_status status = {.message = STR("")};
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        if (f.number == RPC_CODE && f.type == PB_VARINT) {
            status.code = (int64_t)f.value;
        } else if (f.number == RPC_MESSAGE && f.type == PB_BYTES) {
            status.message = f.bytes;
        } else if (f.number == RPC_DETAILS && f.type == PB_BYTES) {
            read_detail(f.bytes, &status);
        }
    }
    if (!pb_ok(&r)) {
        return false;
    }
    *ret = status;
    return true;
}
