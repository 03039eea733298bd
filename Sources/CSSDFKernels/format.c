#include "ssdf_format.h"

#include <string.h>

// ⌈10^k · 2^(63 − ⌊log2 10^k⌋)⌉ for k in −31…45: every power that the conversion of a float needs, to 64 bits.
static const uint64_t power10[77] = {
    0x81CEB32C4B43FCF5u, 0xA2425FF75E14FC32u, 0xCAD2F7F5359A3B3Fu, 0xFD87B5F28300CA0Eu,
    0x9E74D1B791E07E49u, 0xC612062576589DDBu, 0xF79687AED3EEC552u, 0x9ABE14CD44753B53u,
    0xC16D9A0095928A28u, 0xF1C90080BAF72CB2u, 0x971DA05074DA7BEFu, 0xBCE5086492111AEBu,
    0xEC1E4A7DB69561A6u, 0x9392EE8E921D5D08u, 0xB877AA3236A4B44Au, 0xE69594BEC44DE15Cu,
    0x901D7CF73AB0ACDAu, 0xB424DC35095CD810u, 0xE12E13424BB40E14u, 0x8CBCCC096F5088CCu,
    0xAFEBFF0BCB24AAFFu, 0xDBE6FECEBDEDD5BFu, 0x89705F4136B4A598u, 0xABCC77118461CEFDu,
    0xD6BF94D5E57A42BDu, 0x8637BD05AF6C69B6u, 0xA7C5AC471B478424u, 0xD1B71758E219652Cu,
    0x83126E978D4FDF3Cu, 0xA3D70A3D70A3D70Bu, 0xCCCCCCCCCCCCCCCDu, 0x8000000000000000u,
    0xA000000000000000u, 0xC800000000000000u, 0xFA00000000000000u, 0x9C40000000000000u,
    0xC350000000000000u, 0xF424000000000000u, 0x9896800000000000u, 0xBEBC200000000000u,
    0xEE6B280000000000u, 0x9502F90000000000u, 0xBA43B74000000000u, 0xE8D4A51000000000u,
    0x9184E72A00000000u, 0xB5E620F480000000u, 0xE35FA931A0000000u, 0x8E1BC9BF04000000u,
    0xB1A2BC2EC5000000u, 0xDE0B6B3A76400000u, 0x8AC7230489E80000u, 0xAD78EBC5AC620000u,
    0xD8D726B7177A8000u, 0x878678326EAC9000u, 0xA968163F0A57B400u, 0xD3C21BCECCEDA100u,
    0x84595161401484A0u, 0xA56FA5B99019A5C8u, 0xCECB8F27F4200F3Au, 0x813F3978F8940985u,
    0xA18F07D736B90BE6u, 0xC9F2C9CD04674EDFu, 0xFC6F7C4045812297u, 0x9DC5ADA82B70B59Eu,
    0xC5371912364CE306u, 0xF684DF56C3E01BC7u, 0x9A130B963A6C115Du, 0xC097CE7BC90715B4u,
    0xF0BDC21ABB48DB21u, 0x96769950B50D88F5u, 0xBC143FA4E250EB32u, 0xEB194F8E1AE525FEu,
    0x92EFD1B8D0CF37BFu, 0xB7ABC627050305AEu, 0xE596B7B0C643C71Au, 0x8F7E32CE7BEA5C70u,
    0xB35DBF821AE4F38Cu,
};

// ⌊log10 2^e⌋, ⌊log10 (3/4 · 2^e)⌋ and ⌊log2 10^e⌋ by fixed-point multiplication; exact for the exponents of floats.
static int log10_pow2(int e) { return (e * 1262611) >> 22; }
static int log10_three_quarters_pow2(int e) { return (e * 1262611 - 524031) >> 22; }
static int log2_pow10(int e) { return (e * 1741647) >> 19; }

// ⌊g · c / 2^64⌋ with the last bit set when anything was dropped.
static uint32_t round_to_odd(uint64_t g, uint32_t c) {
    unsigned __int128 product = (unsigned __int128)g * c;
    uint32_t high = (uint32_t)(product >> 64), low = (uint32_t)(product >> 32);
    return high | (low > 1);
}

