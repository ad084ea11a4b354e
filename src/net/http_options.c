#include "net/http_options.h"

const char *const http_alias_url[] = {"endpoint", NULL};
const char *const http_alias_timeout[] = {"timeout_seconds", "export_timeout_seconds", NULL};
const char *const http_alias_connect_timeout[] = {"connect_timeout_seconds", NULL};
const char *const http_alias_tls[] = {"tls_config", NULL};
const char *const http_alias_oauth2[] = {"oidc", NULL};

const char *const http_alias_skip_verify[] = {"insecureSkipVerify", NULL};
static const char *const alias_token_url[] = {"tokenUrl", NULL};
static const char *const alias_client_id[] = {"clientId", NULL};
static const char *const alias_client_secret[] = {"clientSecret", NULL};
static const char *const alias_client_secret_file[] = {"clientSecretFile", NULL};
static const char *const alias_scopes[] = {"scope", NULL};
static const char *const alias_style[] = {"token_endpoint_auth_method", NULL};
static const char *const styles[] = {
    "auto", "header", "body", "client_secret_basic", "client_secret_post", "private_key_jwt", NULL};

static const struct option tls_rows[] = {
    {.name = "ca_file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_tls_config, ca_file),
     .help = "PEM file of the authorities to trust; default: the system's."},
    {.name = "cert_file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_tls_config, cert_file),
     .help = "PEM file of our own certificate, for servers that ask for one."},
    {.name = "key_file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_tls_config, key_file),
     .help = "PEM file of its private key."},
    {.name = "server_name",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_tls_config, server_name),
     .help = "The name to ask for and to verify, when it is not the URL's host."},
    {.name = "insecure_skip_verify",
     .aliases = http_alias_skip_verify,
     .type = OPTION_BOOL,
     .offset = offsetof(struct http_tls_config, insecure_skip_verify),
     .fallback = "false",
     .help = "Accept any certificate. Anyone on the way can then read and change what is sent."},
};

const struct option_table http_tls_options = {
    .name = "tls",
    .help = "TLS of an https URL.",
    .options = tls_rows,
    .count = ARRAY_LEN(tls_rows),
    .config_size = sizeof(struct http_tls_config),
};

static const char *const alias_token[] = {"bearer_token", NULL};
static const char *const alias_token_file[] = {"bearer_token_file", NULL};
static const char *const auth_types[] = {"none", "basic", "bearer", "api_key", NULL};

static const struct option auth_rows[] = {
    {.name = "type",
     .type = OPTION_ENUM,
     .offset = HTTP_AT(0, auth_type),
     .choices = auth_types,
     .help = "Which of them is meant; then it must be there."},
    {.name = "username",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, username),
     .help = "User for basic authentication."},
    {.name = "password",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(0, password),
     .help = "Password for basic authentication."},
    {.name = "token",
     .aliases = alias_token,
     .type = OPTION_SECRET,
     .offset = HTTP_AT(0, bearer_token),
     .help = "Token sent as `Authorization: Bearer`."},
    {.name = "token_file",
     .aliases = alias_token_file,
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, bearer_token_file),
     .help = "File with the token, read again when it changes."},
    {.name = "api_key",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(0, api_key),
     .help = "Key sent in the header that `api_key_header` names."},
    {.name = "api_key_header",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, api_key_header),
     .help = "The header that carries `api_key`."},
    {.name = "headers",
     .type = OPTION_MAP,
     .offset = HTTP_AT(0, headers),
     .help = "Headers sent with every request."},
};

const struct option_table http_auth_options = {
    .name = "auth",
    .help = "Credentials.",
    .options = auth_rows,
    .count = ARRAY_LEN(auth_rows),
    .config_size = sizeof(struct http_client_config),
};

static const struct option basic_auth_rows[] = {
    {.name = "username",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, username),
     .help = "User for basic authentication."},
    {.name = "password",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(0, password),
     .help = "Password for basic authentication."},
    {.name = "password_file",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, password_file),
     .help = "File with the password, read again when it changes."},
};

const struct option_table http_basic_auth_options = {
    .name = "basic_auth",
    .help = "Basic authentication.",
    .options = basic_auth_rows,
    .count = ARRAY_LEN(basic_auth_rows),
    .config_size = sizeof(struct http_client_config),
};

static const struct option authorization_rows[] = {
    {.name = "type",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, bearer_scheme),
     .help = "The word before the token; without it `Bearer`."},
    {.name = "credentials",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(0, bearer_token),
     .help = "The token."},
    {.name = "credentials_file",
     .type = OPTION_TEXT,
     .offset = HTTP_AT(0, bearer_token_file),
     .help = "File with the token, read again when it changes."},
};

