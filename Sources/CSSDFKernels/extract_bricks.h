// What the passes of surface extraction share: shifted masks, ranks and values of voxels.
#ifndef SSDF_EXTRACT_BRICKS_H
#define SSDF_EXTRACT_BRICKS_H

#include "ssdf_extract.h"
#include "ssdf_kernels.h"

// One body, compiled once for each instruction set and chosen by grid->isa. Every processor with AVX2 and FMA, which
// is what SSDF_ISA_AVX2 asks for, has the bit instructions named here.
#if defined(__x86_64__)
#define SSDF_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define SSDF_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,lzcnt,popcnt")))
#define SSDF_EXTRACT_PASS(NAME, PARAMETERS, ARGUMENTS)                             \
    static void NAME##_scalar PARAMETERS { NAME##_body ARGUMENTS; }                \
    SSDF_AVX2 static void NAME##_avx2 PARAMETERS { NAME##_body ARGUMENTS; }        \
    SSDF_AVX512 static void NAME##_avx512 PARAMETERS { NAME##_body ARGUMENTS; }    \
    void NAME PARAMETERS {                                                         \
        if (grid->isa == SSDF_ISA_AVX512)                                          \
            NAME##_avx512 ARGUMENTS;                                               \
        else if (grid->isa == SSDF_ISA_AVX2)                                       \
            NAME##_avx2 ARGUMENTS;                                                 \
        else                                                                       \
            NAME##_scalar ARGUMENTS;                                               \
    }
