#define _GNU_SOURCE
#include "ssdf_memory.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { PAGE_BITS = 21, FINE = 16, STEPS = 8, LEVELS = 64 - PAGE_BITS, CLASSES = FINE + STEPS * LEVELS };

// What a block says of itself while nobody uses it: the next of its class.
struct block {
    struct block *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block *kept[CLASSES];
static size_t used_bytes, kept_bytes, most_bytes;
static int keepers;

// Sizes are counted in huge pages, exactly below sixteen and from there in eighths of a power of two, so that nearly
// equal requests share blocks. Pages beyond the request are never touched.
static size_t class_of(size_t pages) {
    if (pages < FINE) return pages;
    unsigned level = 63 - (unsigned)__builtin_clzll(pages);
    size_t step = (size_t)1 << (level - 3);
    // The next power of two begins the next level.
    return FINE + STEPS * (level - 4) + (pages - ((size_t)1 << level) + step - 1) / step;
}

static size_t pages_of(size_t class) {
    if (class < FINE) return class;
    size_t level = 4 + (class - FINE) / STEPS;
    return ((size_t)STEPS + (class - FINE) % STEPS) << (level - 3);
}

static size_t pages_for(size_t bytes) {
    return bytes / ((size_t)1 << PAGE_BITS) + (bytes % ((size_t)1 << PAGE_BITS) != 0);
}

static struct block *take(size_t class) {
    struct block *block = kept[class];
    if (!block) return NULL;
    kept[class] = block->next;
    kept_bytes -= pages_of(class) << PAGE_BITS;
    return block;
}

// With the lock held: withdraws blocks until no more than `most` bytes are kept; the largest go first, as they are the
// fewest.
static struct block *withdraw(size_t most) {
    struct block *gone = NULL;
    for (size_t class = CLASSES; class-- > 0 && kept_bytes > most;) {
        struct block *block;
        while (kept_bytes > most && (block = take(class))) {
            // The size, in the place of the pointer that is needed no more, follows it.
            ((size_t *)block)[1] = pages_of(class) << PAGE_BITS;
            block->next = gone;
            gone = block;
        }
    }
    return gone;
}

// With the lock held: `bytes` more are about to be in use. Blocks are withdrawn so that what is mapped stays below the most
// that was ever in use.
static struct block *make_room(size_t bytes) {
    used_bytes += bytes;
    if (used_bytes > most_bytes) most_bytes = used_bytes;
    return withdraw(most_bytes - used_bytes);
}

static void give_back(struct block *gone) {
    while (gone) {
        struct block *next = gone->next;
        munmap(gone, ((size_t *)gone)[1]);
        gone = next;
    }
}

void *ssdf_map(size_t bytes, size_t *mapped, int *zeroed) {
    if (bytes > SIZE_MAX / 4) return NULL;
    size_t first = class_of(pages_for(bytes ? bytes : 1)), size = pages_of(first) << PAGE_BITS;
    pthread_mutex_lock(&lock);
    if (kept_bytes > 0) {
        // A block half as large again will do.
        for (size_t class = first; class < CLASSES && pages_of(class) * 2 <= pages_of(first) * 3; class++) {
            struct block *block = take(class);
            if (!block) continue;
            size = pages_of(class) << PAGE_BITS;
            used_bytes += size;
            if (used_bytes > most_bytes) most_bytes = used_bytes;
            pthread_mutex_unlock(&lock);
            *mapped = size;
            *zeroed = 0;
            return block;
        }
    }
    struct block *gone = make_room(size);
    pthread_mutex_unlock(&lock);
    give_back(gone);
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) {
        pthread_mutex_lock(&lock);
        used_bytes -= size;
        pthread_mutex_unlock(&lock);
        return NULL;
    }
    madvise(address, size, MADV_HUGEPAGE);
    *mapped = size;
    *zeroed = 1;
    return address;
}

void ssdf_unmap(void *address, size_t mapped) {
    pthread_mutex_lock(&lock);
    used_bytes -= mapped;
    if (keepers > 0) {
        struct block *block = address;
        size_t class = class_of(mapped >> PAGE_BITS);
        block->next = kept[class];
        kept[class] = block;
        kept_bytes += mapped;
        address = NULL;
    }
    pthread_mutex_unlock(&lock);
    if (address) munmap(address, mapped);
}

void *ssdf_remap(void *address, size_t bytes, size_t *mapped) {
    if (bytes > SIZE_MAX / 4) return NULL;
    size_t size = pages_of(class_of(pages_for(bytes))) << PAGE_BITS;
    if (size <= *mapped) return address;
    pthread_mutex_lock(&lock);
    struct block *gone = make_room(size - *mapped);
    pthread_mutex_unlock(&lock);
    give_back(gone);
    void *moved = mremap(address, *mapped, size, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        pthread_mutex_lock(&lock);
        used_bytes -= size - *mapped;
        pthread_mutex_unlock(&lock);
        return NULL;
    }
    madvise(moved, size, MADV_HUGEPAGE);
    *mapped = size;
    return moved;
}

void ssdf_begin_keeping(void) {
    pthread_mutex_lock(&lock);
    keepers++;
    pthread_mutex_unlock(&lock);
}

void ssdf_end_keeping(void) {
    struct block *gone = NULL;
    pthread_mutex_lock(&lock);
    if (--keepers == 0) gone = withdraw(0);
    pthread_mutex_unlock(&lock);
    give_back(gone);
}

void ssdf_keep_memory(int heap) {
    ssdf_begin_keeping();
#ifdef __GLIBC__
    if (!heap) return;
    // What is free at the top of a heap stays there, and what is too small for a block comes from a heap.
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void ssdf_count_memory(size_t *used, size_t *idle) {
    pthread_mutex_lock(&lock);
    *used = used_bytes;
    *idle = kept_bytes;
    pthread_mutex_unlock(&lock);
}
