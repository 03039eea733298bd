// Passes 5 and 6 of marching cubes.
//
// Ambiguous faces are settled by the bilinear interpolant on the face (Nielson & Hamann, The Asymptotic Decider, 1991),
// with one formula over the face's corners in a fixed order, so that both cells at a face answer alike. Whether two
// pieces of the surface in a cell are one, a tunnel, is settled by the trilinear interpolant.
#include "extract_bricks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#pragma clang fp contract(off)

// Corners of the faces in ring order: lower lower, lower upper, upper upper, upper lower of the two other axes.
static const uint8_t face_corners[6][4] = {{0, 1, 3, 2}, {4, 5, 7, 6}, {0, 1, 5, 4}, {2, 3, 7, 6}, {0, 2, 6, 4}, {1, 3, 7, 5}};

// Whether the inside corners of an ambiguous face are joined: the interpolant at its saddle is inside.
static int joins_inside(const double *f, const uint8_t *corner) {
    double first = f[corner[0]] * f[corner[2]], second = f[corner[1]] * f[corner[3]];
    return f[corner[0]] < 0 ? first > second : second > first;
}

// Roots of q2·t² + q1·t + q0, both strictly between 0 and 1, or no answer (0).
static int roots_in_cell(double q2, double q1, double q0, double *low, double *high) {
    double discriminant = q1 * q1 - 4 * q2 * q0;
    if (!(discriminant > 0) || q2 == 0) return 0;
    double root = __builtin_sqrt(discriminant);
    double sum = -0.5 * (q1 < 0 ? q1 - root : q1 + root);
    if (sum == 0) return 0;
    double a = sum / q2, b = q0 / sum;
    *low = a < b ? a : b;
    *high = a < b ? b : a;
    return *low > 0 && *high < 1;
}

static double trilinear(const double *f, double u, double v, double w) {
    double a = f[0] + (f[4] - f[0]) * u, b = f[1] + (f[5] - f[1]) * u;
    double c = f[2] + (f[6] - f[2]) * u, d = f[3] + (f[7] - f[3]) * u;
    double e = a + (c - a) * v, g = b + (d - b) * v;
    return e + (g - e) * w;
}

// Whether the level set has a neck in the cell: 0 no, 1 around the inside, 2 around the outside.
//
// The level set of the trilinear interpolant contains straight lines parallel to the axes; they lie where a section
// across an axis degenerates to two crossing lines, which happens at two places at most along each axis. The six
// places bound a box, and the lines run along six of its edges as a closed hexagon (Grosso, Construction of
// Topologically Correct and Manifold Isosurfaces, 2016). The two corners that the hexagon misses tell what it bounds:
// with different signs a disk, with the same sign nothing within the box, so that the hexagon goes round a neck.
static int neck(const double *f) {
    double low[3], high[3];
    for (int d = 0; d < 3; ++d) {
        int s = 4 >> d, b = d == 0 ? 2 : 4, c = d == 2 ? 2 : 1;
        double a0 = f[0], b0 = f[c], c0 = f[b], d0 = f[b | c];
        double a1 = f[s] - a0, b1 = f[s | c] - b0, c1 = f[s | b] - c0, d1 = f[7] - d0;
        double q2 = a1 * d1 - b1 * c1, q1 = a0 * d1 + a1 * d0 - b0 * c1 - b1 * c0, q0 = a0 * d0 - b0 * c0;
        if (!roots_in_cell(q2, q1, q0, &low[d], &high[d])) return 0;
    }
    double best = -1;
    int answer = 0;
    for (int k = 0; k < 4; ++k) {
        double p = trilinear(f, low[0], k & 2 ? high[1] : low[1], k & 1 ? high[2] : low[2]);
        double q = trilinear(f, high[0], k & 2 ? low[1] : high[1], k & 1 ? low[2] : high[2]);
        double size = __builtin_fabs(p) + __builtin_fabs(q);
        if (size > best) {
            best = size;
            answer = p < 0 && q < 0 ? 1 : p > 0 && q > 0 ? 2 : 0;
        }
    }
    return answer;
}

