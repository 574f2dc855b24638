/* The control socket: how commands ask the running watcher to change something. A Unix
 * stream socket in the datadir, for its owner and root; a request is one line of JSON,
 * and so is the reply; one request a connection. The texts are the callers' business. */
#ifndef IO_CONTROL_H
#define IO_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/error.h"
#include "io/loop.h"

/* The longest request without its line feed, and the longest reply a client takes. */
#define CONTROL_REQUEST_MAX ((size_t)64 << 10)
#define CONTROL_REPLY_MAX ((size_t)16 << 20)

struct control_server;
/* A request that waits for its reply. */
struct control_call;

/* A request came: `line` without its line feed, NUL-terminated, without NULs inside,
 * valid during the call. control_reply() must follow once for each call, at once or
 * later. */
typedef void (*control_handler)(struct control_call *call, const char *line, size_t len,
                                void *context);

/* Listen on `path`, mode 0600. A socket left behind is replaced if nobody listens on it.
 * NULL, with the error, if somebody does, if something else is there, or if the path is
 * too long for a socket (107 bytes). */
struct control_server *control_server_new(struct loop *loop, const char *path,
                                          control_handler handler, void *context,
                                          struct error *error);
/* Close the connections and remove the socket, if it is still ours. Calls that wait for
 * their reply may still be replied to, to no effect. */
void control_server_free(struct control_server *server);

/* Send `text` (one line, without line feed; copied) and end the call. Harmless when the
 * client or the server has gone. */
void control_reply(struct control_call *call, const char *text);

enum control_result {
    CONTROL_REPLIED,
    CONTROL_STOPPED, /* nobody listens: no watcher runs */
    CONTROL_FAILED,
};

/* The client, blocking, for commands; needs no loop. `request` is one line without line
 * feed. *reply is malloc'd, NUL-terminated, without line feed, the caller's; NULL unless
 * replied. The error is set unless replied. */
NODISCARD enum control_result control_request(char **reply, const char *path,
                                              const char *request, int64_t timeout_ms,
                                              struct error *error);

#endif
