import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of its own for one test, removed with everything in it, where a shell runs the built tools.
final class Shell: Sendable {
    /// What a command did.
    struct Result: CustomStringConvertible {
        /// The exit status as a shell reports it: 128 and the signal's number when a signal ended it.
        var status: Int32
        var out: [UInt8]
        var err: String

        var text: String { String(decoding: out, as: UTF8.self) }
        var description: String { "status \(status), \(out.count) bytes out, standard error: \(err)" }
    }

    let folder: String

    init() {
        var template = Array("/tmp/ssdf-test-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template)!)
    }

    deinit {
        var status = stat()
        guard stat(folder, &status) == 0 else { return }
        _ = system("chmod -R u+rwx '\(folder)'; rm -rf '\(folder)'")
    }

    /// Where the tools were built: the folder of this test's own executable.
    static let products: String = {
        var path = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        let full = String(decoding: path[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return full.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }()

    /// The top of the checkout.
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    /// Whether this test may do what only the superuser may; then permissions stop nothing.
    static let isRoot = geteuid() == 0

    /// Runs a script with bash in the folder, standard input empty, the tools on the path.
    @discardableResult
    func run(_ script: String) -> Result {
        let out = "\(folder)/.stdout"
        let err = "\(folder)/.stderr"
        let child = start(script, out: out, err: err)
        return Result(
            status: Self.wait(child), out: read(".stdout"), err: String(decoding: read(".stderr"), as: UTF8.self))
    }

    /// Starts a script without waiting for it.
    func start(_ script: String, out: String = "/dev/null", err: String = "/dev/null") -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A shell starts programs with the default actions, whatever this process ignores.
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        let words = ["bash", "-c", "cd '\(folder)' && \(script)"]
        let environment =
            [
                "PATH=\(Self.products):\(String(cString: getenv("PATH")))", "TMPDIR=\(folder)", "HOME=\(folder)",
                "LC_ALL=C.UTF-8", "TERM=xterm", "COLUMNS=100",
            ] + (getenv("SSDF_ISA").map { ["SSDF_ISA=\(String(cString: $0))"] } ?? [])
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for word in arguments + variables { free(word) } }
        var child: pid_t = 0
        let failure = posix_spawnp(&child, "bash", &actions, &attributes, &arguments, &variables)
        #expect(failure == 0, "bash did not start")
        return child
    }

    /// Waits for a child and returns its status as a shell would.
    static func wait(_ child: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    func read(_ name: String) -> [UInt8] {
        guard let file = fopen(name.hasPrefix("/") ? name : "\(folder)/\(name)", "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    func write(_ name: String, _ bytes: [UInt8]) {
        guard let file = fopen("\(folder)/\(name)", "w") else {
            Issue.record("cannot write \(name)")
            return
        }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    func write(_ name: String, _ text: String) { write(name, Array(text.utf8)) }

    /// The names in the folder, but for those that `run` keeps there; sorted.
    var names: [String] {
        run("ls -A").text.split(separator: "\n").map(String.init).filter { $0 != ".stdout" && $0 != ".stderr" }
    }

    /// Waits until a file whose name contains `part` is there.
    func waits(for part: String) -> Bool {
        for _ in 0..<500 {
            if run("ls -A").text.contains(part) { return true }
            usleep(20_000)
        }
        return false
    }
}
