/*
 * consul_json.h - what Consul's API answers, made into targets.
 *
 * Pure: bytes in, label sets out. The labels are Prometheus': __meta_consul_service, _node, _dc, _tags, _health,
 * _address, _service_address, _service_port, _service_id, _namespace, _partition, and a label for each entry of
 * the metadata and tagged addresses.
 *
 * Ownership: borrowed texts, lists of the caller. Threads: any. Limits: those of wire/json.h and
 * target_list.h.
 */
#ifndef TELEX_DISCOVER_CONSUL_JSON_H
#define TELEX_DISCOVER_CONSUL_JSON_H

#include "base/arena.h"
#include "discover/target_list.h"

/* The names of /v1/catalog/services, in <a>. */
MUST_USE bool consul_read_services(struct str json, struct arena *a, struct str **ret_names,
                                   size_t *ret_count, struct err *e);

/* The instances of /v1/health/service/NAME. */
MUST_USE bool consul_read_health(struct str json, struct str tag_separator,
                                 struct target_list *list, struct err *e);

#endif
