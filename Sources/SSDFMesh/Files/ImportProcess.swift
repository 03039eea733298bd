import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A running importer and the pipe it writes to.
struct ImportProcess: ~Copyable {
    private let process: pid_t
    /// What it sends.
    var stream: ImportStream

    /// Starts it with empty standard error and default signal handling.
    /// - Parameters:
    ///   - input: its standard input; nil for none.
    ///   - seconds: until it is stopped.
    init(_ path: String, _ arguments: [String], input: Int32?, seconds: Double) throws(Failure) {
        var pipe: (read: Int32, write: Int32) = (-1, -1)
        let opened = withUnsafeMutablePointer(to: &pipe) { pair in
            pair.withMemoryRebound(to: Int32.self, capacity: 2) { ssdf_pipe($0) }
        }
        guard opened == 0 else { throw Failure(.unavailable, "cannot make a pipe: \(systemMessage(errno))") }
        defer { close(pipe.write) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, pipe.write, 1)
        // What a crashing C++ library says on its way down would come between the lines of the tool.
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGXCPU] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var strings = arguments.map { strdup($0) }
        strings.append(nil)
        defer { for string in strings { free(string) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, path, &actions, &attributes, &strings, environ)
        guard code == 0 else {
            close(pipe.read)
            throw Failure(.unavailable, file: path, "cannot run the importer: \(systemMessage(code))")
        }
        process = child
        stream = ImportStream(descriptor: pipe.read, seconds: seconds)
    }

    /// How the importer ended.
    struct End {
        var isLate: Bool
        var signal: Int32
        var exitCode: Int32

        /// What to say of an end that is not a good one; nil when the stream told all there is to tell.
        func failure(suffix: String, limits: ImportLimits) -> Failure? {
            let expected = "a \(suffix) file that it can read"
            if isLate {
                return .badData("the importer did not finish in \(limits.seconds) s", expected: expected)
            }
            if signal == SIGXCPU || signal == SIGKILL {
                return .badData(
                    "the importer was stopped (signal \(signal)) at its limits of \(limits.processorSeconds) s of processor time and \(limits.memory >> 20) MiB",
                    expected: expected)
            }
            if signal != 0 {
                return .badData("the importer crashed (signal \(signal), \(signalName(signal)))", expected: expected)
            }
            switch exitCode {
            case 127: return Failure(.unavailable, "the importer cannot be run")
            case Failure.Cause.unavailable.rawValue: return outOfMemory(expected: expected, limits: limits)
            case Failure.Cause.internal.rawValue: return Failure(.internal, "the importer cannot confine itself")
            case Failure.Cause.inputOutput.rawValue: return Failure(.inputOutput, "the importer cannot write")
            default: return nil
            }
        }

        /// A file that asks for more than its size justifies is bad, unless the system allows less than that.
        private func outOfMemory(expected: String, limits: ImportLimits) -> Failure {
            var space = rlimit()
            if getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &space) == 0, space.rlim_cur < rlim_t(limits.memory) {
                return Failure(
                    .unavailable,
                    "the importer ran out of memory: address space is limited to \(space.rlim_cur >> 20) MiB")
            }
            return .badData("the importer needs more than \(limits.memory >> 20) MiB of memory", expected: expected)
        }

        private func signalName(_ signal: Int32) -> String {
            strsignal(signal).map { String(cString: $0) } ?? "unknown"
        }
    }

    /// Waits a little for the importer to end by itself, then stops it, so that nothing of it is left.
    consuming func finish() -> End {
        close(stream.descriptor)
        let isLate = stream.isLate
        let patience = isLate ? 0 : monotonicSeconds() + 2
        var status: Int32 = 0
        var isStopped = false
        while true {
            let waited = waitpid(process, &status, isStopped ? 0 : WNOHANG)
            if waited == process { break }
            if waited < 0 {
                if errno == EINTR { continue }
                // Somebody has told the system to drop ended children: how this one ended is not known.
                return End(isLate: isLate, signal: 0, exitCode: -1)
            }
            if monotonicSeconds() < patience {
                usleep(500)
            } else {
                kill(process, SIGKILL)
                isStopped = true
            }
        }
        // What our own signals did, closing the pipe among them, is not the importer's doing.
        let signal = ssdf_exit_signal(status)
        let isOwn = isStopped || signal == SIGPIPE
        return End(isLate: isLate, signal: isOwn ? 0 : signal, exitCode: ssdf_exit_code(status))
    }
}
