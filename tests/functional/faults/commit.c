/* LD_PRELOAD: kills the process at a commit of the ledger, and counts commits.
 *
 * FAULT_COUNT=FILE     gets a byte for each commit of a write transaction that is done
 * FAULT_COMMIT=N       SIGKILL at the Nth one
 * FAULT_SIDE=before|after */
#include <dlfcn.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **out)
    __attribute__((visibility("default")));
int mdb_txn_commit(MDB_txn *txn) __attribute__((visibility("default")));

/* There is one at a time. */
static MDB_txn *writing;
static long commits;

static void *next(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol)
        abort();
    return symbol;
}

static void count(void)
{
    const char *path = getenv("FAULT_COUNT");
    if (!path)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, ".", 1) != 1)
        abort();
    close(fd);
}

static void die_if(const char *side)
{
    const char *chosen = getenv("FAULT_COMMIT");
    const char *chosen_side = getenv("FAULT_SIDE");
    if (chosen && chosen_side && commits == atol(chosen) &&
        strcmp(side, chosen_side) == 0)
        kill(getpid(), SIGKILL);
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **out)
{
    int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);
    *(void **)&real = next("mdb_txn_begin");
    int code = real(env, parent, flags, out);
    if (code == 0 && !(flags & MDB_RDONLY))
        writing = *out;
    return code;
}

int mdb_txn_commit(MDB_txn *txn)
{
    int (*real)(MDB_txn *);
    *(void **)&real = next("mdb_txn_commit");
    if (txn != writing)
        return real(txn);
    writing = NULL;
    commits++;
    die_if("before");
    int code = real(txn);
    count();
    die_if("after");
    return code;
}
