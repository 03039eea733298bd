// CRC-32 of reflected polynomial 0xEDB88320.
//
// The scalar body takes eight bytes a step from eight tables. The wide body folds four 128-bit lanes with carry-less
// multiplications until fewer than 64 bytes are left; what the lanes hold is congruent to all that came before, so the
// scalar body finishes it as if it were sixteen bytes of message.
//
// Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", 2009, §3;
// Kounavis and Berry, "A Systematic Approach to Building High Performance Software-Based CRC Generators", 2005.
#include "ssdf_kernels.h"
#include "ssdf_volume.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint32_t table[8][256];
#if defined(__x86_64__)
static int folds;
#endif

// Runs before main, so that every thread reads constants.
__attribute__((constructor)) static void fill_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
        table[0][i] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (uint32_t i = 0; i < 256; i++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 255];
#if defined(__x86_64__)
    __builtin_cpu_init();
    folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

// Advances the inverted register over the bytes.
static uint32_t advance(uint32_t r, const uint8_t *p, size_t n) {
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= r;
        r = table[7][w & 255] ^ table[6][w >> 8 & 255] ^ table[5][w >> 16 & 255] ^ table[4][w >> 24 & 255] ^
            table[3][w >> 32 & 255] ^ table[2][w >> 40 & 255] ^ table[1][w >> 48 & 255] ^ table[0][w >> 56];
    }
    for (; n; p++, n--) r = (r >> 8) ^ table[0][(r ^ *p) & 255];
    return r;
}

#if defined(__x86_64__)
__attribute__((target("sse4.1,pclmul"))) static __m128i fold(__m128i lane, __m128i k, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(lane, k, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("sse4.1,pclmul"))) static uint32_t advance_folding(uint32_t r, const uint8_t *p, size_t n) {
    // x^(512+32), x^(512-32) and x^(128+32), x^(128-32) modulo the polynomial, reflected.
    const __m128i by64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i *v = (const __m128i *)p;
    __m128i a = _mm_xor_si128(_mm_loadu_si128(v), _mm_cvtsi32_si128((int)r));
    __m128i b = _mm_loadu_si128(v + 1), c = _mm_loadu_si128(v + 2), d = _mm_loadu_si128(v + 3);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        v = (const __m128i *)p;
        a = fold(a, by64, _mm_loadu_si128(v));
        b = fold(b, by64, _mm_loadu_si128(v + 1));
        c = fold(c, by64, _mm_loadu_si128(v + 2));
        d = fold(d, by64, _mm_loadu_si128(v + 3));
    }
    a = fold(fold(fold(a, by16, b), by16, c), by16, d);
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)rest, a);
    return advance(advance(0, rest, 16), p, n);
}
#endif

uint32_t ssdf_crc32_isa(int isa, uint32_t crc, const uint8_t *bytes, size_t count) {
    if (count == 0) return crc;
#if defined(__x86_64__)
    if (isa > SSDF_ISA_SCALAR && folds && count >= 64) return ~advance_folding(~crc, bytes, count);
#else
    (void)isa;
#endif
    return ~advance(~crc, bytes, count);
}

uint32_t ssdf_crc32(uint32_t crc, const uint8_t *bytes, size_t count) {
    return ssdf_crc32_isa(ssdf_isa(), crc, bytes, count);
}
