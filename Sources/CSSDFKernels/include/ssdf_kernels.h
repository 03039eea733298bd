// The hot loops of ssdf.
//
// Every function has a scalar body and, where it pays, AVX2 and AVX-512 bodies; one is chosen when the program starts,
// by what the processor has, or by SSDF_ISA=scalar|avx2|avx512. Pointers never alias unless the comment says so.
#ifndef SSDF_KERNELS_H
#define SSDF_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Instruction sets, in ascending order.
enum ssdf_isa { SSDF_ISA_SCALAR = 0, SSDF_ISA_AVX2 = 1, SSDF_ISA_AVX512 = 2 };

// The instruction set in use: the best the processor has, lowered by SSDF_ISA.
int ssdf_isa(void);

// The best the processor has, whatever SSDF_ISA says.
int ssdf_processor_isa(void);

// Whether the processor has instructions for products of bf16 numbers.
int ssdf_processor_has_bf16(void);

// Its name: "scalar", "avx2" or "avx512".
const char *_Nonnull ssdf_isa_name(void);

#ifdef __cplusplus
}
#endif

#endif
