#include "base/sha256_kernel.h"

#include <stdatomic.h>
#include <stdbool.h>

#ifdef SHA256_X86
#include <cpuid.h>
#endif

const uint32_t sha256_initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

extern const struct sha256_kernel sha256_avx512, sha256_avx2;

static const struct sha256_kernel *const kernels[] = {
#ifdef SHA256_X86
    &sha256_avx512,
    &sha256_avx2,
#endif
    NULL,
};

const struct sha256_kernel *const *sha256_kernels(void)
{
#ifdef SHA256_X86
    if (!__builtin_cpu_supports("avx2"))
        return kernels + 2;
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    return kernels + (avx512 ? 0 : 1);
#else
    return kernels;
#endif
}

/* Eight lanes are no faster than libcrypto with instructions that are for SHA-256. */
static bool pays(const struct sha256_kernel *kernel)
{
#ifdef SHA256_X86
    unsigned eax, ebx, ecx, edx;
    return kernel != &sha256_avx2 ||
           __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (ebx & bit_SHA) == 0;
#else
    return kernel != NULL;
#endif
}

const struct sha256_kernel *sha256_kernel(void)
{
    static const struct sha256_kernel *_Atomic found;
    static atomic_bool known;
    /* Threads that come at once find the same. */
    if (!atomic_load_explicit(&known, memory_order_acquire)) {
        const struct sha256_kernel *first = sha256_kernels()[0];
        atomic_store_explicit(&found, pays(first) ? first : NULL, memory_order_relaxed);
        atomic_store_explicit(&known, true, memory_order_release);
    }
    return atomic_load_explicit(&found, memory_order_relaxed);
}
