/* SipHash-2-4 word by word (Aumasson and Bernstein), for code that hashes millions of
 * inputs already laid out in words; everybody else calls siphash() of base/hash.h. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stdint.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

/* "somepseudorandomlygeneratedbytes" */
#define SIP_INIT0 UINT64_C(0x736f6d6570736575)
#define SIP_INIT1 UINT64_C(0x646f72616e646f6d)
#define SIP_INIT2 UINT64_C(0x6c7967656e657261)
#define SIP_INIT3 UINT64_C(0x7465646279746573)

static inline uint64_t sip_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(struct sip_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
    s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
    s->v0 = sip_rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
    s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
    s->v2 = sip_rotate(s->v2, 32);
}

static inline struct sip_state sip_start(uint64_t k0, uint64_t k1)
{
    return (struct sip_state){k0 ^ SIP_INIT0, k1 ^ SIP_INIT1, k0 ^ SIP_INIT2,
                              k1 ^ SIP_INIT3};
}

/* The next eight bytes of the input, little-endian. The last word holds the bytes that
 * are left over, zeros, and in its top byte the input's length mod 256. */
static inline void sip_absorb(struct sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t sip_finish(struct sip_state *s)
{
    s->v2 ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
