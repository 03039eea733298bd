import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTraining

/// What every training takes, and the loop that runs it: log, checkpoints, the model at the end.
struct TrainingRun: ParsableArguments {
    @Option(help: ArgumentHelp("The model's parts and how to train them.", valueName: "yaml"), completion: .file())
    var config: String

    @Option(help: ArgumentHelp("What to train on: procedural.", valueName: "source"))
    var data = "procedural"

    @Option(
        name: [.short, .long], help: ArgumentHelp("The model folder.", valueName: "folder"), completion: .directory)
    var output: String

    @Flag(help: "Go on from the checkpoint in the model folder.")
    var resume = false

    @Flag(name: .customLong("dry-run"), help: "Check everything, say what training takes, and train nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Steps between checkpoints.", valueName: "steps"))
    var checkpoint = 200

    @Option(
        name: .customLong("stop-after"),
        help: ArgumentHelp("Write a checkpoint and end after so many minutes.", valueName: "minutes"))
    var stopAfter: Double?

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if data != "procedural" { throw ValidationError("--data is \(data), expected procedural") }
        if checkpoint < 1 { throw ValidationError("--checkpoint is \(checkpoint), expected at least 1") }
        if let stopAfter, !(stopAfter > 0) {
            throw ValidationError("--stop-after is \(stopAfter), expected minutes > 0")
        }
    }

    /// Reads the configuration, makes the trainer and trains.
    func train(_ make: (TrainingFile, Session) throws -> any Trainer) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let session = try common.session(tool: Train.toolName)
        try checkInput(config)
        let text = try FileBytes(path: config).withBytes { bytes throws(Failure) in
            String(decoding: bytes, as: UTF8.self)
        }
        let (file, trainer) = try session.stage("read", file: config) {
            let file = try TrainingFile(yaml: text)
            return (file, try make(file, session))
        }
        let needed = trainer.estimatedBytes(threads: session.threads)
        let there = availableMemory()
        guard needed < min(there, common.maxMemory?.bytes ?? .max) else {
            throw Failure(
                .unavailable, file: config,
                "training needs about \(byteText(needed)) and there are \(byteText(there)); try a smaller batch or crop"
            )
        }
        session.note(
            "\(grouped(trainer.parameterCount)) parameters, about \(byteText(needed)) of memory, \(session.threads) threads"
        )
        if dryRun { return }
        let folder = try TrainingFolder(path: output, name: trainer.name, resumes: resume)
        if resume { try trainer.state.read(path: folder.checkpointPath) }
        if trainer.state.step < trainer.steps {
            try session.stage("prepare") { try trainer.prepare(progress: session.progress("prepare")) }
        }
        let progress = session.progress(trainer.name)
        while trainer.state.step < trainer.steps {
            let began = clock.now
            let record = try trainer.advance()
            try folder.log(record, seconds: (clock.now - began) / .seconds(1))
            progress(record.step, trainer.steps)
            let isLate = stopAfter.map { clock.now - start > .seconds($0 * 60) } ?? false
            if record.step % checkpoint == 0 || record.step == trainer.steps || isLate {
                try folder.save(trainer.state)
            }
            if isLate { break }
        }
        try folder.writeModel(trainer, order: file.model.components.map(\.name))
    }
}
