import SSDFCore

/// What the importer's process may use.
package struct ImportLimits: Sendable {
    /// Bytes of address space of the importer, and of what it sends.
    package var memory: Int
    /// Seconds of processor time.
    package var processorSeconds: Int
    /// Seconds until it is stopped, whatever it does.
    package var seconds: Double

    /// The limits that are given.
    package init(memory: Int, processorSeconds: Int, seconds: Double) {
        self.memory = memory
        self.processorSeconds = processorSeconds
        self.seconds = seconds
    }

    /// In proportion to the file, since a small one that takes long or much is broken; never most of the machine.
    package init(fileBytes: Int) {
        let (proportional, overflow) = fileBytes.multipliedReportingOverflow(by: 256)
        memory = min((overflow ? .max : proportional) / 2 + (1 << 31), max(1 << 31, physicalMemory() / 4 * 3))
        processorSeconds = 60 + fileBytes >> 20
        seconds = 2 * Double(processorSeconds)
    }
}
