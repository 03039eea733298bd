#include "ssdf_kernels.h"

#include <stdlib.h>
#include <string.h>

static int best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return SSDF_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SSDF_ISA_AVX2;
#endif
    return SSDF_ISA_SCALAR;
}

static int chosen = -1;

// Runs before main, so that readers on any thread see a constant.
__attribute__((constructor)) static void choose(void) {
    int isa = best();
    const char *wish = getenv("SSDF_ISA");
    if (wish) {
        if (!strcmp(wish, "scalar")) isa = SSDF_ISA_SCALAR;
        if (!strcmp(wish, "avx2") && isa > SSDF_ISA_AVX2) isa = SSDF_ISA_AVX2;
    }
    chosen = isa;
}

int ssdf_isa(void) { return chosen; }

int ssdf_processor_isa(void) { return best(); }

const char *ssdf_isa_name(void) {
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    return names[chosen];
}

int ssdf_processor_has_bf16(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return 0;
#endif
}
