/* SHA-256 in the lanes of a vector, whatever its width. The file that includes this says
 * what a vector is, in INLINE functions: GCC would rather call the bodies that occur
 * several times, and a call, which passes its words through memory, costs a sixth of the
 * time.
 *
 *   LANES, words            how many 32-bit words, and the type of a vector of them
 *   all, add, xor3, choose, majority, ROTATE (to the right), SHIFT (to the right)
 *   load_words, store_words from and to memory at any place
 *   load_block              the words of a block of each lane
 */
#ifndef BASE_SHA256_LANES_H
#define BASE_SHA256_LANES_H

#include "base/sha256_kernel.h"

/* FIPS 180-4: the first 32 bits of the fractional parts of the cube roots of the first 64
 * primes. */
static const uint32_t round_keys[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
};

INLINE words big_sigma0(words a)
{
    return xor3(ROTATE(a, 2), ROTATE(a, 13), ROTATE(a, 22));
}

INLINE words big_sigma1(words e)
{
    return xor3(ROTATE(e, 6), ROTATE(e, 11), ROTATE(e, 25));
}

INLINE words small_sigma0(words w)
{
    return xor3(ROTATE(w, 7), ROTATE(w, 18), SHIFT(w, 3));
}

INLINE words small_sigma1(words w)
{
    return xor3(ROTATE(w, 17), ROTATE(w, 19), SHIFT(w, 10));
}

/* One round: the letters move on by their order in the next call, not in memory. */
INLINE void step(words a, words b, words c, words *d, words e, words f, words g, words *h,
                 words w, uint32_t key)
{
    words t = add(add(*h, add(w, all(key))), add(big_sigma1(e), choose(e, f, g)));
    *d = add(*d, t);
    *h = add(t, add(big_sigma0(a), majority(a, b, c)));
}

INLINE void eight_steps(words s[8], const words *w, const uint32_t *keys)
{
    step(s[0], s[1], s[2], &s[3], s[4], s[5], s[6], &s[7], w[0], keys[0]);
    step(s[7], s[0], s[1], &s[2], s[3], s[4], s[5], &s[6], w[1], keys[1]);
    step(s[6], s[7], s[0], &s[1], s[2], s[3], s[4], &s[5], w[2], keys[2]);
    step(s[5], s[6], s[7], &s[0], s[1], s[2], s[3], &s[4], w[3], keys[3]);
    step(s[4], s[5], s[6], &s[7], s[0], s[1], s[2], &s[3], w[4], keys[4]);
    step(s[3], s[4], s[5], &s[6], s[7], s[0], s[1], &s[2], w[5], keys[5]);
    step(s[2], s[3], s[4], &s[5], s[6], s[7], s[0], &s[1], w[6], keys[6]);
    step(s[1], s[2], s[3], &s[4], s[5], s[6], s[7], &s[0], w[7], keys[7]);
}

/* The word 16 places on takes the place of word i. */
INLINE void extend(words w[16], size_t i)
{
    w[i] = add(add(w[i], small_sigma0(w[(i + 1) % 16])),
               add(w[(i + 9) % 16], small_sigma1(w[(i + 14) % 16])));
}

INLINE void extend_eight(words w[16], size_t i)
{
    extend(w, i);
    extend(w, i + 1);
    extend(w, i + 2);
    extend(w, i + 3);
    extend(w, i + 4);
    extend(w, i + 5);
    extend(w, i + 6);
    extend(w, i + 7);
}

/* Take up the 16 words of a block. */
INLINE void take_up(words state[8], words w[16])
{
    words s[8] = {state[0], state[1], state[2], state[3],
                  state[4], state[5], state[6], state[7]};
    eight_steps(s, w, round_keys);
    eight_steps(s, w + 8, round_keys + 8);
    for (size_t i = 16; i < 64; i += 16) {
        extend_eight(w, 0);
        eight_steps(s, w, round_keys + i);
        extend_eight(w, 8);
        eight_steps(s, w + 8, round_keys + i + 8);
    }
    state[0] = add(state[0], s[0]);
    state[1] = add(state[1], s[1]);
    state[2] = add(state[2], s[2]);
    state[3] = add(state[3], s[3]);
    state[4] = add(state[4], s[4]);
    state[5] = add(state[5], s[5]);
    state[6] = add(state[6], s[6]);
    state[7] = add(state[7], s[7]);
}

INLINE void load_states(words out[8], const uint32_t *states)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = load_words(states + i * LANES);
}

INLINE void store_states(uint32_t *states, const words in[8])
{
    for (size_t i = 0; i < 8; i++)
        store_words(states + i * LANES, in[i]);
}

static void compress(uint32_t *states, const uint8_t *const *data, size_t blocks)
{
    words state[8];
    load_states(state, states);
    for (size_t block = 0; block < blocks; block++) {
        words w[16];
        load_block(w, data, block);
        take_up(state, w);
    }
    store_states(states, state);
}

static void again(uint32_t *states)
{
    words w[16], state[8];
    load_states(w, states);
    w[8] = all(0x80000000);
    for (size_t i = 9; i < 15; i++)
        w[i] = all(0);
    w[15] = all(256); /* bits */
    for (size_t i = 0; i < 8; i++)
        state[i] = all(sha256_initial[i]);
    take_up(state, w);
    store_states(states, state);
}

#endif
