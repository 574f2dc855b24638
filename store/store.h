/* The LMDB environment: opening, transactions, and what can go wrong with either.
 *
 * One process writes, on one thread; any number of processes and threads read. Commits
 * are durable (fsync) and atomic: after a crash or a power cut the newest committed
 * transaction stands, whole. No pointer into LMDB's memory leaves this floor. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/error.h"
#include "spv/network.h"

/* Layout version of the tables. A newer one is refused; an older one is migrated by the
 * writer that opens it, in one transaction, and refused to readers until then. */
#define STORE_SCHEMA 2

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND,     /* no such row */
    STORE_FULL,          /* no room on the disk: nothing of the transaction happened */
    STORE_MISSING,       /* there is no ledger in this folder yet */
    STORE_NEWER,         /* written by a newer version */
    STORE_OTHER_NETWORK, /* belongs to another network */
    STORE_READERS_FULL,  /* too many processes read at once */
    STORE_DENIED,        /* permissions; *error names the file and the group */
    STORE_INVALID_BLOCK, /* the block contradicts the ledger; nothing of the transaction
                            happened */
    STORE_AGAIN, /* the map has to grow: abort, begin again, redo the whole transaction */
    STORE_STALE, /* prepared for a state that is gone; nothing happened */
    STORE_FAILED, /* I/O error or damage; *error has the rest */
};

enum store_mode {
    STORE_READ,  /* must exist; changes nothing */
    STORE_WRITE, /* created if it doesn't exist */
};

struct store;
struct store_txn;

/* Open the ledger in folder `path` (created with mode 0750 for STORE_WRITE). Reserves 1
 * TiB of address space for the map, less where the system limits it (then it grows
 * between transactions). The caller closes it with store_close. */
NODISCARD enum store_result store_open(struct store **out, const char *path,
                                       enum store_mode mode,
                                       const struct network *network,
                                       struct error *error);
void store_close(struct store *store);
/* Drop readers of dead processes; call at start and each minute. */
void store_check_readers(struct store *store);

/* A transaction. A write transaction belongs to the thread that began it; there is one
 * at a time. A read transaction sees the ledger as of its beginning. A thread that holds
 * a read transaction doesn't begin a write transaction: should the map have to grow, that
 * waits until this process has no transaction open. */
NODISCARD enum store_result store_begin(struct store *store, struct store_txn **txn,
                                        enum store_mode mode, struct error *error);
/* Make it durable. The transaction is gone afterwards, whatever the result. */
NODISCARD enum store_result store_commit(struct store_txn *txn, struct error *error);
/* Forget it (NULL is allowed). */
void store_abort(struct store_txn *txn);

/* Run `change` in a write transaction and commit it; as often as STORE_AGAIN asks for.
 * Any other result of `change` than STORE_OK aborts and is returned. Every writer that
 * isn't a call of the ledger goes through here. */
typedef enum store_result store_change(void *context, struct store_txn *txn,
                                       struct error *error);
NODISCARD enum store_result store_update(struct store *store, store_change *change,
                                         void *context, struct error *error);

/* Small named values: the daemon's status document and the like. *value is malloc'd. */
NODISCARD enum store_result store_put_value(struct store_txn *txn, const char *name,
                                            struct bytes value, struct error *error);
NODISCARD enum store_result store_get_value(struct store_txn *txn, const char *name,
                                            uint8_t **value, size_t *len,
                                            struct error *error);

#endif
