import SSDFCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of training data that is being filled.
///
///     DIR/settings.json           what is made of every mesh
///     DIR/manifest.jsonl          every mesh ever given, by its path, and what became of it
///     DIR/samples/NAME/           a sample: volumes, pictures, sample.json
///
/// NAME comes from the mesh's bytes, so a mesh under two paths is one sample. Samples appear whole, and the manifest is
/// replaced as a whole; what is there does not depend on the number of threads, on interruptions, or on how the meshes were
/// shared out over calls.
package struct PreparationFolder: ~Copyable {
    /// The list of all meshes.
    package static let manifestName = "manifest.jsonl"
    /// What is made of every mesh.
    package static let settingsName = "settings.json"
    /// The folder of the samples' folders.
    package static let samplesName = "samples"

    /// The folder.
    package let path: String
    private let settings: PreparationSettings
    private let lock: Int32

    /// What a call did.
    package struct Summary: Sendable, Equatable {
        /// Samples made.
        package var made = 0
        /// Meshes whose sample was there before.
        package var wereThere = 0
        /// Meshes that were left out, with the reason.
        package var dropped: [(source: String, reason: String)] = []
        /// The most bytes that the meshes that were made at one time were to take, counted before they were made.
        package var foreseen = 0

        /// Whether two calls did the same.
        package static func == (a: Self, b: Self) -> Bool {
            a.made == b.made && a.wereThere == b.wereThere && a.dropped.elementsEqual(b.dropped, by: ==)
        }
    }

    /// Makes the folder, or opens one that was made with the same settings.
    /// - Throws: `cannotCreate` when it cannot be made or another process fills it; `badData` when it has other settings.
    package init(path: String, settings: PreparationSettings) throws(Failure) {
        lock = try Self.locked(path, settings)
        self.path = path
        self.settings = settings
    }

    /// Makes the folder, checks it, and holds it against other processes until the descriptor is closed.
    private static func locked(_ path: String, _ settings: PreparationSettings) throws(Failure) -> Int32 {
        let samples = "\(path)/\(samplesName)"
        for folder in [path, samples] where mkdir(folder, 0o777) != 0 && errno != EEXIST {
            throw Failure(.cannotCreate, file: folder, "cannot create: \(systemMessage(errno))")
        }
        let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw Failure(.cannotCreate, file: path, "cannot open: \(systemMessage(errno))") }
        var isKept = false
        defer { if !isKept { close(lock) } }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(
                .cannotCreate, file: path,
                errno == EWOULDBLOCK ? "is being filled by another process" : "cannot lock: \(systemMessage(errno))")
        }
        try checkSettings("\(path)/\(settingsName)", settings)
        // What a process that was killed left behind.
        for name in folderEntries(samples) where name.hasPrefix(".") && name.hasSuffix(SampleFolder.suffix) {
            removeFolder("\(samples)/\(name)")
        }
        isKept = true
        return lock
    }

    deinit { close(lock) }

    private static func checkSettings(_ path: String, _ settings: PreparationSettings) throws(Failure) {
        guard access(path, F_OK) == 0 else {
            try replaceFile(path, with: settings.json.description + "\n")
            return
        }
        let there = try FileBytes(path: path).withBytes { bytes throws(Failure) in
            do throws(Failure) { return try JSONValue(parsing: bytes) } catch { throw error.inFile(path) }
        }
        guard case .object(let members) = settings.json else { preconditionFailure("settings are an object") }
        for member in members where there[member.key]?.description != member.value.description {
            throw .badData(
                file: path, place: member.key, there[member.key]?.description ?? "nothing",
                expected: "\(member.value), as asked for; other settings need another folder")
        }
    }

    /// Makes the samples of meshes and notes them in the manifest.
    ///
    /// - Parameters:
    ///   - threads: meshes at a time; more threads than meshes work on the mesh.
    ///   - memory: about how many bytes to use at most; a mesh that needs more than half of them is dropped.
    ///   - tool: what the volumes are to name as their maker.
    /// - Throws: what is wrong with the folder; never what is wrong with a mesh. Samples that are done stay.
    package borrowing func prepare(
        _ sources: [String], threads: Int, memory: Int, tool: String, progress: ProgressHandler
    ) throws(Failure) -> Summary {
        let workers = min(threads, max(sources.count, 1))
        let preparation = MeshPreparation(
            folder: "\(path)/\(Self.samplesName)", settings: settings, tool: tool,
            gate: MemoryGate(bytes: memory, workers: workers))
        let inner = max(1, threads / workers)
        let failed = Atomic<Bool>(false)
        let done = Counter()
        let count = sources.count
        let results = parallelMap(count, threads: workers) {
            index -> Result<(entry: ManifestEntry, wasThere: Bool), Failure>? in
            guard !failed.load(ordering: .relaxed) else { return nil }
            do throws(Failure) {
                let result = try preparation.prepare(sources[index], threads: inner)
                progress(done.next(), count)
                return .success(result)
            } catch {
                failed.store(true, ordering: .relaxed)
                return .failure(error)
            }
        }
        var summary = Summary()
        summary.foreseen = preparation.gate.most
        var entries: [ManifestEntry] = []
        for result in results.compactMap({ $0 }) {
            let (entry, wasThere) = try result.get()
            entries.append(entry)
            switch entry.outcome {
            case .made:
                if wasThere { summary.wereThere += 1 } else { summary.made += 1 }
            case .dropped(let reason): summary.dropped.append((entry.source, reason))
            }
        }
        try writeManifest(entries)
        return summary
    }

    /// Entries of this call in the place of those of their paths; all by ascending path.
    private borrowing func writeManifest(_ entries: [ManifestEntry]) throws(Failure) {
        let file = "\(path)/\(Self.manifestName)"
        var byPath: [String: ManifestEntry] = [:]
        if access(file, F_OK) == 0 {
            for entry in try ManifestEntry.read(path: file) { byPath[entry.source] = entry }
        }
        for entry in entries { byPath[entry.source] = entry }
        let sorted = byPath.values.sorted { $0.source.utf8.lexicographicallyPrecedes($1.source.utf8) }
        try replaceFile(file, with: sorted.map { $0.json.description + "\n" }.joined())
    }
}
