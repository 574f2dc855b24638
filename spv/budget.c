/* What a peer may cost: messages that answer nothing we asked are paid for out of a
 * bucket that fills slowly, and who overdraws it is let go. Answers are free, however
 * late: slow isn't malicious. */
#include "spv/core_rooms.h"

static int64_t filled(int64_t tokens, int64_t rate, int64_t max, int64_t passed_ms)
{
    if (passed_ms > 3600000)
        return max;
    tokens += rate * passed_ms / 1000;
    return tokens < max ? tokens : max;
}

void budget_start(struct spv *spv, struct peer *peer)
{
    peer->budget = (struct budget){.messages = BUDGET_MESSAGES_BURST,
                                   .bytes = BUDGET_BYTES_BURST,
                                   .at = spv->now.mono};
}

/* Which answer a kind of message is. */
static enum answer answer_of(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_HEADERS:
        return ANSWER_HEADERS;
    case MESSAGE_CFCHECKPT:
        return ANSWER_CFCHECKPT;
    case MESSAGE_CFHEADERS:
        return ANSWER_CFHEADERS;
    case MESSAGE_CFILTER:
        return ANSWER_CFILTER;
    case MESSAGE_BLOCK:
    case MESSAGE_TX:
    case MESSAGE_NOTFOUND:
        return ANSWER_DATA;
    case MESSAGE_PONG:
        return ANSWER_PONG;
    case MESSAGE_ADDR:
    case MESSAGE_ADDRV2:
        return ANSWER_ADDRESSES;
    case MESSAGE_VERSION:
    case MESSAGE_VERACK:
    case MESSAGE_PING:
    case MESSAGE_SENDHEADERS:
    case MESSAGE_SENDADDRV2:
    case MESSAGE_INV:
    case MESSAGE_GETHEADERS:
    case MESSAGE_GETCFCHECKPT:
    case MESSAGE_GETCFHEADERS:
    case MESSAGE_GETCFILTERS:
    case MESSAGE_GETDATA:
    case MESSAGE_GETADDR:
    case MESSAGE_OTHER:
        return ANSWERS;
    }
    return ANSWERS;
}

/* How many messages a question of ours is answered by. */
static uint32_t answers_to(enum message_kind kind, const struct writer *payload,
                           enum answer *answer)
{
    struct reader reader;
    switch (kind) {
    case MESSAGE_GETHEADERS:
        *answer = ANSWER_HEADERS;
        return 1;
    case MESSAGE_GETCFCHECKPT:
        *answer = ANSWER_CFCHECKPT;
        return 1;
    case MESSAGE_GETCFHEADERS:
        *answer = ANSWER_CFHEADERS;
        return 1;
    case MESSAGE_GETDATA:
        *answer = ANSWER_DATA;
        reader_init(&reader, payload->data, payload->len);
        return (uint32_t)read_compact_size(&reader, INV_MAX);
    case MESSAGE_PING:
        *answer = ANSWER_PONG;
        return 1;
    case MESSAGE_GETADDR:
        *answer = ANSWER_ADDRESSES;
        return 1;
    case MESSAGE_GETCFILTERS: /* its range is known to who asks: budget_expect() */
    case MESSAGE_VERSION:
    case MESSAGE_VERACK:
    case MESSAGE_PONG:
    case MESSAGE_SENDHEADERS:
    case MESSAGE_SENDADDRV2:
    case MESSAGE_INV:
    case MESSAGE_HEADERS:
    case MESSAGE_CFCHECKPT:
    case MESSAGE_CFHEADERS:
    case MESSAGE_CFILTER:
    case MESSAGE_BLOCK:
    case MESSAGE_TX:
    case MESSAGE_NOTFOUND:
    case MESSAGE_ADDR:
    case MESSAGE_ADDRV2:
    case MESSAGE_OTHER:
        break;
    }
    return 0;
}

void budget_expect(struct peer *peer, enum answer answer, uint32_t count)
{
    uint32_t *expected = &peer->budget.expected[answer];
    *expected =
        count < BUDGET_ANSWERS_MAX - *expected ? *expected + count : BUDGET_ANSWERS_MAX;
}

void budget_asked(struct peer *peer, enum message_kind kind, const struct writer *payload)
{
    enum answer answer;
    uint32_t count = answers_to(kind, payload, &answer);
    if (count > 0)
        budget_expect(peer, answer, count);
}

bool budget_take(struct spv *spv, struct peer *peer, const struct frame *frame)
{
    struct budget *budget = &peer->budget;
    enum answer answer = answer_of(frame->kind);
    if (answer != ANSWERS && budget->expected[answer] > 0) {
        budget->expected[answer]--;
        /* Who shakes hands and hangs up is dialed ever more seldom; not who answers. */
        peer->retry_ms = RETRY_MIN_MS;
        return true;
    }
    int64_t passed = mono_since(spv->now.mono, budget->at);
    /* In whole seconds, so that nothing is lost by looking often. */
    passed -= passed % 1000;
    budget->at = mono_add(budget->at, passed);
    budget->messages =
        filled(budget->messages, BUDGET_MESSAGES_S, BUDGET_MESSAGES_BURST, passed) - 1;
    budget->bytes = filled(budget->bytes, BUDGET_BYTES_S, BUDGET_BYTES_BURST, passed) -
                    FRAME_HEADER_SIZE - frame->payload_len;
    return budget->messages >= 0 && budget->bytes >= 0;
}
