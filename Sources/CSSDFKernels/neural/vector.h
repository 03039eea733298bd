// Vectors of one instruction set. Included once for each set, with SUFFIX (scalar, avx2, avx512) and LANES defined.

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define N(name) JOIN(name, SUFFIX)
#define INLINE static inline __attribute__((always_inline))
#define V N(vec)
#define VI N(ivec)
#define VU N(uvec)

typedef float V __attribute__((ext_vector_type(LANES), aligned(4)));
typedef int32_t VI __attribute__((ext_vector_type(LANES), aligned(4)));
typedef uint32_t VU __attribute__((ext_vector_type(LANES), aligned(4)));

INLINE V N(load)(const float *p) { return *(const V *)p; }
INLINE void N(store)(float *p, V x) { *(V *)p = x; }
INLINE V N(splat)(float x) { return (V)x; }

// The first n < LANES numbers at p; the other lanes are `fill`.
INLINE V N(load_some)(const float *p, size_t n, float fill) {
    float t[LANES];
    for (int i = 0; i < LANES; i++) t[i] = fill;
    __builtin_memcpy(t, p, n * sizeof(float));
    return N(load)(t);
}

INLINE void N(store_some)(float *p, V x, size_t n) {
    float t[LANES];
    N(store)(t, x);
    __builtin_memcpy(p, t, n * sizeof(float));
}

// Lanes of a where the mask is −1, of b where it is 0.
INLINE V N(select)(VI mask, V a, V b) { return mask ? a : b; }
INLINE V N(max)(V a, V b) { return __builtin_elementwise_max(a, b); }
INLINE V N(min)(V a, V b) { return __builtin_elementwise_min(a, b); }
// As max, but b where either is not a number: one instruction.
INLINE V N(greater)(V a, V b) { return a > b ? a : b; }
INLINE V N(abs)(V a) { return __builtin_elementwise_abs(a); }

// Lanes are added in a fixed order: halves, then halves of halves.
INLINE double N(sum)(V x) {
    typedef double wide __attribute__((ext_vector_type(LANES)));
    wide all = __builtin_convertvector(x, wide);
#if LANES == 16
    __typeof__(all.lo) eight = all.lo + all.hi;
    __typeof__(eight.lo) four = eight.lo + eight.hi;
#elif LANES == 8
    __typeof__(all.lo) four = all.lo + all.hi;
#else
    wide four = all;
#endif
    return (four[0] + four[2]) + (four[1] + four[3]);
}

INLINE float N(largest)(V x) { return __builtin_reduce_max(x); }

// eˣ with relative error below 1.5e-7 for −86.6 ≤ x ≤ 88.7; 0 below, the value at 88.7 above. NaN stays NaN.
// x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial in r fitted for the least relative error (1.9e-9).
INLINE V N(exp)(V x) {
    // One instruction each, which lets NaN through to the polynomial.
    V bounded = N(greater)(N(splat)(-86.6f), x);
    bounded = N(splat)(88.7f) < bounded ? N(splat)(88.7f) : bounded;
    // Adding 1.5·2²³ + 126 leaves the biased exponent of 2^(n−1) in the low bits of the significand.
    V shifted = bounded * N(splat)(1.44269504f) + N(splat)(12583038.0f);
    V n = shifted - N(splat)(12583038.0f);
    V r = bounded - n * N(splat)(0.693145751953125f);
    r = r - n * N(splat)(1.42860677e-6f);
    V p = N(splat)(0.00138366339f);
    p = p * r + N(splat)(0.00837498065f);
    p = p * r + N(splat)(0.0416682400f);
    p = p * r + N(splat)(0.166664183f);
    p = p * r + N(splat)(0.499999911f);
    p = p * r + N(splat)(1.0f);
    p = p * r + N(splat)(1.0f);
    // 2^(n−1)·2 so that n = 128 does not overflow the exponent field on the way.
    V y = (p + p) * (V)((VI)shifted << 23);
    return x < N(splat)(-86.6f) ? N(splat)(0.0f) : y;
}

