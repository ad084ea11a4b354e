#include "net/http_client_int.h"

#include "base/base64.h"
#include "base/secret.h"

#include <string.h>

static bool is_token_byte(unsigned char byte)
{
    return byte > ' ' && byte < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
}

static bool is_header_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_token_byte((unsigned char)name.ptr[i])) {
            return false;
        }
    }
    return name.len > 0;
}

/* Tabs and bytes from 0x80 on are allowed, as servers allow them; other control bytes are not. */
static bool is_header_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

void header_lines_init(struct header_lines *h)
{
    h->list = NULL;
    buf_init(&h->scratch, HTTP_AUTHORIZATION_MAX + 256);
}

void buf_wipe(struct buf *b)
{
    if (b->ptr != NULL) {
        explicit_bzero(b->ptr, b->cap);
    }
    buf_clear(b);
}

void header_lines_release(struct header_lines *h)
{
    for (struct curl_slist *line = h->list; line != NULL; line = line->next) {
        explicit_bzero(line->data, strlen(line->data));
    }
    curl_slist_free_all(h->list);
    h->list = NULL;
    buf_wipe(&h->scratch);
    buf_release(&h->scratch);
}

static void append_line(struct header_lines *h, const char *line)
{
    struct curl_slist *list = curl_slist_append(h->list, line);

    INVARIANT(list != NULL);
    h->list = list;
}

bool header_lines_add(struct header_lines *h, struct str name, struct str value, struct err *e)
{
    if (!is_header_name(name)) {
        return err_set(e, ERR_CONFIG, "'%.*s' is not the name of an HTTP header", STR_FMT(name));
    }
    if (!is_header_value(value)) {
        return err_set(e, ERR_CONFIG, "the value of header '%.*s' has a line break or control byte",
                       STR_FMT(name));
    }
    buf_add_str(&h->scratch, name);
    /* libcurl's way to send a header without value is a semicolon. */
    buf_add_text(&h->scratch, value.len > 0 ? ": " : ";");
    buf_add_str(&h->scratch, value);
    bool fits = buf_ok(&h->scratch);
    if (fits) {
        append_line(h, buf_text(&h->scratch));
    }
    buf_wipe(&h->scratch);
    return fits || err_set(e, ERR_LIMIT, "header '%.*s' is longer than %d bytes", STR_FMT(name),
                           HTTP_AUTHORIZATION_MAX);
}

void header_lines_suppress(struct header_lines *h, const char *name)
{
    buf_add_text(&h->scratch, name);
    buf_add_byte(&h->scratch, ':');
    append_line(h, buf_text(&h->scratch));
    buf_clear(&h->scratch);
}

/* --- who we are --- */

bool secret_open(struct secret *literal, struct str file, const char *option,
                 struct secret **ret_secret, struct err *e)
{
    if (file.len == 0) {
        return true;
    }
    if (literal != NULL) {
        return err_set(e, ERR_CONFIG, "'%s' and '%s_file' are both set: keep one", option, option);
    }
    return secret_from_file(file, ret_secret, e) || err_wrap(e, "%s_file", option);
}

static bool names_authorization(const struct option_map *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (str_eq_nocase(headers->items[i].name, STR("authorization"))) {
            return true;
        }
    }
    return false;
}

/* The Authorization header can say one thing. */
static bool check_one_claim(const struct http_client_config *config, struct err *e)
{
    const struct {
        bool set;
        const char *name;
    } claims[] = {
        {config->username.len > 0, "username"},
        {config->bearer_token != NULL || config->bearer_token_file.len > 0, "bearer_token"},
        {http_oauth2_is_set(&config->oauth2), "oauth2"},
        {names_authorization(&config->headers), "headers: Authorization"},
        {config->api_key != NULL && str_eq_nocase(config->api_key_header, STR("authorization")),
         "api_key"},
    };
    const char *first = NULL;

    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        if (claims[i].set && first != NULL) {
            return err_set(e, ERR_CONFIG,
                           "'%s' and '%s' both want to be the Authorization header: keep one",
                           first, claims[i].name);
        }
        first = claims[i].set ? claims[i].name : first;
    }
    return true;
}

