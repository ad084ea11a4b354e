/* Kept rules with any bytes between the magic and a checksum that is right; what is read prints the same. */
#include "app/rule_bundle.h"
#include "base/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct rule_bundle *b, struct str place)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct rule_bundle again;
    struct err e = ERR_INIT;

    rule_bundle_print(b, place, &bytes);
    rule_bundle_init(&again);
    INVARIANT(rule_bundle_parse(&again, place, buf_str(&bytes), &e));
    INVARIANT(again.files.len == b->files.len && again.fetched_ns == b->fetched_ns);
    INVARIANT(rule_bundle_hash(&again) == rule_bundle_hash(b));
    rule_bundle_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct rule_bundle b;
    struct err e = ERR_INIT;

    buf_add_text(&bytes, "TLXRULES 1\n");
    buf_add(&bytes, data, size);
    buf_addf(&bytes, "%08x", crc32c(0, bytes.ptr, bytes.len));
    rule_bundle_init(&b);
    if (rule_bundle_parse(&b, STR("p"), buf_str(&bytes), &e)) {
        check_same(&b, STR("p"));
    } else {
        INVARIANT(e.code == ERR_PARSE);
    }
    rule_bundle_release(&b);
    return 0;
}
