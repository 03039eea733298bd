// Sharp edges and corners for dual contouring, from more distances than those at a cell's own corners.
//
// Beside a crease the corners of a cell may all be nearest to one of its sides, or to the crease itself, and tell nothing
// of the other side. A few voxels on, on either side, distances are those from planes again. So the planes of the voxels
// within two or three of the cell are gathered into sides, and the points tried in which three or two of them meet. That
// such a point is one of the surface the distances tell themselves: none may be longer than the way there.
#include <string.h>

#include "extract_bricks.h"

#pragma clang fp contract(off)

// Voxels along a side of what a cell's search looks at, of those whose planes count, and of a brick with what all of its
// cells' searches look at.
enum { span = 8, sites = 6, wide = 16, most_sides = 8 };

// The values round a brick, voxels, and the planes that they tell of, found when first asked for.
typedef struct {
    double values[wide * wide * wide];
    float normals[wide * wide * wide][3];
    // 0 not asked for yet, 1 no plane, 2 a plane.
    uint8_t state[wide * wide * wide];
    size_t brick;  // and 1; 0 for none
} crease_cache;

size_t ssdf_extract_crease_cache_size(void) { return sizeof(crease_cache); }

typedef struct {
    double normal[3];  // a unit vector once gathered
    double offset;     // of the plane from the cell's lowest corner
    double weight;
    int count;
} side;

// How far a gradient's length may be off 1, and by how much values may miss its plane, voxels.
static const double exact = 0.02;
// Voxels around one, of 27, that must agree with its plane.
static const int agreeing = 13;
// Voxels that must tell of a side.
static const int witnesses = 6;
// Cosine of the angle up to which planes are of one side.
static const double same = 0.985;
// Sine of the least angle at which sides meet in a crease, and the least product of three of them.
static const double crossing = 0.3, corner = 0.1;
// By how much a distance may exceed the way to a point of the surface, voxels.
static const double slack = 0.02;

