/*
 * kafka_position.h - our position in the log, kept by Kafka within the transaction that holds the rows.
 *
 * It stands as the metadata of an offset of a consumer group that is called like the transactional id: committed with
 * the rows or not at all, and read back by each new producer, whose beginning ends what an older one left open. Rows
 * that it covers are there, whatever we know of it. A
 * refused row is no longer in a view when a transaction is committed, so a position has no holes.
 *
 * Ownership: the lane's place is copied, its texts borrowed. Threads: a sink's. Limits: KAFKA_KEPT_MAX bytes.
 */
#ifndef TELEX_EXPORT_EXPORTERS_KAFKA_POSITION_H
#define TELEX_EXPORT_EXPORTERS_KAFKA_POSITION_H

#include "base/buf.h"
#include "export/positions.h"
#include "net/kafka.h"

struct kafka_position {
    struct lane_place lane;
    bool is_kept;   /* false: nobody knows where rows stand, or Kafka does not let us */
    bool is_loaded; /* from what the producer at hand was told */
    struct positions positions;
    struct buf topic;   /* that the transaction wrote to; empty: none yet */
    struct position to; /* in the open transaction; frame 0: none */
};

/* <lane> NULL: it is not kept. */
void kafka_position_init(struct kafka_position *p, const struct lane_place *lane);
void kafka_position_release(struct kafka_position *p);

/* There is a new producer. */
void kafka_position_forget(struct kafka_position *p);

/* Asks what was kept, once for each producer. SENT: it is known. */
enum kafka_fate kafka_position_load(struct kafka_position *p, struct kafka_producer *producer,
                                    struct wait wait, struct err *e);

/* A transaction begins. Does Kafka have row <i> of <view> already? */
void kafka_position_begin(struct kafka_position *p);
bool kafka_position_has(const struct kafka_position *p, struct view view, uint32_t i);

/* The transaction wrote to <topic>. */
void kafka_position_wrote(struct kafka_position *p, struct str topic);

/* Makes the position behind the view's last row part of the transaction, which holds all rows of the view that Kafka did
 * not have. */
enum kafka_fate kafka_position_keep(struct kafka_position *p, struct view view,
                                    struct kafka_producer *producer, struct wait wait,
                                    struct err *e);

/* The transaction is committed. */
void kafka_position_kept(struct kafka_position *p);

#endif
