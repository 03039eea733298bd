// The passes of surface extraction, straight off the bricks of a sparse volume.
//
// A brick has 8×8×8 voxels; voxel (x, y, z) is bit y·8+z of its word x. A cell is named by its lowest corner, an edge by
// its lower end and its direction (0 x, 1 y, 2 z). Corner k of a cell is the one at +(k>>2, k>>1&1, k&1). Edge 4·d+j of a
// cell runs in direction d from the corner whose other two offsets are the bits of j, the earlier axis first. Face 2·a+s
// is the one across axis a, at the lower (s = 0) or upper side.
//
// The passes run in the order below, each over any ranges of bricks in parallel: a pass writes only what belongs to the
// bricks of its range and reads what earlier passes wrote. Between passes the caller turns counts into offsets. What is
// written does not depend on the ranges, nor on the instruction set.
#ifndef SSDF_EXTRACT_H
#define SSDF_EXTRACT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A volume under extraction.
struct ssdf_extract_grid {
    // Bricks, ascending.
    size_t count;
    const int32_t *_Nonnull position;  // [count, 3], in bricks
    const uint64_t *_Nonnull active;   // [count, 8]
    const intptr_t *_Nonnull offset;   // [count + 1] row of a brick's first value
    const float *_Nonnull values;      // [rows], those of a brick's active voxels in bit order
    // The level; a voxel is inside when its value is below it (or, with `above`, when its value is above it).
    double iso;
    int above;
    // enum ssdf_isa: the bodies to run; nothing above ssdf_isa().
    int isa;
    // Pass 0: the brick at +(k>>2, k>>1&1, k&1) and at the opposite offset; -1 where there is none.
    int32_t *_Nonnull next;      // [count, 8]
    int32_t *_Nonnull previous;  // [count, 8], filled with -1 by the caller
    // Pass 1: active voxels that are inside.
    uint64_t *_Nonnull inside;  // [count, 8]
    // Pass 2: cells whose eight corners are active, and those among them that the surface crosses.
    uint64_t *_Nonnull complete;     // [count, 8]
    uint64_t *_Nonnull crossed;      // [count, 8]
    uint32_t *_Nonnull cell_count;   // [count] crossed cells
    // Pass 3: edges that the surface crosses and that belong to at least one complete cell.
    uint64_t *_Nonnull edges;        // [count, 3, 8]
    uint16_t *_Nonnull edge_rank;    // [count, 3, 8] edges of the brick before that word
    uint32_t *_Nonnull edge_count;   // [count]
    // Made by the caller from the counts.
    const uint32_t *_Nonnull cell_base;  // [count + 1]
    const uint32_t *_Nonnull edge_base;  // [count + 1] number of the first point on a brick's edges
};

// Pass 0 for bricks first..<last: `next`, and `previous` of the bricks found.
void ssdf_extract_neighbors(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last);

// Pass 1. Returns the row of the first value that is not finite, or -1.
intptr_t ssdf_extract_classify(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last);

// Pass 2.
void ssdf_extract_cells(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last);

// Pass 3.
void ssdf_extract_edges(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last);

// Pass 4: the points where the surface crosses the edges, mapped to the output's coordinates.
// map: row-major 3×4. margin: a point stays this share of its edge away from both ends, so that points of different
// edges differ. points: [edge_base[count], 3].
void ssdf_extract_points(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last,
                         const double *_Nonnull map, double margin, float *_Nonnull points);

// Unit normals at those points: the volume's gradient, which is taken by central differences (one-sided where the band
// ends) at both ends of the edge and interpolated, then mapped by map (row-major 3×3). normals: [edge_base[count], 3].
void ssdf_extract_normals(const struct ssdf_extract_grid *_Nonnull grid, size_t first, size_t last,
                          const double *_Nonnull map, double margin, float *_Nonnull normals);

