/// What a run is expected to take at its peak, counted before anything large is allocated.
///
/// The numbers an engine counts with are measured ones; the peak lies within a quarter of the estimate where that is large
/// beside the program itself.
package struct MemoryEstimate: Sendable, Equatable {
    /// Bytes of the process's own, which `--max-memory` limits.
    package var bytes: Int
    /// Bytes of mapped input files, which the system can take back.
    package var mapped: Int

    /// So many bytes of the process's own, beside so many of mapped inputs.
    package init(bytes: Int, mapped: Int = 0) {
        self.bytes = bytes
        self.mapped = mapped
    }

    /// Bytes of a program that has done nothing yet, its libraries' pages among them.
    package static let program = 18 << 20

    /// What the system will report as the most the process has held.
    package var peak: Int { bytes + mapped + Self.program }
}
