// Residuals as bits, in blocks of one width.
#include "ssdf_kernels.h"
#include "ssdf_volume.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// 0, -1, 1, -2, … to 0, 1, 2, 3, …, and back.
static inline uint32_t folded(int32_t v) { return (uint32_t)v << 1 ^ (uint32_t)(v >> 31); }
static inline int32_t unfolded(uint32_t v) { return (int32_t)(v >> 1 ^ (0u - (v & 1))); }
static inline unsigned bits(uint32_t v) { return v ? 32 - (unsigned)__builtin_clz(v) : 0; }

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

// Two numbers at a time, so that most steps add 2 * width bits to the 64 that are open.
static uint8_t *pack_block(const uint32_t *values, unsigned width, uint8_t *out) {
    uint64_t open = 0;
    unsigned count = 0, pair = 2 * width;
    for (int i = 0; i < SSDF_BLOCK; i += 2) {
        uint64_t two = values[i] | (uint64_t)values[i + 1] << width;
        open |= two << count;
        count += pair;
        if (count >= 64) {
            memcpy(out, &open, 8);
            out += 8;
            count -= 64;
            open = count ? two >> (pair - count) : 0;
        }
    }
    memcpy(out, &open, 8);
    return out + count / 8;
}

static void unpack_block(const uint8_t *bytes, unsigned width, int32_t *out) {
    uint8_t padded[4 * 32 + 8];
    memcpy(padded, bytes, 4 * width);
    uint64_t mask = ((uint64_t)1 << width) - 1;
    for (unsigned i = 0; i < SSDF_BLOCK; i++)
        out[i] = unfolded((uint32_t)(load64(padded + i * width / 8) >> (i * width & 7) & mask));
}

static inline __attribute__((always_inline)) unsigned fold_block(const int32_t *residuals, uint32_t *values) {
    uint32_t all = 0;
    for (int i = 0; i < SSDF_BLOCK; i++) all |= values[i] = folded(residuals[i]);
    return bits(all);
}

static inline __attribute__((always_inline)) size_t pack_blocks(
    const int32_t *residuals, size_t count, uint8_t *widths, uint8_t *out) {
    uint8_t *const start = out;
    uint32_t values[SSDF_BLOCK];
    for (; count >= SSDF_BLOCK; count -= SSDF_BLOCK, residuals += SSDF_BLOCK) {
        *widths = (uint8_t)fold_block(residuals, values);
        out = pack_block(values, *widths++, out);
    }
    if (count) {
        int32_t last[SSDF_BLOCK] = {0};
        memcpy(last, residuals, count * sizeof *last);
        *widths = (uint8_t)fold_block(last, values);
        out = pack_block(values, *widths, out);
    }
    return (size_t)(out - start);
}

static void unpack_blocks(
    const uint8_t *widths, const uint8_t *bytes, size_t blocks, int32_t *residuals) {
    for (size_t k = 0; k < blocks; k++, residuals += SSDF_BLOCK) {
        unpack_block(bytes, widths[k], residuals);
        bytes += 4 * widths[k];
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))

// For each width up to 25: the four bytes that hold each of eight numbers of a granule, and their shift. The upper
// four are counted from the byte where the first of them starts.
static uint8_t granule_bytes[26][32];
static uint32_t granule_shifts[26][8];

// Runs before main, so that every thread reads constants.
__attribute__((constructor)) static void fill_granule_tables(void) {
    for (unsigned width = 0; width <= 25; width++)
        for (unsigned i = 0; i < 8; i++) {
            unsigned origin = i < 4 ? 0 : 4 * width / 8 * 8;
            unsigned bit = i * width - origin;
            for (unsigned byte = 0; byte < 4; byte++) granule_bytes[width][4 * i + byte] = (uint8_t)(bit / 8 + byte);
            granule_shifts[width][i] = bit & 7;
        }
}

// Eight numbers of `width` <= 25 bits are `width` bytes; reads 16 bytes at each half.
AVX2 static inline __m256i unpack_granule(const uint8_t *p, unsigned width, __m256i bytes, __m256i shifts, __m256i mask) {
    __m256i v = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),
        _mm_loadu_si128((const __m128i *)(p + width / 2)), 1);
    v = _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(v, bytes), shifts), mask);
    __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(v, _mm256_set1_epi32(1)));
    return _mm256_xor_si256(_mm256_srli_epi32(v, 1), sign);
}

AVX2 static void unpack_blocks_avx2(
    const uint8_t *widths, const uint8_t *bytes, size_t size, size_t blocks, int32_t *residuals) {
    const uint8_t *const end = bytes + size;
    for (size_t k = 0; k < blocks; k++, residuals += SSDF_BLOCK) {
        unsigned width = widths[k];
        // The last granule's second load ends at most 28 bytes after the block.
        if (width > 25 || (size_t)(end - bytes) < 4 * width + 28) {
            unpack_block(bytes, width, residuals);
        } else {
            __m256i from = _mm256_loadu_si256((const __m256i *)granule_bytes[width]);
            __m256i shifts = _mm256_loadu_si256((const __m256i *)granule_shifts[width]);
            __m256i mask = _mm256_set1_epi32((int)(((uint32_t)1 << width) - 1));
            for (int g = 0; g < 4; g++)
                _mm256_storeu_si256(
                    (__m256i *)(residuals + 8 * g), unpack_granule(bytes + g * width, width, from, shifts, mask));
        }
        bytes += 4 * width;
    }
}

AVX2 static size_t pack_blocks_avx2(const int32_t *residuals, size_t count, uint8_t *widths, uint8_t *out) {
    return pack_blocks(residuals, count, widths, out);
}
#endif

size_t ssdf_blocks_pack_with(int isa, const int32_t *residuals, size_t count, uint8_t *widths, uint8_t *out) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX2) return pack_blocks_avx2(residuals, count, widths, out);
#endif
    return pack_blocks(residuals, count, widths, out);
}

void ssdf_blocks_unpack_with(
    int isa, const uint8_t *widths, const uint8_t *bytes, size_t size, size_t count, int32_t *residuals) {
    size_t blocks = (count + SSDF_BLOCK - 1) / SSDF_BLOCK;
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX2) return unpack_blocks_avx2(widths, bytes, size, blocks, residuals);
#endif
    unpack_blocks(widths, bytes, blocks, residuals);
}
