// Masks of bricks. A band crosses a brick smoothly, so most rows of a mask equal the row before; only rows that differ
// are kept. An empty map with nothing after it would be an empty mask, which no brick has.
#include "ssdf_volume.h"

#include <string.h>

// A word is the eight rows of one x; byte y of the result is row y against the row before it.
static uint64_t differences(uint64_t word, uint64_t before) { return word ^ (word << 8) ^ (before & 255); }

size_t ssdf_masks_encode(const uint64_t *masks, size_t count, uint8_t *out) {
    uint8_t *const start = out;
    for (size_t b = 0; b < count; b++, masks += 8) {
        uint8_t rows[64];
        uint64_t before = 0, map = 0;
        for (int x = 0; x < 8; x++) {
            uint64_t d = differences(masks[x], before);
            before = masks[x];
            memcpy(rows + 8 * x, &d, 8);
        }
        uint8_t *at = out + 8;
        for (int i = 0; i < 64; i++) {
            *at = rows[i];
            at += rows[i] != 0;
            map |= (uint64_t)(rows[i] != 0) << i;
        }
        memcpy(out, &map, 8);
        out = at;
    }
    return (size_t)(out - start);
}

size_t ssdf_masks_decode(const uint8_t *bytes, size_t size, size_t count, uint64_t *masks) {
    size_t at = 0;
    for (size_t b = 0; b < count; b++, masks += 8) {
        if (size - at < 8) return 0;
        uint64_t map;
        memcpy(&map, bytes + at, 8);
        at += 8;
        if (size - at < (size_t)__builtin_popcountll(map)) return 0;
        uint8_t rows[64] = {0};
        for (; map; map &= map - 1) rows[__builtin_ctzll(map)] = bytes[at++];
        uint64_t before = 0;
        for (int x = 0; x < 8; x++) {
            uint64_t word;
            memcpy(&word, rows + 8 * x, 8);
            word ^= before & 255;
            word ^= word << 8;
            word ^= word << 16;
            word ^= word << 32;
            masks[x] = before = word;
        }
    }
    return at;
}