const struct option_table http_authorization_options = {
    .name = "authorization",
    .help = "A token in the Authorization header.",
    .options = authorization_rows,
    .count = ARRAY_LEN(authorization_rows),
    .config_size = sizeof(struct http_client_config),
};

static const struct option oauth2_rows[] = {
    {.name = "token_url",
     .aliases = alias_token_url,
     .type = OPTION_URL,
     .offset = offsetof(struct http_oauth2_config, token_url),
     .help = "Where tokens are issued."},
    {.name = "issuer",
     .type = OPTION_URL,
     .offset = offsetof(struct http_oauth2_config, issuer),
     .help =
         "The OpenID provider, instead of `token_url`: its `/.well-known/openid-configuration` says "
         "where tokens are issued. It must call itself exactly so."},
    {.name = "client_id",
     .aliases = alias_client_id,
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_oauth2_config, client_id),
     .help = "Who we are there."},
    {.name = "client_secret",
     .aliases = alias_client_secret,
     .type = OPTION_SECRET,
     .offset = offsetof(struct http_oauth2_config, client_secret),
     .help = "The secret that proves it."},
    {.name = "client_secret_file",
     .aliases = alias_client_secret_file,
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_oauth2_config, client_secret_file),
     .help = "File with the secret, read again when it changes."},
    {.name = "private_key",
     .type = OPTION_SECRET,
     .offset = offsetof(struct http_oauth2_config, private_key),
     .help =
         "Instead of a secret, a private key in PEM (RSA for RS256, EC P-256 for ES256) with which each token "
         "request is signed; usually `private_key_file`, which is read again when it changes."},
    {.name = "key_id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_oauth2_config, key_id),
     .help = "How the token server calls that key (`kid`)."},
    {.name = "assertion_audience",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct http_oauth2_config, assertion_audience),
     .help =
         "Whom the signed assertion names as its reader (`aud`); without it the token URL. Some servers want "
         "their issuer."},
    {.name = "scopes",
     .aliases = alias_scopes,
     .type = OPTION_LIST,
     .offset = offsetof(struct http_oauth2_config, scopes),
     .help = "Scopes to ask for."},
    {.name = "audience",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_oauth2_config, audience),
     .help = "Whom the token is for, where the token server wants to be told."},
    {.name = "resource",
     .type = OPTION_LIST,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct http_oauth2_config, resource),
     .help = "The same as URIs (RFC 8707)."},
    {.name = "endpoint_params",
     .type = OPTION_MAP,
     .offset = offsetof(struct http_oauth2_config, endpoint_params),
     .help = "More form fields of the token request."},
    {.name = "style",
     .aliases = alias_style,
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct http_oauth2_config, style),
     .fallback = "auto",
     .choices = styles,
     .help =
         "How we prove who we are: the secret in a basic `Authorization` header (`header`, which OpenID calls "
         "`client_secret_basic`) or in the form's body (`body`, `client_secret_post`), or a signed assertion "
         "(`private_key_jwt`). `auto`: the key when there is one, else what the issuer takes, else `header`."},
    {.name = "tls",
     .aliases = http_alias_tls,
     .type = OPTION_TABLE,
     .offset = offsetof(struct http_oauth2_config, tls),
     .table = &http_tls_options,
     .help = "TLS of the token server."},
    {.name = "insecure_skip_verify",
     .aliases = http_alias_skip_verify,
     .type = OPTION_BOOL,
     .flags = OPTION_HIDDEN,
     .offset = offsetof(struct http_oauth2_config, tls.insecure_skip_verify),
     .help = "The same as `tls.insecure_skip_verify`."},
};

const struct option_table http_oauth2_options = {
    .name = "oauth2",
    .help = "OAuth2 client credentials: a token is fetched, kept, and renewed before it expires.",
    .options = oauth2_rows,
    .count = ARRAY_LEN(oauth2_rows),
    .config_size = sizeof(struct http_oauth2_config),
};

static const struct option client_rows[] = {
    HTTP_URL_ROW(0, 0),
    HTTP_CLIENT_ROWS(0, "30s", "16MB"),
};

const struct option_table http_client_options = {
    .name = "http",
    .help = "A destination reached over HTTP.",
    .options = client_rows,
    .count = ARRAY_LEN(client_rows),
    .config_size = sizeof(struct http_client_config),
};

_Static_assert(ARRAY_LEN(client_rows) == HTTP_CLIENT_ROW_COUNT + 1, "count the rows of the macro");
