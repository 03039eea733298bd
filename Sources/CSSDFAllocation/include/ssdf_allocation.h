// Allocations that end the program, in one line, rather than fail.
#ifndef SSDF_ALLOCATION_H
#define SSDF_ALLOCATION_H

#ifdef __cplusplus
extern "C" {
#endif

// From now on a malloc, calloc, realloc, posix_memalign or aligned_alloc of this program, or of any library beneath it, that
// the system cannot serve ends the program by ssdf_end_without_memory. Who calls them otherwise answers failure by
// aborting after lines of its own, as the run times of Swift and of C++ do, or not at all.
//
// A program that links this target has these functions from here, where the C library is glibc and no sanitizer has
// replaced them already; until this is called they do what the C library's do.
void ssdf_end_at_failed_allocations(void);

#ifdef __cplusplus
}
#endif

#endif
