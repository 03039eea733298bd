// Threads that parallel loops share.
#ifndef SSDF_WORKERS_H
#define SSDF_WORKERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Part of a task: `worker` is below the number of workers, and no other part that runs at the moment has it.
typedef void (*ssdf_task)(void *_Nullable context, size_t worker);

// Calls `task` with worker 0 on this thread, and with workers 1 … workers - 1 on threads of a pool as far as those are
// idle, or come free, before the call for worker 0 returns. Returns when every call that was begun has returned.
//
// So a task must be such that any number of workers, and worker 0 alone, get all of it done. That is what makes it safe to
// call this from within a task, and what keeps a program going where the system has no memory for another thread.
//
// The pool has as many threads as the largest call has asked for, less one; they live as long as the process.
void ssdf_run_workers(size_t workers, ssdf_task _Nonnull task, void *_Nullable context);

// Starts as many threads as a call with `workers` workers would, so that what they take is taken now.
void ssdf_start_workers(size_t workers);

// The most workers that a call can have by now: threads of the pool, and its own.
size_t ssdf_worker_count(void);

#ifdef __cplusplus
}
#endif

#endif