#else
#define SSDF_EXTRACT_PASS(NAME, PARAMETERS, ARGUMENTS) \
    void NAME PARAMETERS { NAME##_body ARGUMENTS; }
#endif

#define SSDF_INLINE static inline __attribute__((always_inline))

typedef struct ssdf_extract_grid extract_grid;

// z < 7, and z = 0, in a word of bits y·8+z.
#define EXTRACT_LOW_Z 0x7f7f7f7f7f7f7f7fULL
#define EXTRACT_FIRST_Z 0x0101010101010101ULL

// Bits of the voxels at x = 0…8 of a brick and its neighbours, at four offsets: [dy·2+dz][x] holds bit (y, z) of the
// voxel (x, y + dy, z + dz). Neighbours that are missing count as 0.
typedef struct {
    uint64_t at[4][9];
} extract_planes;

SSDF_INLINE void extract_planes_of(extract_planes *planes, const uint64_t *masks, const int32_t *next) {
    uint64_t raw[4][9];
    for (int n = 0; n < 4; ++n) {
        int32_t own = next[n], beyond = next[4 + n];
        for (int x = 0; x < 8; ++x) raw[n][x] = own >= 0 ? masks[8 * (size_t)own + x] : 0;
        raw[n][8] = beyond >= 0 ? masks[8 * (size_t)beyond] : 0;
    }
    for (int x = 0; x < 9; ++x) {
        uint64_t here = raw[0][x], z = raw[1][x];
        uint64_t up = here >> 8 | raw[2][x] << 56;
        uint64_t up_z = z >> 8 | raw[3][x] << 56;
        planes->at[0][x] = here;
        planes->at[1][x] = (here >> 1 & EXTRACT_LOW_Z) | (z & EXTRACT_FIRST_Z) << 7;
        planes->at[2][x] = up;
        planes->at[3][x] = (up >> 1 & EXTRACT_LOW_Z) | (up_z & EXTRACT_FIRST_Z) << 7;
    }
}

// The same towards lower coordinates: [dy·2+dz][1 + x] holds bit (y, z) of the cell (x, y - dy, z - dz), x = -1…7.
SSDF_INLINE void extract_planes_before(extract_planes *planes, const uint64_t *masks, const int32_t *previous) {
    uint64_t raw[4][9];
    for (int n = 0; n < 4; ++n) {
        int32_t own = previous[n], beyond = previous[4 + n];
        raw[n][0] = beyond >= 0 ? masks[8 * (size_t)beyond + 7] : 0;
        for (int x = 0; x < 8; ++x) raw[n][1 + x] = own >= 0 ? masks[8 * (size_t)own + x] : 0;
    }
    for (int x = 0; x < 9; ++x) {
        uint64_t here = raw[0][x], z = raw[1][x];
        uint64_t down = here << 8 | raw[2][x] >> 56;
        uint64_t down_z = z << 8 | raw[3][x] >> 56;
        planes->at[0][x] = here;
        planes->at[1][x] = (here << 1 & ~EXTRACT_FIRST_Z) | (z >> 7 & EXTRACT_FIRST_Z);
        planes->at[2][x] = down;
        planes->at[3][x] = (down << 1 & ~EXTRACT_FIRST_Z) | (down_z >> 7 & EXTRACT_FIRST_Z);
    }
}

// Patterns of a brick's crossed cells, in order: bit k is set when corner k is inside. inside: planes of the inside
// masks. patterns has room for 8 more than there are cells.
void extract_patterns(const extract_grid *grid, const extract_planes *inside, size_t brick, uint8_t *patterns);

// Row of an active voxel.
SSDF_INLINE size_t extract_row(const extract_grid *grid, size_t brick, int x, int bit) {
    const uint64_t *words = grid->active + 8 * brick;
    size_t row = (size_t)grid->offset[brick];
    for (int w = 0; w < x; ++w) row += (size_t)__builtin_popcountll(words[w]);
    return row + (size_t)__builtin_popcountll(words[x] & ((1ULL << bit) - 1));
}

// The brick of the voxel at (x, y, z) relative to a brick, each in -8…15, or -1 when there is none.
SSDF_INLINE intptr_t extract_brick_near(const extract_grid *grid, size_t brick, int x, int y, int z) {
    int low = (x < 0) << 2 | (y < 0) << 1 | (z < 0);
    int high = (x > 7) << 2 | (y > 7) << 1 | (z > 7);
    int32_t home = (int32_t)brick;
    if (high) home = grid->next[8 * brick + (size_t)high];
    if (low && home >= 0) home = grid->previous[8 * (size_t)home + (size_t)low];
    if (home < 0 && low && high) {
        // Going up first led nowhere; the other way round may lead there.
        home = grid->previous[8 * brick + (size_t)low];
        if (home >= 0) home = grid->next[8 * (size_t)home + (size_t)high];
    }
    return home;
}

// Row of such a voxel, or -1 when it is not active.
SSDF_INLINE intptr_t extract_row_near(const extract_grid *grid, size_t brick, int x, int y, int z) {
    intptr_t home = extract_brick_near(grid, brick, x, y, z);
    if (home < 0) return -1;
    int bit = (y & 7) << 3 | (z & 7);
    if (!(grid->active[8 * (size_t)home + (size_t)(x & 7)] >> bit & 1)) return -1;
    return (intptr_t)extract_row(grid, (size_t)home, x & 7, bit);
}

// A value relative to the level, negative inside.
SSDF_INLINE double extract_level(const extract_grid *grid, float value) {
    return grid->above ? grid->iso - (double)value : (double)value - grid->iso;
}

// Levels at the corners of a complete cell.
SSDF_INLINE void extract_corner_levels(const extract_grid *grid, size_t brick, int x, int bit, double *levels) {
    for (int k = 0; k < 8; ++k) {
        int cx = x + (k >> 2), cy = (bit >> 3) + (k >> 1 & 1), cz = (bit & 7) + (k & 1);
        int over = (cx >> 3) << 2 | (cy >> 3) << 1 | cz >> 3;
        size_t home = (size_t)grid->next[8 * brick + (size_t)over];
        size_t row = extract_row(grid, home, cx & 7, (cy & 7) << 3 | (cz & 7));
        levels[k] = extract_level(grid, grid->values[row]);
    }
}

// The values of a brick, spread out: dense[x·64 + bit]. Those of inactive voxels are unspecified.
void ssdf_extract_spread(const extract_grid *grid, size_t brick, float *dense);

// Numbers of the points on edges with lower ends at x, y, z in 0…8: ids[d][x·81 + y·9 + z]. Where the surface crosses
// no edge the number is unspecified.
typedef struct {
    uint32_t at[3][729];
} extract_edge_ids;

SSDF_INLINE void extract_edge_ids_of(extract_edge_ids *ids, const extract_grid *grid, size_t brick) {
    for (int n = 0; n < 8; ++n) {
        int32_t home = grid->next[8 * brick + (size_t)n];
        if (home < 0) continue;
        uint32_t base = grid->edge_base[home];
        int words = n & 4 ? 1 : 8;
        uint64_t wanted = (n & 2 ? 0xffULL : ~0ULL) & (n & 1 ? EXTRACT_FIRST_Z : ~0ULL);
        int start = (n >> 2) * 648 + (n >> 1 & 1) * 72 + (n & 1) * 8;
        for (int d = 0; d < 3; ++d) {
            if (n & 4 >> d) continue;  // no cell here has an edge that starts beyond its brick and leads on
            const uint64_t *edges = grid->edges + 24 * (size_t)home + 8 * d;
            const uint16_t *rank = grid->edge_rank + 24 * (size_t)home + 8 * d;
            for (int x = 0; x < words; ++x) {
                uint64_t all = edges[x];
                uint32_t *out = ids->at[d] + start + 81 * x;
                for (uint64_t bits = all & wanted; bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits);
                    out[bit + (bit >> 3)] =
                        base + rank[x] + (uint32_t)__builtin_popcountll(all & ((1ULL << bit) - 1));
                }
            }
        }
    }
}

// Position in such a table of edge e of the cell at 0: the corner it starts from.
static const uint16_t extract_edge_place[12] = {0, 1, 9, 10, 0, 1, 81, 82, 0, 9, 81, 90};

#endif
