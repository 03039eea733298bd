// Eight decimal digits at once.
#ifndef SSDF_TEXT_INTERNAL_H
#define SSDF_TEXT_INTERNAL_H

#include <stdint.h>
#include <string.h>

// How many of the eight bytes at `p`, from the first, are digits; *digits gets their values, first digit lowest.
static inline unsigned ssdf_leading_digits(const uint8_t *p, uint64_t *digits) {
    uint64_t x;
    memcpy(&x, p, 8);
    x ^= 0x3030303030303030u;
    *digits = x;
    // A byte above 9 gets its top bit set; a carry out of such a byte only reaches bytes after it.
    uint64_t others = ((x + 0x7676767676767676u) | x) & 0x8080808080808080u;
    return others ? (unsigned)__builtin_ctzll(others) >> 3 : 8;
}

// The number that the first `n` (1…8) of eight digit values spell.
static inline uint64_t ssdf_digits_value(uint64_t digits, unsigned n) {
    digits <<= (8 - n) * 8;
    digits = digits * 10 + (digits >> 8);
    const uint64_t mask = 0x000000FF000000FFu;
    return (uint32_t)(((digits & mask) * 0x000F424000000064u + ((digits >> 16) & mask) * 0x0000271000000001u) >> 32);
}

static const uint32_t ssdf_power10_u32[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

const uint8_t *ssdf_scan_float_slow(const uint8_t *p, float *value);

// Powers of ten as the nearest doubles; exact up to 10^22.
static const double ssdf_power10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23,
                                      1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35,
                                      1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47};

__attribute__((always_inline)) static inline const uint8_t *ssdf_scan_float_inline(const uint8_t *start, float *value) {
    const uint8_t *p = start;
    const uint64_t negative = *p == '-';
    p += negative | (*p == '+');
    uint64_t digits, mantissa = 0;
    const uint8_t *first = p;
    unsigned n = ssdf_leading_digits(p, &digits);
    while (n) {
        mantissa = mantissa * ssdf_power10_u32[n] + ssdf_digits_value(digits, n);
        p += n;
        if (n < 8) break;
        n = ssdf_leading_digits(p, &digits);
    }
    long count = p - first;
    long exponent = 0;
    if (*p == '.') {
        const uint8_t *fraction = ++p;
        n = ssdf_leading_digits(p, &digits);
        while (n) {
            mantissa = mantissa * ssdf_power10_u32[n] + ssdf_digits_value(digits, n);
            p += n;
            if (n < 8) break;
            n = ssdf_leading_digits(p, &digits);
        }
        exponent = fraction - p;
        count -= exponent;
    }
    if (__builtin_expect(count == 0 || count > 19, 0)) return ssdf_scan_float_slow(start, value);
    if (__builtin_expect((*p | 32) == 'e', 0)) {
        const uint8_t *q = p + 1;
        int down = *q == '-';
        q += down | (*q == '+');
        n = ssdf_leading_digits(q, &digits);
        if (n == 0 || n > 4) return ssdf_scan_float_slow(start, value);
        long written = (long)ssdf_digits_value(digits, n);
        exponent += down ? -written : written;
        p = q + n;
    }
    if (__builtin_expect(exponent < -47 || exponent > 47, 0)) return ssdf_scan_float_slow(start, value);
    double scaled = exponent < 0 ? (double)mantissa / ssdf_power10[-exponent] : (double)mantissa * ssdf_power10[exponent];
    uint64_t bits;
    memcpy(&bits, &scaled, 8);
    // A float keeps the upper 23 of 52 fraction bits; a tie is exactly half of what is dropped.
    uint32_t distance = (uint32_t)(bits & 0x1FFFFFFF) - 0x10000000u + 8;
    if (__builtin_expect(distance <= 16 || !(scaled >= 0x1p-126 && scaled < 0x1.fffffep127), 0)) {
        if (mantissa != 0) return ssdf_scan_float_slow(start, value);
    }
    float magnitude = (float)scaled;
    uint32_t word;
    memcpy(&word, &magnitude, 4);
    word |= (uint32_t)(negative << 31);
    memcpy(value, &word, 4);
    return p;
}

#endif
