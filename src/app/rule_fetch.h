/*
 * rule_fetch.h - one place asked for its rules, over HTTP or as S3 has it.
 *
 * Ownership: the bundles are the caller's. Threads: any. Limits: those of rule_sources.h.
 */
#ifndef TELEX_APP_RULE_FETCH_H
#define TELEX_APP_RULE_FETCH_H

#include "app/rule_bundle.h"
#include "app/rule_servers.h"
#include "base/thread.h"

struct env;

/*
 * Fetches the rules of <place> as <server> says into <ret>, an empty bundle; what <known> has in the
 * server's version is not sent again.
 */
MUST_USE bool rule_fetch(const struct env *env, const struct rule_server *server, struct str place,
                         const struct rule_bundle *known, struct wait wait, struct rule_bundle *ret,
                         struct err *e);

#endif
