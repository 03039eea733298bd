// MPI's constants are macros over casts, which Swift cannot see; these few calls can be seen.
//
// All concern every process of the run, are made by one thread, and end the run when MPI reports an error, which is what
// MPI does unless told otherwise.
#include <mpi.h>

static inline void ssdf_mpi_start(int *rank, int *count) {
    int level;
    MPI_Init_thread(0, 0, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, count);
}

static inline void ssdf_mpi_stop(void) { MPI_Finalize(); }

// Sends `send_counts[p]` floats, those from `send_starts[p]` on, to process p, and receives likewise.
static inline void ssdf_mpi_exchange(
    const float *send, const int *send_counts, const int *send_starts, float *receive, const int *receive_counts,
    const int *receive_starts) {
    MPI_Alltoallv(
        send, send_counts, send_starts, MPI_FLOAT, receive, receive_counts, receive_starts, MPI_FLOAT, MPI_COMM_WORLD);
}

// Gives every process the bytes of all, `counts[p]` of process p from `starts[p]` on. Those of this process are `own`.
static inline void ssdf_mpi_collect(
    const void *own, int own_count, void *all, const int *counts, const int *starts) {
    MPI_Allgatherv(own, own_count, MPI_BYTE, all, counts, starts, MPI_BYTE, MPI_COMM_WORLD);
}

// Gives every process the bytes of process 0.
static inline void ssdf_mpi_broadcast(void *bytes, int count) { MPI_Bcast(bytes, count, MPI_BYTE, 0, MPI_COMM_WORLD); }
