import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

#if MPI
    import CMPI

    /// Messages by MPI, between the processes that `mpirun` started.
    private struct MPIMessages: ProcessMessages {
        let rank: Int
        let count: Int

        init() {
            var (rank, count): (Int32, Int32) = (0, 1)
            ssdf_mpi_start(&rank, &count)
            self.rank = Int(rank)
            self.count = Int(count)
        }

        func exchange(
            _ send: UnsafeBufferPointer<Float>, sendCounts: [Int], into receive: UnsafeMutableBufferPointer<Float>,
            receiveCounts: [Int]
        ) {
            ssdf_mpi_exchange(
                send.baseAddress, sendCounts.map(Int32.init), Self.starts(sendCounts), receive.baseAddress,
                receiveCounts.map(Int32.init), Self.starts(receiveCounts))
        }

        func collect(_ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]) {
            ssdf_mpi_collect(
                own.baseAddress, Int32(own.count), all.baseAddress, counts.map(Int32.init), Self.starts(counts))
        }

        func broadcast(_ bytes: UnsafeMutableRawBufferPointer) {
            // MPI counts in 32 bits.
            for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
                ssdf_mpi_broadcast(bytes.baseAddress! + start, Int32(min(1 << 30, bytes.count - start)))
            }
        }

        private static func starts(_ counts: [Int]) -> [Int32] {
            var next = 0
            return counts.map { count in
                defer { next += count }
                return Int32(next)
            }
        }
    }
#endif

/// How many processes `mpirun` started, and which this is, before anything has been said between them.
package func startedProcesses() -> (rank: Int, count: Int, onThisMachine: Int) {
    func number(_ names: String...) -> Int? {
        for name in names {
            if let text = getenv(name), let value = Int(String(cString: text)) { return value }
        }
        return nil
    }
    let count = number("OMPI_COMM_WORLD_SIZE", "PMI_SIZE") ?? 1
    return (
        number("OMPI_COMM_WORLD_RANK", "PMI_RANK") ?? 0, max(count, 1),
        max(number("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS") ?? 1, 1)
    )
}

/// The processes that `mpirun` started, ready to talk; one alone when it did not.
///
/// Call once; `stopProcesses` before the process ends, whatever happened.
/// - Throws: `unavailable` when there are several and this build cannot talk to the others.
package func startProcesses() throws(Failure) -> ProcessGroup? {
    let count = startedProcesses().count
    guard count > 1 else { return nil }
    #if MPI
        return ProcessGroup(MPIMessages())
    #else
        throw Failure(
            .unavailable,
            "\(count) processes were started, and this build trains on one; swift build --traits MPI makes one that can"
        )
    #endif
}

/// Ends the talk between processes.
package func stopProcesses() {
    #if MPI
        ssdf_mpi_stop()
    #endif
}
