// Neighbours of the voxels of a sparse set: the pairs of a 3×3×3 submanifold convolution.
#ifndef SSDF_NEIGHBOURS_H
#define SSDF_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Voxels sorted into 4×4×4 blocks. Place in a block: x·16 + y·4 + z. `around` lists the 27 blocks around each block,
// (dx + 1)·9 + (dy + 1)·3 + dz + 1; absent ones are an empty block. `rows` is the row at each place, or −1.
struct ssdf_neighbour_table {
    const int32_t *_Nonnull block_of_row;
    const uint8_t *_Nonnull place_of_row;
    const int32_t *_Nonnull around;
    const int32_t *_Nonnull rows;
};

// Adds to counts[tap] the neighbours that rows first ..< first + count have at each of the 27 taps, tap
// (dx + 1) + 3·(dy + 1) + 9·(dz + 1).
void ssdf_count_neighbours(struct ssdf_neighbour_table table, size_t first, size_t count,
                           intptr_t *_Nonnull counts);

// Lists those neighbours: pairs of tap t go to inputs and outputs from starts[t] on, in ascending row; an output is
// counted from `first`.
void ssdf_list_neighbours(struct ssdf_neighbour_table table, size_t first, size_t count,
                          const intptr_t *_Nonnull starts, int32_t *_Nonnull inputs, uint16_t *_Nonnull outputs);

#ifdef __cplusplus
}
#endif

#endif
