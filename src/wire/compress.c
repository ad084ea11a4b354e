#include "wire/compress.h"

static const struct compression *const compressions[] = {
    &compression_snappy,
    &compression_gzip,
    &compression_zstd,
};

const struct compression *compression_find(struct str name)
{
    if (str_eq_nocase(name, STR("x-gzip"))) {
        return &compression_gzip;
    }
    for (size_t i = 0; i < ARRAY_LEN(compressions); i++) {
        if (str_eq_nocase(name, str_of(compressions[i]->name))) {
            return compressions[i];
        }
    }
    return NULL;
}
