/*
 * page.h - the status page: one self-contained HTML document, made from the API's own JSON.
 *
 * Ownership: pure functions over borrowed inputs. Threads: any. Limits: PAGE_ALERTS_MAX alerts are
 * shown, the others counted.
 */
#ifndef TELEX_SERVER_PAGE_H
#define TELEX_SERVER_PAGE_H

#include "base/buf.h"
#include "events/stream.h"
#include "export/plan.h"
#include "wire/json.h"

enum { PAGE_ALERTS_MAX = 500, PAGE_REFRESH_S = 10 };

/* What the page shows. */
struct page_view {
    const struct json_node *groups; /* "groups" of /api/v1/rules */
    const struct json_node *alerts; /* "alerts" of /api/v1/alerts; NULL: too many to read */
    const struct output_status *outputs;
    size_t output_count;
    const struct stream_status *streams;
    size_t stream_count;
    struct str problem; /* why the last reload was refused; or empty */
    struct str rule;    /* id of the only rule to show; or empty */
    int64_t now_ns;
    int64_t started_ns;
};

void page_print(const struct page_view *v, struct buf *out);

/* The parts of it. */
void page_print_streams(const struct page_view *v,
                        struct buf *out); /* nothing where there is none */
void page_print_groups(const struct page_view *v, struct buf *out);
void page_print_alerts(const struct page_view *v, struct buf *out);

size_t page_count_unready(const struct page_view *v); /* of the streams */

/* How often a member says <value>, over all rules of all groups. */
size_t page_count_rules(const struct page_view *v, struct str member, struct str value);

/* "3m 20s ago", "never" for 0. */
void page_add_ago(struct buf *out, int64_t then_ns, int64_t now_ns);

#endif
