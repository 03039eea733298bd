#include "ssdf_convert.h"

#include "ssdf_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

// A normal f16 becomes f32 by moving the fields and adding 112 to the exponent; subnormals are rescaled by
// arithmetic that is exact: 2^-14 (1 + m) - 2^-14.
static float widen_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    uint32_t exponent = magnitude & 0x0f800000;
    if (exponent == 0x0f800000) return float_of(sign | (magnitude + 0x70000000)); // infinity and NaN
    if (exponent == 0) {
        float value = float_of(magnitude + 0x38800000) - float_of(0x38800000);
        return float_of(sign | bits_of(value));
    }
    return float_of(sign | (magnitude + 0x38000000));
}

// The mantissa is rounded by adding half of the last place kept, less one when that place is even.
static uint16_t narrow_f16(float f) {
    uint32_t bits = bits_of(f);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00; // NaN
    if (bits >= 0x477ff000) return sign | 0x7c00; // 65520 and more round to infinity
    if (bits < 0x38800000) {
        // Below 2^-14: adding 0.5 puts the last place of a subnormal f16, 2^-24, in the last place of the sum.
        return sign | (uint16_t)(bits_of(float_of(bits) + 0.5f) - 0x3f000000);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits - 0x38000000) >> 13);
}

static void f16_to_f32_scalar(const char *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, in + 2 * i, 2);
        out[i] = widen_f16(h);
    }
}

static void f32_to_f16_scalar(const float *in, char *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = narrow_f16(in[i]);
        memcpy(out + 2 * i, &h, 2);
    }
}

#if defined(__x86_64__)
// AVX2 implies F16C on every processor that has it but for a virtual machine's whim; the caller checks.
__attribute__((target("avx2,f16c"))) static void f16_to_f32_avx2(const char *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(h));
    }
    f16_to_f32_scalar(in + 2 * i, out + i, n - i);
}

__attribute__((target("avx2,f16c"))) static void f32_to_f16_avx2(const float *in, char *out, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(void *)(out + 2 * i), h);
    }
    f32_to_f16_scalar(in + i, out + 2 * i, n - i);
}

__attribute__((target("avx512f"))) static void f16_to_f32_avx512(const char *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)(in + 2 * i));
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(h));
    }
    f16_to_f32_scalar(in + 2 * i, out + i, n - i);
}

__attribute__((target("avx512f"))) static void f32_to_f16_avx512(const float *in, char *out, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i h = _mm512_cvtps_ph(_mm512_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i), h);
    }
    f32_to_f16_scalar(in + i, out + 2 * i, n - i);
}

static int has_f16c(void) { return __builtin_cpu_supports("f16c"); }
#endif

void ssdf_f16_to_f32_with(int isa, const void *in, float *out, size_t n) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX512) return f16_to_f32_avx512(in, out, n);
    if (isa >= SSDF_ISA_AVX2 && has_f16c()) return f16_to_f32_avx2(in, out, n);
#endif
    (void)isa;
    f16_to_f32_scalar(in, out, n);
}

void ssdf_f32_to_f16_with(int isa, const float *in, void *out, size_t n) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX512) return f32_to_f16_avx512(in, out, n);
    if (isa >= SSDF_ISA_AVX2 && has_f16c()) return f32_to_f16_avx2(in, out, n);
#endif
    (void)isa;
    f32_to_f16_scalar(in, out, n);
}

void ssdf_f16_to_f32(const void *in, float *out, size_t n) { ssdf_f16_to_f32_with(ssdf_isa(), in, out, n); }

void ssdf_f32_to_f16(const float *in, void *out, size_t n) { ssdf_f32_to_f16_with(ssdf_isa(), in, out, n); }

// bf16 is the upper half of f32: shifts, which the compiler vectorises for every target.
void ssdf_bf16_to_f32(const void *in, float *out, size_t n) {
    const char *bytes = in;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, bytes + 2 * i, 2);
        out[i] = float_of((uint32_t)h << 16);
    }
}

__attribute__((always_inline)) static inline void narrow_bf16(const float *in, char *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(in[i]);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        uint32_t quiet = bits >> 16 | 0x40; // a NaN whose payload lies in the lower half must not become infinite
        uint16_t h = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
        memcpy(out + 2 * i, &h, 2);
    }
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vl"))) static void f32_to_bf16_avx512(const float *in, char *out,
                                                                                     size_t n) {
    const __m512i half = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1), still = _mm512_set1_epi32(0x40);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 x = _mm512_loadu_ps(in + i);
        __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
        __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, half), _mm512_and_si512(high, one));
        __m512i rounded = _mm512_mask_or_epi32(_mm512_srli_epi32(sum, 16), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), high,
                                               still);
        _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i), _mm512_cvtepi32_epi16(rounded));
    }
    narrow_bf16(in + i, out + 2 * i, n - i);
}

__attribute__((target("avx2"))) static void f32_to_bf16_avx2(const float *in, char *out, size_t n) {
    narrow_bf16(in, out, n);
}
#endif

void ssdf_f32_to_bf16_with(int isa, const float *in, void *out, size_t n) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX512) return f32_to_bf16_avx512(in, out, n);
    if (isa >= SSDF_ISA_AVX2) return f32_to_bf16_avx2(in, out, n);
#endif
    (void)isa;
    narrow_bf16(in, out, n);
}

void ssdf_f32_to_bf16(const float *in, void *out, size_t n) { ssdf_f32_to_bf16_with(ssdf_isa(), in, out, n); }
