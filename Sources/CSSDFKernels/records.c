#include "ssdf_records.h"

#include <math.h>
#include <string.h>

static inline uint32_t load(const uint8_t *p, int swap) {
    uint32_t word;
    memcpy(&word, p, 4);
    return swap ? __builtin_bswap32(word) : word;
}

size_t ssdf_first_beyond(const float *values, size_t count, float largest) {
    enum { BLOCK = 4096 };
    for (size_t start = 0; start < count; start += BLOCK) {
        size_t end = count - start < BLOCK ? count : start + BLOCK;
        int bad = 0;
        for (size_t i = start; i < end; i++) bad |= !(fabsf(values[i]) <= largest);
        if (!bad) continue;
        for (size_t i = start; i < end; i++) {
            if (!(fabsf(values[i]) <= largest)) return i;
        }
    }
    return count;
}

size_t ssdf_gather_points(const uint8_t *source, size_t count, size_t stride, size_t x, size_t y, size_t z, int swap,
                          float largest, float *out) {
    enum { BLOCK = 1024 };
    for (size_t start = 0; start < count; start += BLOCK) {
        size_t end = count - start < BLOCK ? count : start + BLOCK;
        float *block = out + 3 * start;
        size_t words = 3 * (end - start);
        const uint8_t *p = source + start * stride;
        if (stride == 12 && x == 0 && y == 4 && z == 8 && !swap) {
            memcpy(block, p, words * 4);
        } else {
            for (size_t i = 0; i < words; i += 3, p += stride) {
                uint32_t v[3] = {load(p + x, swap), load(p + y, swap), load(p + z, swap)};
                memcpy(block + i, v, 12);
            }
        }
        size_t bad = ssdf_first_beyond(block, words, largest);
        if (bad < words) return start + bad / 3;
    }
    return count;
}

size_t ssdf_gather_triangles(const uint8_t *source, size_t count, size_t stride, size_t prefix, int swap, uint32_t *out,
                             uint32_t *largest) {
    uint32_t a = *largest, b = a, c = a;
    const uint8_t *p = source + prefix;
    size_t i = 0;
    for (; i < count && *p == 3; i++, p += stride, out += 3) {
        uint32_t v[3] = {load(p + 1, swap), load(p + 5, swap), load(p + 9, swap)};
        a = v[0] > a ? v[0] : a;
        b = v[1] > b ? v[1] : b;
        c = v[2] > c ? v[2] : c;
        memcpy(out, v, 12);
    }
    a = a > b ? a : b;
    *largest = a > c ? a : c;
    return i;
}

void ssdf_scatter_triangles(const uint32_t *triangles, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++, triangles += 3, out += 13) {
        out[0] = 3;
        memcpy(out + 1, triangles, 12);
    }
}

void ssdf_scatter_facets(const float *positions, const uint32_t *triangles, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++, triangles += 3, out += 50) {
        float facet[12];
        for (int corner = 0; corner < 3; corner++) memcpy(facet + 3 + 3 * corner, positions + 3 * (size_t)triangles[corner], 12);
        const float *a = facet + 3, *b = facet + 6, *c = facet + 9;
        double u[3], v[3];
        for (int axis = 0; axis < 3; axis++) {
            u[axis] = (double)b[axis] - a[axis];
            v[axis] = (double)c[axis] - a[axis];
        }
        double x = u[1] * v[2] - u[2] * v[1], y = u[2] * v[0] - u[0] * v[2], z = u[0] * v[1] - u[1] * v[0];
        double length = sqrt(x * x + y * y + z * z);
        double scale = length > 0 && length <= 0x1p1000 ? 1 / length : 0;
        facet[0] = (float)(x * scale);
        facet[1] = (float)(y * scale);
        facet[2] = (float)(z * scale);
        memcpy(out, facet, 48);
        out[48] = out[49] = 0;
    }
}
