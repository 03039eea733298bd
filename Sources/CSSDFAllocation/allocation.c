#include "ssdf_allocation.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "ssdf_interrupt.h"

static _Atomic int ends = 0;

void ssdf_end_at_failed_allocations(void) { atomic_store(&ends, 1); }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

// glibc's own, by the names that it exports for replacements such as these.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static void *checked(void *memory, size_t bytes) {
    if (!memory && bytes > 0 && atomic_load_explicit(&ends, memory_order_relaxed)) ssdf_end_without_memory(bytes);
    return memory;
}

void *malloc(size_t bytes) { return checked(__libc_malloc(bytes), bytes); }

void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) total = SIZE_MAX;
    return checked(__libc_calloc(count, bytes), total);
}

void *realloc(void *memory, size_t bytes) { return checked(__libc_realloc(memory, bytes), bytes); }

void *aligned_alloc(size_t alignment, size_t bytes) { return checked(__libc_memalign(alignment, bytes), bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    void *found = checked(__libc_memalign(alignment, bytes), bytes);
    if (!found) return ENOMEM;
    *memory = found;
    return 0;
}

#endif
