// Numbers of differing lengths as bits: the rests of residuals whose lengths are coded apart, and the digits of floats
// below their quantum.
#include "ssdf_kernels.h"
#include "ssdf_volume.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t bits_of(float v) {
    uint32_t b;
    memcpy(&b, &v, 4);
    return b;
}
INLINE float float_of(uint32_t b) {
    float v;
    memcpy(&v, &b, 4);
    return v;
}
INLINE uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
INLINE uint32_t below(unsigned digits) { return (uint32_t)(((uint64_t)1 << digits) - 1); }

// Bits of a number, through the exponent of its float; clearing bits that cannot matter keeps that from rounding up.
INLINE uint32_t length_of(uint32_t v) {
    uint32_t half = v >> 1;
    half &= ~(half >> 1);
    uint32_t exponent = bits_of((float)(int32_t)half) >> 23;
    uint32_t length = exponent > 126 ? exponent - 125 : 0;
    return length ? length : v;
}

// MARK: Lengths

INLINE void lengths_split(
    const int32_t *residuals, size_t count, uint8_t *lengths, uint8_t *digits, uint32_t *rests) {
    for (size_t i = 0; i < count; i++) {
        uint32_t v = (uint32_t)residuals[i] << 1 ^ (uint32_t)(residuals[i] >> 31);
        uint32_t length = length_of(v), rest = length - (length != 0);
        lengths[i] = (uint8_t)length;
        digits[i] = (uint8_t)rest;
        rests[i] = v & (((uint32_t)1 << rest) - 1);
    }
}

INLINE int lengths_count(const uint8_t *lengths, size_t count, uint8_t *digits) {
    uint8_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t length = lengths[i];
        largest = length > largest ? length : largest;
        digits[i] = (uint8_t)(length - (length != 0));
    }
    return largest;
}

INLINE void lengths_join(const uint8_t *lengths, const uint32_t *rests, size_t count, int32_t *residuals) {
    for (size_t i = 0; i < count; i++) {
        uint32_t length = lengths[i];
        uint32_t v = rests[i] | (length ? (uint32_t)1 << ((length - 1) & 31) : 0);
        residuals[i] = (int32_t)(v >> 1 ^ (0u - (v & 1)));
    }
}

// MARK: Remainders

// A half's bits are those of its float with another exponent.
INLINE uint32_t half_of(uint32_t b) {
    uint32_t sign = b >> 16 & 0x8000, field = b >> 23 & 255;
    if (field >= 113) return sign | (field - 112) << 10 | (b >> 13 & 0x3ff);
    return field ? sign | ((b & 0x7fffff) | 0x800000) >> ((126 - field) & 31) : sign;
}

INLINE float float_of_half(uint32_t h) {
    uint32_t sign = (h & 0x8000) << 16, field = h >> 10 & 31, digits = h & 0x3ff;
    if (field == 31) return float_of(sign | 0x7f800000 | digits << 13);
    if (field) return float_of(sign | (field + 112) << 23 | digits << 13);
    return float_of(sign | bits_of((float)digits * 0x1p-24f));
}

// The exponent of the smallest value of a type with so many digits.
INLINE int lowest_exponent(int precision) { return precision == 24 ? -149 : -24; }

INLINE uint32_t magnitude_length(int32_t quantum) {
    return length_of(quantum < 0 ? 0u - (uint32_t)quantum : (uint32_t)quantum);
}

INLINE uint32_t remainder_digits(uint32_t length, int precision, int limit) {
    int left = precision - (int)length;
    left = left < limit ? left : limit;
    left = left > 0 ? left : 0;
    return length ? (uint32_t)left : precision == 24 ? 32 : 16;
}

INLINE void remainders_count(
    const int32_t *quanta, size_t count, int exponent, int precision, uint8_t *digits) {
    int limit = exponent - lowest_exponent(precision);
    for (size_t i = 0; i < count; i++)
        digits[i] = (uint8_t)remainder_digits(magnitude_length(quanta[i]), precision, limit);
}

INLINE void remainders_split(
    const float *values, const int32_t *quanta, size_t count, int exponent, int precision, uint8_t *digits,
    uint32_t *rests) {
    int limit = exponent - lowest_exponent(precision);
    for (size_t i = 0; i < count; i++) {
        uint32_t length = magnitude_length(quanta[i]);
        uint32_t n = remainder_digits(length, precision, limit);
        uint32_t b = bits_of(values[i]);
        // Of the float's 24 digits the quantum has `length`; the rest follows, and zeros below it.
        uint32_t rest = (b & 0x7fffff) >> ((24 - length - n) & 31) & (((uint32_t)1 << (n & 31)) - 1);
        digits[i] = (uint8_t)n;
        rests[i] = length ? (n ? rest : 0) : precision == 24 ? b : half_of(b);
    }
}

