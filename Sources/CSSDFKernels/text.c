#include "ssdf_text.h"

#include "text_internal.h"

#include <stdlib.h>

static const uint8_t *word(const uint8_t *p, const char *text) {
    for (; *text; text++, p++) {
        if ((*p | 32) != *text) return NULL;
    }
    return p;
}

static int is_digit(uint8_t c) { return (unsigned)(c - '0') < 10; }

// Exact for any number of digits: the significant ones go to strtof(3), which rounds correctly. 112 digits settle the
// longest tie between two floats; whatever non-zero digits follow can only break it upwards.
const uint8_t *ssdf_scan_float_slow(const uint8_t *p, float *value) {
    enum { SIGNIFICANT = 120 };
    char copy[SIGNIFICANT + 40];
    int length = 0;
    int negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    const uint8_t *after;
    if ((after = word(p, "infinity")) || (after = word(p, "inf"))) {
        *value = negative ? -__builtin_inff() : __builtin_inff();
        return after;
    }
    if ((after = word(p, "nan"))) {
        *value = __builtin_nanf("");
        return after;
    }
    if (negative) copy[length++] = '-';
    copy[length++] = '0';
    copy[length++] = '.';
    int significant = 0, seen = 0, sticky = 0, point = 0;
    long long scale = 0;
    for (;; p++) {
        if (*p == '.' && !point) {
            point = 1;
            continue;
        }
        if (!is_digit(*p)) break;
        seen = 1;
        if (significant == 0 && *p == '0') {
            scale -= point;
            continue;
        }
        if (significant < SIGNIFICANT) {
            copy[length++] = (char)*p;
            significant++;
        } else {
            sticky |= *p != '0';
        }
        scale += !point;
    }
    if (!seen) return NULL;
    if ((*p | 32) == 'e') {
        const uint8_t *q = p + 1;
        int down = *q == '-';
        if (*q == '-' || *q == '+') q++;
        if (!is_digit(*q)) return NULL;
        long long written = 0;
        for (; is_digit(*q); q++) {
            if (written < 1000000000000000) written = written * 10 + (*q - '0');
        }
        scale += down ? -written : written;
        p = q;
    }
    if (significant == 0) {
        *value = negative ? -0.0f : 0.0f;
        return p;
    }
    if (sticky) copy[length++] = '1';
    if (scale > 9999) scale = 9999;
    if (scale < -9999) scale = -9999;
    copy[length++] = 'e';
    if (scale < 0) copy[length++] = '-';
    unsigned magnitude = (unsigned)(scale < 0 ? -scale : scale);
    for (unsigned power = 1000; power; power /= 10) copy[length++] = (char)('0' + magnitude / power % 10);
    copy[length] = 0;
    *value = strtof(copy, NULL);
    return p;
}

const uint8_t *ssdf_scan_float(const uint8_t *p, float *value) { return ssdf_scan_float_inline(p, value); }

const uint8_t *ssdf_scan_integer(const uint8_t *p, int64_t *value) {
    int negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    uint64_t digits, sum = 0;
    unsigned n = ssdf_leading_digits(p, &digits);
    if (n == 0) return NULL;
    const uint64_t limit = (uint64_t)1 << 62;
    while (n) {
        uint64_t next = ssdf_digits_value(digits, n);
        sum = sum > limit / ssdf_power10_u32[n] ? limit : sum * ssdf_power10_u32[n] + next;
        p += n;
        if (n < 8) break;
        n = ssdf_leading_digits(p, &digits);
    }
    if (sum > limit) sum = limit;
    *value = negative ? -(int64_t)sum : (int64_t)sum;
    return p;
}
