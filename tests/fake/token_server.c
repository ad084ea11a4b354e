#include "fake/token_server.h"

#include "base/base64.h"
#include "base/clock.h"
#include "net/url.h"
#include "wire/json.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { SKEW_S = 5, LIFE_MAX_S = 300 };

/* The fields of a form; each may come once. */
struct form {
    struct buf client_id;
    struct buf client_secret;
    struct buf assertion_type;
    struct buf assertion;
    struct buf rest;
};

static void form_release(struct form *f)
{
    buf_release(&f->client_id);
    buf_release(&f->client_secret);
    buf_release(&f->assertion_type);
    buf_release(&f->assertion);
    buf_release(&f->rest);
}

static bool complain(struct token_server *s, const char *what)
{
    if (s->complaint.len == 0) {
        buf_add_text(&s->complaint, what);
    }
    return false;
}

static void form_init(struct form *f)
{
    buf_init(&f->client_id, BUF_UNLIMITED);
    buf_init(&f->client_secret, BUF_UNLIMITED);
    buf_init(&f->assertion_type, BUF_UNLIMITED);
    buf_init(&f->assertion, BUF_UNLIMITED);
    buf_init(&f->rest, BUF_UNLIMITED);
}

static bool read_form(struct token_server *s, struct str text, struct form *f)
{
    const struct {
        struct str name;
        struct buf *value;
    } known[] = {
        {STR("client_id"), &f->client_id},
        {STR("client_secret"), &f->client_secret},
        {STR("client_assertion_type"), &f->assertion_type},
        {STR("client_assertion"), &f->assertion},
    };
    struct str name;
    struct str value;

    while (url_next_param(&text, &name, &value)) {
        struct buf *to = NULL;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            to = str_eq(name, known[i].name) ? known[i].value : to;
        }
        if (to == NULL) {
            buf_addf(&f->rest, "%s%.*s=%.*s", f->rest.len > 0 ? "&" : "", STR_FMT(name),
                     STR_FMT(value));
        } else if (to->len > 0) {
            return complain(s, "a field came twice");
        } else if (!url_add_unescaped(to, value, URL_FORM)) {
            return complain(s, "the form has a broken escape");
        }
    }
    return true;
}

static bool check_basic(struct token_server *s, struct str header)
{
    struct buf AUTO(buf_release) pair = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) id = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) secret = BUF_INIT(BUF_UNLIMITED);
    struct str name;

    if (!str_starts(header, STR("Basic ")) ||
        !base64_decode(str_slice(header, 6, header.len), &pair)) {
        return complain(s, "no basic authorization");
    }
    struct str rest = buf_str(&pair);
    (void)str_split(&rest, ':', &name);
    if (!url_add_unescaped(&id, name, URL_FORM) || !url_add_unescaped(&secret, rest, URL_FORM)) {
        return complain(s, "id or secret is not form-encoded");
    }
    return str_eq(buf_str(&id), str_of(s->client_id)) &&
           str_eq(buf_str(&secret), str_of(s->secret));
}

/* --- assertions --- */

static bool verify_raw(EVP_PKEY *key, struct str text, const unsigned char *signature, size_t len)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool fine =
        EVP_DigestVerifyInit(hash, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(hash, signature, len, (const unsigned char *)text.ptr, text.len) == 1;

    EVP_MD_CTX_free(hash);
    return fine;
}

