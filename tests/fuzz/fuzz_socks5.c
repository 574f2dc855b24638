/* A proxy's answers, in pieces of every size. Given whole or bit by bit they lead to the
 * same end, and never to more bytes than the longest answer has. */
#include <stdlib.h>
#include <string.h>

#include "io/socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX 262

static enum socks5_result run(const uint8_t *data, size_t size, size_t step, size_t *at)
{
    static const uint8_t secret[SOCKS5_SECRET_SIZE];
    struct socks5 socks;
    struct writer out = {0};
    struct error error;
    enum socks5_result result = SOCKS5_MORE;
    size_t have = 0;
    *at = 0;
    if (!socks5_start(&socks, &out, "node.example:8333", secret, &error))
        abort();
    while (result == SOCKS5_NEXT || (result == SOCKS5_MORE && have < size)) {
        size_t used;
        if (result == SOCKS5_MORE)
            have = size - have < step ? size : have + step;
        result = socks5_take(&socks, &used, &out, (struct bytes){data + *at, have - *at},
                             &error);
        if (used > have - *at || used > ANSWER_MAX)
            abort();
        *at += used;
        if (result == SOCKS5_MORE && have - *at >= ANSWER_MAX)
            abort();
    }
    writer_release(&out);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole, pieces;
    enum socks5_result result = run(data, size, size ? size : 1, &whole);
    if (run(data, size, 1, &pieces) != result || whole != pieces)
        abort();
    return 0;
}