/* What the auth section says it is must be there. */
static bool check_auth_type(const struct http_client_config *config, struct err *e)
{
    const struct {
        bool set;
        const char *needs;
    } types[] = {
        [HTTP_AUTH_NONE] = {true, ""},
        [HTTP_AUTH_BASIC] = {config->username.len > 0, "username"},
        [HTTP_AUTH_BEARER] = {config->bearer_token != NULL || config->bearer_token_file.len > 0,
                              "token"},
        [HTTP_AUTH_API_KEY] = {config->api_key != NULL, "api_key"},
    };

    return types[config->auth_type].set ||
           err_set(e, ERR_CONFIG, "auth: this type needs '%s'", types[config->auth_type].needs);
}

static bool check_parts(const struct http_client_config *config, struct err *e)
{
    bool password = config->password != NULL || config->password_file.len > 0;

    if (password && config->username.len == 0) {
        return err_set(e, ERR_CONFIG, "a password is set but no 'username'");
    }
    if (str_find_byte(config->username, ':') < config->username.len) {
        return err_set(e, ERR_CONFIG, "a user name with a colon cannot be sent");
    }
    if (config->api_key != NULL && config->api_key_header.len == 0) {
        return err_set(e, ERR_CONFIG, "'api_key' is set but 'api_key_header' is empty");
    }
    return check_auth_type(config, e) && check_one_claim(config, e);
}

bool http_credentials_init(struct http_credentials *c, const struct http_client_config *config,
                           struct err *e)
{
    *c = (struct http_credentials){.username = config->username,
                                   .password = config->password,
                                   .bearer = config->bearer_token,
                                   .bearer_scheme = config->bearer_scheme,
                                   .api_key = config->api_key,
                                   .api_key_header = config->api_key_header};
    if (!check_parts(config, e) ||
        !secret_open(config->password, config->password_file, "password", &c->own_secret, e) ||
        !secret_open(config->bearer_token, config->bearer_token_file, "bearer_token",
                     &c->own_secret, e)) {
        return false;
    }
    if (config->password_file.len > 0) {
        c->password = c->own_secret;
    }
    if (config->bearer_token_file.len > 0) {
        c->bearer = c->own_secret;
    }
    return true;
}

void http_credentials_release(struct http_credentials *c)
{
    secret_free(c->own_secret);
    c->own_secret = NULL;
}

/* Adds "<name>: <word> <secret>", or without the word. */
static bool add_secret(struct header_lines *h, struct str name, struct str word,
                       struct secret *secret, struct err *e)
{
    struct buf AUTO(buf_release) value = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    buf_add_str(&value, word);
    buf_add_text(&value, word.len > 0 ? " " : "");
    secret_reveal(secret, &value);
    bool fine = header_lines_add(h, name, buf_str(&value), e);
    buf_wipe(&value);
    return fine;
}

static bool add_basic(const struct http_credentials *c, struct header_lines *h, struct err *e)
{
    struct buf AUTO(buf_release) plain = BUF_INIT(HTTP_AUTHORIZATION_MAX / 2);
    struct buf AUTO(buf_release) value = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    buf_add_str(&plain, c->username);
    buf_add_byte(&plain, ':');
    if (c->password != NULL) {
        secret_reveal(c->password, &plain);
    }
    buf_add_text(&value, "Basic ");
    base64_encode(buf_str(&plain), &value);
    bool fine = header_lines_add(h, STR("Authorization"), buf_str(&value), e);
    buf_wipe(&plain);
    buf_wipe(&value);
    return fine;
}

bool http_credentials_add(const struct http_credentials *c, struct header_lines *h, struct err *e)
{
    if (c->username.len > 0 && !add_basic(c, h, e)) {
        return false;
    }
    struct str scheme = c->bearer_scheme.len > 0 ? c->bearer_scheme : STR("Bearer");
    if (c->bearer != NULL && !add_secret(h, STR("Authorization"), scheme, c->bearer, e)) {
        return false;
    }
    return c->api_key == NULL || add_secret(h, c->api_key_header, STR(""), c->api_key, e);
}
