// Isotropic remeshing: the passes over a triangle mesh whose connectivity changes.
#ifndef SSDF_ISOTROPIC_H
#define SSDF_ISOTROPIC_H

#include <stddef.h>
#include <stdint.h>

#include "ssdf_triangle_bvh.h"

#ifdef __cplusplus
extern "C" {
#endif

// What may happen to a vertex.
enum ssdf_isotropic_rank {
    SSDF_RANK_FREE = 0,    // moves on the surface
    SSDF_RANK_CREASE = 1,  // on a crease or a border: moves along it
    SSDF_RANK_FIXED = 2,   // an end, a branching or a bend of creases: stays
};

// Half-edge 4t + i leaves corner i of triangle t; UINT32_MAX stands for none. The fourth place of each triangle is
// unused. Edges without a twin are borders, which are creases. All lengths are in the mesh's unit.
struct ssdf_isotropic {
    float *_Nonnull positions;     // [vertex_capacity, 3]
    uint32_t *_Nonnull outgoing;   // [vertex_capacity] at a border the half-edge that has no twin; none: unused vertex
    uint32_t *_Nonnull valence;    // [vertex_capacity] triangles around each
    uint32_t *_Nonnull mark;       // [vertex_capacity] scratch
    float *_Nonnull scratch;       // [vertex_capacity]
    uint8_t *_Nonnull rank;        // [vertex_capacity] enum ssdf_isotropic_rank
    uint32_t *_Nonnull corner;     // [4 · triangle_capacity] the vertex a half-edge leaves, or none: triangle gone
    uint32_t *_Nonnull twin;       // [4 · triangle_capacity]
    uint8_t *_Nonnull crease;      // [4 · triangle_capacity] equal on both halves
    uint32_t vertex_count, vertex_capacity;
    uint32_t triangle_count, triangle_capacity;
    uint32_t marker;
    float length;                  // the edge length to come to
    int locks_borders;             // whether border edges and their vertices stay as they are
};

// Pairs the half-edges of corner [4 · triangle_count], finds creases and ranks.
//
// Edges whose faces turn by more than the angle of cosine `crease_cosine` are creases. Of these, twigs
// and connected sets shorter than five edge lengths are taken for noise, unless they border a hole. The mesh must be an oriented manifold: no edge has
// two half-edges of one direction and every vertex has one fan. Returns 0 where it is not. chain [4 · triangle_count] is
// scratch.
int ssdf_isotropic_connect(struct ssdf_isotropic *_Nonnull m, float crease_cosine, uint32_t *_Nonnull chain);

// Splits edges longer than 4/3 of the length in the middle, until none is left. Returns 0 when the room is used up
// first: the caller gives more and calls again.
int ssdf_isotropic_split(struct ssdf_isotropic *_Nonnull m);

// Collapses edges shorter than 4/5 of the length, where that keeps the topology, turns no triangle over and makes no edge
// longer than 4/3. One sweep. Returns the number of collapses.
uint32_t ssdf_isotropic_collapse(struct ssdf_isotropic *_Nonnull m);

// Flips inner edges that are no creases: toward valence six (four at borders), or, with `by_angle`, wherever the
// smallest of the six angles grows. One sweep. Returns the number of flips.
uint32_t ssdf_isotropic_flip(struct ssdf_isotropic *_Nonnull m, int by_angle);

// What vertices are put back on.
struct ssdf_isotropic_input {
    const struct ssdf_bvh *_Nonnull surface;
    const struct ssdf_bvh *_Nonnull creases;  // triangles without area
};

// Mends triangles with an angle whose cosine is greater than `sharp_cosine`: flips their edges and moves their vertices on
// the surface and along creases, as long as that makes the worst angle around better. Angles below 25.5° between two creases
// at a fixed vertex are given by the input and do not count; then such vertices are moved on between their creases, up to a
// twentieth of the length away from them, where that opens the angle so far. Returns how many such triangles are left.
uint32_t ssdf_isotropic_mend(
    struct ssdf_isotropic *_Nonnull m, float sharp_cosine, const struct ssdf_isotropic_input *_Nonnull input);

// Drops what has gone; vertices and triangles keep their order.
void ssdf_isotropic_compact(struct ssdf_isotropic *_Nonnull m);

// Where vertices begin ..< end would like to be: free ones at the mean of the triangles around them, by area, within their
// tangent plane; crease ones halfway between their neighbours on the crease; fixed ones where they are.
// targets [end - begin, 3].
void ssdf_isotropic_relax(
    const struct ssdf_isotropic *_Nonnull m, uint32_t begin, uint32_t end, float *_Nonnull targets);

#ifdef __cplusplus
}
#endif

#endif
