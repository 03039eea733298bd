import SSDFCore

/// What is known of a grid besides its voxels, as named values: the form in which formats of other programs carry it.
enum MetadataField: Sendable, Equatable {
    case text(String)
    case number(Double)
    case integer(UInt64)
    /// `[3, 4]`, row-major.
    case transform(AffineTransform3)
    case list([String])
}

extension GridMetadata {
    /// All metadata but the channels, which the shape of the values tells; in a fixed order.
    var fields: [(name: String, value: MetadataField)] {
        [
            ("name", .text(name)), ("kind", .text(kind.name)), ("resolution", .integer(UInt64(resolution))),
            ("index_to_world", .transform(indexToWorld)), ("world_to_source", .transform(worldToSource)),
            ("unit", .text(unit)), ("iso_value", .number(isoValue)), ("truncation", .number(truncation)),
            ("background", .number(background)), ("sign_method", .text(signMethod.name)),
            ("sign_confidence", .number(signConfidence)), ("source_hash", .text(sourceHash)), ("tool", .text(tool)),
            ("arguments", .list(arguments)), ("seed", .integer(seed)), ("model_hash", .text(modelHash)),
        ]
    }

    /// Takes over what fields say; those of other names are left alone.
    /// - Throws: `badData` when a field has another type or no sense. Ranges are checked where a container is written.
    mutating func apply(_ field: String, _ value: MetadataField) throws(Failure) {
        switch (field, value) {
        case ("name", .text(let text)): name = text
        case ("kind", .text(let text)): kind = try named(text, field)
        case ("resolution", .integer(let number)): resolution = Int(clamping: number)
        case ("index_to_world", .transform(let transform)): indexToWorld = transform
        case ("world_to_source", .transform(let transform)): worldToSource = transform
        case ("unit", .text(let text)): unit = text
        case ("iso_value", .number(let number)): isoValue = number
        case ("truncation", .number(let number)): truncation = number
        case ("background", .number(let number)): background = number
        case ("sign_method", .text(let text)): signMethod = try named(text, field)
        case ("sign_confidence", .number(let number)): signConfidence = number
        case ("source_hash", .text(let text)): sourceHash = text
        case ("tool", .text(let text)): tool = text
        case ("arguments", .list(let texts)): arguments = texts
        case ("seed", .integer(let number)): seed = number
        case ("model_hash", .text(let text)): modelHash = text
        default:
            guard let own = fields.first(where: { $0.name == field })?.value else { return }
            throw .badData(place: field, value.article, expected: own.article)
        }
    }

    /// All metadata but the channels, as texts.
    package var textFields: [(name: String, text: String)] { fields.map { ($0.name, $0.value.text) } }

    /// Takes over what a text says of a field; one of another name is left alone.
    /// - Throws: `badData` when the text is no value of the field.
    package mutating func apply(text: String, to field: String) throws(Failure) {
        guard let own = fields.first(where: { $0.name == field })?.value else { return }
        try apply(field, try own.parsed(text, field: field))
    }

    private func named<Choice: CaseIterable>(_ text: String, _ field: String) throws(Failure) -> Choice {
        guard let choice = Choice.allCases.first(where: { "\($0)" == text }) else {
            throw .badData(
                place: field, "\"\(text)\"",
                expected: "one of \(Choice.allCases.map { "\($0)" }.joined(separator: ", "))")
        }
        return choice
    }
}

extension MetadataField {
    /// What the value is, for messages.
    var article: String {
        switch self {
        case .text: "a text"
        case .number: "a number"
        case .integer: "a whole number, 0 or more"
        case .transform: "a transform of 3×4 numbers"
        case .list: "a list of texts"
        }
    }

    /// As text: numbers in the fewest digits that mean them, those of a transform with spaces between, a list with its
    /// members quoted as in JSON.
    var text: String {
        switch self {
        case .text(let text): text
        case .number(let number): "\(number)"
        case .integer(let number): "\(number)"
        case .transform(let transform): transform.rows.map { "\($0)" }.joined(separator: " ")
        case .list(let texts): "\(JSONValue.array(texts.map(JSONValue.string)))"
        }
    }

    /// The value of a text, of the same type as `self`.
    /// - Throws: `badData` when the text is no such value.
    func parsed(_ text: String, field: String) throws(Failure) -> Self {
        let value: Self? =
            switch self {
            case .text: .text(text)
            case .number: Double(text).map { .number($0) }
            case .integer: UInt64(text).map { .integer($0) }
            case .transform: Self.transform(text)
            case .list: quotedTexts(text).map { .list($0) }
            }
        guard let value else { throw .badData(place: field, "\"\(text)\"", expected: article) }
        return value
    }

    private static func transform(_ text: String) -> Self? {
        let numbers = text.split(separator: " ").map { Double($0) }
        guard numbers.count == 12, !numbers.contains(nil) else { return nil }
        return .transform(AffineTransform3(rows: numbers.compactMap { $0 }))
    }
}

/// The texts of a JSON array of nothing but texts; nil for anything else.
private func quotedTexts(_ text: String) -> [String]? {
    var rest = text.unicodeScalars[...]
    func skipSpace() { rest = rest.drop { $0 == " " } }
    guard rest.popFirst() == "[" else { return nil }
    var texts: [String] = []
    skipSpace()
    if rest.first == "]" { return rest.count == 1 ? [] : nil }
    while true {
        skipSpace()
        guard rest.popFirst() == "\"" else { return nil }
        var scalars = String.UnicodeScalarView()
        while let scalar = rest.popFirst(), scalar != "\"" {
            guard scalar == "\\" else {
                scalars.append(scalar)
                continue
            }
            switch rest.popFirst() {
            case "n": scalars.append("\n")
            case "t": scalars.append("\t")
            case "u":
                guard rest.count >= 4, let code = UInt32(String(String.UnicodeScalarView(rest.prefix(4))), radix: 16),
                    let plain = Unicode.Scalar(code)
                else { return nil }
                rest = rest.dropFirst(4)
                scalars.append(plain)
            case let plain?: scalars.append(plain)
            case nil: return nil
            }
        }
        texts.append(String(scalars))
        skipSpace()
        switch rest.popFirst() {
        case ",": continue
        case "]": return rest.isEmpty ? texts : nil
        default: return nil
        }
    }
}
