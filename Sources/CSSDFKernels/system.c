#define _GNU_SOURCE
#include "ssdf_system.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

int ssdf_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

void ssdf_populate(const void *start, size_t bytes) {
#ifdef MADV_POPULATE_READ
    madvise((void *)start, bytes, MADV_POPULATE_READ);
#else
    madvise((void *)start, bytes, MADV_WILLNEED);
#endif
}
