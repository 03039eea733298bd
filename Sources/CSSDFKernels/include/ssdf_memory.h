// Large blocks of memory, in whole huge pages.
#ifndef SSDF_MEMORY_H
#define SSDF_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// A block of at least `bytes` bytes, aligned to pages; NULL when there is no room. `mapped` becomes its size, `zeroed`
// whether all of it is zeros: what is fresh from the system is, what was used before may not be.
void *_Nullable ssdf_map(size_t bytes, size_t *_Nonnull mapped, int *_Nonnull zeroed);

// Gives a block of `mapped` bytes back.
void ssdf_unmap(void *_Nonnull address, size_t mapped);

// Enlarges a block, moving its pages when it must; NULL when there is no room, and the block is as it was.
void *_Nullable ssdf_remap(void *_Nonnull address, size_t bytes, size_t *_Nonnull mapped);

// Between these two blocks that are given back are kept for the next request instead of going back to the system. The
// blocks mapped never exceed the most that were in use at one time. The last one to end gives back what is kept.
void ssdf_begin_keeping(void);
void ssdf_end_keeping(void);

// From now on blocks are kept, to the end of the program. With `heap`, what the C library's heap has free stays, too,
// which takes tens of megabytes more.
//
// For programs that do the same over and over on many threads: unmapping interrupts every processor that runs one of
// them, and a page that comes back must be cleared.
void ssdf_keep_memory(int heap);

// Bytes of blocks that are in use, and of those kept.
void ssdf_count_memory(size_t *_Nonnull used, size_t *_Nonnull kept);

#ifdef __cplusplus
}
#endif

#endif