// How one case of marching cubes is covered with triangles.
struct ssdf_extract_case {
    uint32_t first;      // index of the first corner of its triangles in `corners`
    uint8_t triangles;   // their number
    uint8_t centers;     // vertices inside the cell, 0 or more
    uint8_t tunnels;     // bit 0: an inside tunnel is possible, bit 1: an outside one; then an interior test decides
    uint8_t unused;
    uint16_t rings[4];   // edges around each centre vertex, as bits
};

// The cases of marching cubes. Case number of a pattern (bit k: corner k is inside):
// first_case[pattern] + 3·(answers of the pattern's ambiguous faces, as bits in face order) + (0 no, 1 inside, 2 outside
// tunnel); an answer is 1 when the inside corners are joined across the face.
struct ssdf_extract_cases {
    const struct ssdf_extract_case *_Nonnull cases;
    const uint8_t *_Nonnull corners;         // edge 0…11, or 12 + number of a centre vertex; 16 bytes more at the end
    const uint16_t *_Nonnull first_case;     // [256]
    const uint8_t *_Nonnull ambiguous;       // [256] bit f: face f is ambiguous
    const uint8_t *_Nonnull undecided;       // [256] nonzero when the pattern alone does not decide the case
};

// Pass 5 of marching cubes: the case of every crossed cell, and how much a brick's cells add.
// cases_out: [cell_base[count]]; triangle_count, center_count: [count].
void ssdf_extract_mc_cases(const struct ssdf_extract_grid *_Nonnull grid, const struct ssdf_extract_cases *_Nonnull table,
                           size_t first, size_t last, uint16_t *_Nonnull cases_out, uint32_t *_Nonnull triangle_count,
                           uint32_t *_Nonnull center_count);

// Pass 6: triangles, and the vertices inside cells, which are numbered from edge_base[count].
// triangle_base, center_base: [count + 1] made from the counts; points (and normals, if not null):
// [edge_base[count] + center_base[count], 3], the edges' part read, the centres' part written;
// triangles: [triangle_base[count], 3].
void ssdf_extract_mc_triangles(const struct ssdf_extract_grid *_Nonnull grid,
                               const struct ssdf_extract_cases *_Nonnull table, size_t first, size_t last,
                               const uint16_t *_Nonnull cases, const intptr_t *_Nonnull triangle_base,
                               const uint32_t *_Nonnull center_base, float *_Nonnull points,
                               float *_Nullable normals, uint32_t *_Nonnull triangles);

// The case that values at the corners of one cell (relative to the level, negative inside) lead to.
uint16_t ssdf_extract_mc_case(const struct ssdf_extract_cases *_Nonnull table, const double *_Nonnull corners);

// The pieces of the surface in a cell, by pattern, or 256 + pattern where the ambiguous face that a piece passes twice
// is crossed the other way.
struct ssdf_extract_pieces {
    const uint8_t *_Nonnull count;         // [512]
    const uint8_t *_Nonnull piece_of;      // [512, 12] the piece that passes an edge
    const uint16_t *_Nonnull edges;        // [512, 4] the edges a piece passes, as bits
    const uint8_t *_Nonnull doubled_face;  // [256] the face that one piece passes twice, or 255
};

// Pass 5 of the dual methods: the kind of every crossed cell (an index into the pieces), and how many vertices and
// quadrilaterals a brick adds. kinds: [cell_base[count]]; vertex_count, quad_count: [count].
void ssdf_extract_dual_cells(const struct ssdf_extract_grid *_Nonnull grid,
                             const struct ssdf_extract_pieces *_Nonnull table, size_t first, size_t last,
                             uint16_t *_Nonnull kinds, uint32_t *_Nonnull vertex_count, uint32_t *_Nonnull quad_count);

