// System calls whose C declarations Swift does not see.
#ifndef SSDF_SYSTEM_H
#define SSDF_SYSTEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Processors in this process's affinity mask (which containers and taskset narrow), at least 1.
int ssdf_processors(void);

// Asks for the pages of a mapped range at once: a page fault for each costs seven times as much. Advice only.
void ssdf_populate(const void *_Nonnull start, size_t bytes);

// Enlarges a private mapping, moving it when it must; NULL when there is no room.
void *_Nullable ssdf_remap(void *_Nonnull address, size_t bytes, size_t larger);

#ifdef __cplusplus
}
#endif

#endif
