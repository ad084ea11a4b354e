#include "fake/receiver.h"

#include "base/mem.h"

/* Keeps a request and says what to answer; its place in the order comes from the lock. */
static struct receiver_answer keep(struct receiver *r, const struct buf *head,
                                   const struct buf *body)
{
    struct receiver_answer answer = {.status = 204};

    lock_take(&r->lock);
    if (r->refused != NULL && str_find(buf_str(body), str_of(r->refused)) < body->len) {
        answer = (struct receiver_answer){.status = 400, .body = "refused"};
    } else if (r->answers_used < r->answer_count) {
        answer = r->answers[r->answers_used++];
    }
    if (r->request_count < RECEIVER_MAX) {
        struct receiver_request *kept = &r->requests[r->request_count];
        buf_add_str(&kept->head, buf_str(head));
        buf_add_str(&kept->body, buf_str(body));
    }
    r->request_count++;
    lock_give(&r->lock);
    return answer;
}

static void serve(struct http_peer *peer, unsigned index, int fd)
{
    struct receiver *r = peer->arg;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    (void)index;
    while (http_peer_read(peer, fd, &head, &body)) {
        struct receiver_answer a = keep(r, &head, &body);
        if (a.status == RECEIVER_RESETS) {
            http_peer_reset(fd);
            return;
        }
        if (a.status == RECEIVER_HANGS) {
            (void)http_peer_wait_close(fd);
            return;
        }
        (void)http_peer_answer(fd, a.status, a.headers != NULL ? a.headers : "", str_of(a.body));
    }
}

void receiver_listen(struct receiver *r)
{
    *r = (struct receiver){0};
    lock_init(&r->lock);
    lock_take(&r->lock);
    for (unsigned i = 0; i < RECEIVER_MAX; i++) {
        buf_init(&r->requests[i].head, BUF_UNLIMITED);
        buf_init(&r->requests[i].body, BUF_UNLIMITED);
    }
    lock_give(&r->lock);
    http_peer_start(&r->peer, serve, r);
}

void receiver_stop(struct receiver *r)
{
    http_peer_stop(&r->peer);
    lock_take(&r->lock);
    for (unsigned i = 0; i < RECEIVER_MAX; i++) {
        buf_release(&r->requests[i].head);
        buf_release(&r->requests[i].body);
    }
    lock_give(&r->lock);
    lock_release(&r->lock);
}

void receiver_plan(struct receiver *r, int status, const char *headers, const char *body)
{
    lock_take(&r->lock);
    INVARIANT(r->answer_count < RECEIVER_MAX);
    r->answers[r->answer_count++] = (struct receiver_answer){status, headers, body};
    lock_give(&r->lock);
}

void receiver_fail_with(struct receiver *r, const char *text)
{
    lock_take(&r->lock);
    r->refused = text;
    lock_give(&r->lock);
}

unsigned receiver_count(struct receiver *r)
{
    lock_take(&r->lock);
    unsigned count = r->request_count;
    lock_give(&r->lock);
    return count;
}

bool receiver_wait(struct receiver *r, unsigned count)
{
    for (int ms = 0; ms < HTTP_PEER_PATIENCE_MS; ms += 5) {
        if (receiver_count(r) >= count) {
            return true;
        }
        http_peer_pause_ms(5);
    }
    return false;
}

void receiver_head(struct receiver *r, unsigned i, struct buf *out)
{
    INVARIANT(i < RECEIVER_MAX);
    lock_take(&r->lock);
    buf_add_str(out, buf_str(&r->requests[i].head));
    lock_give(&r->lock);
}

void receiver_body(struct receiver *r, unsigned i, struct buf *out)
{
    INVARIANT(i < RECEIVER_MAX);
    lock_take(&r->lock);
    buf_add_str(out, buf_str(&r->requests[i].body));
    lock_give(&r->lock);
}
