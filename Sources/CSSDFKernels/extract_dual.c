// Passes 5 to 7 of the dual methods: a vertex for each piece of the surface in a cell, a quadrilateral for each edge.
#include "extract_bricks.h"

#pragma clang fp contract(off)

// Pattern of the cell at (x, y, z) relative to a brick, each in -1…8, or -1 when it is not complete.
static int pattern_near(const extract_grid *grid, size_t brick, int x, int y, int z) {
    int low = (x < 0) << 2 | (y < 0) << 1 | (z < 0);
    int high = (x > 7) << 2 | (y > 7) << 1 | (z > 7);
    int32_t home = low ? grid->previous[8 * brick + (size_t)low] : grid->next[8 * brick + (size_t)high];
    if (home < 0) return -1;
    x &= 7, y &= 7, z &= 7;
    if (!(grid->complete[8 * (size_t)home + (size_t)x] >> (8 * y + z) & 1)) return -1;
    int pattern = 0;
    for (int k = 0; k < 8; ++k) {
        int cx = x + (k >> 2), cy = y + (k >> 1 & 1), cz = z + (k & 1);
        size_t corner = (size_t)grid->next[8 * (size_t)home + (size_t)((cx >> 3) << 2 | (cy >> 3) << 1 | cz >> 3)];
        pattern |= (int)(grid->inside[8 * corner + (size_t)(cx & 7)] >> ((cy & 7) << 3 | (cz & 7)) & 1) << k;
    }
    return pattern;
}

// Whether the cells on both sides of the face that a piece of this one passes twice have such a piece there: their two
// vertices would be joined by two edges of the mesh, which four triangles share.
static int is_flipped(const extract_grid *grid, const struct ssdf_extract_pieces *table, size_t brick, int x, int bit,
                      unsigned pattern) {
    int face = table->doubled_face[pattern];
    int step = face & 1 ? 1 : -1;
    int across = pattern_near(grid, brick, x + (face >> 1 == 0 ? step : 0), (bit >> 3) + (face >> 1 == 1 ? step : 0),
                              (bit & 7) + (face >> 1 == 2 ? step : 0));
    return across >= 0 && table->doubled_face[across] == (face ^ 1);
}

// Edges of a brick in direction d, word x, whose four cells are complete.
SSDF_INLINE uint64_t enclosed(const extract_grid *grid, const extract_planes *cell, size_t brick, int d, int x) {
    uint64_t edges = grid->edges[24 * brick + (size_t)(8 * d + x)];
    if (d == 0) return edges & cell->at[0][1 + x] & cell->at[1][1 + x] & cell->at[2][1 + x] & cell->at[3][1 + x];
    if (d == 1) return edges & cell->at[0][1 + x] & cell->at[1][1 + x] & cell->at[0][x] & cell->at[1][x];
    return edges & cell->at[0][1 + x] & cell->at[2][1 + x] & cell->at[0][x] & cell->at[2][x];
}

SSDF_INLINE void ssdf_extract_dual_cells_body(const extract_grid *grid, const struct ssdf_extract_pieces *table,
                                              size_t first, size_t last, uint16_t *kinds, uint32_t *vertex_count,
                                              uint32_t *quad_count) {
    uint8_t patterns[512 + 8];
    for (size_t b = first; b < last; ++b) {
        uint32_t vertices = 0, quads = 0;
        if (grid->cell_base[b] != grid->cell_base[b + 1]) {
            uint16_t *out = kinds + grid->cell_base[b];
            extract_planes inside;
            extract_planes_of(&inside, grid->inside, grid->next + 8 * b);
            extract_patterns(grid, &inside, b, patterns);
            const uint8_t *pattern = patterns;
            for (int x = 0; x < 8; ++x)
                for (uint64_t bits = grid->crossed[8 * b + (size_t)x]; bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits);
                    unsigned kind = *pattern++;
                    if (table->doubled_face[kind] != 255 && is_flipped(grid, table, b, x, bit, kind)) kind += 256;
                    vertices += table->count[kind];
                    *out++ = (uint16_t)kind;
                }
        }
        if (grid->edge_base[b] != grid->edge_base[b + 1]) {
            extract_planes cell;
            extract_planes_before(&cell, grid->complete, grid->previous + 8 * b);
            for (int d = 0; d < 3; ++d)
                for (int x = 0; x < 8; ++x) quads += (uint32_t)__builtin_popcountll(enclosed(grid, &cell, b, d, x));
        }
        vertex_count[b] = vertices;
        quad_count[b] = quads;
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_dual_cells,
                  (const extract_grid *grid, const struct ssdf_extract_pieces *table, size_t first, size_t last,
                   uint16_t *kinds, uint32_t *vertex_count, uint32_t *quad_count),
                  (grid, table, first, last, kinds, vertex_count, quad_count))

