// Patterns of the cells that the surface crosses.
#include "extract_bricks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Patterns of up to eight cells of a word, the lowest bits of `cells`, one a byte: each corner's bits are brought
// together, and the 8×8 bits that makes are transposed (Warren, Hacker's Delight, §7-3).
#if defined(__x86_64__)
__attribute__((target("bmi2"), always_inline)) static inline uint64_t patterns_pext(const extract_planes *inside, int x,
                                                                                   uint64_t cells) {
    uint64_t m = 0;
    for (int k = 0; k < 8; ++k) m |= (_pext_u64(inside->at[k & 3][x + (k >> 2)], cells) & 0xff) << (8 * k);
    uint64_t t = (m ^ (m >> 7)) & 0x00aa00aa00aa00aaULL;
    m ^= t ^ (t << 7);
    t = (m ^ (m >> 14)) & 0x0000cccc0000ccccULL;
    m ^= t ^ (t << 14);
    t = (m ^ (m >> 28)) & 0x00000000f0f0f0f0ULL;
    return m ^ t ^ (t << 28);
}

SSDF_AVX2 static void patterns_of_brick_avx2(const extract_planes *inside, const uint64_t *crossed, uint8_t *patterns) {
    for (int x = 0; x < 8; ++x)
        for (uint64_t bits = crossed[x]; bits;) {
            uint64_t eight = patterns_pext(inside, x, bits);
            __builtin_memcpy(patterns, &eight, 8);
            int taken = __builtin_popcountll(bits);
            taken = taken < 8 ? taken : 8;
            patterns += taken;
            bits = taken < 8 ? 0 : bits & ~_pdep_u64(0xff, bits);
        }
}
#endif

void extract_patterns(const extract_grid *grid, const extract_planes *inside, size_t brick, uint8_t *patterns) {
    const uint64_t *crossed = grid->crossed + 8 * brick;
#if defined(__x86_64__)
    if (grid->isa >= SSDF_ISA_AVX2) {
        patterns_of_brick_avx2(inside, crossed, patterns);
        return;
    }
#endif
    for (int x = 0; x < 8; ++x)
        for (uint64_t bits = crossed[x]; bits; bits &= bits - 1) {
            int bit = __builtin_ctzll(bits);
            unsigned pattern = 0;
            for (int k = 0; k < 8; ++k) pattern |= (unsigned)(inside->at[k & 3][x + (k >> 2)] >> bit & 1) << k;
            *patterns++ = (uint8_t)pattern;
        }
}
