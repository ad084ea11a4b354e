/*
 * Blocking HTTP/1.1, just enough for the two engines' clients.
 *
 * Invariants:
 * 1. buf[0 .. len) holds bytes as they came; used <= len is the request that was handed out.
 * 2. Nothing in buf moves or changes between two http_next() calls.
 */
#include "bench/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX_BYTES = 64 << 10, BODY_MAX_BYTES = 64 << 20, PARTS_MAX = 8 };

void conn_init(struct conn *c, int fd)
{
    *c = (struct conn){.fd = fd};
}

void conn_release(struct conn *c)
{
    close(c->fd);
    free(c->buf);
    *c = (struct conn){.fd = -1};
}

/* ---- writing ---- */

static bool send_all(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return false;
        }
        size_t left = (size_t)sent;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return true;
}

bool http_reply_parts(struct conn *c, int status, const struct iovec *parts, int count)
{
    char head[160];
    struct iovec all[PARTS_MAX + 1];
    size_t total = 0;
    if (count > PARTS_MAX) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        total += parts[i].iov_len;
    }
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d -\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     status, total);
    all[0] = (struct iovec){head, (size_t)n};
    return send_all(c->fd, all, count + 1);
}

bool http_reply(struct conn *c, int status, const char *json)
{
    size_t len = strlen(json);
    struct iovec part = {(void *)(uintptr_t)json, len};
    return http_reply_parts(c, status, &part, 1);
}

/* ---- reading ---- */

static bool fill(struct conn *c, size_t cap_max)
{
    if (c->len == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16 << 10;
        if (c->cap >= cap_max) {
            return false;
        }
        char *grown = realloc(c->buf, cap);
        if (!grown) {
            return false;
        }
        c->buf = grown;
        c->cap = cap;
    }
    ssize_t got;
    do {
        got = recv(c->fd, c->buf + c->len, c->cap - c->len, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    c->len += (size_t)got;
    return true;
}

static void drop_answered(struct conn *c)
{
    if (c->used > 0) {
        memmove(c->buf, c->buf + c->used, c->len - c->used);
        c->len -= c->used;
        c->used = 0;
    }
}

/* Length of the head including its blank line; 0 when the peer went away or talks too long. */
static size_t read_head(struct conn *c)
{
    for (;;) {
        char *end = c->len ? memmem(c->buf, c->len, "\r\n\r\n", 4) : NULL;
        if (end) {
            return (size_t)(end - c->buf) + 4;
        }
        if (c->len > HEAD_MAX_BYTES || !fill(c, (size_t)HEAD_MAX_BYTES * 2)) {
            return 0;
        }
    }
}

static struct span cut(struct span *s, char until)
{
    const char *at = s->len ? memchr(s->ptr, until, s->len) : NULL;
    size_t len = at ? (size_t)(at - s->ptr) : s->len;
    struct span head = {s->ptr, len};
    size_t skip = at ? len + 1 : len;
    *s = (struct span){s->ptr + skip, s->len - skip};
    return head;
}

static void parse_head(struct span head, struct request *ret)
{
    struct span line = cut(&head, '\n');
    ret->method = cut(&line, ' ');
    struct span target = cut(&line, ' ');
    ret->path = cut(&target, '?');
    ret->args = target;
    ret->head = head;
}

static bool content_length(const struct request *r, size_t *ret_len)
{
    struct span text = http_header(r, "content-length");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i]) || len > BODY_MAX_BYTES) {
            return false;
        }
        len = len * 10 + (size_t)(text.ptr[i] - '0');
    }
    *ret_len = len;
    return len <= BODY_MAX_BYTES;
}

/* curl asks before it sends a large body and waits a second when nobody answers. */
static bool allow_body(struct conn *c, const struct request *r)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!span_is(http_header(r, "expect"), "100-continue")) {
        return true;
    }
    struct iovec part = {(void *)(uintptr_t)go_on, sizeof go_on - 1};
    return send_all(c->fd, &part, 1);
}

bool http_next(struct conn *c, struct request *ret_request)
{
    struct request r = {0};
    size_t body_len = 0;
    drop_answered(c);
    size_t head_len = read_head(c);
    if (head_len == 0) {
        return false;
    }
    parse_head((struct span){c->buf, head_len}, &r);
    if (http_header(&r, "transfer-encoding").len > 0 || !content_length(&r, &body_len)) {
        http_reply(c, 411, "{\"error\":\"send Content-Length, at most 64 MiB\"}");
        return false;
    }
    if (c->len < head_len + body_len && !allow_body(c, &r)) {
        return false;
    }
    while (c->len < head_len + body_len) {
        if (!fill(c, 2 * (size_t)BODY_MAX_BYTES)) {
            return false;
        }
    }
    parse_head((struct span){c->buf, head_len}, &r); /* again: the buffer may have moved */
    r.body = (struct span){c->buf + head_len, body_len};
    c->used = head_len + body_len;
    *ret_request = r;
    return true;
}

/* ---- looking things up ---- */

bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static bool name_matches(struct span name, const char *lower_name)
{
    if (name.len != strlen(lower_name)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (tolower((unsigned char)name.ptr[i]) != lower_name[i]) {
            return false;
        }
    }
    return true;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && isspace((unsigned char)*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && isspace((unsigned char)s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

struct span http_header(const struct request *r, const char *lower_name)
{
    struct span rest = r->head;
    while (rest.len > 0) {
        struct span value = cut(&rest, '\n');
        struct span name = cut(&value, ':');
        if (name_matches(name, lower_name)) {
            return trim(value);
        }
    }
    return (struct span){"", 0};
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void url_decode(struct span s, char *ret_value, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 1 < cap; i++) {
        char c = s.ptr[i];
        if (c == '+') {
            c = ' ';
        }
        if (c == '%' && i + 2 < s.len) {
            int high = hex_digit(s.ptr[i + 1]);
            int low = hex_digit(s.ptr[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(unsigned char)(high * 16 + low);
                i += 2;
            }
        }
        ret_value[n++] = c;
    }
    ret_value[n] = '\0';
}

bool span_arg(struct span args, const char *name, char *ret_value, size_t cap)
{
    while (args.len > 0) {
        struct span value = cut(&args, '&');
        if (span_is(cut(&value, '='), name)) {
            url_decode(value, ret_value, cap);
            return true;
        }
    }
    return false;
}

bool http_arg(const struct request *r, const char *name, char *ret_value, size_t cap)
{
    return span_arg(r->args, name, ret_value, cap) || span_arg(r->body, name, ret_value, cap);
}
