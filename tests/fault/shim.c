/*
 * An LD_PRELOAD library that counts the calls by which a process changes files below one folder, and does to them what a
 * test asks: kills the process before, after or in the middle of the n-th one, makes some fail, or keeps a journal from
 * which tests/fault/powercut.py takes back what was not synced.
 *
 * FAULT_CONTROL names a file that is mapped as struct control; the test writes there at any time, also while the process
 * runs. FAULT_UNDER is the folder, without symbolic links. The system calls are made directly, one at a time: a lock is
 * held over each, so that the journal has them in the order in which they happened.
 *
 * It also lends a fast CRC to tests/fault/logfile.py. Linux on 64 bits and glibc only. What is written through a mapping or stdio is not seen.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE, WRITE, SYNC, TRUNCATE, RENAME, UNLINK, MKDIR, KINDS };
enum kill_how { KILL_BEFORE, KILL_AFTER, KILL_HALF };
enum { PARTS_MAX = 64, PATH_BYTES = PATH_MAX + 64 };

/* tests/fault/shim.py has the same list. */
struct control {
    uint64_t calls;      /* so far */
    uint64_t kill_at;    /* the number of the last call; 0: none */
    uint64_t kill_how;   /* enum kill_how */
    uint64_t fail_errno; /* 0: none fails */
    uint64_t fail_kinds; /* bits of enum kind */
    uint64_t
        fail_from; /* of the calls of those kinds, counted in <matched>, the first that fails */
    uint64_t fail_count; /* and how many do */
    uint64_t fail_half;  /* 1: of two failing writes the first writes half */
    uint64_t matched;
    uint64_t failed;
    uint64_t skip_sync; /* 1: syncs are only noted */
    uint64_t journal;   /* 1: keep one, in FAULT_CONTROL.journal */
    uint64_t by_kind[KINDS];
};

/* A line of the journal, followed by the path (two for a rename, each ending in NUL) and the bytes that were there. */
struct entry {
    uint64_t kind;
    uint64_t path_len;
    uint64_t offset;
    uint64_t length;   /* bytes written; of a sync what it failed with */
    uint64_t old_len;  /* bytes that were there, behind the path */
    uint64_t old_size; /* of the file */
    uint64_t saved;    /* number of the link that keeps the file that went; 0: none went */
};

static struct control *control;
static const char *under;
static const char *control_path;
static int journal_fd = -1;
static uint64_t saved_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int raw_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

__attribute__((constructor)) static void start(void)
{
    control_path = getenv("FAULT_CONTROL");
    under = getenv("FAULT_UNDER");
    int fd = control_path && under ? raw_open(control_path, O_RDWR | O_CLOEXEC, 0) : -1;

    if (fd < 0) {
        return;
    }
    void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    control = page == MAP_FAILED ? NULL : page;
}

