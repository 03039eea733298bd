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

#ifdef __cplusplus
}
#endif

#endif