static bool verify(EVP_PKEY *key, struct str text, struct str signature)
{
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    unsigned char *der = NULL;

    if (EVP_PKEY_is_a(key, "EC") != 1) {
        return verify_raw(key, text, bytes, signature.len);
    }
    if (signature.len != 64) {
        return false;
    }
    ECDSA_SIG *parts = ECDSA_SIG_new();
    INVARIANT(ECDSA_SIG_set0(parts, BN_bin2bn(bytes, 32, NULL), BN_bin2bn(bytes + 32, 32, NULL)) ==
              1);
    int len = i2d_ECDSA_SIG(parts, &der);
    bool fine = len > 0 && verify_raw(key, text, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(parts);
    return fine;
}

static bool decode(struct str part, struct arena *a, struct buf *room, struct json_node **ret)
{
    struct err ignored = ERR_INIT;

    return base64_decode(part, room) && json_parse(buf_str(room), a, ret, &ignored);
}

static bool is_new_id(struct token_server *s, struct str id)
{
    for (unsigned i = 0; i < s->id_count; i++) {
        if (str_eq(str_of(s->ids[i]), id)) {
            return false;
        }
    }
    INVARIANT(s->id_count < TOKEN_SERVER_IDS_MAX);
    if (id.len < 16 || id.len >= TOKEN_SERVER_ID_LEN) {
        return false;
    }
    memcpy(s->ids[s->id_count], id.ptr, id.len);
    s->ids[s->id_count++][id.len] = '\0';
    return true;
}

static bool check_head(struct token_server *s, const struct json_node *head)
{
    const char *algorithm = EVP_PKEY_is_a(s->key, "EC") == 1 ? "ES256" : "RS256";

    if (!str_eq(json_get_str(head, STR("alg")), str_of(algorithm))) {
        return complain(s, "alg is not that of the key");
    }
    return str_eq(json_get_str(head, STR("kid")), str_of(s->key_id != NULL ? s->key_id : "")) ||
           complain(s, "kid is not the key's");
}

static bool check_claims(struct token_server *s, const struct json_node *claims)
{
    double now = (double)clock_wall_ns(clock_system()) / (double)NS_PER_S;
    struct str audience = s->audience != NULL ? str_of(s->audience) : buf_str(&s->token_url);
    double issued = 0;
    double ends = 0;

    if (!str_eq(json_get_str(claims, STR("iss")), str_of(s->client_id)) ||
        !str_eq(json_get_str(claims, STR("sub")), str_of(s->client_id))) {
        return complain(s, "iss or sub is not the client");
    }
    if (!str_eq(json_get_str(claims, STR("aud")), audience)) {
        return complain(s, "aud is not us");
    }
    if (json_get(claims, STR("iat")) == NULL || json_get(claims, STR("exp")) == NULL ||
        !json_node_double(json_get(claims, STR("iat")), &issued) ||
        !json_node_double(json_get(claims, STR("exp")), &ends) || issued > now + SKEW_S ||
        ends < now || ends > now + LIFE_MAX_S) {
        return complain(s, "iat and exp are not of now");
    }
    return is_new_id(s, json_get_str(claims, STR("jti"))) || complain(s, "jti is not new");
}

static bool check_assertion(struct token_server *s, struct str token)
{
    struct arena AUTO(arena_release) arena = {0};
    struct buf AUTO(buf_release) head_text = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) claims_text = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) signature = BUF_INIT(BUF_UNLIMITED);
    struct json_node *head = NULL;
    struct json_node *claims = NULL;
    struct str head_part;
    struct str claims_part;
    struct str rest = token;

    arena_init(&arena, ARENA_UNLIMITED);
    (void)str_split(&rest, '.', &head_part);
    (void)str_split(&rest, '.', &claims_part);
    struct str is_signed = str_slice(token, 0, head_part.len + 1 + claims_part.len);
    if (!decode(head_part, &arena, &head_text, &head) ||
        !decode(claims_part, &arena, &claims_text, &claims) || !base64_decode(rest, &signature)) {
        return complain(s, "the assertion is no JWT");
    }
    return check_head(s, head) && check_claims(s, claims) &&
           verify(s->key, is_signed, buf_str(&signature));
}

/* --- requests --- */

/* Is it our client, and said in the one way that we take? */
static bool check_client(struct token_server *s, const struct buf *head, const struct form *f)
{
    struct str header = http_peer_header(head, "authorization");
    bool is_jwt = s->auth == TOKEN_JWT;
    bool is_basic = s->auth == TOKEN_BASIC;

    if ((header.ptr != NULL) != is_basic || (f->assertion.len > 0) != is_jwt ||
        (f->client_secret.len > 0) != (s->auth == TOKEN_POST)) {
        return complain(s, "another way to log in, or more than one");
    }
    if (is_basic) {
        return check_basic(s, header);
    }
    if (!str_eq(buf_str(&f->client_id), str_of(s->client_id))) {
        return complain(s, "another client_id");
    }
    if (!is_jwt) {
        return str_eq(buf_str(&f->client_secret), str_of(s->secret));
    }
    if (!str_eq(buf_str(&f->assertion_type),
                STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))) {
        return complain(s, "client_assertion_type is not that of JWT");
    }
    return check_assertion(s, buf_str(&f->assertion));
}

static bool check_request(struct token_server *s, const struct buf *head, const struct buf *body,
                          struct form *f)
{
    if (!str_eq(http_peer_header(head, "content-type"), STR("application/x-www-form-urlencoded"))) {
        return complain(s, "content-type");
    }
    if (!str_eq(http_peer_header(head, "accept"), STR("application/json"))) {
        return complain(s, "accept");
    }
    if (!read_form(s, buf_str(body), f)) {
        return false;
    }
    return s->rest == NULL || str_eq(buf_str(&f->rest), str_of(s->rest)) ||
           complain(s, buf_text(&f->rest));
}