SSDF_INLINE double dot3(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

SSDF_INLINE void cross3(const double *a, const double *b, double *out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

SSDF_INLINE int place_of(int x, int y, int z) { return (x * wide + y) * wide + z; }

// Loads the values of a brick and of the four voxels around it.
static void load(crease_cache *cache, const extract_grid *grid, size_t brick, double step) {
    cache->brick = brick + 1;
    memset(cache->state, 0, sizeof cache->state);
    double scale = 1 / step;
    for (int i = 0; i < wide; ++i)
        for (int j = 0; j < wide; ++j)
            for (int part = 0; part < 3; ++part) {
                // Along z a row of the brick before, of this, of the next.
                int first = part == 0 ? 0 : part == 1 ? 4 : 12, last = part == 0 ? 4 : part == 1 ? 12 : 16;
                double *out = cache->values + place_of(i, j, 0);
                for (int k = first; k < last; ++k) out[k] = __builtin_inf();
                int x = i - 4, y = j - 4;
                intptr_t home = extract_brick_near(grid, brick, x, y, first - 4);
                if (home < 0) continue;
                uint64_t word = grid->active[8 * (size_t)home + (size_t)(x & 7)];
                int bit = (y & 7) << 3 | ((first - 4) & 7);
                if (!(word >> bit & ((1ULL << (last - first)) - 1))) continue;
                size_t row = extract_row(grid, (size_t)home, x & 7, bit);
                for (int k = first; k < last; ++k, ++bit)
                    if (word >> bit & 1) out[k] = extract_level(grid, grid->values[row++]) * scale;
            }
}

// The plane that the value at a site and those around it tell of. Returns how many agree with it.
static int plane_at_site(const double *block, int place, double *normal) {
    static const int stride[3] = {wide * wide, wide, 1};
    double value = block[place], difference[3][2];
    for (int d = 0; d < 3; ++d) {
        difference[d][0] = value - block[place - stride[d]];
        difference[d][1] = block[place + stride[d]] - value;
    }
    int best = 0;
    double least = exact;
    // Where the two differences are as good as one, either will do.
    int either = 0;
    for (int d = 0; d < 3; ++d) either |= (__builtin_fabs(difference[d][0] - difference[d][1]) < 1e-3) << (2 - d);
    for (int choice = 0; choice < 8; ++choice) {
        if (choice & either) continue;
        double g[3] = {difference[0][choice >> 2], difference[1][choice >> 1 & 1], difference[2][choice & 1]};
        double deviation = __builtin_fabs(__builtin_sqrt(dot3(g, g)) - 1);
        if (!(deviation < exact)) continue;
        int count = 0;
        for (int x = -1; x <= 1; ++x)
            for (int y = -1; y <= 1; ++y)
                for (int z = -1; z <= 1; ++z) {
                    double expected = value + g[0] * x + g[1] * y + g[2] * z;
                    count += __builtin_fabs(block[place + place_of(x, y, z)] - expected) < exact;
                }
        if (count < best || (count == best && deviation >= least)) continue;
        best = count;
        least = deviation;
        for (int d = 0; d < 3; ++d) normal[d] = g[d];
    }
    if (best) {
        double length = __builtin_sqrt(dot3(normal, normal));
        for (int d = 0; d < 3; ++d) normal[d] /= length;
    }
    return best;
}

// Gathers the planes near a cell into sides. Returns how many there are.
static int gather(crease_cache *cache, int home, const double *mean, side *sides) {
    int count = 0;
    for (int x = 1; x <= sites; ++x)
        for (int y = 1; y <= sites; ++y)
            for (int z = 1; z <= sites; ++z) {
                int place = home + place_of(x, y, z);
                double value = cache->values[place];
                if (!(__builtin_fabs(value) < 2.6) || cache->state[place] == 1) continue;
                double normal[3];
                if (!cache->state[place]) {
                    int is_plane = plane_at_site(cache->values, place, normal) >= agreeing;
                    cache->state[place] = is_plane ? 2 : 1;
                    if (!is_plane) continue;
                    for (int d = 0; d < 3; ++d) cache->normals[place][d] = (float)normal[d];
                }
                for (int d = 0; d < 3; ++d) normal[d] = (double)cache->normals[place][d];
                double site[3] = {x - 3, y - 3, z - 3}, away = 0;
                int is_near = 1;
                for (int d = 0; d < 3; ++d) {
                    double foot = site[d] - normal[d] * value;
                    is_near &= foot > -1.5 && foot < 2.5;
                    away += (foot - mean[d]) * (foot - mean[d]);
                }
                if (!is_near) continue;
                double offset = dot3(normal, site) - value, weight = 1 / (0.1 + away);
                int n = 0;
                for (; n < count; ++n) {
                    double size = __builtin_sqrt(dot3(sides[n].normal, sides[n].normal));
                    if (dot3(sides[n].normal, normal) > same * size) break;
                }
                if (n == count) {
                    if (count == most_sides) continue;
                    sides[count++] = (side){{0, 0, 0}, 0, 0, 0};
                }
                for (int d = 0; d < 3; ++d) sides[n].normal[d] += weight * normal[d];
                sides[n].offset += weight * offset;
                sides[n].weight += weight;
                ++sides[n].count;
            }
    int kept = 0;
    for (int n = 0; n < count; ++n) {
        if (sides[n].count < witnesses) continue;
        side s = sides[n];
        double size = __builtin_sqrt(dot3(s.normal, s.normal));
        for (int d = 0; d < 3; ++d) s.normal[d] /= size;
        s.offset /= s.weight;
        sides[kept++] = s;
    }
    return kept;
}

// Whether no distance around is longer than the way to a point.
static int is_on_surface(const double *block, const double *point) {
    for (int x = 0; x < span; ++x)
        for (int y = 0; y < span; ++y)
            for (int z = 0; z < span; ++z) {
                double value = __builtin_fabs(block[place_of(x, y, z)]);
                if (!(value < 4)) continue;
                double u = x - 3 - point[0], v = y - 3 - point[1], w = z - 3 - point[2];
                if (value > slack && u * u + v * v + w * w < (value - slack) * (value - slack)) return 0;
            }
    return 1;
}

// The point in which three sides meet. Returns 0 when they do not.
static int meet_three(const side *a, const side *b, const side *c, double *point) {
    double bc[3], ca[3], ab[3];
    cross3(b->normal, c->normal, bc);
    cross3(c->normal, a->normal, ca);
    cross3(a->normal, b->normal, ab);
    double product = dot3(a->normal, bc);
    if (__builtin_fabs(product) < corner) return 0;
    for (int d = 0; d < 3; ++d) point[d] = (a->offset * bc[d] + b->offset * ca[d] + c->offset * ab[d]) / product;
    return 1;
}

// The point nearest to `mean` of what of the line in which two sides meet is within a box. Returns 0 when nothing is.
static int meet_two(const side *a, const side *b, const double *mean, const double *low, const double *high,
                    double *point) {
    double along[3];
    cross3(a->normal, b->normal, along);
    double size = dot3(along, along);
    if (size < crossing * crossing) return 0;
    double cosine = dot3(a->normal, b->normal), p = a->offset - dot3(a->normal, mean), q = b->offset - dot3(b->normal, mean);
    double s = (p - cosine * q) / size, t = (q - cosine * p) / size;
    for (int d = 0; d < 3; ++d) point[d] = mean[d] + s * a->normal[d] + t * b->normal[d];
    double first = -__builtin_inf(), last = __builtin_inf();
    for (int d = 0; d < 3; ++d) {
        if (__builtin_fabs(along[d]) < 1e-9) {
            if (point[d] < low[d] || point[d] > high[d]) return 0;
            continue;
        }
        double u = (low[d] - point[d]) / along[d], v = (high[d] - point[d]) / along[d];
        double least = u < v ? u : v, most = u < v ? v : u;
        first = least > first ? least : first;
        last = most < last ? most : last;
    }
    if (first > last) return 0;
    double move = first > 0 ? first : last < 0 ? last : 0;
    for (int d = 0; d < 3; ++d) {
        double moved = point[d] + move * along[d];
        point[d] = moved < low[d] ? low[d] : moved > high[d] ? high[d] : moved;
    }
    return 1;
}

// A point of a side in the box from `margin` to 1 - `margin`, near `mean`. Returns 0 when there is none.
static int reach_side(const side *a, const double *mean, double margin, double *point) {
    for (int d = 0; d < 3; ++d) point[d] = mean[d];
    for (int round = 0; round < 30; ++round) {
        double off = dot3(a->normal, point) - a->offset;
        if (__builtin_fabs(off) < 1e-3) return 1;
        for (int d = 0; d < 3; ++d) {
            double moved = point[d] - off * a->normal[d];
            point[d] = moved < margin ? margin : moved > 1 - margin ? 1 - margin : moved;
        }
    }
    return 0;
}

SSDF_INLINE double square_to(const double *a, const double *b) {
    double d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    return dot3(d, d);
}

SSDF_INLINE void keep_nearest(struct ssdf_extract_crease *best, int rank, const double *point, const double *mean) {
    double way = square_to(point, mean);
    if (rank < best->rank || (rank == best->rank && way >= best->way)) return;
    best->rank = rank;
    best->way = way;
    for (int d = 0; d < 3; ++d) best->point[d] = point[d];
}

// Whether all corners of a cell are active and on one side of the surface.
static int is_empty(const double *block, int u, int v, int w) {
    int inside = 0;
    for (int k = 0; k < 8; ++k) {
        double value = block[place_of(3 + u + (k >> 2), 3 + v + (k >> 1 & 1), 3 + w + (k & 1))];
        if (!(value < __builtin_inf())) return 0;
        inside += value < 0;
    }
    return inside == 0 || inside == 8;
}

// Where two sides meet in the cell u, v, w from the vertex's.
static void meet_in(const double *block, const side *sides, int count, const double *mean, int u, int v, int w,
                    double margin, struct ssdf_extract_crease *best) {
    double low[3] = {u + margin, v + margin, w + margin}, point[3];
    double high[3] = {u + 1 - margin, v + 1 - margin, w + 1 - margin};
    for (int a = 0; a < count; ++a)
        for (int b = a + 1; b < count; ++b)
            if (meet_two(sides + a, sides + b, mean, low, high, point) && is_on_surface(block, point))
                keep_nearest(best, 2, point, mean);
}

static int is_within(const double *point, double low, double high) {
    return point[0] >= low && point[0] <= high && point[1] >= low && point[1] <= high && point[2] >= low &&
           point[2] <= high;
}

void ssdf_extract_crease(const struct ssdf_extract_grid *grid, size_t brick, int x, int y, int z, double step,
                         const double *mean, double margin, const double *old, void *cache,
                         struct ssdf_extract_crease *own, struct ssdf_extract_crease *beyond) {
    *own = *beyond = (struct ssdf_extract_crease){{0, 0, 0}, 0, 0};
    crease_cache *known = cache;
    if (known->brick != brick + 1) load(known, grid, brick, step);
    int home = place_of(x + 1, y + 1, z + 1);
    const double *block = known->values + home;
    side sides[most_sides];
    int count = gather(known, home, mean, sides);
    double point[3];
    for (int a = 0; a < count; ++a)
        for (int b = a + 1; b < count; ++b)
            for (int c = b + 1; c < count; ++c) {
                if (!meet_three(sides + a, sides + b, sides + c, point)) continue;
                if (!is_within(point, -1, 2) || !is_on_surface(block, point)) continue;
                keep_nearest(is_within(point, margin, 1 - margin) ? own : beyond, 3, point, mean);
            }
    if (own->rank < 3) meet_in(block, sides, count, mean, 0, 0, 0, margin, own);
    if (own->rank < 2 && beyond->rank < 3)
        for (int n = 0; n < 27; ++n) {
            int u = n / 9 - 1, v = n / 3 % 3 - 1, w = n % 3 - 1;
            if (n != 13 && is_empty(block, u, v, w)) meet_in(block, sides, count, mean, u, v, w, margin, beyond);
        }
    if (own->rank) return;
    // The sides meet in no point of the cell: it has pieces of them that are apart, and the vertex goes on one.
    double nearest = __builtin_inf();
    for (int a = 0; a < count; ++a) {
        double off = __builtin_fabs(dot3(sides[a].normal, old) - sides[a].offset);
        nearest = off < nearest ? off : nearest;
    }
    if (nearest < slack && is_on_surface(block, old)) return;
    for (int a = 0; a < count; ++a)
        if (reach_side(sides + a, mean, margin, point) && is_on_surface(block, point))
            keep_nearest(own, 1, point, mean);
}
