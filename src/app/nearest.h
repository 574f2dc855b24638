/* Which word was meant. */
#ifndef APP_NEAREST_H
#define APP_NEAREST_H

#include <stddef.h>

/* Letters to insert, delete, replace or swap with their neighbour to get from one word to
 * the other. Beyond 64 letters a word's rest counts as replaced. */
size_t word_distance(const char *a, const char *b);
/* The candidate with the least distance, the first of equals; NULL if there is none. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
