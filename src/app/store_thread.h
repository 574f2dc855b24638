/* The store's thread: the one that writes the ledger. A full disk stops nothing but it:
 * work waits, in order, until there is room. */
#ifndef APP_STORE_THREAD_H
#define APP_STORE_THREAD_H

#include "io/loop.h"
#include "store/ledger.h"

struct store_thread;

/* Work on the store's thread; it may be called again from its beginning after STORE_FULL,
 * of which nothing happened. */
typedef enum store_result (*store_work)(void *context, struct store *store,
                                        struct ledger *ledger, struct error *error);
/* On the loop thread, with what the last call gave. STORE_FULL only when stopping. */
typedef void (*store_done)(void *context, enum store_result result,
                           const struct error *error);

struct store_thread *store_thread_new(struct loop *loop, struct store *store,
                                      struct ledger *ledger);
/* Give up waiting for room, finish the queue, end the thread. */
void store_thread_free(struct store_thread *thread);

/* In the order of submission. */
void store_thread_submit(struct store_thread *thread, store_work work, store_done done,
                         void *context);
/* Whether work waits for room on the disk. From any thread. */
bool store_thread_full(const struct store_thread *thread);

#endif
