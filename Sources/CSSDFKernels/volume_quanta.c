// Floats as whole numbers of a power of two, and the digits that are left below it.
#include "ssdf_kernels.h"
#include "ssdf_volume.h"

#include <string.h>

static inline __attribute__((always_inline)) uint32_t bits_of(float v) {
    uint32_t b;
    memcpy(&b, &v, 4);
    return b;
}
static inline __attribute__((always_inline)) float float_of(uint32_t b) {
    float v;
    memcpy(&v, &b, 4);
    return v;
}
static inline __attribute__((always_inline)) float power_of_two(int exponent) {
    return float_of((uint32_t)(exponent + 127) << 23);
}

static inline __attribute__((always_inline)) void float_span(
    const float *values, size_t count, struct ssdf_float_span *span) {
    uint32_t largest = 0, zeros = 0;
    int32_t lowest = INT32_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t b = bits_of(values[i]), magnitude = b & 0x7fffffff;
        largest = magnitude > largest ? magnitude : largest;
        zeros |= (uint32_t)(b == 0x80000000u);
        uint32_t field = magnitude >> 23;
        uint32_t digits = (b & 0x7fffff) | (field ? 0x800000u : 0);
        // A power of two is exact as a float, whose exponent field then is its logarithm plus 127.
        float low = (float)(int32_t)(digits & (0u - digits));
        int32_t exponent = (int32_t)(field ? field : 1) - 150 + (int32_t)(bits_of(low) >> 23) - 127;
        exponent = digits ? exponent : INT32_MAX;
        lowest = exponent < lowest ? exponent : lowest;
    }
    span->largest = largest;
    span->lowest_bit = lowest;
    span->negative_zero = (int32_t)zeros;
}

// Floats in the order of their values, as integers; the inverse is the same.
static inline __attribute__((always_inline)) int32_t ordered(int32_t b) { return b ^ (b >> 31 & 0x7fffffff); }

static inline __attribute__((always_inline)) void value_range(
    const float *values, size_t count, float *smallest, float *largest) {
    int32_t low = 0x7f800000, high = ordered((int32_t)0xff800000);
    for (size_t i = 0; i < count; i++) {
        int32_t b = (int32_t)bits_of(values[i]), at = ordered(b);
        int is_number = (b & 0x7fffffff) <= 0x7f800000;
        int32_t below = is_number ? at : 0x7f800000, above = is_number ? at : ordered((int32_t)0xff800000);
        low = below < low ? below : low;
        high = above > high ? above : high;
    }
    *smallest = float_of((uint32_t)ordered(low));
    *largest = float_of((uint32_t)ordered(high));
}

static inline __attribute__((always_inline)) double largest_difference(const float *a, const float *b, size_t count) {
    // Doubles that are not negative are in the order of their bits.
    int64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i];
        int64_t bits;
        memcpy(&bits, &d, 8);
        bits &= 0x7fffffffffffffff;
        bits = bits <= 0x7ff0000000000000 ? bits : 0;
        largest = bits > largest ? bits : largest;
    }
    double result;
    memcpy(&result, &largest, 8);
    return result;
}

static inline __attribute__((always_inline)) void quantize(
    const float *values, size_t count, float scale, float largest, int32_t *quanta, float *stored) {
    for (size_t i = 0; i < count; i++) {
        float q = scale > 0 ? __builtin_nearbyintf(values[i] / scale) : 0;
        q = q > largest ? largest : q < -largest ? -largest : q;
        quanta[i] = (int32_t)q;
        stored[i] = (float)(int32_t)q * scale;
    }
}

static inline __attribute__((always_inline)) void to_quanta(
    const float *values, size_t count, int exponent, int32_t *quanta) {
    float scale = power_of_two(-exponent);
    for (size_t i = 0; i < count; i++) quanta[i] = (int32_t)(values[i] * scale);
}

static inline __attribute__((always_inline)) void from_quanta(
    const int32_t *quanta, size_t count, int exponent, float *values) {
    float scale = power_of_two(exponent);
    for (size_t i = 0; i < count; i++) values[i] = (float)quanta[i] * scale;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl")))
#define VARIANT(TARGET, suffix)                                                                                  \
    TARGET static void value_range_##suffix(const float *v, size_t n, float *s, float *l) {                      \
        value_range(v, n, s, l);                                                                                 \
    }                                                                                                            \
    TARGET static double largest_difference_##suffix(const float *a, const float *b, size_t n) {                 \
        return largest_difference(a, b, n);                                                                      \
    }                                                                                                            \
    TARGET static void quantize_##suffix(const float *v, size_t n, float s, float l, int32_t *q, float *r) {     \
        quantize(v, n, s, l, q, r);                                                                              \
    }                                                                                                            \
    TARGET static void float_span_##suffix(const float *v, size_t n, struct ssdf_float_span *s) {                \
        float_span(v, n, s);                                                                                     \
    }                                                                                                            \
    TARGET static void to_quanta_##suffix(const float *v, size_t n, int e, int32_t *q) { to_quanta(v, n, e, q); } \
    TARGET static void from_quanta_##suffix(const int32_t *q, size_t n, int e, float *v) { from_quanta(q, n, e, v); }
VARIANT(AVX2, avx2)
VARIANT(AVX512, avx512)
#define DISPATCH(call, ...)                                         \
    if (isa >= SSDF_ISA_AVX512) return call##_avx512(__VA_ARGS__);  \
    if (isa >= SSDF_ISA_AVX2) return call##_avx2(__VA_ARGS__);
#else
#define DISPATCH(call, ...)
#endif

void ssdf_float_span_with(int isa, const float *values, size_t count, struct ssdf_float_span *span) {
    DISPATCH(float_span, values, count, span)
    float_span(values, count, span);
}

void ssdf_value_range_with(int isa, const float *values, size_t count, float *smallest, float *largest) {
    DISPATCH(value_range, values, count, smallest, largest)
    value_range(values, count, smallest, largest);
}

double ssdf_largest_difference_with(int isa, const float *a, const float *b, size_t count) {
    DISPATCH(largest_difference, a, b, count)
    return largest_difference(a, b, count);
}

void ssdf_quantize_with(
    int isa, const float *values, size_t count, float scale, float largest, int32_t *quanta, float *stored) {
    DISPATCH(quantize, values, count, scale, largest, quanta, stored)
    quantize(values, count, scale, largest, quanta, stored);
}

void ssdf_to_quanta_with(int isa, const float *values, size_t count, int exponent, int32_t *quanta) {
    DISPATCH(to_quanta, values, count, exponent, quanta)
    to_quanta(values, count, exponent, quanta);
}

void ssdf_from_quanta_with(int isa, const int32_t *quanta, size_t count, int exponent, float *values) {
    DISPATCH(from_quanta, quanta, count, exponent, values)
    from_quanta(quanta, count, exponent, values);
}
