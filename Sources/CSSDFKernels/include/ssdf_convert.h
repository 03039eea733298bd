// Conversion between f32 and the 16-bit floating-point types of files.
#ifndef SSDF_CONVERT_H
#define SSDF_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// out[i] = in[i] for i < n. 16-bit sides are little-endian and may have any alignment; in and out do not overlap.
// Widening is exact. Narrowing rounds to nearest, ties to even; what is too large becomes infinite, and a NaN stays a
// NaN. Every instruction set gives the same bits, but for the payload of a NaN.
void ssdf_f16_to_f32(const void *_Nonnull in, float *_Nonnull out, size_t n);
void ssdf_bf16_to_f32(const void *_Nonnull in, float *_Nonnull out, size_t n);
void ssdf_f32_to_f16(const float *_Nonnull in, void *_Nonnull out, size_t n);
void ssdf_f32_to_bf16(const float *_Nonnull in, void *_Nonnull out, size_t n);

// The same with a body of the caller's choice (see ssdf_isa), for tests.
void ssdf_f16_to_f32_with(int isa, const void *_Nonnull in, float *_Nonnull out, size_t n);
void ssdf_f32_to_f16_with(int isa, const float *_Nonnull in, void *_Nonnull out, size_t n);
void ssdf_f32_to_bf16_with(int isa, const float *_Nonnull in, void *_Nonnull out, size_t n);

#ifdef __cplusplus
}
#endif

#endif