SSDF_INLINE void ssdf_extract_dual_vertices_body(const extract_grid *grid, const struct ssdf_extract_pieces *table,
                                                 size_t first, size_t last, const uint16_t *kinds,
                                                 const uint32_t *vertex_base, int unit, const float *points,
                                                 uint32_t *cell_vertex, float *vertices) {
    extract_edge_ids ids = {{{0}}};
    for (size_t b = first; b < last; ++b) {
        if (grid->cell_base[b] == grid->cell_base[b + 1]) continue;
        extract_edge_ids_of(&ids, grid, b);
        uint32_t vertex = vertex_base[b];
        size_t cell = grid->cell_base[b];
        for (int x = 0; x < 8; ++x)
            for (uint64_t bits = grid->crossed[8 * b + (size_t)x]; bits; bits &= bits - 1, ++cell) {
                int bit = __builtin_ctzll(bits);
                int place = 81 * x + bit + (bit >> 3);
                size_t kind = kinds[cell];
                cell_vertex[cell] = vertex;
                for (int n = 0; n < table->count[kind]; ++n, ++vertex) {
                    double sum[3] = {0, 0, 0}, scale = 0;
                    for (unsigned edges = table->edges[4 * kind + (size_t)n]; edges; edges &= edges - 1) {
                        int e = __builtin_ctz(edges);
                        const float *p = points + 3 * (size_t)ids.at[e >> 2][place + extract_edge_place[e]];
                        for (int c = 0; c < 3; ++c) sum[c] += p[c];
                        scale += 1;
                    }
                    if (unit) scale = __builtin_sqrt(sum[0] * sum[0] + sum[1] * sum[1] + sum[2] * sum[2]);
                    for (int c = 0; c < 3; ++c)
                        vertices[3 * (size_t)vertex + (size_t)c] = scale > 0 ? (float)(sum[c] / scale) : 0;
                }
            }
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_dual_vertices,
                  (const extract_grid *grid, const struct ssdf_extract_pieces *table, size_t first, size_t last,
                   const uint16_t *kinds, const uint32_t *vertex_base, int unit, const float *points,
                   uint32_t *cell_vertex, float *vertices),
                  (grid, table, first, last, kinds, vertex_base, unit, points, cell_vertex, vertices))

// Numbers of the cells at -1…7 of a brick, [x+1][y+1][z+1]; unspecified where none is crossed.
SSDF_INLINE void cell_numbers(uint32_t *numbers, const extract_grid *grid, size_t brick) {
    for (int n = 0; n < 7; ++n) {
        int32_t home = grid->previous[8 * brick + (size_t)n];
        if (home < 0) continue;
        uint32_t number = grid->cell_base[home];
        uint64_t wanted = (n & 2 ? 0xffULL << 56 : ~0ULL) & (n & 1 ? EXTRACT_FIRST_Z << 7 : ~0ULL);
        for (int x = 0; x < 8; ++x) {
            uint64_t all = grid->crossed[8 * (size_t)home + (size_t)x];
            if (!(n & 4) || x == 7) {
                for (uint64_t bits = all & wanted; bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits);
                    int px = n & 4 ? 0 : x + 1, py = n & 2 ? 0 : (bit >> 3) + 1, pz = n & 1 ? 0 : (bit & 7) + 1;
                    numbers[81 * px + 9 * py + pz] =
                        number + (uint32_t)__builtin_popcountll(all & ((1ULL << bit) - 1));
                }
            }
            number += (uint32_t)__builtin_popcountll(all);
        }
    }
}