static uint16_t case_of(const struct ssdf_extract_cases *table, unsigned pattern, const double *f) {
    unsigned answers = 0, question = 0;
    for (unsigned faces = table->ambiguous[pattern]; faces; faces &= faces - 1)
        answers |= (unsigned)joins_inside(f, face_corners[__builtin_ctz(faces)]) << question++;
    unsigned number = table->first_case[pattern] + 3 * answers;
    unsigned tunnels = table->cases[number].tunnels;
    if (tunnels) {
        int found = neck(f);
        if (found & (int)tunnels) number += (unsigned)found;
    }
    return (uint16_t)number;
}

uint16_t ssdf_extract_mc_case(const struct ssdf_extract_cases *table, const double *corners) {
    unsigned pattern = 0;
    for (int k = 0; k < 8; ++k) pattern |= (unsigned)(corners[k] < 0) << k;
    return case_of(table, pattern, corners);
}

// Looks at the values where the pattern alone does not decide.
static void settle(const extract_grid *grid, const struct ssdf_extract_cases *table, size_t brick,
                   const uint8_t *patterns, uint16_t *cases) {
    for (int x = 0; x < 8; ++x)
        for (uint64_t bits = grid->crossed[8 * brick + (size_t)x]; bits; bits &= bits - 1, ++patterns, ++cases) {
            if (!table->undecided[*patterns]) continue;
            double levels[8];
            extract_corner_levels(grid, brick, x, __builtin_ctzll(bits), levels);
            *cases = case_of(table, *patterns, levels);
        }
}

