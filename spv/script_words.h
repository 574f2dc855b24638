/* Scripts laid out for SipHash, so that many can be hashed side by side: SipHash reads an
 * input as words of eight bytes, and the last word holds the input's length. */
#ifndef SPV_SCRIPT_WORDS_H
#define SPV_SCRIPT_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define SCRIPT_LANES 8
/* Longer scripts are rare, and a group that isn't full would waste much. */
#define SCRIPT_WORDS_MAX 16

/* Scripts of one number of words w, in groups: word 0 of each of SCRIPT_LANES scripts,
 * word 1 of each, ... word w - 1. The last group repeats its last script as needed. */
struct script_groups {
    uint64_t *words;
    size_t count;
};

struct script_words {
    struct script_groups
        groups[SCRIPT_WORDS_MAX + 1]; /* by number of words; 0 is empty */
    uint64_t *memory;
    uint32_t *rest; /* the indexes of the scripts of more words */
    size_t rest_count;
};

/* Copies; less than 2^32 scripts. */
void script_words_init(struct script_words *words, const struct bytes *scripts,
                       size_t count);
void script_words_release(struct script_words *words);

#endif
