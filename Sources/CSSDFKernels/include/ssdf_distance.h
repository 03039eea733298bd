// Point–triangle distances for narrow bands.
//
// A tile is a box of voxels with one local origin (its centre); everything here is in voxels relative to that origin,
// so that single precision suffices. A triangle enters a tile as a frame: the rotation that lays it flat, with the
// numbers of its three edges, all anchored at the point of the triangle's plane nearest to the tile's origin. A triangle
// a thousand times larger than the tile is therefore as accurate as a small one: what is large only ever bounds a clamp.
//
// Error: with tile coordinates up to E voxels, rounding contributes at most about 4·2^-24·E voxels to a distance; a tile
// of 32×32×64 voxels has E ≤ 40, so 1e-5 voxels, or 2e-8 of the cube [-1,1]³ at 1024 voxels a side and 6e-7 at 32.
#ifndef SSDF_DISTANCE_H
#define SSDF_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A tile: 4×4×8 bricks of 8³ voxels, its origin amid its voxels. Brick (x, y, z) is number (x·4 + y)·8 + z.
enum { SSDF_TILE_BRICKS = 128 };

// A triangle laid flat: x = u·p, y = v·p, z = n·p + plane, with edge 0 along +x and the triangle on its +y side.
struct ssdf_triangle_frame {
    float u[3], v[3], n[3];
    float plane;
    // Edge 0: runs from x = low0 to high0 at y = line0.
    float low0, high0, line0;
    // Edges 1 and 2: direction (ex, ey), the range of e·(x, y) they cover, and the offset that makes
    // ey·x - ex·y - line the outward distance from their line.
    float ex1, ey1, low1, high1, line1;
    float ex2, ey2, low2, high2, line2;
    // A point is over the face when all three outward distances are at most -margin: the rounding of those
    // distances, so that no point beyond a sharp corner ever counts as over the face.
    float margin;
};

// Frames of `count` triangles.
//   positions  [*, 3] packed; triangles [*, 3]; list [count] triangle numbers
//   affine     3×4 row-major, maps a position to tile coordinates; applied in double precision
//   extent     largest coordinate of a point that will be asked for, voxels (sets the margin)
//   frames     [count]
// Degenerate triangles (segments, points) become frames whose face is never hit and whose edges are right.
void ssdf_triangle_frames(const float *_Nonnull positions, const uint32_t *_Nonnull triangles,
                          const uint32_t *_Nonnull list, size_t count, const double affine[_Nonnull 12], float extent,
                          struct ssdf_triangle_frame *_Nonnull frames);

// Squared distances from one triangle to 16 points.
//   points [3][16]; squared [16]
void ssdf_frame_distances(const struct ssdf_triangle_frame *_Nonnull frame, const float *_Nonnull points,
                          float *_Nonnull squared);

// The bricks of a tile that triangles come within `limit` of.
//
// Writes one pair for each brick and triangle that may matter there: those whose distance from the brick's centre is at
// most limit + the brick's radius.
//   pair_brick, pair_frame, pair_squared [capacity]; pairs of one brick come in the order of the frames
//   nearest [SSDF_TILE_BRICKS] smallest squared distance of any triangle from each brick's centre; infinity when none
// Returns the number of pairs; when it exceeds capacity, the surplus was not written.
size_t ssdf_tile_pairs(const struct ssdf_triangle_frame *_Nonnull frames, size_t count, float limit, size_t capacity,
                       uint16_t *_Nonnull pair_brick, uint32_t *_Nonnull pair_frame, float *_Nonnull pair_squared,
                       float *_Nonnull nearest);

// Bytes of scratch that `ssdf_brick_distances` wants for `count` triangles.
size_t ssdf_brick_scratch(size_t count);

// Squared distances from the nearest of `count` triangles to the 512 voxels of a brick, where they are at most limit².
//   frames   [*]; list [count] which of them; brick: its number in the tile
//   squared  [512] in mask order (x·64 + y·8 + z); beyond limit² only known to be greater
//   active   [8] words: bit set where squared ≤ limit²
//   doubtful [8] words: bit set where squared is within rounding of limit², so that `active` is to be decided anew
// Returns whether any bit of `active` or `doubtful` is set.
int ssdf_brick_distances(const struct ssdf_triangle_frame *_Nonnull frames, const uint32_t *_Nonnull list, size_t count,
                         int brick, float limit, float tolerance, void *_Nonnull scratch,
                         float *_Nonnull squared, uint64_t *_Nonnull active, uint64_t *_Nonnull doubtful);

// The values of a brick's active voxels in mask order.
//   value = ±min(max(round(√squared · scale / quantum), 1), most)·quantum, or 0 where squared is 0; negative where `inside` is set
// `quantum` is a power of two. `values` must have room for 16 floats beyond the active ones.
// Returns the number of active voxels.
size_t ssdf_pack_distances(const float *_Nonnull squared, const uint64_t *_Nonnull active,
                           const uint64_t *_Nonnull inside, float scale, float quantum, float most, float *_Nonnull values);

// The same with a chosen instruction set (enum ssdf_isa), for tests; the machine must have it.
void ssdf_triangle_frames_isa(int isa, const float *_Nonnull positions, const uint32_t *_Nonnull triangles,
                              const uint32_t *_Nonnull list, size_t count, const double affine[_Nonnull 12],
                              float extent, struct ssdf_triangle_frame *_Nonnull frames);
int ssdf_brick_distances_isa(int isa, const struct ssdf_triangle_frame *_Nonnull frames,
                             const uint32_t *_Nonnull list, size_t count, int brick, float limit, float tolerance,
                             void *_Nonnull scratch, float *_Nonnull squared,
                             uint64_t *_Nonnull active, uint64_t *_Nonnull doubtful);
size_t ssdf_tile_pairs_isa(int isa, const struct ssdf_triangle_frame *_Nonnull frames, size_t count, float limit,
                           size_t capacity, uint16_t *_Nonnull pair_brick, uint32_t *_Nonnull pair_frame,
                           float *_Nonnull pair_squared, float *_Nonnull nearest);
size_t ssdf_pack_distances_isa(int isa, const float *_Nonnull squared, const uint64_t *_Nonnull active,
                               const uint64_t *_Nonnull inside, float scale, float quantum, float most, float *_Nonnull values);

#ifdef __cplusplus
}
#endif

#endif
