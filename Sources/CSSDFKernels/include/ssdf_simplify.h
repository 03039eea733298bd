// Quadric simplification of one block of a mesh.
#ifndef SSDF_SIMPLIFY_H
#define SSDF_SIMPLIFY_H

#include <stddef.h>
#include <stdint.h>

#include "ssdf_triangle_bvh.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ssdf_simplify_flags {
    SSDF_VERTEX_LOCKED = 1,    // does not move and is in no collapse
    SSDF_VERTEX_BORDER = 2,    // on an open border
    SSDF_VERTEX_REMOVED = 4,   // collapsed into another
    SSDF_VERTEX_BORDERED = 8,  // its quadric holds its border edges
    SSDF_VERTEX_SOUND = 16,    // its neighbourhood has been seen to be a disc or a half disc, which collapses keep
};

enum ssdf_simplify_marks {
    SSDF_MARK_CHANGED = 1,  // out: a triangle at it has changed in this call
    SSDF_MARK_THIN = 2,     // out: a collapse at it was refused for the shape of a triangle
    SSDF_MARK_DUE = 4,      // in: with a bound, edges are tried at such vertices; cleared
    SSDF_MARK_DOUBT = 8,    // two bits, 0 … 3: `farthest` is a quarter as much for each; of two vertices the greater stays
    SSDF_MARK_CARE = 32,    // three bits, 0 … 7: `most` is a quarter as much for each; of two vertices the greater stays
};

// A vertex of a mesh that is being simplified: one cache line.
//
// The quadric is written around the vertex's own position p: error(p + y) = yᵀ A y + 2 b·y + c. Its numbers are then as
// small as the distances it measures, and single precision is enough wherever the mesh lies.
struct ssdf_simplify_vertex {
    float position[3];
    float a[6];         // A: xx xy xz yy yz zz
    float b[3];
    float c;
    uint32_t changed;   // scratch: when it last took part in a collapse
    uint32_t outgoing;  // scratch: a half-edge that leaves it
    uint16_t valence;   // triangles around it, those of other blocks included
    uint8_t flags;      // enum ssdf_simplify_flags
    uint8_t marks;      // enum ssdf_simplify_marks
};

// What holds collapses to a distance from the original: the original, and samples of it that are listed at faces.
// Everything is in the coordinates of the block's vertices.
struct ssdf_simplify_bound {
    const struct ssdf_bvh *_Nonnull tree;  // the original
    const float *_Nonnull samples;         // [sample_count, 3] of the original
    uint32_t *_Nonnull face;               // [sample_count] in and out: a triangle of the block near each sample
    uint32_t *_Nonnull next;               // [sample_count] scratch
    uint32_t *_Nonnull first;              // [triangle_count] scratch
    uint32_t sample_count;
    float most;     // squared distance
    float spacing;  // of samples on faces, which are looked for in the tree
};

struct ssdf_simplify_block {
    struct ssdf_simplify_vertex *_Nonnull vertices;  // [vertex_count]
    uint32_t *_Nonnull triangles;                    // [triangle_count, 3], block-local; survivors are moved to the front
    uint32_t *_Nonnull parent;                       // [vertex_count] out: the vertex each one became part of, or itself
    uint32_t *_Nonnull scratch;                      // ssdf_simplify_scratch(vertex_count, triangle_count) words
    uint32_t vertex_count;
    uint32_t triangle_count;   // in and out
    uint32_t least_triangles;  // no collapse starts with this many triangles or fewer
    float threshold;           // collapses cost at most this (weight · squared distance)
    float farthest;            // collapses cost at most this for each unit of weight: a mean of squared distances
    float sharp_cosine;        // edges by angles of a greater cosine are flipped in the end where that costs little; 1: none
    struct ssdf_simplify_bound *_Nullable bound;  // what collapses may not exceed; flips are not held to it
    float least_shape;         // a triangle may not fall below this shape (0 … 1, equilateral) unless it improves
    // out: the highest cost paid, and how many collapses were refused by topology, by flipped or thin triangles and by the
    // bound
    float highest;
    uint32_t refused_topology;
    uint32_t refused_shape;
    uint32_t refused_distance;
};

// Words of scratch memory for a block.
size_t ssdf_simplify_scratch(uint32_t vertex_count, uint32_t triangle_count);

// Adds the plane quadrics of triangles [count, 3] to their vertices. Weight: the square root of twice the area, which
// holds the middle between counting planes (best for the largest error) and areas (best for the mean).
void ssdf_simplify_add_planes(
    struct ssdf_simplify_vertex *_Nonnull vertices, const uint32_t *_Nonnull triangles, size_t count);

// Collapses edges in order of cost until the threshold or the count is reached.
//
// A vertex takes part when it is not locked; its triangles must all be in the block. Vertices whose neighbourhood is
// not a disc or a half disc are locked here. Every collapse keeps the link condition, so that a 2-manifold stays one
// with the same topology, and turns no triangle over.
//
// With a bound, no collapse takes a sample of the original farther from the faces around than that, nor a sample of one of
// these faces from the original. Where the place of least cost fails, the ends of the edge are tried.
//
// With a sharp cosine below 1, edges are flipped where that makes the smallest angle of two triangles larger and moves the
// surface about as little as the collapses have; triangles without area go so before anything else.
//
// Order: a queue of buckets, four to a factor of two in cost, first in first out; a cost that has grown stale is found
// again when its turn comes. Everything is decided by the block's content alone.
void ssdf_simplify_block(struct ssdf_simplify_block *_Nonnull block);

#ifdef __cplusplus
}
#endif

#endif
