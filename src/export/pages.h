/*
 * pages.h - what exporters serve instead of sending it: pages of last values that others scrape.
 *
 * A page is a table (latest.h) behind an address and a path. All who open the same page have the same
 * table: the lanes of an exporter, the graph before and after a reload, and exporters that say the same
 * address and path on purpose. A listener serves all pages of its address and ends with the last of them.
 *
 * Ownership: the plan owns the registry; who gets a page puts it back before the registry goes. Threads:
 * any. Limits: those of latest.h; PAGE_CONNECTIONS_MAX connections to a listener.
 */
#ifndef TELEX_EXPORT_PAGES_H
#define TELEX_EXPORT_PAGES_H

#include "base/env.h"
#include "base/err.h"
#include "base/options.h"
#include "export/latest.h"
#include "net/http_server.h"

enum { PAGE_CONNECTIONS_MAX = 64 };

struct page_config {
    struct str address;
    int64_t port; /* 0: any that is free */
    struct str path;
    struct option_list allowed_hosts;
    struct http_server_tls_config tls;
    struct http_server_auth_config auth;
    struct latest_limits limits;
};

struct pages;
struct page;

struct pages *pages_new(const struct env *env);

/* All pages were put back. NULL is fine. */
void pages_free(struct pages *all);

/* Appends the address and port: "127.0.0.1:8080". */
void page_add_listen(const struct page_config *config, struct buf *out);

/* Could a page be served so? Looks at the certificates' files. */
MUST_USE bool page_check(const struct page_config *config, struct err *e);

/* Pages of one address and port have one listener, and so the same hosts, credentials and certificates; false
 * when these two would not. */
MUST_USE bool page_agrees(const struct page_config *a, const struct page_config *b, struct err *e);

/* The page of that address and path, which listens from now on; fails when it cannot, also because another page
 * of that address has other certificates. What <config> says of limits, hosts and credentials goes from now
 * on. */
MUST_USE bool page_get(struct pages *all, const struct page_config *config, struct page **ret_page,
                       struct err *e);
void page_put(struct page *p); /* NULL is fine */

struct latest *page_table(const struct page *p);

/* Where it listens. */
uint16_t page_port(const struct page *p);

#endif
