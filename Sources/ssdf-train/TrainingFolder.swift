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

/// The model folder of a training run: the model itself, and below `training` the log and the checkpoint.
struct TrainingFolder {
    let path: String
    private let log: Int32

    var checkpointPath: String { "\(path)/training/vae.checkpoint" }

    /// Makes the folder.
    /// - Throws: `cannotCreate` when it cannot be made, or a run is there that was not to be resumed; `noInput` when
    ///   there is none to resume.
    init(path: String, resumes: Bool) throws(Failure) {
        self.path = path
        for folder in [path, "\(path)/training"] where mkdir(folder, 0o777) != 0 && errno != EEXIST {
            throw Failure(.cannotCreate, file: folder, "cannot create: \(systemMessage(errno))")
        }
        let checkpoint = "\(path)/training/vae.checkpoint"
        let exists = access(checkpoint, R_OK) == 0
        if exists, !resumes {
            throw Failure(.cannotCreate, file: path, "holds a training run; give --resume to go on with it")
        }
        if !exists, resumes { throw Failure(.noInput, file: checkpoint, "is not there, so nothing can be resumed") }
        let name = "\(path)/training/vae.jsonl"
        log = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard log >= 0 else { throw Failure(.cannotCreate, file: name, "cannot create: \(systemMessage(errno))") }
    }

    /// Appends a line about a step.
    func log(_ step: AutoencoderStep, seconds: Double) throws(Failure) {
        var line =
            JSONValue.object([
                .init("step", .integer(step.step)), .init("loss", .number(step.loss)),
                .init("input", .number(step.input)),
                .init("extra", .number(step.extra)), .init("divergence", .number(step.divergence)),
                .init("gradient_norm", .number(step.gradientNorm)), .init("rate", .number(step.rate)),
                .init("tokens", .integer(step.tokens)), .init("seconds", .number(seconds)),
            ]).description + "\n"
        let count = line.utf8.count
        let written = line.withUTF8 { write(log, $0.baseAddress, $0.count) }
        guard written == count else {
            throw Failure(.inputOutput, file: "\(path)/training/vae.jsonl", "cannot write: \(systemMessage(errno))")
        }
    }

    /// Replaces the checkpoint.
    func save(_ state: TrainingState) throws {
        let output = try Output(path: checkpointPath)
        try state.write(to: output.sink)
        try output.commit()
    }

    /// Writes the model as it is now: configuration, averaged weights, checksums.
    func writeModel(_ state: TrainingState, _ file: TrainingFile) throws {
        unlink("\(path)/\(ModelDirectory.checksumsName)")
        let weights = try Output(path: "\(path)/\(file.vaeName).safetensors")
        try state.writeAverages(type: .f16, metadata: ["steps": "\(state.step)"], to: weights.sink)
        try weights.commit()
        let configuration = try Output(path: "\(path)/\(ReleasedModel.configurationName)", isBinary: false)
        try configuration.write(file.vaeModel.yaml(name: file.vaeName))
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
