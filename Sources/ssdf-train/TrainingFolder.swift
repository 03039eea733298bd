import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFTraining

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The model folder of a training run: the model itself, and below `training` the log and the checkpoint of each part
/// that was trained.
struct TrainingFolder {
    let path: String
    private let name: String
    private let log: Int32

    var checkpointPath: String { "\(path)/training/\(name).checkpoint" }
    private var logPath: String { "\(path)/training/\(name).jsonl" }

    /// Makes the folder.
    /// - Parameter name: of what is trained.
    /// - Throws: `cannotCreate` when it cannot be made, or a run is there that was not to be resumed; `noInput` when
    ///   there is none to resume.
    init(path: String, name: String, resumes: Bool) throws(Failure) {
        self.path = path
        self.name = name
        for folder in [path, "\(path)/training"] where mkdir(folder, 0o777) != 0 && errno != EEXIST {
            throw Failure(.cannotCreate, file: folder, "cannot create: \(systemMessage(errno))")
        }
        let checkpoint = "\(path)/training/\(name).checkpoint"
        let exists = access(checkpoint, R_OK) == 0
        if exists, !resumes {
            throw Failure(.cannotCreate, file: path, "holds a training run of \(name); give --resume to go on with it")
        }
        if !exists, resumes { throw Failure(.noInput, file: checkpoint, "is not there, so nothing can be resumed") }
        let file = "\(path)/training/\(name).jsonl"
        log = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard log >= 0 else { throw Failure(.cannotCreate, file: file, "cannot create: \(systemMessage(errno))") }
    }

    /// Appends a line about a step.
    func log(_ record: StepRecord, seconds: Double) throws(Failure) {
        var members: [JSONValue.Member] = [
            .init("step", .integer(record.step)), .init("loss", .number(record.loss)),
        ]
        members += record.parts.map { .init($0.name, .number($0.value)) }
        members += [
            .init("gradient_norm", .number(record.gradientNorm)), .init("rate", .number(record.rate)),
            .init("seconds", .number(seconds)),
        ]
        var line = JSONValue.object(members).description + "\n"
        let count = line.utf8.count
        let written = line.withUTF8 { write(log, $0.baseAddress, $0.count) }
        guard written == count else {
            throw Failure(.inputOutput, file: logPath, "cannot write: \(systemMessage(errno))")
        }
    }

    /// Replaces the checkpoint.
    func save(_ state: TrainingState) throws {
        let output = try Output(path: checkpointPath)
        try state.write(to: output.sink)
        try output.commit()
    }

    /// Writes what was trained as it is now: averaged weights, its sections of the configuration beside those of the parts
    /// that were there before, checksums.
    /// - Parameter order: the components of the whole model, in the order that the configuration is to have.
    func writeModel(_ trainer: any Trainer, order: [String]) throws {
        unlink("\(path)/\(ModelDirectory.checksumsName)")
        let components = try trainer.components
        for component in components {
            guard let prefix = component.prefix else { continue }
            let weights = try Output(path: "\(path)/\(component.name).safetensors")
            try trainer.state.writeAverages(
                prefix: prefix, type: .f16, metadata: ["steps": "\(trainer.state.step)"], to: weights.sink)
            try weights.commit()
        }
        let name = "\(path)/\(ReleasedModel.configurationName)"
        var sections: [(key: String, node: ConfigNode)] = []
        if access(name, F_OK) == 0 {
            let text = try FileBytes(path: name).withBytes { bytes throws(Failure) in
                String(decoding: bytes, as: UTF8.self)
            }
            if case .map(let pairs) = try ConfigNode(yaml: text).value { sections = pairs }
        }
        for component in components {
            if let index = sections.firstIndex(where: { $0.key == component.name }) {
                sections[index].node = component.node
            } else {
                sections.append((component.name, component.node))
            }
        }
        func place(_ key: String) -> Int { order.firstIndex(of: key) ?? order.count }
        sections = sections.enumerated().sorted {
            (place($0.element.key), $0.offset) < (place($1.element.key), $1.offset)
        }.map(\.element)
        let configuration = try Output(path: name, isBinary: false)
        try configuration.write(ConfigNode(value: .map(sections), line: 0).yaml())
        try configuration.commit()
        let checksums = try Output(path: "\(path)/\(ModelDirectory.checksumsName)", isBinary: false)
        try checksums.write(try ModelDirectory(path: path).checksums())
        try checksums.commit()
    }
}

/// Bytes of memory that the system could give this process without swapping.
func availableMemory() -> Int {
    guard
        let text = try? FileBytes(path: "/proc/meminfo").withBytes({ bytes throws(Failure) in
            String(decoding: bytes, as: UTF8.self)
        })
    else { return .max }
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
        if let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) { return kibibytes << 10 }
    }
    return .max
}
