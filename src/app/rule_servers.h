/*
 * rule_servers.h - where rules that are no files of this machine are fetched from, and how.
 *
 * The config's `rule_servers` is a list of URLs, each with credentials and what else a client needs;
 * the one whose URL a place begins with says how the place is fetched. A place without one is fetched
 * with defaults.
 *
 * Ownership: texts live in the config's arena, secrets are freed by rule_servers_release(). Threads:
 * immutable after reading. Limits: RULE_SERVERS_MAX of them.
 */
#ifndef TELEX_APP_RULE_SERVERS_H
#define TELEX_APP_RULE_SERVERS_H

#include "base/options.h"
#include "net/http_client.h"

enum { RULE_SERVERS_MAX = 256 };

struct rule_server {
    struct str url; /* what places begin with: http://, https:// or s3:// */
    struct http_client_config client;
    int64_t refresh_interval_ns; /* 0: only when all is reloaded */
    struct str endpoint;         /* of a store that speaks S3; empty: AWS */
    struct str region;
    struct str access_key_id;
    struct secret *secret_access_key;
    struct secret *session_token;
};

struct rule_servers {
    struct rule_server *items;
    size_t count;
    struct rule_server fallback; /* for places that none of them is for */
};

extern const struct option_table rule_server_options;

/* Is it no path of this machine: http://, https://, s3://, or "-" for standard input? */
bool rule_place_is_elsewhere(struct str place);
bool rule_place_is_s3(struct str place);

/* Reads the section; NULL gives the fallback alone, with what the environment says of AWS. */
MUST_USE bool rule_servers_read(const struct yaml_node *node, const struct option_source *source,
                                struct arena *a, struct rule_servers *ret, struct err *e);
void rule_servers_release(struct rule_servers *s);

/* The one for <place>: that with the longest URL. */
const struct rule_server *rule_servers_find(const struct rule_servers *s, struct str place);

#endif
