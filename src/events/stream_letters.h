/*
 * stream_letters.h - dead letters of a stream that runs: looked at, given again, thrown away.
 *
 * There are two boxes: events that the sink refused or did not take in all tries (those of this stream in its exporter's box, where alerts
 * and other streams may have theirs), and changes that could not become events. Either is given again beside what the stream does, a refused event as it is and a change
 * through the transform as the config has it now. A letter leaves only when the sink has it.
 *
 * Ownership: as stream.h. Threads: any, as long as the stream is not closed meanwhile. Limits: a replay ends some seconds after it
 * began, and says where it is to go on.
 */
#ifndef TELEX_EVENTS_STREAM_LETTERS_H
#define TELEX_EVENTS_STREAM_LETTERS_H

#include "events/stream.h"
#include "export/dead_letters.h"

/* "refused", "unreadable" */
const char *letter_box_name(enum letter_box box);

/* telex_stream_dead_letters of a stream; to be dropped. */
struct metric;
struct metric *letters_metric(const struct env *env, struct str stream, enum letter_box box);

/* "refused-12" */
struct letter_id {
    enum letter_box box;
    uint64_t number;
};
void letter_id_print(struct letter_id id, struct buf *out);
MUST_USE bool letter_id_parse(struct str text, struct letter_id *ret, struct err *e);

/* Only letters of the stream's own events; of an exporter that is several those of all it comes to. */
struct dead_letters_sum event_stream_letters(struct event_stream *s, enum letter_box box);

/* Is the event or change in it that halted a stream (stream_status.halted_change, output_status.halted_event)? */
bool letter_has(const struct dead_letter *letter, uint64_t halted);

/* Whose letters, for a piece of work with them. */
struct stream_boxes {
    const struct env *env;
    struct trace *trace;
    struct str state_path;
    struct str name;
    struct event_stream *stream; /* NULL: it does not run, and there is only what it left */
    struct cancel *hurry;        /* ends waits for a sink */
};

/* Shows letters from <from> on, box by box, oldest first, until <visit> says false. */
MUST_USE bool event_stream_walk_letters(const struct stream_boxes *boxes, struct letter_id from,
                                        bool (*visit)(void *arg, enum letter_box box,
                                                      const struct dead_letter *letter),
                                        void *arg, struct err *e);

/* Shows boxes with refused events that are not among those: of an exporter that is several. */
struct elsewhere {
    struct str exporter;
    struct str folder;
    struct dead_letters_sum sum; /* of the stream's own events */
};
void event_stream_elsewhere(const struct stream_boxes *boxes,
                            void (*visit)(void *arg, const struct elsewhere *where), void *arg);

/* Which letters: one, or all from it on. */
struct letter_choice {
    struct letter_id id;
    bool all;
};

enum { LETTER_REFUSALS_MAX = 20 };

struct letters_done {
    struct dead_letters_sum delivered; /* the sink has them now */
    struct dead_letters_sum left_out;  /* `match` leaves them out now */
    struct dead_letters_sum
        refused; /* they stay: the sink refuses them again, or they still cannot be read */
    struct dead_letters_sum discarded;
    struct dead_letters_sum kept; /* of the stream now, where such work is done */
    struct letter_id next; /* where it is to go on; number 0: nothing is left of what was chosen */
    char stopped[512]; /* why it did not go on; empty: only its time was over, or nothing is left */
    size_t refusal_count;
    struct {
        struct letter_id id;
        char reason[256];
    } refusals[LETTER_REFUSALS_MAX]; /* the first of them */
};

/* False when nothing could be tried; <ret> says what became of letters. */
MUST_USE bool event_stream_replay(const struct stream_boxes *boxes,
                                  const struct letter_choice *choice, struct letters_done *ret,
                                  struct err *e);
MUST_USE bool event_stream_discard(const struct stream_boxes *boxes,
                                   const struct letter_choice *choice, struct letters_done *ret,
                                   struct err *e);

/* ---- changes as letters ---- */

/* Where a change is from, as JSON: "position", "id", "sequence", "key", "table", "operation", "time", "form". */
void change_letter_note(const struct change *ch, struct buf *out);

/* Which change it is, as far as a person can mean it; never 0. */
uint64_t change_hash(struct str id, struct str position);

/* The change of a letter again, in <changes>; false when it is not to be had: its source could not read it. */
MUST_USE bool change_letter_read(const struct dead_letter *letter, struct changes *changes,
                                 struct err *e);

#endif