static bool is_under(const char *path)
{
    size_t len = under ? strlen(under) : 0;

    return control && under && strncmp(path, under, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

/* The path of a descriptor; false when it is none below the folder. */
static bool path_of(int fd, char path[PATH_BYTES])
{
    char link[64];

    if (!control) {
        return false;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_BYTES - 1);
    path[len > 0 ? len : 0] = '\0';
    return is_under(path);
}

__attribute__((noreturn)) static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* What becomes of one call. */
struct turn {
    int error; /* 0: it is made */
    bool half; /* of the bytes */
    bool last; /* the process ends with it */
};

/* Is it this call's turn to fail? */
static bool fails(enum kind kind)
{
    if (!control->fail_errno || !(control->fail_kinds >> kind & 1)) {
        return false;
    }
    uint64_t n = ++control->matched;
    return n >= control->fail_from && n - control->fail_from < control->fail_count;
}

static struct turn begin(enum kind kind)
{
    struct turn turn = {0};

    (void)pthread_mutex_lock(&lock);
    control->calls++;
    control->by_kind[kind]++;
    if (control->kill_at && control->calls >= control->kill_at) {
        if (control->kill_how == KILL_BEFORE) {
            die();
        }
        turn.last = true;
        turn.half = control->kill_how == KILL_HALF && kind == WRITE;
    }
    if (fails(kind)) {
        turn.half = kind == WRITE && control->fail_half && ++control->failed % 2 == 1;
        turn.error = turn.half ? 0 : (int)control->fail_errno;
        control->failed += kind != WRITE || !control->fail_half;
    }
    return turn;
}

static int64_t end(struct turn turn, int64_t result)
{
    int kept = errno;

    if (turn.last) {
        die();
    }
    (void)pthread_mutex_unlock(&lock);
    errno = turn.error ? turn.error : kept;
    return turn.error ? -1 : result;
}

static void put(const void *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = syscall(SYS_write, journal_fd, bytes, len);
        if (n <= 0) {
            die(); /* a journal that lacks something proves nothing */
        }
        bytes = (const char *)bytes + n;
        len -= (size_t)n;
    }
}

static bool journalling(void)
{
    char path[PATH_BYTES];

    if (control->journal && journal_fd < 0) {
        (void)snprintf(path, sizeof(path), "%s.journal", control_path);
        journal_fd = raw_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    return control->journal && journal_fd >= 0;
}

static void note(struct entry entry, const char *path, const char *to, const void *old)
{
    entry.path_len = strlen(path) + 1 + (to ? strlen(to) + 1 : 0);
    put(&entry, sizeof(entry));
    put(path, strlen(path) + 1);
    if (to) {
        put(to, strlen(to) + 1);
    }
    put(old, entry.old_len);
}

/* Notes what the <length> bytes at <offset> of a file were; UINT64_MAX: up to its end. */
static void note_bytes(enum kind kind, const char *path, uint64_t offset, uint64_t length)
{
    struct stat info;

    if (!journalling() || stat(path, &info) != 0) {
        return;
    }
    uint64_t size = (uint64_t)info.st_size;
    uint64_t there = size > offset ? size - offset : 0;
    struct entry entry = {.kind = kind,
                          .offset = offset,
                          .length = length,
                          .old_len = there < length ? there : length,
                          .old_size = size};
    void *old = malloc(entry.old_len + 1);
    int fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
    int64_t n = syscall(SYS_pread64, fd, old, entry.old_len, offset);
    (void)syscall(SYS_close, fd);
    if (n != (int64_t)entry.old_len) {
        die();
    }
    note(entry, path, NULL, old);
    free(old);
}

/* Keeps the file that a call is about to take the name from. */
static uint64_t save(const char *path)
{
    char kept[PATH_BYTES];

    (void)snprintf(kept, sizeof(kept), "%s.saved.%d.%llu", control_path, getpid(),
                   (unsigned long long)++saved_count);
    return link(path, kept) == 0 ? saved_count : 0;
}

static void note_name(enum kind kind, const char *path, const char *to)
{
    if (journalling()) {
        uint64_t saved = kind == UNLINK ? save(path) : kind == RENAME ? save(to) : 0;
        note((struct entry){.kind = kind, .saved = saved, .offset = (uint64_t)getpid()}, path, to,
             "");
    }
}

/* CRC-32C, for readers in Python; bit by bit to fill the table, then a byte at a time. */
uint32_t fault_crc32c(uint32_t crc, const unsigned char *bytes, size_t len);

uint32_t fault_crc32c(uint32_t crc, const unsigned char *bytes, size_t len)
{
    uint32_t table[256];

    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0x82F63B78) : 0);
        }
    }
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xFF];
    }
    return ~crc;
}

/* ---- opening ---- */

static int open_watched(const char *path, int flags, mode_t mode)
{
    struct stat info;
    bool there = stat(path, &info) == 0;
    struct turn turn = begin(CREATE);

    if (turn.error) {
        return (int)end(turn, -1);
    }
    if (there && (flags & O_TRUNC)) {
        note_bytes(TRUNCATE, path, 0, UINT64_MAX);
    }
    int fd = raw_open(path, flags, mode);
    if (fd >= 0 && !there) {
        note_name(CREATE, path, NULL);
    }
    return (int)end(turn, fd);
}

static int open_any(const char *path, int flags, mode_t mode)
{
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0 && is_under(path);

    return changes ? open_watched(path, flags, mode) : raw_open(path, flags, mode);
}

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...)                                  \
    {                                                                           \
        va_list list;                                                           \
        va_start(list, flags);                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list);                                                           \
        return open_any(path, flags, mode);                                     \
    }

OPEN(open)
OPEN(open64)

/* ---- writing ---- */

static size_t total(const struct iovec *parts, int count)
{
    size_t sum = 0;

    for (int i = 0; i < count; i++) {
        sum += parts[i].iov_len;
    }
    return sum;
}

/* The first <len> bytes of <parts> as parts; the number of them. */
static int cut(const struct iovec *parts, int count, size_t len, struct iovec *out)
{
    int n = 0;

    for (; n < count && n < PARTS_MAX && len > 0; n++) {
        out[n] = parts[n];
        out[n].iov_len = parts[n].iov_len < len ? parts[n].iov_len : len;
        len -= out[n].iov_len;
    }
    return n;
}

