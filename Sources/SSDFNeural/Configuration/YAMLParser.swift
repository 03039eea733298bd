import CYAML
import SSDFCore

/// The events of a YAML text, from libyaml, one after another.
struct YAMLParser: ~Copyable {
    /// What comes next, with the line it stands on, counted from 1.
    enum Event {
        case scalar(String, isPlain: Bool)
        case listStart, listEnd
        case mapStart, mapEnd
        case alias
        case end
    }

    /// On the heap, because libyaml keeps pointers into it.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// The text, which libyaml reads in place.
    private let text: UnsafeMutableBufferPointer<UInt8>
    private(set) var line = 0

    /// - Throws: `unavailable` when memory runs out.
    init(_ source: String) throws(Failure) {
        let bytes = Array(source.utf8)
        let text = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count + 1)
        _ = text.update(from: bytes + [0])
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            text.deallocate()
            parser.deallocate()
            throw Failure(.unavailable, "out of memory")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, bytes.count)
        self.text = text
        self.parser = parser
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        text.deallocate()
    }

    /// The next event; `end` after the first document, behind which there must be no other.
    /// - Throws: `badData` with the line when the text is not YAML.
    mutating func next() throws(Failure) -> Event {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            defer { yaml_event_delete(&event) }
            line = Int(event.start_mark.line) + 1
            switch event.type {
            case YAML_SCALAR_EVENT:
                let scalar = event.data.scalar
                let text = String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
                return .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            case YAML_SEQUENCE_START_EVENT: return .listStart
            case YAML_SEQUENCE_END_EVENT: return .listEnd
            case YAML_MAPPING_START_EVENT: return .mapStart
            case YAML_MAPPING_END_EVENT: return .mapEnd
            case YAML_ALIAS_EVENT: return .alias
            case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return .end
            default: continue
            }
        }
    }

    private func failure() -> Failure {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "out of memory"
        // A text with bytes that are none has an offset instead of a mark.
        let mark = parser.pointee.error == YAML_READER_ERROR ? parser.pointee.mark : parser.pointee.problem_mark
        return Failure(.badData, place: "line \(Int(mark.line) + 1)", "not YAML: \(problem)")
    }
}

extension ConfigNode {
    /// The value of the next event and of those that belong to it.
    init(_ event: YAMLParser.Event, from parser: inout YAMLParser, depth: Int) throws(Failure) {
        line = parser.line
        guard depth < Self.maximumDepth else {
            throw .badData(place: "line \(line)", "more than \(depth) levels", expected: "a configuration")
        }
        switch event {
        case .scalar(let text, let isPlain): value = isPlain ? Self.resolve(text) : .string(text)
        case .listStart: value = .list(try Self.list(from: &parser, depth: depth))
        case .mapStart: value = .map(try Self.map(from: &parser, depth: depth))
        case .alias: throw .badData(place: "line \(line)", "an alias", expected: "a value")
        case .listEnd, .mapEnd, .end: throw .badData(place: "line \(line)", "the text ends", expected: "a value")
        }
    }

    private static func list(from parser: inout YAMLParser, depth: Int) throws(Failure) -> [ConfigNode] {
        var list: [ConfigNode] = []
        while true {
            let event = try parser.next()
            if case .listEnd = event { return list }
            list.append(try ConfigNode(event, from: &parser, depth: depth + 1))
        }
    }

    private static func map(
        from parser: inout YAMLParser, depth: Int
    ) throws(Failure) -> [(key: String, node: ConfigNode)] {
        var map: [(key: String, node: ConfigNode)] = []
        var keys: Set<String> = []
        while true {
            let event = try parser.next()
            if case .mapEnd = event { return map }
            guard case .scalar(let key, _) = event else {
                throw .badData(place: "line \(parser.line)", "a key that is not a text", expected: "a name")
            }
            guard keys.insert(key).inserted else {
                throw .badData(place: "line \(parser.line)", "key \"\(key)\" appears twice", expected: "once")
            }
            map.append((key, try ConfigNode(try parser.next(), from: &parser, depth: depth + 1)))
        }
    }
}
