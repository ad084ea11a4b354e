/*
 * Could a Telex with this config listen where it says? Asked by `check` alone: `run` sees it when it listens. An address that is
 * in use may be in use by the very Telex whose config this is, so it is no error; and where a Telex runs with this state
 * folder nothing is said at all.
 */
#include "app/load.h"

#include "base/fs.h"
#include "export/exporter.h"
#include "net/http_server.h"
#include "net/udp.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somewhere to listen, and where the config says it. */
struct place_to_listen {
    struct str listen;
    const struct yaml_node *node; /* or NULL: it is the default of a section */
    bool is_udp;
};

/* Somebody holds the lock of the state folder's logs then. */
bool check_runs_here(const struct config *c)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    const struct fs *fs = fs_system();
    int fd = -1;

    buf_addf(&path, "%.*s/ledger/lock", STR_FMT(c->settings.state.path));
    if (access(buf_text(&path), W_OK) != 0 ||
        fs->ops->open(fs, buf_text(&path), FS_WRITE, &fd) != 0) {
        return false;
    }
    bool is_held = fs->ops->lock(fs, fd) == -EWOULDBLOCK;
    (void)close(fd);
    return is_held;
}

static bool try(const struct place_to_listen *at, struct err *e)
{
    int fd = -1;

    if (!at->is_udp) {
        return http_listen_try(at->listen, e);
    }
    if (!udp_listen(at->listen, &fd, e)) {
        return false;
    }
    (void)close(fd);
    return true;
}

static void look_at(const struct config *c, const struct place_to_listen *at, const char *section,
                    const char *what, struct problems *problems)
{
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (at->listen.len == 0 || try(at, &why)) {
        return;
    }
    bool is_used = str_ends(str_of(why.message), str_of("Address already in use"));
    const char *perhaps = is_used ? "; unless it is a Telex with this config that has it, another "
                                    "program must end first"
                                  : "";
    (void)(at->node != NULL
               ? yaml_err(at->node, &e, ERR_CONFIG, "%s: %s%s", what, why.message, perhaps)
               : config_err(c, str_of(section), &e, "%s: %s%s", what, why.message, perhaps));
    problems_warning(problems, &e);
}

static const struct yaml_node *node_of(const struct config *c, const char *section,
                                       const char *part)
{
    const struct yaml_node *node = yaml_get(c->root, str_of(section));

    node = part != NULL ? yaml_get(node, str_of(part)) : node;
    return yaml_get(node, STR("listen"));
}

/* A page that several exporters share is told of once. */
static void look_at_pages(const struct config *c, struct problems *problems)
{
    AUTO(buf_release) struct buf told = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf what = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf listen = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < c->plan.exporter_count; i++) {
        const struct exporter_config *x = &c->plan.exporters[i];
        if (x->kind->add_listen == NULL) {
            continue;
        }
        buf_clear(&what);
        buf_clear(&listen);
        x->kind->add_listen(x->config, &listen);
        buf_addf(&listen, "%s", listen.len > 0 ? " " : "");
        if (listen.len == 0 || str_find(buf_str(&told), buf_str(&listen)) < told.len) {
            continue;
        }
        buf_add_str(&told, buf_str(&listen));
        buf_addf(&what, "exporter '%.*s'", STR_FMT(x->name));
        const struct place_to_listen at = {str_trim(buf_str(&listen)), x->node, false};
        look_at(c, &at, "exporters", buf_text(&what), problems);
    }
}

void check_ports(const struct config *c, struct problems *problems)
{
    const struct receive_config *receive = &c->settings.receive;
    const struct place_to_listen server = {c->settings.server.listen, node_of(c, "server", NULL),
                                           false};
    const struct place_to_listen grpc = {receive->otlp_grpc.listen,
                                         node_of(c, "receive", "otlp_grpc"), false};
    const struct place_to_listen statsd = {receive->statsd.listen, node_of(c, "receive", "statsd"),
                                           true};

    if (check_runs_here(c)) {
        return;
    }
    look_at(c, &server, "server", "server", problems);
    look_at(c, &grpc, "receive", "receive.otlp_grpc", problems);
    look_at(c, &statsd, "receive", "receive.statsd", problems);
    look_at_pages(c, problems);
}
