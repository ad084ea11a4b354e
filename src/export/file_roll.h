/*
 * file_roll.h - the files of an exporter one after the other: when one is complete, what it is called, and its sealing.
 *
 * What is delivered is appended to a spool of JSON lines that others do not see (.x.active), by file_sink.c. When it is due
 * it gets the name .x.sealing-<name of the file> and is sealed (file_seal.h) in steps, beside deliveries; a new spool
 * begins. What a crash or a full disk left is taken up again at the next start, or half a minute later.
 *
 * Ownership: the config is copied, its pattern borrowed. Threads: confined to a lane; two locks on files keep other lanes
 * and processes out: .x.lock while the spool is written or renamed, .x.sealing while one is sealed. Limits: those of
 * file_seal.h.
 */
#ifndef TELEX_EXPORT_FILE_ROLL_H
#define TELEX_EXPORT_FILE_ROLL_H

#include "base/fs.h"
#include "base/thread.h"
#include "export/file_name.h"

struct env;
struct trace;

struct file_roll_config {
    struct str pattern; /* of names */
    struct file_kind kind;
    enum file_packing pages; /* of Parquet */
    bool by_time;
    bool by_size;
    int64_t interval_ns; /* from full hour to full hour, and so on */
    int64_t max_bytes;   /* of the spool's records as JSON lines */
};

struct file_roll;

struct file_roll *file_roll_new(const struct fs *fs, struct str folder, struct str exporter,
                                const struct file_roll_config *config, const struct env *env,
                                struct trace *trace);
void file_roll_free(struct file_roll *r); /* NULL is fine */

/* The spool's path. */
const char *file_roll_path(const struct file_roll *r);

/* Takes the spool's lock, as long as <wait> lasts: 0, -EWOULDBLOCK or another -errno. */
int file_roll_lock(struct file_roll *r, struct wait wait);
void file_roll_unlock(struct file_roll *r);

/* With the lock: the spool has <size> bytes. When it has none its time begins now. */
MUST_USE bool file_roll_look(struct file_roll *r, int64_t size, struct err *e);

/* With the lock, after a look: the spool's number, which no other of the exporter has. */
uint64_t file_roll_spool(const struct file_roll *r);

/* With the lock: lines of the spool are <bytes> shorter than their JSON, which is what max_bytes is about. */
void file_roll_note_saved(struct file_roll *r, int64_t bytes);

/* Is a spool of <size> bytes complete? */
bool file_roll_is_due(const struct file_roll *r, int64_t size);

/* With the lock: gives the spool its name; from then on there is none. Makes the name durable, or the next one who syncs the
 * folder does, which comes before any line of a new spool. */
MUST_USE bool file_roll_close_spool(struct file_roll *r, struct err *e);

/* Goes on sealing until nothing is left or <wait> is over; is nothing left? Tells what goes wrong. */
bool file_roll_work(struct file_roll *r, struct wait wait);

/* When there is something to do though nothing is written, monotonic; no later than half a minute from now, since the
 * wall clock may be set. Without rotation by time and spools that wait DEADLINE_NEVER. */
int64_t file_roll_due_ns(const struct file_roll *r);

/* The same before a stop, where another lane that seals is waited for. */
bool file_roll_finish(struct file_roll *r, struct wait wait);

#endif
