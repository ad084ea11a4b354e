/*
 * Answers in the form of Prometheus: seven sorted labels, about 185 bytes of label object, a time
 * in milliseconds, and values of three kinds: a counter (whole number), a gauge with six decimals,
 * a ratio with 17 digits. The last digit of a fraction is odd, so no fraction is ever whole.
 *
 * Invariants:
 * 1. The text's length never changes after answer_init().
 * 2. For series i: text[value_end[i] - DIGITS .. value_end[i]) are the digits that are patched.
 */
#include "bench/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 6, MODES = 8, TIME_LEN = 14, SERIES_BYTES_MAX = 320 };

static const char prefix[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[";
static const char suffix[] = "]}}";
static const char time_template[] = "0000000000.000";

static int format_labels(char *out, size_t cap, const char *metric, uint32_t i)
{
    static const char *const modes[MODES] = {"idle",    "iowait", "irq",    "nice",
                                             "softirq", "steal",  "system", "user"};
    uint32_t node = i / MODES;
    return snprintf(out, cap,
                    "{\"metric\":{\"__name__\":\"%s\",\"cluster\":\"payments-eu-%u\","
                    "\"datacenter\":\"fra%u-b\",\"env\":\"production\","
                    "\"instance\":\"node-%05u.fra.example.net:9100\","
                    "\"job\":\"node-exporter\",\"mode\":\"%s\"}",
                    metric, node % 7 + 1, node % 3 + 1, node, modes[i % MODES]);
}

/* The value's first form, its patched digits as zeros; returns the whole-number base or 0. */
static uint32_t format_value(char *out, size_t cap, uint32_t i)
{
    uint32_t two_digits = i * 7919 % 90 + 10;
    if (i % 3 == 0) {
        snprintf(out, cap, "%u000000", two_digits);
        return two_digits * 1000000;
    }
    if (i % 3 == 1) {
        snprintf(out, cap, "%u.000000", two_digits);
    } else {
        snprintf(out, cap, "0.%u%09u000000", two_digits, i * 2654435761u % 1000000000u);
    }
    return 0;
}

static void append(struct answer *a, const char *text, size_t len)
{
    memcpy(a->text + a->len, text, len);
    a->len += len;
}

static void append_series(struct answer *a, const char *metric, uint32_t i)
{
    char text[SERIES_BYTES_MAX];
    char value[24];
    if (i > 0) {
        append(a, ",", 1);
    }
    a->series_at[i] = (uint32_t)a->len;
    a->value_base[i] = format_value(value, sizeof value, i);
    int n = format_labels(text, sizeof text, metric, i);
    n += snprintf(text + n, sizeof text - (size_t)n, ",\"value\":[%s,\"%s", time_template, value);
    append(a, text, (size_t)n);
    a->value_end[i] = (uint32_t)a->len;
    append(a, "\"]}", 3);
}

bool answer_init(struct answer *a, const char *metric, uint32_t series)
{
    *a = (struct answer){0};
    if (series > ANSWER_SERIES_MAX) {
        return false;
    }
    a->series = series;
    a->text = malloc(sizeof prefix + sizeof suffix + (size_t)series * SERIES_BYTES_MAX);
    a->series_at = calloc(series + 1, sizeof *a->series_at);
    a->value_end = calloc(series + 1, sizeof *a->value_end);
    a->value_base = calloc(series + 1, sizeof *a->value_base);
    if (!a->text || !a->series_at || !a->value_end || !a->value_base) {
        answer_release(a);
        return false;
    }
    append(a, prefix, sizeof prefix - 1);
    for (uint32_t i = 0; i < series; i++) {
        append_series(a, metric, i);
    }
    a->series_at[series] = (uint32_t)a->len;
    append(a, suffix, sizeof suffix - 1);
    return true;
}

void answer_release(struct answer *a)
{
    free(a->text);
    free(a->series_at);
    free(a->value_end);
    free(a->value_base);
    *a = (struct answer){0};
}

static void put_digits(char *end, uint32_t number)
{
    for (int i = 0; i < DIGITS; i++) {
        *--end = (char)('0' + number % 10);
        number /= 10;
    }
}

static size_t value_len(uint32_t i)
{
    static const size_t len_by_kind[3] = {8, 9, 19};
    return len_by_kind[i % 3];
}

static void format_time(char out[TIME_LEN + 1], int64_t time_ms)
{
    uint64_t ms = time_ms > 0 ? (uint64_t)time_ms : 0;
    snprintf(out, TIME_LEN + 1, "%010u.%03u", (unsigned)(ms / 1000 % 4000000000u),
             (unsigned)(ms % 1000));
}

void answer_patch(struct answer *a, int64_t time_ms, struct served *ret_served)
{
    char time[TIME_LEN + 1];
    struct served sum = {.samples = a->series};
    uint32_t random = (uint32_t)(++a->calls * 2654435769u) | 1;
    format_time(time, time_ms);
    for (uint32_t i = 0; i < a->series; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t digits = (random >> 12) % 500000u * 2 + 1;
        char *end = a->text + a->value_end[i];
        put_digits(end, digits);
        memcpy(end - value_len(i) - 2 - TIME_LEN, time, TIME_LEN);
        if (a->value_base[i] > 0) {
            sum.whole_sum += a->value_base[i] + digits;
        }
    }
    sum.time_sum_ms = (uint64_t)time_ms * a->series;
    *ret_served = sum;
}

int answer_parts(const struct answer *a, bool rotate, struct iovec ret_parts[ANSWER_PARTS_MAX])
{
    uint32_t first = rotate && a->series > 0 ? (uint32_t)(a->calls * 37 % a->series) : 0;
    if (first == 0) {
        ret_parts[0] = (struct iovec){a->text, a->len};
        return 1;
    }
    char *rotated = a->text + a->series_at[first];
    char *start = a->text + a->series_at[0];
    char *end = a->text + a->series_at[a->series];
    ret_parts[0] = (struct iovec){a->text, (size_t)(start - a->text)};
    ret_parts[1] = (struct iovec){rotated, (size_t)(end - rotated)};
    ret_parts[2] = (struct iovec){rotated - 1, 1}; /* the comma before it */
    ret_parts[3] = (struct iovec){start, (size_t)(rotated - 1 - start)};
    ret_parts[4] = (struct iovec){end, (size_t)(a->text + a->len - end)};
    return ANSWER_PARTS_MAX;
}

double answer_label_bytes(const struct answer *a)
{
    static const char around[] = "{\"metric\":,\"value\":[,\"\"]},";
    double total = 0;
    for (uint32_t i = 0; i < a->series; i++) {
        total += a->series_at[i + 1] - a->series_at[i];
        total -= (double)(sizeof around - 1 + TIME_LEN + value_len(i));
    }
    return a->series > 0 ? total / a->series : 0;
}
