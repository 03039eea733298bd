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

/// Which of the system's limits `--max-memory` sets: writable memory of the process itself.
package var dataLimit: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_DATA.rawValue) }

/// Bytes of this process's own memory that `dataLimit` counts although they are not in use: stacks of threads, and what
/// libraries set aside.
package func reservedMemory() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    // Pages: all, resident, resident of files, code, 0, writable, 0.
    let pages = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        .split { " \n".contains($0) }.compactMap { Int($0) }
    guard pages.count > 5 else { return 0 }
    return max(0, pages[5] - (pages[1] - pages[2])) * Int(sysconf(Int32(_SC_PAGESIZE)))
}

/// The most memory this process has held, in bytes.
package func peakMemory() -> Int {
    // getrusage(2) would also count the process that this one was before it executed this program, and one that started it
    // by sharing its memory may have been large.
    if let file = fopen("/proc/self/status", "r") {
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("VmHWM:") else { continue }
            if let kibibytes = text.split(whereSeparator: { " \t\n".contains($0) }).dropFirst().first.flatMap({
                Int($0)
            }) {
                return kibibytes << 10
            }
        }
    }
    var usage = rusage()
    guard getrusage(0, &usage) == 0 else { return 0 }
    return usage.ru_maxrss * 1024
}