/* <offset> < 0: where the descriptor stands. */
static ssize_t write_watched(int fd, const char *path, const struct iovec *parts, int count,
                             off_t offset)
{
    struct iovec some[PARTS_MAX];
    struct turn turn = begin(WRITE);
    size_t bytes = total(parts, count);
    size_t wanted = turn.half && bytes > 1 ? bytes / 2 : bytes;

    if (turn.error) {
        return end(turn, -1);
    }
    count = cut(parts, count, wanted, some);
    int64_t at = offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    note_bytes(WRITE, path, (uint64_t)at, total(some, count));
    return end(turn, offset >= 0 ? syscall(SYS_pwritev, fd, some, count, offset, 0)
                                 : syscall(SYS_writev, fd, some, count));
}

static ssize_t write_any(int fd, const struct iovec *parts, int count, off_t offset)
{
    char path[PATH_BYTES];

    if (path_of(fd, path)) {
        return write_watched(fd, path, parts, count, offset);
    }
    return offset >= 0 ? syscall(SYS_pwritev, fd, parts, count, offset, 0)
                       : syscall(SYS_writev, fd, parts, count);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return write_any(fd, &(struct iovec){(void *)(uintptr_t)bytes, len}, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_any(fd, parts, count, -1);
}

#define PWRITE(name)                                                                     \
    ssize_t name(int fd, const void *bytes, size_t len, off_t offset)                    \
    {                                                                                    \
        return write_any(fd, &(struct iovec){(void *)(uintptr_t)bytes, len}, 1, offset); \
    }
#define PWRITEV(name)                                                        \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) \
    {                                                                        \
        return write_any(fd, parts, count, offset);                          \
    }

PWRITE(pwrite)
PWRITE(pwrite64)
PWRITEV(pwritev)
PWRITEV(pwritev64)

/* ---- the rest ---- */

static int sync_any(int fd, long call)
{
    char path[PATH_BYTES];

    if (!path_of(fd, path)) {
        return (int)syscall(call, fd);
    }
    struct turn turn = begin(SYNC);
    int result = turn.error || control->skip_sync ? 0 : (int)syscall(call, fd);
    if (result == 0 && journalling()) {
        note((struct entry){.kind = SYNC, .length = (uint64_t)turn.error}, path, NULL, "");
    }
    return (int)end(turn, result);
}

int fsync(int fd)
{
    return sync_any(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_any(fd, SYS_fdatasync);
}

#define FTRUNCATE(name)                                          \
    int name(int fd, off_t size)                                 \
    {                                                            \
        char path[PATH_BYTES];                                   \
        if (!path_of(fd, path)) {                                \
            return (int)syscall(SYS_ftruncate, fd, size);        \
        }                                                        \
        struct turn turn = begin(TRUNCATE);                      \
        if (turn.error) {                                        \
            return (int)end(turn, -1);                           \
        }                                                        \
        note_bytes(TRUNCATE, path, (uint64_t)size, UINT64_MAX);  \
        return (int)end(turn, syscall(SYS_ftruncate, fd, size)); \
    }

FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

int rename(const char *from, const char *to)
{
    if (!is_under(from) && !is_under(to)) {
        return (int)syscall(SYS_rename, from, to);
    }
    struct turn turn = begin(RENAME);
    if (turn.error) {
        return (int)end(turn, -1);
    }
    note_name(RENAME, from, to);
    return (int)end(turn, syscall(SYS_rename, from, to));
}

/* As the program uses it: both paths are whole. */
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (!is_under(from) && !is_under(to)) {
        return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
    }
    struct turn turn = begin(RENAME);
    if (turn.error) {
        return (int)end(turn, -1);
    }
    if ((flags & RENAME_NOREPLACE) == 0 || access(to, F_OK) != 0) {
        note_name(RENAME, from, to);
    }
    return (int)end(turn, syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

int unlink(const char *path)
{
    if (!is_under(path)) {
        return (int)syscall(SYS_unlink, path);
    }
    struct turn turn = begin(UNLINK);
    if (turn.error) {
        return (int)end(turn, -1);
    }
    note_name(UNLINK, path, NULL);
    return (int)end(turn, syscall(SYS_unlink, path));
}

int mkdir(const char *path, mode_t mode)
{
    if (!is_under(path)) {
        return (int)syscall(SYS_mkdir, path, mode);
    }
    struct turn turn = begin(MKDIR);
    if (turn.error) {
        return (int)end(turn, -1);
    }
    int64_t result = syscall(SYS_mkdir, path, mode);
    if (result == 0) {
        note_name(MKDIR, path, NULL);
    }
    return (int)end(turn, result);
}
