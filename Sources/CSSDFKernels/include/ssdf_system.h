// System calls whose C declarations Swift does not see.
#ifndef SSDF_SYSTEM_H
#define SSDF_SYSTEM_H

#ifdef __cplusplus
extern "C" {
#endif

// Processors in this process's affinity mask (which containers and taskset narrow), at least 1.
int ssdf_processors(void);

#ifdef __cplusplus
}
#endif

#endif
