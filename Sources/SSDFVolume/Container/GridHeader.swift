import SSDFCore

/// What a GRID chunk holds: the metadata of a grid and how its values are stored.
package struct GridHeader: Sendable, Equatable {
    /// What the grid says about itself.
    package var metadata: GridMetadata
    /// How its values are stored.
    package var dtype: ValueType
    /// How its groups are compressed.
    package var codec: Codec

    /// The header of a grid that is to be written.
    package init(metadata: GridMetadata, dtype: ValueType, codec: Codec) {
        self.metadata = metadata
        self.dtype = dtype
        self.codec = codec
    }

    /// The payload of the GRID chunk.
    /// - Throws: `badData` when a field is outside what the format allows.
    func encoded() throws(Failure) -> [UInt8] {
        try validate(place: "grid \"\(metadata.name)\"")
        var builder = ByteBuilder()
        builder.append(metadata.kind.rawValue)
        builder.append(metadata.signMethod.rawValue)
        builder.append(dtype.rawValue)
        builder.append(codec.rawValue)
        builder.append(UInt32(metadata.channels))
        builder.append(UInt32(metadata.resolution))
        builder.append(metadata.seed)
        builder.append(metadata.isoValue)
        builder.append(metadata.truncation)
        builder.append(metadata.background)
        builder.append(metadata.signConfidence)
        builder.append(metadata.indexToWorld)
        builder.append(metadata.worldToSource)
        builder.append(metadata.name)
        builder.append(metadata.unit)
        builder.append(metadata.sourceHash)
        builder.append(metadata.tool)
        builder.append(metadata.modelHash)
        builder.append(UInt32(metadata.arguments.count))
        for argument in metadata.arguments { builder.append(argument) }
        return builder.bytes
    }

    /// The header in the payload of a GRID chunk.
    /// - Throws: `badData` when a field is missing, out of range or followed by bytes that belong to none.
    init(decoding payload: UnsafeRawBufferPointer, place: String) throws(Failure) {
        var cursor = FieldCursor(payload, place: place)
        let kind: GridMetadata.Kind = try cursor.enumeration("kind")
        let signMethod: GridMetadata.SignMethod = try cursor.enumeration("sign method")
        dtype = try cursor.enumeration("value type")
        codec = try cursor.enumeration("codec")
        let channels = Int(try cursor.integer(UInt32.self, "channel count"))
        let resolution = Int(try cursor.integer(UInt32.self, "resolution"))
        metadata = GridMetadata(name: "", kind: kind, channels: channels, resolution: resolution)
        metadata.signMethod = signMethod
        metadata.seed = try cursor.integer(UInt64.self, "seed")
        metadata.isoValue = try cursor.double("iso value")
        metadata.truncation = try cursor.double("truncation")
        metadata.background = try cursor.double("background")
        metadata.signConfidence = try cursor.double("sign confidence")
        metadata.indexToWorld = try cursor.transform("index-to-world transform")
        metadata.worldToSource = try cursor.transform("world-to-source transform")
        metadata.name = try cursor.text("name", longest: ContainerFormat.largestNameLength)
        metadata.unit = try cursor.text("unit", longest: ContainerFormat.largestNameLength)
        metadata.sourceHash = try cursor.text("source hash", longest: ContainerFormat.largestNameLength)
        metadata.tool = try cursor.text("tool", longest: ContainerFormat.largestTextLength)
        metadata.modelHash = try cursor.text("model hash", longest: ContainerFormat.largestNameLength)
        let count = Int(try cursor.integer(UInt32.self, "argument count"))
        // Each argument takes at least the four bytes of its length.
        guard count <= ContainerFormat.largestArgumentCount, count * 4 <= cursor.remaining else {
            throw .badData(
                place: place, "\(count) arguments in \(cursor.remaining) bytes",
                expected: "at most \(ContainerFormat.largestArgumentCount), four bytes or more each")
        }
        for index in 0..<count {
            metadata.arguments.append(
                try cursor.text("argument \(index)", longest: ContainerFormat.largestTextLength))
        }
        try cursor.expectEnd()
        try validate(place: place)
    }

    /// Holds reader and writer to the same rules.
    /// - Throws: `badData` naming the first field outside its range.
    package func validate(place: String) throws(Failure) {
        func check(_ holds: Bool, _ found: @autoclosure () -> String, _ expected: String) throws(Failure) {
            guard holds else { throw .badData(place: place, found(), expected: expected) }
        }
        let m = metadata
        try check(
            (1...ContainerFormat.largestNameLength).contains(m.name.utf8.count),
            "name has \(m.name.utf8.count) bytes", "1 to \(ContainerFormat.largestNameLength)")
        try check(
            m.name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f },
            "name has a control character", "none")
        try check(
            (1...ContainerFormat.largestChannelCount).contains(m.channels),
            "channel count is \(m.channels)", "1 to \(ContainerFormat.largestChannelCount)")
        try check(
            (0...ContainerFormat.largestResolution).contains(m.resolution),
            "resolution is \(m.resolution)", "0 to \(ContainerFormat.largestResolution)")
        try check(m.isoValue.isFinite, "iso value is \(m.isoValue)", "a finite number")
        try check(
            m.truncation.isFinite && m.truncation >= 0,
            "truncation is \(m.truncation)", "a finite number, 0 or more")
        try check(m.background.isFinite, "background is \(m.background)", "a finite number")
        try check(
            m.signConfidence >= 0 && m.signConfidence <= 1,
            "sign confidence is \(m.signConfidence)", "0 to 1")
        try check(m.indexToWorld.inverse != nil, "index-to-world transform has no inverse", "a finite one that has")
        try check(m.worldToSource.inverse != nil, "world-to-source transform has no inverse", "a finite one that has")
        try check(
            m.unit.utf8.count <= ContainerFormat.largestNameLength,
            "unit has \(m.unit.utf8.count) bytes", "at most \(ContainerFormat.largestNameLength)")
        try check(isHash(m.sourceHash), "source hash is malformed", "none, or sha256: and 64 hexadecimal digits")
        try check(isHash(m.modelHash), "model hash is malformed", "none, or sha256: and 64 hexadecimal digits")
        try check(
            m.tool.utf8.count <= ContainerFormat.largestTextLength,
            "tool has \(m.tool.utf8.count) bytes", "at most \(ContainerFormat.largestTextLength)")
        try check(
            m.arguments.count <= ContainerFormat.largestArgumentCount,
            "\(m.arguments.count) arguments", "at most \(ContainerFormat.largestArgumentCount)")
        let bytes = m.arguments.reduce(0) { $0 + $1.utf8.count + 4 }
        try check(
            bytes <= ContainerFormat.largestGridPayload / 2,
            "arguments take \(bytes) bytes", "at most \(ContainerFormat.largestGridPayload / 2)")
        try check(
            m.arguments.allSatisfy { $0.utf8.count <= ContainerFormat.largestTextLength },
            "an argument is too long", "at most \(ContainerFormat.largestTextLength) bytes")
    }
}

/// Empty, or "sha256:" and 64 lower-case hexadecimal digits.
private func isHash(_ text: String) -> Bool {
    guard !text.isEmpty else { return true }
    let prefix = "sha256:"
    return text.utf8.count == prefix.utf8.count + 64 && text.hasPrefix(prefix)
        && text.utf8.dropFirst(prefix.utf8.count).allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
        }
}

extension FieldCursor {
    /// A byte that is one of an enumeration's raw values.
    mutating func enumeration<Value: RawRepresentable & CaseIterable>(
        _ field: @autoclosure () -> String
    ) throws(Failure) -> Value where Value.RawValue == UInt8 {
        let raw = try integer(UInt8.self, field())
        guard let value = Value(rawValue: raw) else {
            throw .badData(
                place: place, "\(field()) is \(raw)", expected: "0 to \(Value.allCases.count - 1)")
        }
        return value
    }
}