INLINE void remainders_join(
    const int32_t *quanta, const uint8_t *digits, const uint32_t *rests, size_t count, int exponent, int precision,
    float *values) {
    float scale = float_of((uint32_t)(exponent + 127) << 23);
    for (size_t i = 0; i < count; i++) {
        uint32_t length = magnitude_length(quanta[i]), n = digits[i];
        // Exact when there are digits below the quantum, which then are free.
        uint32_t b = bits_of((float)quanta[i] * scale);
        uint32_t rest = n ? rests[i] << ((24 - length - n) & 31) : 0;
        uint32_t whole = precision == 24 ? rests[i] : bits_of(float_of_half(rests[i]));
        values[i] = float_of(length ? b | rest : whole);
    }
}

// MARK: Bits

INLINE size_t digits_write(const uint32_t *numbers, const uint8_t *digits, size_t count, uint8_t *out) {
    uint8_t *const start = out;
    uint64_t open = 0;
    unsigned filled = 0;
    size_t i = 0;
#define FLUSH                    \
    memcpy(out, &open, 8);       \
    out += filled >> 3;          \
    open >>= filled & 0x38;      \
    filled &= 7;
    for (; i + 2 <= count; i += 2) {
        unsigned first = digits[i], both = first + digits[i + 1];
        if (both <= 56) {
            open |= (numbers[i] | (uint64_t)numbers[i + 1] << first) << filled;
            filled += both;
            FLUSH
        } else {
            open |= (uint64_t)numbers[i] << filled;
            filled += first;
            FLUSH
            open |= (uint64_t)numbers[i + 1] << filled;
            filled += digits[i + 1];
            FLUSH
        }
    }
    if (i < count) {
        open |= (uint64_t)numbers[i] << filled;
        filled += digits[i];
        FLUSH
    }
#undef FLUSH
    if (filled) *out++ = (uint8_t)open;
    return (size_t)(out - start);
}

// Reads on from bit `*at`; SIZE_MAX there when the bytes end first.
INLINE void digits_read(
    const uint8_t *bytes, size_t size, const uint8_t *digits, size_t count, uint32_t *numbers, size_t *at) {
    size_t bit = *at;
    for (size_t i = 0; i < count; i++) {
        unsigned n = digits[i];
        if (bit + n > size * 8) {
            *at = SIZE_MAX;
            return;
        }
        size_t first = bit >> 3;
        uint64_t rest = 0;
        if (first + 8 <= size) {
            rest = load64(bytes + first);
        } else {
            memcpy(&rest, bytes + first, size - first);
        }
        numbers[i] = (uint32_t)(rest >> (bit & 7)) & below(n);
        bit += n;
    }
    *at = bit;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#define AVX512 __attribute__((target("avx2,bmi,bmi2,lzcnt,avx512f,avx512bw,avx512dq,avx512vl")))

// Eight at a time: running sums of the digits say where each number starts; four bytes from there hold it when it has
// at most 25 digits.
AVX2 static void digits_read_avx2(
    const uint8_t *bytes, size_t size, const uint8_t *digits, size_t count, uint32_t *numbers, size_t *at) {
    const __m256i one = _mm256_set1_epi32(1), longest = _mm256_set1_epi32(25);
    size_t i = 0, bit = *at;
    // Eight numbers take at most 25 bytes, and the last load ends three later.
    for (; i + 8 <= count && (bit >> 3) + 32 <= size; i += 8) {
        __m256i n = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(digits + i)));
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(n, longest))) {
            size_t next = bit;
            digits_read(bytes, size, digits + i, 8, numbers + i, &next);
            bit = next;
            if (bit == SIZE_MAX) break;
            continue;
        }
        __m256i sum = _mm256_add_epi32(n, _mm256_slli_si256(n, 4));
        sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 8));
        sum = _mm256_add_epi32(sum, _mm256_shuffle_epi32(_mm256_permute2x128_si256(sum, sum, 0x08), 0xff));
        __m256i start = _mm256_add_epi32(_mm256_sub_epi32(sum, n), _mm256_set1_epi32((int)(bit & 7)));
        __m256i word = _mm256_i32gather_epi32((const int *)(bytes + (bit >> 3)), _mm256_srli_epi32(start, 3), 1);
        word = _mm256_srlv_epi32(word, _mm256_and_si256(start, _mm256_set1_epi32(7)));
        word = _mm256_and_si256(word, _mm256_sub_epi32(_mm256_sllv_epi32(one, n), one));
        _mm256_storeu_si256((__m256i *)(numbers + i), word);
        bit += (unsigned)_mm256_extract_epi32(sum, 7);
    }
    *at = bit;
    if (bit != SIZE_MAX) digits_read(bytes, size, digits + i, count - i, numbers + i, at);
}

