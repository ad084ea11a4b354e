/*
 * Runs one fuzz harness over the files of a folder and prints TAP, one line per file. A file that
 * breaks the harness ends the program, which the test runner sees as a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs the harness on an exact heap copy of the file, so that a read past its end is seen. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    int failed = -1;
    if (fseek(file, 0, SEEK_END) == 0) {
        long end = ftell(file);
        size_t size = end > 0 ? (size_t)end : 0;
        uint8_t *data = malloc(size > 0 ? size : 1);
        rewind(file);
        if (data != NULL && fread(data, 1, size, file) == size) {
            failed = LLVMFuzzerTestOneInput(data, size);
        }
        free(data);
    }
    (void)fclose(file);
    return failed;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, is_file, alphasort);
    if (count <= 0) {
        printf("1..1\nnot ok 1 - no corpus in %s\n", argv[1]);
        return 1;
    }
    printf("1..%d\n", count);
    int failures = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        int failed = replay_file(path);
        printf("%s %d - %s\n", failed == 0 ? "ok" : "not ok", i + 1, entries[i]->d_name);
        (void)fflush(stdout);
        failures += failed != 0;
        free(entries[i]);
    }
    free(entries);
    return failures > 0;
}