static int answer_json(struct token_server *s, const struct buf *head, const struct buf *body,
                       struct buf *json)
{
    struct form AUTO(form_release) form;
    unsigned number = ++s->requests;

    form_init(&form);
    if (s->status != 200) {
        buf_add_text(json, s->error);
        return s->status;
    }
    if (!check_request(s, head, body, &form)) {
        buf_add_text(json, "{\"error\":\"invalid_request\"}");
        return 400;
    }
    if (!check_client(s, head, &form)) {
        buf_add_text(json, "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}");
        return 401;
    }
    buf_addf(json, "{\"access_token\":\"token-%u\"", number);
    if (s->type != NULL) {
        buf_addf(json, ",\"token_type\":\"%s\"", s->type);
    }
    if (s->expires != NULL) {
        buf_addf(json, ",\"expires_in\":%s", s->expires);
    }
    buf_add_text(json, "}");
    return 200;
}

static void answer_token(struct token_server *s, int fd, const struct buf *head,
                         const struct buf *body)
{
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_UNLIMITED);

    if (s->on_request != NULL) {
        s->on_request(s);
    }
    lock_take(&s->lock);
    int status = answer_json(s, head, body, &json);
    lock_give(&s->lock);
    (void)http_peer_answer(fd, status, "Content-Type: application/json\r\n", buf_str(&json));
}

static void answer_metadata(struct token_server *s, int fd)
{
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_UNLIMITED);

    lock_take(&s->lock);
    s->discoveries++;
    buf_addf(&json, "{\"issuer\":\"%s\",\"token_endpoint\":\"%s\"",
             s->said_issuer != NULL ? s->said_issuer : buf_text(&s->issuer),
             s->said_endpoint != NULL ? s->said_endpoint : buf_text(&s->token_url));
    if (s->said_methods != NULL) {
        buf_addf(&json, ",\"token_endpoint_auth_methods_supported\":%s", s->said_methods);
    }
    buf_add_text(&json, "}");
    int status = s->metadata_status;
    lock_give(&s->lock);
    (void)http_peer_answer(fd, status, "Content-Type: application/json\r\n", buf_str(&json));
}

static void answer_api(struct token_server *s, int fd, const struct buf *head)
{
    struct str token = http_peer_header(head, "authorization");
    struct str prefix = STR("Bearer token-");
    unsigned number = 0;

    for (size_t i = prefix.len; str_starts(token, prefix) && i < token.len; i++) {
        number = number * 10 + (unsigned)(token.ptr[i] - '0');
    }
    lock_take(&s->lock);
    s->api_requests++;
    bool good = number >= s->good_from && number > 0;
    lock_give(&s->lock);
    (void)http_peer_answer(fd, good ? 200 : 401, "", STR("api"));
}

static void serve(struct http_peer *peer, unsigned index, int fd)
{
    struct token_server *s = peer->arg;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_UNLIMITED);

    (void)index;
    while (http_peer_read(peer, fd, &head, &body)) {
        if (str_starts(buf_str(&head), STR("POST /token "))) {
            answer_token(s, fd, &head, &body);
        } else if (str_starts(buf_str(&head), STR("GET /.well-known/openid-configuration "))) {
            answer_metadata(s, fd);
        } else if (str_starts(buf_str(&head), STR("GET /api "))) {
            answer_api(s, fd, &head);
        } else {
            (void)http_peer_answer(fd, 404, "", STR(""));
        }
    }
}

void token_server_start(struct token_server *s)
{
    *s = (struct token_server){
        .client_id = "me", .metadata_status = 200, .status = 200, .type = "Bearer"};
    lock_init(&s->lock);
    buf_init(&s->issuer, BUF_UNLIMITED);
    buf_init(&s->token_url, BUF_UNLIMITED);
    buf_init(&s->complaint, BUF_UNLIMITED);
    http_peer_start(&s->peer, serve, s);
    (void)http_peer_url(&s->peer, &s->issuer);
    buf_addf(&s->token_url, "%s/token", buf_text(&s->issuer));
}

void token_server_stop(struct token_server *s)
{
    http_peer_stop(&s->peer);
    EVP_PKEY_free(s->key);
    buf_release(&s->issuer);
    buf_release(&s->token_url);
    buf_release(&s->complaint);
    lock_release(&s->lock);
}

EVP_PKEY *token_server_make_key(const char *kind, struct buf *pem)
{
    bool is_rsa = strcmp(kind, "RSA") == 0;
    EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;

    INVARIANT(key != NULL && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(out, &text);
    buf_add(pem, text, (size_t)len);
    (void)BIO_free(out);
    return key;
}
