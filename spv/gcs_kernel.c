#include "spv/gcs_kernel.h"

#include <stdatomic.h>

#ifdef GCS_X86
#include <cpuid.h>
#endif

extern const struct gcs_kernel gcs_avx512, gcs_avx2, gcs_portable;

static const struct gcs_kernel *const kernels[] = {
#ifdef GCS_X86
    &gcs_avx512,
    &gcs_avx2,
#endif
    &gcs_portable,
    NULL,
};

#ifdef GCS_X86
/* Where LZCNT is missing its encoding is another instruction's, which doesn't fault. */
static bool runs_avx2(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) != 0 &&
           (ecx & bit_LZCNT) != 0 && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool runs_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd");
}
#endif

/* The place of the fastest kernel that this processor runs, and with it all behind. */
static int first_kernel(void)
{
#ifdef GCS_X86
    if (!runs_avx2())
        return 2;
    return runs_avx512() ? 0 : 1;
#else
    return 0;
#endif
}

const struct gcs_kernel *const *gcs_kernels(void)
{
    /* Threads that come at once find the same. */
    static atomic_int first = -1;
    int at = atomic_load_explicit(&first, memory_order_relaxed);
    if (at < 0) {
        at = first_kernel();
        atomic_store_explicit(&first, at, memory_order_relaxed);
    }
    return kernels + at;
}
