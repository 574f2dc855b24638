#include "spv/script_words.h"

#include <stdlib.h>

#include "base/mem.h"

static size_t word_count(struct bytes script)
{
    return script.len / 8 + 1;
}

static size_t group_words(size_t words)
{
    return words * SCRIPT_LANES;
}

static void put_script(uint64_t *lane, struct bytes script)
{
    size_t whole = script.len / 8;
    for (size_t i = 0; i < whole; i++)
        lane[i * SCRIPT_LANES] = get_u64le(script.data + i * 8);
    uint64_t last = (uint64_t)script.len << 56;
    for (size_t i = whole * 8; i < script.len; i++)
        last |= (uint64_t)script.data[i] << (i % 8 * 8);
    lane[whole * SCRIPT_LANES] = last;
}

static void allot_groups(struct script_words *words,
                         const size_t counts[static SCRIPT_WORDS_MAX + 1])
{
    size_t total = 0;
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++) {
        words->groups[w].count = (counts[w] + SCRIPT_LANES - 1) / SCRIPT_LANES;
        total += words->groups[w].count * group_words(w);
    }
    /* Rows of a group that are cache lines. */
    words->memory = mem_zalloc(total + SCRIPT_LANES - 1, sizeof *words->memory);
    uint64_t *at = (uint64_t *)(((uintptr_t)words->memory + 63) & ~(uintptr_t)63);
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++) {
        words->groups[w].words = at;
        at += words->groups[w].count * group_words(w);
    }
}

/* Repeat the last script in the lanes that are left of its group. */
static void fill_group(const struct script_groups *groups, size_t words, size_t count)
{
    for (; count % SCRIPT_LANES != 0; count++) {
        uint64_t *lane = groups->words + count / SCRIPT_LANES * group_words(words) +
                         count % SCRIPT_LANES;
        const uint64_t *before = lane - 1;
        for (size_t i = 0; i < words; i++)
            lane[i * SCRIPT_LANES] = before[i * SCRIPT_LANES];
    }
}

void script_words_init(struct script_words *words, const struct bytes *scripts,
                       size_t count)
{
    size_t counts[SCRIPT_WORDS_MAX + 1] = {0};
    *words = (struct script_words){0};
    for (size_t i = 0; i < count; i++) {
        size_t w = word_count(scripts[i]);
        if (w <= SCRIPT_WORDS_MAX)
            counts[w]++;
        else
            words->rest_count++;
    }
    allot_groups(words, counts);
    words->rest = mem_zalloc(words->rest_count, sizeof *words->rest);

    size_t put[SCRIPT_WORDS_MAX + 1] = {0};
    size_t rest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t w = word_count(scripts[i]);
        if (w > SCRIPT_WORDS_MAX) {
            words->rest[rest++] = (uint32_t)i;
            continue;
        }
        put_script(words->groups[w].words + put[w] / SCRIPT_LANES * group_words(w) +
                       put[w] % SCRIPT_LANES,
                   scripts[i]);
        put[w]++;
    }
    for (size_t w = 1; w <= SCRIPT_WORDS_MAX; w++)
        fill_group(&words->groups[w], w, counts[w]);
}

void script_words_release(struct script_words *words)
{
    free(words->memory);
    free(words->rest);
}
