#include "db/pg_hosts.h"

#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

void pg_hosts_init(struct pg_hosts *h)
{
    buf_init(&h->host, BUF_UNLIMITED);
    buf_init(&h->hostaddr, BUF_UNLIMITED);
    buf_init(&h->port, BUF_UNLIMITED);
}

void pg_hosts_release(struct pg_hosts *h)
{
    buf_release(&h->host);
    buf_release(&h->hostaddr);
    buf_release(&h->port);
}

void pg_hosts_take(void *arg, const char *name, const char *value)
{
    struct pg_hosts *h = arg;
    const struct {
        const char *name;
        struct buf *list;
    } lists[] = {{"host", &h->host}, {"hostaddr", &h->hostaddr}, {"port", &h->port}};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (strcmp(name, lists[i].name) == 0) {
            buf_clear(lists[i].list);
            buf_add_text(lists[i].list, value);
        }
    }
}

static size_t count_items(const struct buf *list)
{
    size_t count = 1;

    for (size_t i = 0; i < list->len; i++) {
        count += list->ptr[i] == ',';
    }
    return count;
}

size_t pg_hosts_count(const struct pg_hosts *h)
{
    return count_items(h->hostaddr.len > 0 ? &h->hostaddr : &h->host);
}

static void turn(struct buf *list)
{
    AUTO(buf_release) struct buf turned = BUF_INIT(BUF_UNLIMITED);
    struct str all = buf_str(list);
    size_t comma = str_find_byte(all, ',');

    if (comma < all.len) {
        buf_add_str(&turned, str_slice(all, comma + 1, all.len));
        buf_add_byte(&turned, ',');
        buf_add_str(&turned, str_slice(all, 0, comma));
        buf_clear(list);
        buf_add_str(list, buf_str(&turned));
    }
}

void pg_hosts_turn(struct pg_hosts *h)
{
    turn(&h->host);
    turn(&h->hostaddr);
    turn(&h->port);
}

/* ---- addresses ---- */

static void add_numeric(const struct addrinfo *at, pg_add_address *add, void *arg)
{
    char text[NI_MAXHOST];

    if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
        0) {
        add(arg, text);
    }
}

void pg_resolve_name(const char *name, pg_add_address *add, void *arg)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo(name, NULL, &hints, &found) == 0) {
        for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
            add_numeric(at, add, arg);
        }
        freeaddrinfo(found);
    }
}

struct addresses {
    struct buf list; /* with commas between them */
    size_t count;
};

static void note_address(void *arg, const char *address)
{
    struct addresses *a = arg;

    if (a->count < PG_ADDRESSES_MAX) {
        buf_addf(&a->list, "%s%s", a->count > 0 ? "," : "", address);
        a->count++;
    }
}

static void add_item(struct buf *list, struct str item, bool is_first)
{
    if (!is_first) {
        buf_add_byte(list, ',');
    }
    buf_add_str(list, item);
}

/* One host with an address, or with none. */
static void add_host(struct pg_hosts *to, struct str host, struct str address, struct str port,
                     size_t *count)
{
    add_item(&to->host, host, *count == 0);
    add_item(&to->hostaddr, address, *count == 0);
    add_item(&to->port, port, *count == 0);
    ++*count;
}

/* Is it neither a folder of sockets nor nothing? */
static bool is_name(struct str host)
{
    return host.len > 0 && host.ptr[0] != '/' && host.ptr[0] != '@';
}

static void add_expanded(struct pg_hosts *to, struct str host, struct str address, struct str port,
                         pg_resolve *resolve, size_t *count)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_UNLIMITED);
    struct addresses found = {BUF_INIT(BUF_UNLIMITED), 0};
    struct str one;

    buf_add_str(&name, host);
    if (address.len == 0 && is_name(host)) {
        resolve(buf_text(&name), note_address, &found);
    }
    if (found.count > 1) {
        for (struct str rest = buf_str(&found.list); str_split(&rest, ',', &one);) {
            add_host(to, host, one, port, count);
        }
    } else {
        add_host(to, host, address, port, count);
    }
    buf_release(&found.list);
}

/* The next item of a list; one that is not said has empty ones, one with a single item has that each time. */
static struct str next_item(const struct buf *list, struct str *rest)
{
    struct str item = STR("");

    if (list->len > 0 && !str_split(rest, ',', &item)) {
        item = buf_str(list);
    }
    return item;
}

void pg_hosts_expand(struct pg_hosts *h, pg_resolve *resolve)
{
    size_t hosts = count_items(&h->host);
    size_t ports = count_items(&h->port);
    size_t count = 0;
    struct pg_hosts to;
    struct str host;

    if (h->host.len == 0 || (h->hostaddr.len > 0 && count_items(&h->hostaddr) != hosts) ||
        (ports > 1 && ports != hosts)) {
        return;
    }
    pg_hosts_init(&to);
    struct str addresses = buf_str(&h->hostaddr);
    struct str port_rest = buf_str(&h->port);
    for (struct str rest = buf_str(&h->host); str_split(&rest, ',', &host);) {
        struct str address = next_item(&h->hostaddr, &addresses);
        struct str port = next_item(&h->port, &port_rest);
        add_expanded(&to, host, address, port, resolve, &count);
    }
    if (count > hosts) {
        if (h->port.len == 0) { /* libpq's own default, which is not that of an empty item */
            buf_clear(&to.port);
        }
        pg_hosts_release(h);
        *h = to;
    } else {
        pg_hosts_release(&to);
    }
}
