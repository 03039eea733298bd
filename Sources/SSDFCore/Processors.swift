import CSSDFKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The number of processors this process may use, at least 1.
package func availableProcessors() -> Int { Int(ssdf_processors()) }

/// Bytes of memory in this machine.
package func physicalMemory() -> Int {
    Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
}

/// The most memory this process has held, in bytes.
package func peakMemory() -> Int {
    var usage = rusage()
    guard getrusage(0, &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
}