// The shortest decimal digits · 10^exponent that read back as the float whose bits these are (positive, finite).
static uint32_t shortest(uint32_t bits, int *exponent) {
    uint32_t fraction = bits & 0x7FFFFF, biased = bits >> 23;
    uint32_t c = biased ? fraction | 0x800000 : fraction;
    int q = (biased ? (int)biased : 1) - 150;
    // Below a power of two floats are twice as dense.
    int closer = fraction == 0 && biased > 1;
    uint32_t open = c & 1;
    int k = closer ? log10_three_quarters_pow2(q) : log10_pow2(q);
    int h = q + log2_pow10(-k) + 1;
    uint64_t g = power10[-k + 31];
    uint32_t lower = round_to_odd(g, (4 * c - 2 + (uint32_t)closer) << h) + open;
    uint32_t middle = round_to_odd(g, (4 * c) << h);
    uint32_t upper = round_to_odd(g, (4 * c + 2) << h) - open;
    uint32_t s = middle / 4;
    if (s >= 10) {
        uint32_t tens = s / 10;
        int below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *exponent = k + 1;
            return tens + (uint32_t)above;
        }
    }
    *exponent = k;
    int below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return s + (uint32_t)above;
    return s + (middle > 4 * s + 2 || (middle == 4 * s + 2 && (s & 1)));
}

static char *write_digits(uint32_t value, char *out) {
    char reversed[10];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n) *out++ = reversed[--n];
    return out;
}

char *ssdf_format_float(float value, char *out) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (bits >> 31) *out++ = '-';
    bits &= 0x7FFFFFFF;
    if (bits >= 0x7F800000) {
        memcpy(out, bits == 0x7F800000 ? "inf" : "nan", 3);
        return out + 3;
    }
    if (bits == 0) {
        *out++ = '0';
        return out;
    }
    int exponent;
    uint32_t digits = shortest(bits, &exponent);
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    char text[10];
    int count = (int)(write_digits(digits, text) - text);
    // Digits before the decimal point.
    int point = count + exponent;
    if (point > 9 || point < -4) {
        *out++ = text[0];
        if (count > 1) {
            *out++ = '.';
            memcpy(out, text + 1, (size_t)count - 1);
            out += count - 1;
        }
        *out++ = 'e';
        int scale = point - 1;
        if (scale < 0) {
            *out++ = '-';
            scale = -scale;
        }
        return write_digits((uint32_t)scale, out);
    }
    if (point <= 0) {
        memcpy(out, "0.0000", 6);
        out += 2 - point;
        memcpy(out, text, (size_t)count);
        return out + count;
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point) *out++ = '.';
        *out++ = i < count ? text[i] : '0';
    }
    return out;
}

size_t ssdf_format_points(const float *points, size_t count, const char *prefix, char *out) {
    char *start = out;
    size_t length = strlen(prefix);
    for (size_t i = 0; i < count; i++, points += 3) {
        memcpy(out, prefix, length);
        out += length;
        for (int axis = 0; axis < 3; axis++) {
            out = ssdf_format_float(points[axis], out);
            *out++ = axis < 2 ? ' ' : '\n';
        }
    }
    return (size_t)(out - start);
}

size_t ssdf_format_points_with_normals(const float *points, const float *normals, size_t count, char *out) {
    char *start = out;
    for (size_t i = 0; i < 3 * count; i += 3) {
        for (int axis = 0; axis < 6; axis++) {
            out = ssdf_format_float(axis < 3 ? points[i + (size_t)axis] : normals[i + (size_t)axis - 3], out);
            *out++ = axis < 5 ? ' ' : '\n';
        }
    }
    return (size_t)(out - start);
}

size_t ssdf_format_triangles(const uint32_t *triangles, size_t count, const char *prefix, uint32_t first, int doubled,
                             char *out) {
    char *start = out;
    size_t length = strlen(prefix);
    for (size_t i = 0; i < count; i++, triangles += 3) {
        memcpy(out, prefix, length);
        out += length;
        for (int corner = 0; corner < 3; corner++) {
            char *number = out;
            out = write_digits(triangles[corner] + first, out);
            if (doubled) {
                size_t digits = (size_t)(out - number);
                *out++ = '/';
                *out++ = '/';
                memcpy(out, number, digits);
                out += digits;
            }
            *out++ = corner < 2 ? ' ' : '\n';
        }
    }
    return (size_t)(out - start);
}