// Shape of a triangle, larger is better: the square of its area over that of its squared sides' sum.
SSDF_INLINE double shape(const float *a, const float *b, const float *c) {
    double u[3], v[3], sides = 0;
    for (int i = 0; i < 3; ++i) {
        u[i] = (double)b[i] - a[i];
        v[i] = (double)c[i] - a[i];
        double w = v[i] - u[i];
        sides += u[i] * u[i] + v[i] * v[i] + w * w;
    }
    double x = u[1] * v[2] - u[2] * v[1], y = u[2] * v[0] - u[0] * v[2], z = u[0] * v[1] - u[1] * v[0];
    return (x * x + y * y + z * z) / (sides * sides);
}

// Triangles thinner than this are not worth a sharp edge.
static const double thinnest = 1e-5;

// Where the four cells around an edge are, relative to its lower end, and which of their edges it is: counter-clockwise
// seen from the edge's upper end, the first behind along both other axes.
static const struct {
    uint8_t place[4];
    uint8_t edge[4];
} around[3] = {
    {{81, 90, 91, 82}, {3, 1, 0, 2}},
    {{9, 10, 91, 90}, {7, 6, 4, 5}},
    {{1, 82, 91, 10}, {11, 9, 8, 10}},
};

SSDF_INLINE void ssdf_extract_dual_triangles_body(const extract_grid *grid, const struct ssdf_extract_pieces *table,
                                                  size_t first, size_t last, const uint16_t *kinds,
                                                  const uint32_t *cell_vertex, const intptr_t *quad_base, int flip,
                                                  const float *vertices, const uint8_t *ranks,
                                                  uint32_t *triangles) {
    uint32_t numbers[729] = {0};
    for (size_t b = first; b < last; ++b) {
        if (quad_base[b] == quad_base[b + 1]) continue;
        cell_numbers(numbers, grid, b);
        extract_planes cell;
        extract_planes_before(&cell, grid->complete, grid->previous + 8 * b);
        uint32_t *out = triangles + 6 * quad_base[b];
        for (int d = 0; d < 3; ++d)
            for (int x = 0; x < 8; ++x) {
                uint64_t inside = grid->inside[8 * b + (size_t)x];
                for (uint64_t bits = enclosed(grid, &cell, b, d, x); bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits);
                    int place = 81 * x + bit + (bit >> 3);
                    uint32_t quad[4];
                    // The positive side is at the upper end when the lower end is inside.
                    int turn = (int)(~inside >> bit & 1) ^ flip;
                    for (int k = 0; k < 4; ++k) {
                        uint32_t number = numbers[place + around[d].place[k]];
                        quad[turn ? 3 - k : k] =
                            cell_vertex[number] + table->piece_of[12 * (size_t)kinds[number] + around[d].edge[k]];
                    }
                    const float *p = vertices + 3 * (size_t)quad[0], *q = vertices + 3 * (size_t)quad[1];
                    const float *r = vertices + 3 * (size_t)quad[2], *s = vertices + 3 * (size_t)quad[3];
                    double a = shape(p, q, r), a2 = shape(p, r, s), c = shape(p, q, s), c2 = shape(q, r, s);
                    double one = a < a2 ? a : a2, two = c < c2 ? c : c2;
                    int other = two > one;
                    if (ranks) {
                        int on = 0;
                        for (int k = 0; k < 4; ++k) on |= (ranks[quad[k]] > 1) << k;
                        if ((on == 5 && one > thinnest) || (on == 10 && two > thinnest)) other = on == 10;
                    }
                    out[0] = quad[0], out[1] = quad[1], out[2] = quad[other ? 3 : 2];
                    out[3] = quad[other ? 1 : 0], out[4] = quad[2], out[5] = quad[3];
                    out += 6;
                }
            }
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_dual_triangles,
                  (const extract_grid *grid, const struct ssdf_extract_pieces *table, size_t first, size_t last,
                   const uint16_t *kinds, const uint32_t *cell_vertex, const intptr_t *quad_base, int flip,
                   const float *vertices, const uint8_t *ranks, uint32_t *triangles),
                  (grid, table, first, last, kinds, cell_vertex, quad_base, flip, vertices, ranks, triangles))
