import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The types that weights can be stored as.
enum WeightType: String, CaseIterable, ExpressibleByArgument {
    case f16, bf16, f32

    var elementType: ElementType {
        switch self {
        case .f16: .f16
        case .bf16: .bf16
        case .f32: .f32
        }
    }
}

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Turn the released checkpoints of Direct3D-S2 into a model folder.")

    @Argument(
        help: ArgumentHelp("The folder of config.yaml and the checkpoints.", valueName: "folder"),
        completion: .directory)
    var folder: String

    @Option(
        name: [.short, .long], help: ArgumentHelp("The model folder to write.", valueName: "model"),
        completion: .directory)
    var output: String

    @Option(
        name: .customLong("image-encoder"),
        help: ArgumentHelp("Weights of DINOv2: its own checkpoint, or safetensors.", valueName: "file"),
        completion: .file())
    var imageEncoder: String?

    @Option(help: ArgumentHelp("Store all weights as this type (default: as they are).", valueName: "type"))
    var dtype: WeightType?

    @Flag(name: .customLong("allow-missing"), help: "Leave out components whose checkpoint is not there.")
    var allowMissing = false

    @OptionGroup var common: CommonOptions

    func run() throws {
        let session = try common.session(tool: Model.toolName)
        if let imageEncoder { try checkInput(imageEncoder) }
        var options = ModelImportOptions()
        options.imageEncoder = imageEncoder
        options.type = dtype?.elementType
        options.allowsMissing = allowMissing
        let work = try session.stage("read") { try ModelImport(folder: folder, options: options) }
        for note in work.notes { session.warn(note) }
        try session.foresee("importing", work.memory, file: folder)
        let names = work.files.map(\.name) + [ReleasedModel.configurationName, ModelDirectory.checksumsName]
        let paths = [output] + names.map { "\(output)/\($0)" }
        let isNew = try prepareFolder()
        do {
            let temporaries = Temporaries(paths: isNew ? paths : [])
            try write(work, session)
            withExtendedLifetime(temporaries) {}
        } catch {
            // Nothing stays of a folder that was made for nothing.
            if isNew {
                for path in paths.dropFirst() { unlink(path) }
                rmdir(output)
            }
            throw error
        }
    }

    private func write(_ work: ModelImport, _ session: Session) throws {
        let files = try work.files.map { (file: $0, output: try Output(path: "\(output)/\($0.name)")) }
        let configuration = try Output(path: "\(output)/\(ReleasedModel.configurationName)", isBinary: false)
        let checksums = try Output(path: "\(output)/\(ModelDirectory.checksumsName)", isBinary: false)
        let total = work.byteCount
        let progress = session.progress("import")
        try session.stage("import") {
            var done = 0
            for (file, output) in files {
                try work.write(file, to: output.sink) { count in
                    done += count
                    progress(done, total)
                }
            }
        } outcome: { _ in
            "\(byteText(total)), peak memory \(byteText(peakMemory()))"
        }
        try configuration.write(String(decoding: work.configBytes, as: UTF8.self))
        try checksums.write(work.checksums)
        // The list of checksums goes first and comes last: while files change, none says that they belong together.
        unlink("\(output)/\(ModelDirectory.checksumsName)")
        for (_, output) in files { try output.commit() }
        try configuration.commit()
        try checksums.commit()
    }

    /// Makes the folder, or checks that the one there is a model or empty: weights are not thrown in among other files.
    /// - Returns: whether it was made.
    private func prepareFolder() throws -> Bool {
        if mkdir(output, 0o777) == 0 { return true }
        let code = errno
        var status = stat()
        guard code == EEXIST, stat(output, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            let reason = code == EEXIST ? "is a file, expected a folder" : "cannot create: \(systemMessage(code))"
            throw Failure(.cannotCreate, file: output, reason)
        }
        guard access("\(output)/\(ReleasedModel.configurationName)", F_OK) != 0 else { return false }
        guard rmdir(output) == 0, mkdir(output, 0o777) == 0 else {
            throw Failure(.cannotCreate, file: output, "holds other files, expected a model, an empty folder or none")
        }
        return false
    }
}
