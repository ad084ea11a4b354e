#include "db/mongo_lib.h"

#include "base/attr.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char file_name[] = "libmongoc-1.0.so.0";

static const struct {
    const char *name;
    size_t offset;
} members[] = {
#define MEMBER(name) {"mongoc_" #name, offsetof(struct mongo_lib, name)},
    MONGO_LIB(MEMBER)
#undef MEMBER
};

/* Its counters lie under our pid: what an earlier process of that pid left is in the way, and nobody else reads ours. */
static void remove_counters(void)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "/mongoc-%u", (unsigned)getpid());
    (void)shm_unlink(name);
}

static void *load(struct err *e)
{
    remove_counters();
    void *library = dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
    remove_counters();
    if (library == NULL) {
        const char *why = dlerror();
        (void)err_set(e, ERR_CONFIG,
                      "MongoDB needs libmongoc, which cannot be loaded: %s; install it (Debian has "
                      "it in libmongoc-1.0-0)",
                      why != NULL ? why : file_name);
    }
    return library;
}

bool mongo_lib_load(struct mongo_lib *ret_lib, struct err *e)
{
    struct mongo_lib lib;
    void *library = load(e);

    if (library == NULL) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        void *function = dlsym(library, members[i].name);
        if (function == NULL) {
            return err_set(e, ERR_CONFIG, "%s has no %s; Telex needs libmongoc 1.22 or newer",
                           file_name, members[i].name);
        }
        memcpy((char *)&lib + members[i].offset, &function, sizeof(function));
    }
    *ret_lib = lib;
    return true;
}