SSDF_INLINE void ssdf_extract_mc_cases_body(const extract_grid *grid, const struct ssdf_extract_cases *table,
                                            size_t first, size_t last, uint16_t *cases, uint32_t *triangle_count,
                                            uint32_t *center_count) {
    uint8_t patterns[512 + 8];
    for (size_t b = first; b < last; ++b) {
        uint32_t triangles = 0, centers = 0;
        uint32_t cells = grid->cell_base[b + 1] - grid->cell_base[b];
        uint16_t *out = cases + grid->cell_base[b];
        if (cells) {
            extract_planes inside;
            extract_planes_of(&inside, grid->inside, grid->next + 8 * b);
            extract_patterns(grid, &inside, b, patterns);
            unsigned open = 0;
            for (uint32_t i = 0; i < cells; ++i) {
                out[i] = table->first_case[patterns[i]];
                open |= table->undecided[patterns[i]];
            }
            if (open) settle(grid, table, b, patterns, out);
            for (uint32_t i = 0; i < cells; ++i) {
                triangles += table->cases[out[i]].triangles;
                centers += table->cases[out[i]].centers;
            }
        }
        triangle_count[b] = triangles;
        center_count[b] = centers;
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_mc_cases,
                  (const extract_grid *grid, const struct ssdf_extract_cases *table, size_t first, size_t last,
                   uint16_t *cases, uint32_t *triangle_count, uint32_t *center_count),
                  (grid, table, first, last, cases, triangle_count, center_count))

// The mean of the points on some edges of a cell; of normals, brought to unit length.
static void average(const float *points, const uint32_t *ids, unsigned ring, int unit, float *out) {
    double sum[3] = {0, 0, 0};
    for (unsigned edges = ring; edges; edges &= edges - 1)
        for (int c = 0; c < 3; ++c) sum[c] += points[3 * (size_t)ids[__builtin_ctz(edges)] + (size_t)c];
    double scale = __builtin_popcount(ring);
    if (unit) scale = __builtin_sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
    for (int c = 0; c < 3; ++c) out[c] = scale > 0 ? (float)(sum[c] / scale) : 0;
}

// What the triangles of one brick are made from and into.
typedef struct {
    const struct ssdf_extract_cases *table;
    const uint16_t *cases;     // of the brick's crossed cells
    const uint64_t *crossed;   // [8]
    const uint32_t *ids;       // [3, 729]
    uint32_t center;           // number of the brick's first vertex in a cell
    float *points;
    float *normals;
    uint32_t *triangles;
} brick_job;

// Makes the vertices in a cell and appends their numbers to those on its edges.
static void add_centers(brick_job *job, const struct ssdf_extract_case *entry, uint32_t *id) {
    for (int n = 0; n < entry->centers; ++n) {
        size_t place = 3 * (size_t)job->center;
        average(job->points, id, entry->rings[n], 0, job->points + place);
        if (job->normals) average(job->normals, id, entry->rings[n], 1, job->normals + place);
        id[12 + n] = job->center++;
    }
}

static void fill_brick(brick_job *job) {
    for (int x = 0; x < 8; ++x)
        for (uint64_t bits = job->crossed[x]; bits; bits &= bits - 1) {
            int bit = __builtin_ctzll(bits);
            const uint32_t *place = job->ids + 81 * x + bit + (bit >> 3);
            const struct ssdf_extract_case *entry = job->table->cases + *job->cases++;
            uint32_t id[16];
            for (int e = 0; e < 12; ++e) id[e] = place[729 * (e >> 2) + extract_edge_place[e]];
            if (entry->centers) add_centers(job, entry, id);
            const uint8_t *corner = job->table->corners + entry->first;
            for (int i = 0; i < 3 * entry->triangles; ++i) *job->triangles++ = id[corner[i]];
        }
}

#if defined(__x86_64__)
// All numbers of a cell in one register, all corners of up to five triangles in one permutation: no loop over triangles
// whose length the processor would have to guess.
SSDF_AVX512 static void fill_brick_avx512(brick_job *job) {
    const __m512i place = _mm512_setr_epi32(0, 1, 9, 10, 729, 730, 729 + 81, 729 + 82, 1458, 1458 + 9, 1458 + 81,
                                            1458 + 90, 0, 0, 0, 0);
    uint32_t *out = job->triangles;
    for (int x = 0; x < 8; ++x)
        for (uint64_t bits = job->crossed[x]; bits; bits &= bits - 1) {
            int bit = __builtin_ctzll(bits);
            const uint32_t *base = job->ids + 81 * x + bit + (bit >> 3);
            const struct ssdf_extract_case *entry = job->table->cases + *job->cases++;
            __m512i id = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), 0x0fff, place, base, 4);
            if (__builtin_expect(entry->centers != 0, 0)) {
                uint32_t ids[16];
                _mm512_storeu_si512(ids, id);
                add_centers(job, entry, ids);
                id = _mm512_loadu_si512(ids);
            }
            const uint8_t *corner = job->table->corners + entry->first;
            int count = 3 * entry->triangles;
            for (;;) {
                __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)corner));
                int now = count < 15 ? count : 15;
                _mm512_mask_storeu_epi32(out, (__mmask16)((1u << now) - 1), _mm512_permutexvar_epi32(index, id));
                out += now;
                if (__builtin_expect(count <= 15, 1)) break;
                count -= 15;
                corner += 15;
            }
        }
}
#endif

SSDF_INLINE void ssdf_extract_mc_triangles_body(const extract_grid *grid, const struct ssdf_extract_cases *table,
                                                size_t first, size_t last, const uint16_t *cases,
                                                const intptr_t *triangle_base, const uint32_t *center_base,
                                                float *points, float *normals, uint32_t *triangles) {
    extract_edge_ids ids = {{{0}}};
    uint32_t point_count = grid->edge_base[grid->count];
    for (size_t b = first; b < last; ++b) {
        if (grid->cell_base[b] == grid->cell_base[b + 1]) continue;
        extract_edge_ids_of(&ids, grid, b);
        brick_job job = {table,  cases + grid->cell_base[b], grid->crossed + 8 * b, ids.at[0], point_count + center_base[b],
                         points, normals,                    triangles + 3 * triangle_base[b]};
#if defined(__x86_64__)
        if (grid->isa == SSDF_ISA_AVX512) {
            fill_brick_avx512(&job);
            continue;
        }
#endif
        fill_brick(&job);
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_mc_triangles,
                  (const extract_grid *grid, const struct ssdf_extract_cases *table, size_t first, size_t last,
                   const uint16_t *cases, const intptr_t *triangle_base, const uint32_t *center_base, float *points,
                   float *normals, uint32_t *triangles),
                  (grid, table, first, last, cases, triangle_base, center_base, points, normals, triangles))