// 2ˣ with relative error below 2.5e-7 for −126 ≤ x ≤ 127, and 2⁻¹²⁶ below: in a softmax the same as 0. NaN stays NaN.
// x = n + f, |f| ≤ ½, and a polynomial in f with 2⁰ = 1 fitted for the least relative error (9.2e-8).
INLINE V N(exp2)(V x) {
    V bounded = N(greater)(N(splat)(-126.0f), x);
    // Adding 1.5·2²³ + 127 leaves the biased exponent n + 127 in the low bits of the significand.
    V shifted = bounded + N(splat)(12583039.0f);
    V f = bounded - (shifted - N(splat)(12583039.0f));
    V p = N(splat)(0.00132647271f);
    p = p * f + N(splat)(0.00967151264f);
    p = p * f + N(splat)(0.0555073374f);
    p = p * f + N(splat)(0.240222421f);
    p = p * f + N(splat)(0.693146978f);
    p = p * f + N(splat)(1.0f);
    return p * (V)((VI)shifted << 23);
}

// What multiplies inside attention: a word of every operand. In f32 a word is one number; in bf16 it is two, next to each
// other along the sum, and their two products join an f32 sum.
#if !defined(BRAIN_FLOAT)
#define WORD 1
INLINE V N(gain)(V sum, V a, V b) { return sum + a * b; }
#else
#define WORD 2
#if BRAIN_FLOAT == NATIVE
INLINE V N(gain)(V sum, V a, V b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
#else
// The same products in f32, for processors without the instruction.
INLINE V N(gain)(V sum, V a, V b) {
    VI high = (VI)((int32_t)0xffff0000);
    sum += (V)((VI)a << 16) * (V)((VI)b << 16);
    return sum + (V)((VI)a & high) * (V)((VI)b & high);
}
#endif
// 2^x for what is rounded to bf16 next: relative error below 8e-5, a twentieth of the rounding's.
INLINE V N(exp2_brain)(V x) {
    V bounded = N(greater)(N(splat)(-126.0f), x);
    V shifted = bounded + N(splat)(12583039.0f);
    V f = bounded - (shifted - N(splat)(12583039.0f));
    V p = N(splat)(0.05517167f);
    p = p * f + N(splat)(0.24261113f);
    p = p * f + N(splat)(0.69326099f);
    p = p * f + N(splat)(0.99992807f);
    return p * (V)((VI)shifted << 23);
}
// 2^(x + ½) so that its first 16 bits are its bf16, rounded to nearest: the polynomial, whose values lie in [1, 2], gains
// half of a bf16's last place before it is scaled. Relative error before that as of exp2_brain.
INLINE V N(exp2_cut)(V x) {
    V bounded = N(greater)(N(splat)(-126.0f), x);
    V shifted = bounded + N(splat)(12583039.0f);
    V f = bounded - (shifted - N(splat)(12583039.0f));
    V p = N(splat)(0.0780245241f);
    p = p * f + N(splat)(0.343103951f);
    p = p * f + N(splat)(0.980419095f);
    p = p * f + N(splat)(1.41411184f + 0.00390625f);
    return p * (V)((VI)shifted << 23);
}
// Two numbers a lane as bf16, cut off, the first in the low half.
INLINE V N(two_cut)(V first, V second) {
    VI high = (VI)((int32_t)0xffff0000);
    return (V)((VI)((VU)(VI)first >> 16) | ((VI)second & high));
}
// Two numbers a lane as bf16, rounded to nearest, ties away from zero, the first in the low half.
INLINE V N(two)(V first, V second) {
    VI half = (VI)(0x8000), high = (VI)((int32_t)0xffff0000);
    VI low = (VI)((VU)((VI)first + half) >> 16);
    return (V)(low | (((VI)second + half) & high));
}
#endif

// Interleaves the lower, or the upper, halves of a and b.
#if LANES == 16
#define LOW_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW_HALVES 0, 4, 1, 5
#define HIGH_HALVES 2, 6, 3, 7
#endif

// Transposes LANES vectors in place: each round interleaves row i with row i + LANES/2.
INLINE void N(transpose)(V *rows) {
#pragma clang loop unroll(full)
    for (int round = 1; round < LANES; round *= 2) {
        V next[LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], LOW_HALVES);
            next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], HIGH_HALVES);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES; i++) rows[i] = next[i];
    }
}

#undef LOW_HALVES
#undef HIGH_HALVES