#define VARIANT(TARGET, suffix)                                                                                       \
    TARGET static void lengths_split_##suffix(                                                                        \
        const int32_t *r, size_t count, uint8_t *l, uint8_t *d, uint32_t *n) {                                        \
        lengths_split(r, count, l, d, n);                                                                             \
    }                                                                                                                 \
    TARGET static int lengths_count_##suffix(const uint8_t *l, size_t count, uint8_t *d) {                            \
        return lengths_count(l, count, d);                                                                            \
    }                                                                                                                 \
    TARGET static void lengths_join_##suffix(const uint8_t *l, const uint32_t *n, size_t count, int32_t *r) {         \
        lengths_join(l, n, count, r);                                                                                 \
    }                                                                                                                 \
    TARGET static void remainders_count_##suffix(const int32_t *q, size_t count, int e, int p, uint8_t *d) {          \
        remainders_count(q, count, e, p, d);                                                                          \
    }                                                                                                                 \
    TARGET static void remainders_split_##suffix(                                                                     \
        const float *v, const int32_t *q, size_t count, int e, int p, uint8_t *d, uint32_t *n) {                      \
        if (p == 24) remainders_split(v, q, count, e, 24, d, n);                                                      \
        else remainders_split(v, q, count, e, 11, d, n);                                                              \
    }                                                                                                                 \
    TARGET static void remainders_join_##suffix(                                                                      \
        const int32_t *q, const uint8_t *d, const uint32_t *n, size_t count, int e, int p, float *v) {                \
        if (p == 24) remainders_join(q, d, n, count, e, 24, v);                                                       \
        else remainders_join(q, d, n, count, e, 11, v);                                                               \
    }                                                                                                                 \
    TARGET static size_t digits_write_##suffix(const uint32_t *n, const uint8_t *d, size_t count, uint8_t *out) {     \
        return digits_write(n, d, count, out);                                                                        \
    }
VARIANT(AVX2, avx2)
VARIANT(AVX512, avx512)
#define DISPATCH(call, ...)                                        \
    if (isa >= SSDF_ISA_AVX512) return call##_avx512(__VA_ARGS__); \
    if (isa >= SSDF_ISA_AVX2) return call##_avx2(__VA_ARGS__);
#else
#define DISPATCH(call, ...)
#endif

void ssdf_lengths_split_with(
    int isa, const int32_t *residuals, size_t count, uint8_t *lengths, uint8_t *digits, uint32_t *rests) {
    DISPATCH(lengths_split, residuals, count, lengths, digits, rests)
    lengths_split(residuals, count, lengths, digits, rests);
}

int ssdf_lengths_count_with(int isa, const uint8_t *lengths, size_t count, uint8_t *digits) {
    DISPATCH(lengths_count, lengths, count, digits)
    return lengths_count(lengths, count, digits);
}

void ssdf_lengths_join_with(
    int isa, const uint8_t *lengths, const uint32_t *rests, size_t count, int32_t *residuals) {
    DISPATCH(lengths_join, lengths, rests, count, residuals)
    lengths_join(lengths, rests, count, residuals);
}

void ssdf_remainders_split_with(
    int isa, const float *values, const int32_t *quanta, size_t count, int exponent, int precision, uint8_t *digits,
    uint32_t *rests) {
    DISPATCH(remainders_split, values, quanta, count, exponent, precision, digits, rests)
    remainders_split(values, quanta, count, exponent, precision, digits, rests);
}

void ssdf_remainders_count_with(
    int isa, const int32_t *quanta, size_t count, int exponent, int precision, uint8_t *digits) {
    DISPATCH(remainders_count, quanta, count, exponent, precision, digits)
    remainders_count(quanta, count, exponent, precision, digits);
}

void ssdf_remainders_join_with(
    int isa, const int32_t *quanta, const uint8_t *digits, const uint32_t *rests, size_t count, int exponent,
    int precision, float *values) {
    DISPATCH(remainders_join, quanta, digits, rests, count, exponent, precision, values)
    remainders_join(quanta, digits, rests, count, exponent, precision, values);
}

size_t ssdf_digits_write_with(
    int isa, const uint32_t *numbers, const uint8_t *digits, size_t count, uint8_t *out) {
    DISPATCH(digits_write, numbers, digits, count, out)
    return digits_write(numbers, digits, count, out);
}

size_t ssdf_digits_read_with(
    int isa, const uint8_t *bytes, size_t size, const uint8_t *digits, size_t count, uint32_t *numbers) {
    size_t at = 0;
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX2) digits_read_avx2(bytes, size, digits, count, numbers, &at);
    else
#endif
        digits_read(bytes, size, digits, count, numbers, &at);
    return at == SIZE_MAX ? SIZE_MAX : (at + 7) / 8;
}
