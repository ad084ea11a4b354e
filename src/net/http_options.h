/*
 * http_options.h - the option rows of everything that talks HTTP: exporters, datasources, channels.
 *
 * A kind that embeds struct http_client_config puts HTTP_CLIENT_ROWS(offset of it) among its own
 * rows, so url, timeout, credentials, TLS and proxy are spelt the same everywhere. A kind that wants
 * them as a mapping of their own uses http_client_options as the table of an OPTION_TABLE row.
 * Ownership: static tables. Threads: const. Limits: HTTP_CLIENT_ROW_COUNT rows.
 */
#ifndef TELEX_NET_HTTP_OPTIONS_H
#define TELEX_NET_HTTP_OPTIONS_H

#include "base/options.h"
#include "net/http_client.h"

extern const char *const http_alias_url[];
extern const char *const http_alias_timeout[];
extern const char *const http_alias_connect_timeout[];
extern const char *const http_alias_tls[];
extern const char *const http_alias_oauth2[];
extern const char *const http_alias_skip_verify[];

extern const struct option_table http_tls_options;

/* Another spelling of the credentials; its rows are fields of struct http_client_config itself. */
extern const struct option_table http_auth_options;
extern const struct option_table http_oauth2_options;

/* Prometheus' spelling of them: basic_auth, and authorization. */
extern const struct option_table http_basic_auth_options;
extern const struct option_table http_authorization_options;

/* All rows, for a mapping of its own. */
extern const struct option_table http_client_options;

enum { HTTP_CLIENT_ROW_COUNT = 23 };

#define HTTP_AT(base, member) ((base) + offsetof(struct http_client_config, member))

/* The row of the URL; <row_flags> is OPTION_REQUIRED or 0. */
#define HTTP_URL_ROW(base, row_flags)                                                       \
    {                                                                                       \
        .name = "url", .aliases = http_alias_url, .type = OPTION_URL, .flags = (row_flags), \
        .offset = HTTP_AT(base, url), .help = "Where it is: `http://host:port/path`."       \
    }

/*
 * All other rows. <base> is the offset of the struct http_client_config in the kind's own config;
 * <timeout> and <response_bytes> are the defaults as one writes them ("10s", "1MB").
 */
#define HTTP_CLIENT_ROWS(base, timeout, response_bytes) \
    HTTP_CLIENT_ROWS_KEY(base, timeout, response_bytes, "X-API-Key")

