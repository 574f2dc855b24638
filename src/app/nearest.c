#include "app/nearest.h"

#include <string.h>

#define WORD_MAX 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment, with the last three rows of its table. */
size_t word_distance(const char *a, const char *b)
{
    const size_t a_whole = strlen(a), b_whole = strlen(b);
    const size_t a_len = least(a_whole, WORD_MAX), b_len = least(b_whole, WORD_MAX);
    size_t rows[3][WORD_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t step = least(row[j - 1], above[j]) + 1;
            row[j] = least(step, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    const size_t a_rest = a_whole - a_len, b_rest = b_whole - b_len;
    return rows[a_len % 3][b_len] + (a_rest > b_rest ? a_rest : b_rest);
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t distance = 0;
    for (size_t i = 0; i < count; i++) {
        size_t this_distance = word_distance(word, candidates[i]);
        if (nearest == NULL || this_distance < distance) {
            nearest = candidates[i];
            distance = this_distance;
        }
    }
    return nearest;
}
