import ArgumentParser
import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTraining

/// What every training takes, and the loop that runs it: log, checkpoints, the model at the end.
struct TrainingRun: ParsableArguments {
    @Option(help: ArgumentHelp("The model's parts and how to train them.", valueName: "yaml"), completion: .file())
    var config: String

    @Option(
        help: ArgumentHelp(
            "What to train on: procedural, or a folder that ssdf-train prepare filled.", valueName: "source"),
        completion: .directory)
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
        if checkpoint < 1 { throw ValidationError("--checkpoint is \(checkpoint), expected at least 1") }
        if let stopAfter, !(stopAfter > 0) {
            throw ValidationError("--stop-after is \(stopAfter), expected minutes > 0")
        }
    }

    /// What a trainer is made with besides the configuration.
    struct Setup {
        let threads: Int
        /// What to train on; nil for procedural shapes.
        let data: PreparedData?
        let reduction: any GradientReduction
        let memory: MemoryAdmission
        /// Tells, with -v, what the run uses.
        let note: (String) -> Void
    }

    /// Reads the configuration, makes the trainer and trains: alone, or with the other processes that `mpirun` started, of
    /// which the first alone writes.
    func train(_ make: (TrainingFile, Setup) throws -> any Trainer) throws {
        // Every step takes what the one before gave back.
        keepMemory(heap: true)
        let group = try startProcesses()
        defer { if group != nil { stopProcesses() } }
        let reduction: any GradientReduction = group ?? SingleProcess()
        let session = try session(isFirst: reduction.rank == 0)
        let (file, trainer) = try reduction.together {
            try checkInput(config)
            let text = try FileBytes(path: config).withBytes { bytes throws(Failure) in
                String(decoding: bytes, as: UTF8.self)
            }
            let prepared = data == "procedural" ? nil : try PreparedData(path: data)
            return try session.stage("read", file: config) {
                let file = try TrainingFile(yaml: text)
                let limit = min(availableMemory() / startedProcesses().onThisMachine, common.maxMemory?.bytes ?? .max)
                let memory = MemoryAdmission(limit: limit)
                let trainer = try make(
                    file,
                    Setup(
                        threads: session.threads, data: prepared, reduction: reduction, memory: memory,
                        note: { session.note($0) }))
                session.note(
                    "\(grouped(trainer.parameterCount)) parameters, about \(byteText(memory.needed)) of memory, "
                        + "\(session.threads) threads")
                return (file, trainer)
            }
        }
        try group?.agree(on: ssdfVersion, "version")
        try group?.agree(on: instructionSet, "instruction set")
        try group?.agree(on: trainer.state.fingerprint, "configuration and data")
        if dryRun { return }
        let folder = try reduction.together {
            reduction.rank == 0 ? try TrainingFolder(path: output, name: trainer.name, resumes: resume) : nil
        }
        try reduction.together {
            if resume, let folder { try trainer.state.read(path: folder.checkpointPath) }
        }
        group?.broadcast(trainer.state)
        try run(trainer, folder, reduction, session)
        try reduction.together { try folder?.writeModel(trainer, order: file.model.components.map(\.name)) }
    }

    /// The first process speaks.
    private func session(isFirst: Bool) throws(Failure) -> Session {
        guard !isFirst else { return try common.session(tool: Train.toolName) }
        var quiet = common
        quiet.quiet = true
        quiet.verbose = false
        quiet.progress = .none
        return try quiet.session(tool: Train.toolName)
    }

    /// The steps.
    private func run(
        _ trainer: any Trainer, _ folder: TrainingFolder?, _ reduction: any GradientReduction, _ session: Session
    ) throws {
        let clock = ContinuousClock()
        let start = clock.now
        if trainer.state.step < trainer.steps {
            // What the first leaves in a file, the others find there.
            for isFirst in [true, false] {
                try reduction.together {
                    guard (reduction.rank == 0 || !trainer.keepsPreparation) == isFirst else { return }
                    try session.stage("prepare") { try trainer.prepare(progress: session.progress("prepare")) }
                }
            }
        }
        let progress = session.progress(trainer.name)
        while trainer.state.step < trainer.steps {
            let began = clock.now
            let record = try trainer.advance()
            progress(record.step, trainer.steps)
            // One clock counts.
            let isLate = stopAfter.map { clock.now - start > .seconds($0 * 60) } ?? false
            let ends = try reduction.gather([isLate ? 1 : 0])[0] != 0
            try reduction.together {
                try folder?.log(record, seconds: (clock.now - began) / .seconds(1))
                if record.step % checkpoint == 0 || record.step == trainer.steps || ends {
                    try folder?.save(trainer.state)
                }
            }
            if ends { break }
        }
        session.note("\(trainer.name): peak memory \(byteText(peakMemory()))")
    }
}
