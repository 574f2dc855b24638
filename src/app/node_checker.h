/* The second opinion of one's own node, asked for now and then: its coins against the
 * ledger's. A difference stays, over restarts too, until a later check agrees; a node
 * that can't be asked is named, and changes nothing. */
#ifndef APP_NODE_CHECKER_H
#define APP_NODE_CHECKER_H

#include <jansson.h>

#include "app/config.h"
#include "app/store_thread.h"

struct node_checker;

struct node_checker_settings {
    struct loop *loop;
    struct store *store; /* read from within node_checker_new() only */
    struct store_thread *store_thread;
    const struct config *config; /* has node_rpc */
    uint64_t seed[2];
    /* What node_checker_against() says has changed. */
    void (*judged)(void *context);
    /* What node_checker_json() says has. */
    void (*changed)(void *context);
    void (*failed)(void *context, const struct error *error);
    void *context;
};

/* NULL, with the error, if the URL can't be used or the ledger can't be read. */
struct node_checker *node_checker_new(const struct node_checker_settings *settings,
                                      struct error *error);
/* Ask nothing more; then free it when the store's thread has ended. Either takes NULL. */
void node_checker_stop(struct node_checker *checker);
void node_checker_free(struct node_checker *checker);

/* The ledger is at the tip: begin, if that hasn't happened yet. */
void node_checker_synced(struct node_checker *checker);
/* Have the node stop a scan that it runs for us, before the watcher ends; done() is
 * called when it has answered, or a moment later. False if it runs none. */
NODISCARD bool node_checker_abort(struct node_checker *checker,
                                  void (*done)(void *context), void *context);

/* The difference of this feed; NULL: none is known. Valid until the loop's next turn. */
const char *node_checker_against(const struct node_checker *checker, const char *feed);
/* {at, height, ok, reason}: the last attempt (null before the first), the height last
 * compared at (null before that), whether all agreed then, and else why not. */
json_t *node_checker_json(const struct node_checker *checker);

#endif
