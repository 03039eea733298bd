// Confined child processes: calls whose C declarations Swift does not see.
#ifndef SSDF_CHILD_H
#define SSDF_CHILD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Confines this process: at most `memory` bytes of address space and `seconds` of processor time, no core file, and death
// with the process `parent`, even when that dies first. Returns 0, or -1 with errno.
int ssdf_confine(uint64_t memory, uint64_t seconds, int parent);

// A descriptor of an anonymous file in memory, closed on exec; -1 with errno.
int ssdf_memory_file(const char *_Nonnull name);

// A pipe whose ends, the reading one first, are closed on exec. Returns 0, or -1 with errno.
int ssdf_pipe(int *_Nonnull ends);

// The halves of a wait status: the exit code, or -1; the signal that ended the process, or 0.
int ssdf_exit_code(int status);
int ssdf_exit_signal(int status);

#ifdef __cplusplus
}
#endif

#endif
