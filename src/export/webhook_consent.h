/*
 * webhook_consent.h - a sink that asks a webhook whether it wants our deliveries, before the first one.
 *
 * The handshake of the CloudEvents webhook specification: OPTIONS with WebHook-Request-Origin; the receiver
 * consents with the header WebHook-Allowed-Origin, whatever its status is, and may say with
 * WebHook-Allowed-Rate how many requests a minute it takes. Without consent nothing is sent. What the
 * receiver halts later (410, 401) is asked for again.
 *
 * Ownership: owns the inner sink; borrows the config. Threads: as sink.h. Limits: one request per call of
 * deliver() where there is a rate.
 */
#ifndef TELEX_EXPORT_WEBHOOK_CONSENT_H
#define TELEX_EXPORT_WEBHOOK_CONSENT_H

#include "export/exporter.h"

struct http_client_config;

struct webhook_consent {
    struct str origin;       /* who we say we are: a DNS name; empty: nobody is asked */
    int64_t rate_per_minute; /* what we ask for; 0: we do not say */
};

/* <rows> is how many records one request takes at most. <inner> is taken over, also on failure. */
MUST_USE bool webhook_consent_open(const struct webhook_consent *config,
                                   const struct http_client_config *client, uint32_t rows,
                                   const struct exporter_place *place, struct sink *inner,
                                   struct sink **ret_sink, struct err *e);

#endif
