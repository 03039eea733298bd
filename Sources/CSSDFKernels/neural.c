// The tables of the neural kernels: neural/*.h compiled for each instruction set.

#include "ssdf_neural.h"

#include <math.h>
#include <string.h>

#include "ssdf_kernels.h"

#define BODY "bodies.h"
#include "neural/each_isa.h"

const struct ssdf_neural_kernels *ssdf_neural_kernels(int isa) {
#if defined(__x86_64__)
    if (isa == SSDF_ISA_AVX512) return &table_avx512;
    if (isa == SSDF_ISA_AVX2) return &table_avx2;
#endif
    (void)isa;
    return &table_scalar;
}
