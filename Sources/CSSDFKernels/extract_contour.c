// Pass 6 of dual contouring: the planes that the surface follows near each of its pieces (Ju et al., Dual Contouring of
// Hermite Data, 2002).
//
// The paper has exact crossings and normals; a volume has distances alone. But a distance with its gradient is a plane:
// the one through the nearest point of the surface. It is exact wherever the surface is flat, also right beside a sharp
// edge, where crossings interpolated between two distances are off by a good part of a voxel. What remains is to take
// the gradient on one side of the creases that distances have inside convex edges and outside concave ones: of the eight
// choices of a forward or backward difference along each axis the one is taken whose length is nearest to 1, as that of
// a true distance is, and whose plane most of the voxels around agree with. The fewer do, the less it is trusted.
#include "extract_bricks.h"

#pragma clang fp contract(off)

typedef struct {
    double normal[3];
    double distance;  // voxels, negative inside
    double weight;
    int is_known;
    int is_bent;  // whether differences forward and backward are far apart
} plane;

// Deviation of a gradient's length from 1 at which a plane's weight has fallen to a half.
static const double doubtful = 0.02;

// How far forward and backward differences may be apart, each, for the surface to pass as smooth.
static const double smooth = 0.1;

// How far apart they are, one of them, where the surface has a sharp edge nearby.
static const double bent = 0.35;

// Trust in a gradient whose length is off by so much.
SSDF_INLINE double confidence(double deviation) { return 1 / (1 + deviation * deviation / (doubtful * doubtful)); }

// Differences to the values of the 27 voxels around one, in voxels; those of inactive voxels are infinite.
SSDF_INLINE void values_around(const extract_grid *grid, size_t brick, int x, int y, int z, double value, double scale,
                               double *around) {
    for (int k = 0; k < 27; ++k) {
        intptr_t row = extract_row_near(grid, brick, x + k / 9 - 1, y + k / 3 % 3 - 1, z + k % 3 - 1);
        around[k] = row >= 0 ? (extract_level(grid, grid->values[row]) - value) * scale : __builtin_inf();
    }
}

// Trust in a gradient by the number of voxels around, of 27, that a linear function with it gives the values of. Right
// beside the edge of a box 13 agree with the plane of a side, and at most 8 with one that mixes two sides up.
SSDF_INLINE double support(const double *gradient, const double *around) {
    int count = 0;
    for (int k = 0; k < 27; ++k) {
        double expected = gradient[0] * (k / 9 - 1) + gradient[1] * (k / 3 % 3 - 1) + gradient[2] * (k % 3 - 1);
        count += __builtin_fabs(around[k] - expected) < doubtful;
    }
    return count >= 12 ? 1 : count > 8 ? (count - 8) / 4.0 : 0;
}

SSDF_INLINE plane plane_at(const extract_grid *grid, size_t brick, int x, int y, int z, double step) {
    plane result = {{0, 0, 0}, 0, 0, 1, 0};
    intptr_t here = extract_row_near(grid, brick, x, y, z);
    double value = extract_level(grid, grid->values[here]);
    double scale = step > 0 ? 1 / step : 1;
    double difference[3][2];
    int is_smooth = 1;
    for (int d = 0; d < 3; ++d) {
        int dx = d == 0, dy = d == 1, dz = d == 2;
        intptr_t low = extract_row_near(grid, brick, x - dx, y - dy, z - dz);
        intptr_t high = extract_row_near(grid, brick, x + dx, y + dy, z + dz);
        double backward = low >= 0 ? (value - extract_level(grid, grid->values[low])) * scale : 0;
        double forward = high >= 0 ? (extract_level(grid, grid->values[high]) - value) * scale : 0;
        difference[d][0] = low >= 0 ? backward : forward;
        difference[d][1] = high >= 0 ? forward : backward;
        double gap = __builtin_fabs(difference[d][1] - difference[d][0]);
        if (gap > smooth) is_smooth = 0;
        if (gap > bent) result.is_bent = 1;
    }
    double length = 0;
    if (is_smooth || step <= 0) {
        for (int d = 0; d < 3; ++d) result.normal[d] = (difference[d][0] + difference[d][1]) / 2;
        length = __builtin_sqrt(result.normal[0] * result.normal[0] + result.normal[1] * result.normal[1] +
                                result.normal[2] * result.normal[2]);
        result.weight = step > 0 ? confidence(length - 1) : 1;
    } else {
        double around[27];
        int is_filled = 0;
        for (int choice = 0; choice < 8; ++choice) {
            double g[3] = {difference[0][choice >> 2], difference[1][choice >> 1 & 1], difference[2][choice & 1]};
            double size = __builtin_sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]);
            double weight = confidence(size - 1);
            if (weight * (1 + 1e-3) <= result.weight) continue;
            if (!is_filled) values_around(grid, brick, x, y, z, value, scale, around);
            is_filled = 1;
            weight *= support(g, around) + 1e-3;
            if (weight <= result.weight) continue;
            result.weight = weight;
            length = size;
            for (int d = 0; d < 3; ++d) result.normal[d] = g[d];
        }
    }
    if (!(length > 1e-30)) return result;
    for (int d = 0; d < 3; ++d) result.normal[d] /= length;
    // A true distance is what it is; anything else is brought to voxels by its own gradient.
    result.distance = step > 0 ? value * scale : value / length;
    return result;
}