// Pass 6: every cell's first vertex, and vertices in the middle of the points that their pieces pass through; with
// unit, directions brought to unit length instead. vertex_base: [count + 1]; cell_vertex: [cell_base[count]];
// points: [edge_base[count], 3]; vertices: [vertex_base[count], 3].
void ssdf_extract_dual_vertices(const struct ssdf_extract_grid *_Nonnull grid,
                                const struct ssdf_extract_pieces *_Nonnull table, size_t first, size_t last,
                                const uint16_t *_Nonnull kinds, const uint32_t *_Nonnull vertex_base, int unit,
                                const float *_Nonnull points, uint32_t *_Nonnull cell_vertex,
                                float *_Nonnull vertices);

// Pass 7: for each crossed edge with four complete cells a quadrilateral of their vertices, cut along the diagonal that
// leaves the better of the worse triangles; where two opposite vertices alone are on a sharp edge, between them.
// quad_base: [count + 1]; ranks: [vertices] 2 and more for those on edges; triangles: [2 · quad_base[count], 3].
void ssdf_extract_dual_triangles(const struct ssdf_extract_grid *_Nonnull grid,
                                 const struct ssdf_extract_pieces *_Nonnull table, size_t first, size_t last,
                                 const uint16_t *_Nonnull kinds, const uint32_t *_Nonnull cell_vertex,
                                 const intptr_t *_Nonnull quad_base, int flip, const float *_Nonnull vertices,
                                 const uint8_t *_Nullable ranks, uint32_t *_Nonnull triangles);

// Numbers that describe the vertex of one piece for dual contouring, in voxels from the cell's lowest corner.
struct ssdf_extract_system {
    double ata[6];       // normal equations of the planes, relative to `mean`: xx xy xz yy yz zz
    double atb[3];
    double btb;          // weighted squares of the planes' distances from `mean`
    double near_ata[6];  // of those alone that touch the surface in the cell: their nearest point of it lies there
    double near_atb[3];
    double mean[3];      // the mean of the points on the piece's edges
    int32_t cell[3];     // the cell, in voxels
    int32_t brick;       // the brick that it is in
    int32_t is_alone;    // whether the piece is the only one of its cell
    int32_t is_bent;     // whether the surface bends sharply near one of its corners
};

// Pass 6 of dual contouring: for every piece the planes that the values at its edges' ends tell of, gathered into
// normal equations; and every cell's first vertex.
// step: by how much the value changes a voxel along its gradient (the voxel size, for distances), or 0 when that is not
// known. systems: [vertex_base[last] - vertex_base[first]].
void ssdf_extract_contour(const struct ssdf_extract_grid *_Nonnull grid, const struct ssdf_extract_pieces *_Nonnull table,
                          size_t first, size_t last, const uint16_t *_Nonnull kinds,
                          const uint32_t *_Nonnull vertex_base, double step, uint32_t *_Nonnull cell_vertex,
                          struct ssdf_extract_system *_Nonnull systems);

// A point of a sharp edge (rank 2), a corner (3), or a side (1); rank 0 for none.
struct ssdf_extract_crease {
    double point[3];  // in voxels from the cell's lowest corner
    double way;       // square of its distance from the mean of the piece's points
    int rank;
};

size_t ssdf_extract_crease_cache_size(void);

// What the distances of the voxels within two or three of a cell tell of sharp edges and corners near it.
// x, y, z: the cell in its brick; mean: of the piece's points; margin: how far inside the cell points must be.
// old: where the vertex is without this: when it is on the surface and no edge passes, own has rank 0.
// own: the best point in the cell; beyond: the best in the cells around. Only for true distances, step > 0.
// cache: ssdf_extract_crease_cache_size() bytes, zeros at first, for one grid: what the last brick's voxels told.
void ssdf_extract_crease(const struct ssdf_extract_grid *_Nonnull grid, size_t brick, int x, int y, int z, double step,
                         const double *_Nonnull mean, double margin, const double *_Nonnull old, void *_Nonnull cache,
                         struct ssdf_extract_crease *_Nonnull own, struct ssdf_extract_crease *_Nonnull beyond);

#ifdef __cplusplus
}
#endif

#endif