/* The same of who has an own header for the key. */
#define HTTP_CLIENT_ROWS_KEY(base, timeout, response_bytes, key_header)                         \
    {.name = "timeout",                                                                         \
     .aliases = http_alias_timeout,                                                             \
     .type = OPTION_DURATION,                                                                   \
     .offset = HTTP_AT(base, timeout_ns),                                                       \
     .fallback = (timeout),                                                                     \
     .min = 0.001,                                                                              \
     .max = 3600,                                                                               \
     .unit = "s",                                                                               \
     .help = "Time for a whole request, from resolving the name to the last byte."},            \
        {.name = "connect_timeout",                                                             \
         .aliases = http_alias_connect_timeout,                                                 \
         .type = OPTION_DURATION,                                                               \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, connect_timeout_ns),                                           \
         .fallback = "5s",                                                                      \
         .min = 0.001,                                                                          \
         .max = 3600,                                                                           \
         .unit = "s",                                                                           \
         .help = "Time for resolving, connecting and the TLS handshake."},                      \
        {.name = "idle_timeout",                                                                \
         .type = OPTION_DURATION,                                                               \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, idle_timeout_ns),                                              \
         .fallback = "30s",                                                                     \
         .min = 1,                                                                              \
         .max = 86400,                                                                          \
         .unit = "s",                                                                           \
         .help = "A connection unused for this long is not used again."},                       \
        {.name = "max_connection_age",                                                          \
         .type = OPTION_DURATION,                                                               \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, max_connection_ns),                                            \
         .fallback = "5m",                                                                      \
         .min = 1,                                                                              \
         .max = 86400,                                                                          \
         .unit = "s",                                                                           \
         .help = "A connection this old is replaced, so that new addresses, certificates and "  \
                 "balancing take effect."},                                                     \
        {.name = "max_response_bytes",                                                          \
         .type = OPTION_BYTES,                                                                  \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, max_response_bytes),                                           \
         .fallback = (response_bytes),                                                          \
         .min = 1024,                                                                           \
         .max = 1e12,                                                                           \
         .unit = "bytes",                                                                       \
         .help = "Largest answer accepted, after decompression."},                              \
        {.name = "headers",                                                                     \
         .type = OPTION_MAP,                                                                    \
         .offset = HTTP_AT(base, headers),                                                      \
         .help = "Headers sent with every request; values may hold `${VARIABLE}`."},            \
        {.name = "user_agent",                                                                  \
         .type = OPTION_TEXT,                                                                   \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, user_agent),                                                   \
         .fallback = "telex",                                                                   \
         .help = "The User-Agent header."},                                                     \
        {.name = "username",                                                                    \
         .type = OPTION_TEXT,                                                                   \
         .offset = HTTP_AT(base, username),                                                     \
         .help = "User for basic authentication."},                                             \
        {.name = "password",                                                                    \
         .type = OPTION_SECRET,                                                                 \
         .offset = HTTP_AT(base, password),                                                     \
         .help = "Password for basic authentication."},                                         \
        {.name = "password_file",                                                               \
         .type = OPTION_TEXT,                                                                   \
         .offset = HTTP_AT(base, password_file),                                                \
         .help = "File with the password, read again when it changes."},                        \
        {.name = "bearer_token",                                                                \
         .type = OPTION_SECRET,                                                                 \
         .offset = HTTP_AT(base, bearer_token),                                                 \
         .help = "Token sent as `Authorization: Bearer`."},                                     \
        {.name = "bearer_token_file",                                                           \
         .type = OPTION_TEXT,                                                                   \
         .offset = HTTP_AT(base, bearer_token_file),                                            \
         .help = "File with the token, read again when it changes."},                           \
        {.name = "api_key",                                                                     \
         .type = OPTION_SECRET,                                                                 \
         .offset = HTTP_AT(base, api_key),                                                      \
         .help = "Key sent in the header that `api_key_header` names."},                        \
        {.name = "api_key_header",                                                              \
         .type = OPTION_TEXT,                                                                   \
         .offset = HTTP_AT(base, api_key_header),                                               \
         .fallback = (key_header),                                                              \
         .help = "The header that carries `api_key`."},                                         \
        {.name = "auth",                                                                        \
         .type = OPTION_TABLE,                                                                  \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = (base),                                                                      \
         .table = &http_auth_options,                                                           \
         .help = "The credentials above as a section."},                                        \
        {.name = "basic_auth",                                                                  \
         .type = OPTION_TABLE,                                                                  \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = (base),                                                                      \
         .table = &http_basic_auth_options,                                                     \
         .help = "Basic authentication, as Prometheus spells it."},                             \
        {.name = "authorization",                                                               \
         .type = OPTION_TABLE,                                                                  \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = (base),                                                                      \
         .table = &http_authorization_options,                                                  \
         .help = "A token, as Prometheus spells it."},                                          \
        {.name = "proxy_url",                                                                   \
         .type = OPTION_URL,                                                                    \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, proxy_url),                                                    \
         .help = "HTTP proxy; the environment's proxy variables are not used."},                \
        {.name = "proxy_username",                                                              \
         .type = OPTION_TEXT,                                                                   \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, proxy_username),                                               \
         .help = "User for the proxy's basic authentication."},                                 \
        {.name = "proxy_password",                                                              \
         .type = OPTION_SECRET,                                                                 \
         .flags = OPTION_ADVANCED,                                                              \
         .offset = HTTP_AT(base, proxy_password),                                               \
         .help = "Password for the proxy's basic authentication."},                             \
        {.name = "tls",                                                                         \
         .aliases = http_alias_tls,                                                             \
         .type = OPTION_TABLE,                                                                  \
         .offset = HTTP_AT(base, tls),                                                          \
         .table = &http_tls_options,                                                            \
         .help = "TLS of an https URL."},                                                       \
        {.name = "oauth2",                                                                      \
         .aliases = http_alias_oauth2,                                                          \
         .type = OPTION_TABLE,                                                                  \
         .offset = HTTP_AT(base, oauth2),                                                       \
         .table = &http_oauth2_options,                                                         \
         .help = "OAuth2 client credentials."},                                                 \
    {                                                                                           \
        .name = "insecure_skip_verify", .aliases = http_alias_skip_verify, .type = OPTION_BOOL, \
        .flags = OPTION_HIDDEN, .offset = HTTP_AT(base, tls.insecure_skip_verify),              \
        .help = "The same as `tls.insecure_skip_verify`."                                       \
    }

#endif
