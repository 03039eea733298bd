import SSDFCommand
import SSDFCore
import SSDFNeural
import SSDFTensor
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps what a run leaves on its way: the state after every step, and the stages' results.
package final class StageKeeper: DiffusionPipeline.Observer {
    private let session: Session
    private let checkpoint: String?
    private let key: String
    private let folder: String?
    private let tool: String
    private let arguments: [String]
    private let precision: Precision
    private var speed: Double?

    /// - Parameters:
    ///   - checkpoint: the file of states; nil keeps none.
    ///   - key: of the run.
    ///   - folder: of the stages' results; nil keeps none.
    ///   - precision: of the products, for the time they will take.
    package init(
        session: Session, checkpoint: String?, key: String, folder: String?, tool: String, arguments: [String],
        precision: Precision
    ) {
        self.precision = precision
        (self.session, self.checkpoint, self.key) = (session, checkpoint, key)
        (self.folder, self.tool, self.arguments) = (folder, tool, arguments)
    }

    /// Checks that what is to be kept can be.
    /// - Throws: `cannotCreate`.
    package func check() throws(Failure) {
        if let checkpoint { _ = try Output(path: checkpoint) }
        guard let folder else { return }
        mkdir(folder, 0o777)
        guard access(folder, W_OK | X_OK) == 0 else {
            throw Failure(.cannotCreate, file: folder, "cannot write: \(systemMessage(errno))")
        }
    }

    /// A handler that shows how far a part of the work has come.
    package func progress(_ part: String) -> ProgressHandler { session.progress(part) }

    /// With `-v`, says what a part will take of memory, operations and seconds.
    package func foresees(_ part: String, _ cost: NetworkCost) {
        guard session.isVerbose else { return }
        let speed = probe()
        // Networks come to about three quarters of a bare product's speed.
        session.note("\(part): about \(cost.summary), \(rounded(cost.operations / (0.75 * speed), digits: 2)) s")
    }

    /// The machine's speed, measured when it is first asked for.
    private func probe() -> Double {
        if let speed { return speed }
        let measured = productSpeed(threads: session.threads, precision: precision)
        speed = measured
        return measured
    }

    /// With `-v`, says how many seconds of a stage are left.
    package func expectation(_ stage: DiffusionStage) -> @Sendable (_ seconds: Double) -> Void {
        let session = session
        return { seconds in session.note("stage \(stage.name): about \(rounded(seconds, digits: 3)) s left") }
    }

    /// Replaces the file of states, if one was asked for.
    /// - Throws: `cannotCreate` or `inputOutput` when it cannot be written.
    package func keep(_ stage: DiffusionStage, _ state: SamplingState) throws(Failure) {
        guard let checkpoint else { return }
        let out = try Output(path: checkpoint)
        try SamplingCheckpoint(stage: stage, state: state, key: key).write(to: out.sink)
        try out.commit()
    }

    /// With `-v`, says how many cells a stage gave; writes them into the folder of results, if there is one.
    /// - Throws: `cannotCreate` or `inputOutput` when they cannot be written.
    package func finished(_ stage: DiffusionStage, _ result: borrowing SparseVolume) throws(Failure) {
        session.note("stage \(stage.name): \(grouped(result.activeCount)) cells")
        guard let folder else { return }
        let out = try Output(path: "\(folder)/\(stage.name).ssdf")
        try writeVolume(result, options: VolumeWriteOptions(threads: session.threads), to: out.sink)
        try out.commit()
    }

    /// Says something that the person should know.
    package func warn(_ message: String) { session.warn(message) }

    /// The state that an earlier run kept; nil when there is none yet.
    /// - Throws: `badData` when it belongs to another run.
    package func resumed() throws(Failure) -> SamplingCheckpoint? {
        guard let checkpoint, access(checkpoint, F_OK) == 0 else { return nil }
        let found = try SamplingCheckpoint(path: checkpoint)
        guard found.key == key else {
            throw .badData(
                file: checkpoint, "the state of another run",
                expected: "the same picture, model, seed, steps and guidance")
        }
        session.note("going on from step \(found.state.step) of stage \(found.stage.name)")
        return found
    }

    /// Says where a result came from.
    package func describe(_ metadata: inout GridMetadata, source: String) {
        metadata.sourceHash = source
        metadata.tool = "\(tool) \(ssdfVersion)"
        metadata.arguments = arguments
    }
}

/// SHA-256 of a file's bytes.
package func fileHash(_ path: String) throws(Failure) -> String {
    let file = try FileBytes(path: path)
    let hash = contentHash(file.bytes)
    withExtendedLifetime(file.bytes.count) {}
    return hash
}
