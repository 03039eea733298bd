import SSDFCore

/// What was made of one mesh.
package struct PreparedSample: Sendable, Equatable {
    /// A container of the mesh's band at one resolution.
    package struct Volume: Sendable, Equatable {
        /// Its name in the sample's folder.
        package var file: String
        /// Length of the file.
        package var bytes: Int
        /// Voxels along the cube's side.
        package var resolution: Int
        /// Active voxels.
        package var voxels: Int
        /// Bricks of 8³ voxels that networks see: latents of an auto-encoder.
        package var bricks: Int
        /// Active voxels near a sharp edge.
        package var sharp: Int
    }

    /// A picture of the mesh.
    package struct View: Sendable, Equatable {
        /// Its name in the sample's folder.
        package var file: String
        /// Length of the file.
        package var bytes: Int
        /// Degrees round the vertical: 0 looks from +z, 90 from +x.
        package var azimuth: Double
        /// Degrees above the horizon.
        package var elevation: Double
    }

    /// The name of its folder, from the hash of the mesh's file.
    package var name: String
    /// Triangles of the mesh.
    package var triangles: Int
    /// How inside was told from outside, and the share of voxels where that was clear.
    package var sign: String
    /// The share of voxels whose sign was clear, 0 … 1.
    package var confidence: Double
    /// Its volumes, by ascending resolution.
    package var volumes: [Volume]
    /// Its pictures.
    package var views: [View]

    /// The name of the sample of a file with this content.
    static func name(ofContent hash: String) -> String { String(hash.dropFirst("sha256:".count).prefix(16)) }

    fileprivate var members: [JSONValue.Member] {
        [
            .init("sample", .string(name)), .init("triangles", .integer(triangles)), .init("sign", .string(sign)),
            .init("confidence", .number(confidence)),
            .init(
                "volumes",
                .array(
                    volumes.map {
                        .object([
                            .init("file", .string($0.file)), .init("bytes", .integer($0.bytes)),
                            .init("resolution", .integer($0.resolution)), .init("voxels", .integer($0.voxels)),
                            .init("bricks", .integer($0.bricks)), .init("sharp", .integer($0.sharp)),
                        ])
                    })),
            .init(
                "views",
                .array(
                    views.map {
                        .object([
                            .init("file", .string($0.file)), .init("bytes", .integer($0.bytes)),
                            .init("azimuth", .number($0.azimuth)), .init("elevation", .number($0.elevation)),
                        ])
                    })),
        ]
    }

    var json: JSONValue { .object(members) }

    /// - Throws: `badData` when a key is missing or of another type, or a name is not that of a plain file.
    init(_ json: JSONValue) throws(Failure) {
        let reader = MemberReader(json, place: "")
        name = try reader.fileName("sample")
        triangles = try reader.count("triangles")
        sign = try reader.string("sign")
        confidence = try reader.number("confidence")
        volumes = []
        for (index, item) in try reader.list("volumes").enumerated() {
            let part = MemberReader(item, place: "volumes[\(index)].")
            volumes.append(
                Volume(
                    file: try part.fileName("file"), bytes: try part.count("bytes"),
                    resolution: try part.count("resolution"), voxels: try part.count("voxels"),
                    bricks: try part.count("bricks"), sharp: try part.count("sharp")))
        }
        views = []
        for (index, item) in try reader.list("views").enumerated() {
            let part = MemberReader(item, place: "views[\(index)].")
            views.append(
                View(
                    file: try part.fileName("file"), bytes: try part.count("bytes"),
                    azimuth: try part.number("azimuth"), elevation: try part.number("elevation")))
        }
    }

    init(
        name: String, triangles: Int, sign: String, confidence: Double, volumes: [Volume], views: [View]
    ) {
        self.name = name
        self.triangles = triangles
        self.sign = sign
        self.confidence = confidence
        self.volumes = volumes
        self.views = views
    }
}

/// A line of the manifest of a folder of training data: a mesh, and what became of it.
package struct ManifestEntry: Sendable, Equatable {
    /// What became of a mesh.
    package enum Outcome: Sendable, Equatable {
        case made(PreparedSample)
        /// Left out, and why.
        case dropped(String)
    }

    /// The mesh's path as it was given.
    package var source: String
    /// Of its bytes; empty when they could not be read.
    package var hash: String
    /// What became of it.
    package var outcome: Outcome

    /// The line of a mesh.
    package init(source: String, hash: String, outcome: Outcome) {
        self.source = source
        self.hash = hash
        self.outcome = outcome
    }

    /// The line, as an object.
    package var json: JSONValue {
        let start: [JSONValue.Member] = [.init("source", .string(source)), .init("hash", .string(hash))]
        return switch outcome {
        case .made(let sample): .object(start + [.init("status", "made")] + sample.members)
        case .dropped(let reason): .object(start + [.init("status", "dropped"), .init("reason", .string(reason))])
        }
    }

    /// - Throws: `badData` when a key is missing or of another type, or a name is not that of a plain file.
    package init(_ json: JSONValue) throws(Failure) {
        let reader = MemberReader(json, place: "")
        source = try reader.string("source")
        hash = try reader.string("hash")
        switch try reader.string("status") {
        case "made": outcome = .made(try PreparedSample(json))
        case "dropped": outcome = .dropped(try reader.string("reason"))
        case let other: throw .badData(place: "status", "\"\(other)\"", expected: "made or dropped")
        }
    }

    /// The entries of a manifest.
    /// - Throws: `noInput` when there is none; `badData` with the line.
    package static func read(path: String) throws(Failure) -> [ManifestEntry] {
        var entries: [ManifestEntry] = []
        try forEachJSONLine(of: path) { line, json throws(Failure) in
            do throws(Failure) {
                entries.append(try ManifestEntry(json))
            } catch {
                var failure = error.inFile(path)
                failure.place = "line \(line)" + (error.place.isEmpty ? "" : ": \(error.place)")
                throw failure
            }
        }
        return entries
    }
}

/// Members of a JSON object, each with its type.
private struct MemberReader {
    let json: JSONValue
    let place: String

    init(_ json: JSONValue, place: String) {
        self.json = json
        self.place = place
    }

    private func failure(_ key: String, _ expected: String) -> Failure {
        let found = json[key].map { String("\($0)".prefix(60)) } ?? "nothing"
        return .badData(place: "\(place)\(key)", found, expected: expected)
    }

    func string(_ key: String) throws(Failure) -> String {
        guard let text = json[key]?.string else { throw failure(key, "a text") }
        return text
    }

    /// A name without folders: a manifest must not lead elsewhere.
    func fileName(_ key: String) throws(Failure) -> String {
        let name = try string(key)
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"), !name.utf8.contains(0) else {
            throw failure(key, "a file's name")
        }
        return name
    }

    func count(_ key: String) throws(Failure) -> Int {
        guard let count = json[key]?.int, count >= 0 else { throw failure(key, "a whole number from 0") }
        return count
    }

    func number(_ key: String) throws(Failure) -> Double {
        guard let number = json[key]?.double else { throw failure(key, "a number") }
        return number
    }

    func list(_ key: String) throws(Failure) -> [JSONValue] {
        guard let list = json[key]?.elements else { throw failure(key, "a list") }
        return list
    }
}
