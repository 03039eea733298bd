import ArgumentParser
import CAssimp
import CSSDFAllocation
import CSSDFKernels
import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The child that reads foreign mesh formats with Assimp, which crashes, aborts or runs away on some files. The tools
/// start it and read the raw stream that it writes (`MeshStream`); nobody else needs to.
@main
struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssdf-import",
        abstract: "Reads a mesh of a foreign format for the other tools and writes it as a raw stream.",
        shouldDisplay: false)

    @Option(help: "Suffix of the format to expect on standard input; without it the file is read by its name.")
    var hint: String?

    @Option(help: "Most bytes of address space.")
    var memory: UInt64 = 4 << 30

    @Option(help: "Most seconds of processor time.")
    var seconds: UInt64 = 300

    @Option(help: "The process to die with.")
    var parent: Int32 = getppid()

    @Option(help: "Most bytes of stream to write.")
    var output: UInt64 = 4 << 30

    @Argument(help: "The file, or - for standard input.")
    var file: String

    func run() throws {
        guard ssdf_confine(memory, seconds, parent) == 0 else { throw ExitCode(70) }
        ssdf_end_at_failed_allocations()
        do throws(Failure) {
            let scene = try Scene(file: file, hint: hint)
            try scene.write(most: Int(clamping: output))
        } catch {
            // Where writing failed there is nothing to write to.
            if error.cause != .inputOutput { MeshStream.writeFailure(error.description) }
            throw ExitCode(error.cause.rawValue)
        }
    }
}
