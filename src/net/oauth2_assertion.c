/* JSON web tokens that say who we are (RFC 7523), signed by OpenSSL. */
#include "net/oauth2_int.h"

#include "base/base64.h"
#include "net/http_client_int.h"
#include "wire/json.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

enum {
    LIFE_S = 120, /* of an assertion: clocks may differ by as much */
    ID_BYTES = 16,
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 16384,
    P256_BYTES = 32, /* of each half of a signature */
    SIGNATURE_MAX = RSA_BITS_MAX / 8,
};

struct signer {
    EVP_PKEY *key;
    const char *algorithm;
    bool is_ec;
};

static void signer_release(struct signer *s)
{
    EVP_PKEY_free(s->key);
}

/* Keys that are locked are refused: nobody is there to be asked for the word. */
static int refuse_locked(char *room, int size, int writing, void *arg)
{
    (void)room;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool is_p256(const EVP_PKEY *key)
{
    char curve[64] = "";
    size_t len = 0;

    return EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1 &&
           str_eq(str_of(curve), STR("prime256v1"));
}

static bool read_key(struct str pem, struct signer *ret, struct err *e)
{
    BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, refuse_locked, NULL) : NULL;

    (void)BIO_free(bio);
    ERR_clear_error();
    if (key == NULL) {
        return err_set(e, ERR_CONFIG,
                       "private_key is no private key in PEM (one with a password is not taken)");
    }
    int bits = EVP_PKEY_get_bits(key);
    bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1 && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    bool is_ec = EVP_PKEY_is_a(key, "EC") == 1 && is_p256(key);
    *ret = (struct signer){key, is_ec ? "ES256" : "RS256", is_ec};
    if (!is_rsa && !is_ec) {
        signer_release(ret);
        return err_set(e, ERR_CONFIG,
                       "private_key is neither RSA of %d bits or more (RS256) nor EC P-256 (ES256)",
                       RSA_BITS_MIN);
    }
    return true;
}

bool oauth2_key_check(struct str pem, struct err *e)
{
    struct signer signer;

    if (!read_key(pem, &signer, e)) {
        return false;
    }
    signer_release(&signer);
    return true;
}

static void add_head(const struct signer *s, struct str key_id, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("alg"));
    json_add_text(&w, s->algorithm);
    json_key(&w, STR("typ"));
    json_add_text(&w, "JWT");
    if (key_id.len > 0) {
        json_key(&w, STR("kid"));
        json_add_str(&w, key_id);
    }
    json_end_object(&w);
}

static void add_claims(const struct oauth2_claims *c, struct str id, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("iss"));
    json_add_str(&w, c->client_id);
    json_key(&w, STR("sub"));
    json_add_str(&w, c->client_id);
    json_key(&w, STR("aud"));
    json_add_str(&w, c->audience);
    json_key(&w, STR("jti"));
    json_add_str(&w, id);
    json_key(&w, STR("iat"));
    json_add_i64(&w, c->now_s);
    json_key(&w, STR("exp"));
    json_add_i64(&w, c->now_s + LIFE_S);
    json_end_object(&w);
}

/* The two numbers of a signature one behind the other, as JWS has them (RFC 7518 section 3.4). */
static bool flatten(const unsigned char *der, size_t len, unsigned char *ret_flat)
{
    const unsigned char *at = der;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)len);
    bool fine =
        parts != NULL &&
        BN_bn2binpad(ECDSA_SIG_get0_r(parts), ret_flat, P256_BYTES) == P256_BYTES &&
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), ret_flat + P256_BYTES, P256_BYTES) == P256_BYTES;

    ECDSA_SIG_free(parts);
    return fine;
}

static bool sign(const struct signer *s, struct str text, struct buf *out)
{
    unsigned char signature[SIGNATURE_MAX];
    unsigned char flat[2 * P256_BYTES];
    size_t len = sizeof(signature);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool fine =
        hash != NULL && EVP_DigestSignInit(hash, NULL, EVP_sha256(), NULL, s->key) == 1 &&
        EVP_DigestSign(hash, signature, &len, (const unsigned char *)text.ptr, text.len) == 1;

    EVP_MD_CTX_free(hash);
    if (fine && s->is_ec) {
        fine = flatten(signature, len, flat);
        base64url_encode(str_make((const char *)flat, sizeof(flat)), out);
    } else if (fine) {
        base64url_encode(str_make((const char *)signature, len), out);
    }
    ERR_clear_error();
    return fine;
}

static bool add_signed(const struct signer *s, const struct oauth2_claims *claims, struct buf *out,
                       struct err *e)
{
    struct buf AUTO(buf_release) part = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct buf AUTO(buf_release) id = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) token = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    unsigned char bytes[ID_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return err_set(e, ERR_INTERNAL, "OpenSSL has no random bytes for the assertion's id");
    }
    base64url_encode(str_make((const char *)bytes, sizeof(bytes)), &id);
    add_head(s, claims->key_id, &part);
    base64url_encode(buf_str(&part), &token);
    buf_clear(&part);
    add_claims(claims, buf_str(&id), &part);
    buf_add_byte(&token, '.');
    base64url_encode(buf_str(&part), &token);
    struct buf AUTO(buf_release) signature = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    if (!sign(s, buf_str(&token), &signature)) {
        return err_set(e, ERR_INTERNAL, "OpenSSL cannot sign with private_key");
    }
    buf_add_byte(&token, '.');
    buf_add_str(&token, buf_str(&signature));
    buf_add_str(out, buf_str(&token));
    buf_wipe(&token);
    return true;
}

bool oauth2_add_assertion(struct str pem, const struct oauth2_claims *claims, struct buf *out,
                          struct err *e)
{
    struct signer signer;

    if (!read_key(pem, &signer, e)) {
        return false;
    }
    bool fine = add_signed(&signer, claims, out, e);
    signer_release(&signer);
    return fine;
}