// How far outside a cell, in voxels, a nearest point may lie and still count as within.
static const double slack = 0.05;

SSDF_INLINE void add_plane(double *ata, double *atb, const plane *p, double offset) {
    const double *g = p->normal;
    for (int c = 0; c < 3; ++c) atb[c] += p->weight * g[c] * offset;
    ata[0] += p->weight * g[0] * g[0];
    ata[1] += p->weight * g[0] * g[1];
    ata[2] += p->weight * g[0] * g[2];
    ata[3] += p->weight * g[1] * g[1];
    ata[4] += p->weight * g[1] * g[2];
    ata[5] += p->weight * g[2] * g[2];
}

SSDF_INLINE void ssdf_extract_contour_body(const extract_grid *grid, const struct ssdf_extract_pieces *table,
                                           size_t first, size_t last, const uint16_t *kinds,
                                           const uint32_t *vertex_base, double step, uint32_t *cell_vertex,
                                           struct ssdf_extract_system *systems) {
    plane planes[729];
    for (size_t b = first; b < last; ++b) {
        if (grid->cell_base[b] == grid->cell_base[b + 1]) continue;
        for (int i = 0; i < 729; ++i) planes[i].is_known = 0;
        uint32_t vertex = vertex_base[b];
        size_t cell = grid->cell_base[b];
        for (int x = 0; x < 8; ++x)
            for (uint64_t bits = grid->crossed[8 * b + (size_t)x]; bits; bits &= bits - 1, ++cell) {
                int bit = __builtin_ctzll(bits), y = bit >> 3, z = bit & 7;
                size_t kind = kinds[cell];
                cell_vertex[cell] = vertex;
                double level[8];
                extract_corner_levels(grid, b, x, bit, level);
                for (int n = 0; n < table->count[kind]; ++n, ++vertex) {
                    struct ssdf_extract_system *system = systems + (vertex - vertex_base[first]);
                    unsigned edges = table->edges[4 * kind + (size_t)n], corners = 0;
                    double mean[3] = {0, 0, 0};
                    for (unsigned rest = edges; rest; rest &= rest - 1) {
                        int e = __builtin_ctz(rest), d = e >> 2, j = e & 3;
                        int low = d == 0 ? j : d == 1 ? (j & 2) << 1 | (j & 1) : j << 1, high = low | 4 >> d;
                        double t = level[low] / (level[low] - level[high]);
                        mean[0] += (low >> 2) + (d == 0 ? t : 0);
                        mean[1] += (low >> 1 & 1) + (d == 1 ? t : 0);
                        mean[2] += (low & 1) + (d == 2 ? t : 0);
                        corners |= 1u << low | 1u << high;
                    }
                    for (int c = 0; c < 3; ++c) {
                        mean[c] /= __builtin_popcount(edges);
                        system->mean[c] = mean[c];
                        system->cell[c] = 8 * grid->position[3 * b + (size_t)c] + (c == 0 ? x : c == 1 ? y : z);
                        system->atb[c] = system->near_atb[c] = 0;
                    }
                    for (int c = 0; c < 6; ++c) system->ata[c] = system->near_ata[c] = 0;
                    system->btb = 0;
                    system->brick = (int32_t)b;
                    system->is_alone = table->count[kind] == 1;
                    system->is_bent = 0;
                    for (; corners; corners &= corners - 1) {
                        int k = __builtin_ctz(corners), u = k >> 2, v = k >> 1 & 1, w = k & 1;
                        plane *p = planes + 81 * (x + u) + 9 * (y + v) + z + w;
                        if (!p->is_known) *p = plane_at(grid, b, x + u, y + v, z + w, step);
                        const double *g = p->normal;
                        double offset = g[0] * (u - mean[0]) + g[1] * (v - mean[1]) + g[2] * (w - mean[2]) - p->distance;
                        add_plane(system->ata, system->atb, p, offset);
                        system->btb += p->weight * offset * offset;
                        system->is_bent |= p->is_bent;
                        double foot[3] = {u - g[0] * p->distance, v - g[1] * p->distance, w - g[2] * p->distance};
                        int is_near = 1;
                        for (int c = 0; c < 3; ++c) is_near &= foot[c] > -slack && foot[c] < 1 + slack;
                        if (is_near) add_plane(system->near_ata, system->near_atb, p, offset);
                    }
                }
            }
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_contour,
                  (const extract_grid *grid, const struct ssdf_extract_pieces *table, size_t first, size_t last,
                   const uint16_t *kinds, const uint32_t *vertex_base, double step, uint32_t *cell_vertex,
                   struct ssdf_extract_system *systems),
                  (grid, table, first, last, kinds, vertex_base, step, cell_vertex, systems))
