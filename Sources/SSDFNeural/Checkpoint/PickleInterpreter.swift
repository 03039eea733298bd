import SSDFCore
import SSDFTensor

/// Reads the pickle of a checkpoint: dictionaries, lists, tuples, numbers, texts and tensors.
///
/// A pickle is a program for a stack machine that may call anything by name. This machine has no way to call: the few
/// names it knows build tensors and ordered dictionaries, in code of its own, and every other name or instruction is
/// refused with its name. Each instruction allocates no more than its own bytes justify, so memory is bounded by the
/// length of the pickle; containers are indices, so a pickle that nests without end cannot exhaust the stack.
struct PickleInterpreter {
    /// The longest pickle accepted, in bytes. One describes a tensor in about a hundred.
    static let maximumLength = 8 << 20
    /// The most sides a tensor may have.
    private static let maximumRank = 16

    private(set) var tuples: [[PickleValue]] = []
    private(set) var lists: [[PickleValue]] = []
    private(set) var dicts: [[(key: PickleValue, value: PickleValue)]] = []
    private(set) var storages: [PickleStorage] = []
    private(set) var tensors: [PickleTensor] = []

    private var cursor: ByteCursor
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [UInt32: PickleValue] = [:]
    private var storageOfKey: [String: Int] = [:]
    /// Items that lists may still give to ordered dictionaries: without a bound, one list could be copied any number of
    /// times by a few bytes each.
    private var copies: Int
    /// Where the current instruction starts.
    private var instruction = 0

    /// - Parameter bytes: the pickle; must outlive the interpreter's `run`.
    init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard bytes.count <= Self.maximumLength else {
            throw .badData("a pickle of \(bytes.count) bytes", expected: "at most \(Self.maximumLength)")
        }
        cursor = ByteCursor(bytes)
        copies = bytes.count
    }

    /// Runs the program to its end and returns what it leaves.
    /// - Throws: `badData` with the byte of the instruction and its name.
    mutating func run() throws(Failure) -> PickleValue {
        let first: UInt8 = try cursor.next()
        guard first == PickleOpcode.proto.rawValue else { throw refusal("byte \(first)", expected: "a binary pickle") }
        try readProtocol()
        while true {
            instruction = cursor.position
            let code: UInt8 = try cursor.next()
            guard let opcode = PickleOpcode(rawValue: code) else {
                throw refusal(
                    "the instruction \(PickleOpcode.refusedName(code))",
                    expected: "one that builds plain data or tensors (nothing is executed)")
            }
            if opcode == .stop { break }
            try execute(opcode)
        }
        guard marks.isEmpty else { throw refusal("a mark at the end", expected: "a value alone") }
        guard stack.count == 1 else {
            throw refusal("\(stack.count) values at the end", expected: "one")
        }
        return stack[0]
    }

    private mutating func readProtocol() throws(Failure) {
        let version: UInt8 = try cursor.next()
        guard 2...5 ~= version else { throw refusal("pickle protocol \(version)", expected: "2 to 5") }
    }

    private mutating func execute(_ opcode: PickleOpcode) throws(Failure) {
        switch opcode {
        case .proto: try readProtocol()
        case .frame: _ = try cursor.next(UInt64.self)  // a hint for readers that buffer
        case .stop: break
        case .mark: marks.append(stack.count)
        case .pop: try popOrMark()
        case .popMark: _ = try popToMark()
        case .dup: stack.append(try top())
        case .none: stack.append(.none)
        case .newTrue: stack.append(.bool(true))
        case .newFalse: stack.append(.bool(false))
        case .binFloat: stack.append(.float(Double(bitPattern: try cursor.next(UInt64.self).byteSwapped)))
        case .binInt: stack.append(.int(Int(try cursor.next(Int32.self))))
        case .binInt1: stack.append(.int(Int(try cursor.next(UInt8.self))))
        case .binInt2: stack.append(.int(Int(try cursor.next(UInt16.self))))
        case .long1: try pushLong(Int(try cursor.next(UInt8.self)))
        case .long4: try pushLong(Int(try cursor.next(Int32.self)))
        case .shortBinUnicode, .shortBinString: try pushText(UInt64(try cursor.next(UInt8.self)))
        case .binUnicode, .binString: try pushText(UInt64(try cursor.next(UInt32.self)))
        case .binUnicode8: try pushText(try cursor.next())
        case .emptyList, .append, .appends, .list, .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .emptyDict, .dict,
            .setItem, .setItems:
            try executeContainer(opcode)
        case .binPut: memo[UInt32(try cursor.next(UInt8.self))] = try top()
        case .longBinPut: memo[try cursor.next()] = try top()
        case .memoize: memo[UInt32(memo.count)] = try top()
        case .binGet: try pushMemo(UInt32(try cursor.next(UInt8.self)))
        case .longBinGet: try pushMemo(try cursor.next())
        case .global:
            let module = try line()
            try pushGlobal(module: module, name: try line())
        case .stackGlobal:
            guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
                throw refusal("a name that is not a str", expected: "module and name")
            }
            try pushGlobal(module: module, name: name)
        case .reduce: try reduce()
        case .build: try build()
        case .binPersID: try pushStorage()
        }
    }

    private mutating func executeContainer(_ opcode: PickleOpcode) throws(Failure) {
        switch opcode {
        case .emptyList: pushList([])
        case .list: pushList(try popToMark())
        case .append:
            let value = try pop()
            try append([value])
        case .appends: try append(try popToMark())
        case .emptyTuple: pushTuple([])
        case .tuple: pushTuple(try popToMark())
        case .tuple1: pushTuple(try pop(1))
        case .tuple2: pushTuple(try pop(2))
        case .tuple3: pushTuple(try pop(3))
        case .emptyDict: pushDict()
        case .dict:
            let items = try popToMark()
            pushDict()
            try insert(items)
        case .setItem: try insert(try pop(2))
        case .setItems: try insert(try popToMark())
        default: break
        }
    }

    // MARK: Stack

    /// Values above the last mark; what lies below belongs to whoever set the mark.
    private var floor: Int { marks.last ?? 0 }

    private func top() throws(Failure) -> PickleValue {
        guard stack.count > floor, let value = stack.last else { throw refusal("an empty stack", expected: "a value") }
        return value
    }

    private mutating func pop() throws(Failure) -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(_ count: Int) throws(Failure) -> [PickleValue] {
        guard stack.count - floor >= count else { throw refusal("too few values", expected: "\(count)") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(Failure) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw refusal("no mark", expected: "one") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    /// POP takes a value, or the mark when that is what is on top.
    private mutating func popOrMark() throws(Failure) {
        if let mark = marks.last, mark == stack.count {
            marks.removeLast()
        } else {
            _ = try pop()
        }
    }

    private mutating func pushMemo(_ index: UInt32) throws(Failure) {
        guard let value = memo[index] else { throw refusal("memo \(index), which holds nothing", expected: "a value") }
        stack.append(value)
    }

    // MARK: Plain data

    private mutating func pushLong(_ length: Int) throws(Failure) {
        guard 0...8 ~= length else { throw refusal("an int of \(length) bytes", expected: "at most 8") }
        let bytes = try cursor.take(length)
        var value: UInt64 = bytes.last.map { $0 & 0x80 != 0 } == true ? .max : 0
        for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
        stack.append(.int(Int(Int64(bitPattern: value))))
    }

    private mutating func pushText(_ length: UInt64) throws(Failure) {
        guard length <= UInt64(cursor.remaining) else {
            throw refusal("a text of \(length) bytes", expected: "at most \(cursor.remaining)")
        }
        stack.append(.string(try cursor.text(Int(length))))
    }

    /// The text up to the next line feed.
    private mutating func line() throws(Failure) -> String {
        let start = cursor.position
        var length = 0
        while start + length < cursor.end, cursor.bytes[start + length] != 0x0a { length += 1 }
        let text = try cursor.text(length)
        _ = try cursor.take(1)
        return text
    }

    private mutating func pushTuple(_ values: [PickleValue]) {
        tuples.append(values)
        stack.append(.tuple(tuples.count - 1))
    }

    private mutating func pushList(_ values: [PickleValue]) {
        lists.append(values)
        stack.append(.list(lists.count - 1))
    }

    private mutating func pushDict() {
        dicts.append([])
        stack.append(.dict(dicts.count - 1))
    }

    private mutating func append(_ values: [PickleValue]) throws(Failure) {
        guard case .list(let index) = try top() else {
            throw refusal("appending to \(try top().kind)", expected: "a list")
        }
        lists[index].append(contentsOf: values)
    }

    /// Adds key, value, key, value, … to the dictionary on the stack.
    private mutating func insert(_ items: [PickleValue]) throws(Failure) {
        guard case .dict(let index) = try top() else {
            throw refusal("setting items of \(try top().kind)", expected: "a dict")
        }
        guard items.count.isMultiple(of: 2) else { throw refusal("a key without a value", expected: "pairs") }
        for position in stride(from: 0, to: items.count, by: 2) {
            dicts[index].append((items[position], items[position + 1]))
        }
    }

    // MARK: Names

    private mutating func pushGlobal(module: String, name: String) throws(Failure) {
        guard let global = PickleGlobal(module: module, name: name) else {
            throw refusal("the name \(module).\(name)", expected: "one that tensors need (nothing is executed)")
        }
        stack.append(.global(global))
    }

    private mutating func reduce() throws(Failure) {
        let argument = try pop()
        guard case .tuple(let tuple) = argument else {
            throw refusal("a call with \(argument.kind)", expected: "a tuple of arguments")
        }
        let function = try pop()
        guard case .global(let global) = function else {
            throw refusal("a call of \(function.kind)", expected: "a name that builds tensors")
        }
        stack.append(try construct(global, tuples[tuple]))
    }

    private mutating func construct(
        _ global: PickleGlobal, _ arguments: [PickleValue]
    ) throws(Failure) -> PickleValue {
        switch global {
        case .orderedDict:
            dicts.append(try pairs(arguments))
            return .dict(dicts.count - 1)
        case .size:
            guard arguments.count == 1, integers(arguments[0]) != nil else {
                throw refusal("torch.Size of something else", expected: "a tuple of ints")
            }
            return arguments[0]
        case .rebuildTensor, .rebuildTensorV2, .rebuildTensorV3:
            return try tensor(global, arguments)
        case .rebuildParameter:
            guard arguments.count == 3, case .tensor = arguments[0] else {
                throw refusal("a parameter of something else", expected: "a tensor and two flags")
            }
            return arguments[0]
        case .storage, .elementType:
            throw refusal("a call of \(global)", expected: "a name that builds tensors")
        }
    }

    /// The items of `OrderedDict()` or `OrderedDict([(key, value), …])`.
    private mutating func pairs(
        _ arguments: [PickleValue]
    ) throws(Failure) -> [(key: PickleValue, value: PickleValue)] {
        if arguments.isEmpty { return [] }
        let expected = "no arguments or a list of pairs"
        guard arguments.count == 1, case .list(let list) = arguments[0] else {
            throw refusal("an OrderedDict of something else", expected: expected)
        }
        copies -= lists[list].count
        guard copies >= 0 else { throw refusal("a list copied over and over", expected: "an honest pickle") }
        var result: [(key: PickleValue, value: PickleValue)] = []
        for item in lists[list] {
            let pair: [PickleValue]
            switch item {
            case .tuple(let index): pair = tuples[index]
            case .list(let index): pair = lists[index]
            default: throw refusal("an OrderedDict with \(item.kind)", expected: expected)
            }
            guard pair.count == 2 else { throw refusal("an OrderedDict of \(pair.count)-tuples", expected: expected) }
            result.append((pair[0], pair[1]))
        }
        return result
    }

    /// `_rebuild_tensor(storage, offset, size, stride)`; later forms add flags and hooks, the third the type.
    private mutating func tensor(
        _ global: PickleGlobal, _ arguments: [PickleValue]
    ) throws(Failure) -> PickleValue {
        guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .int(let offset) = arguments[1],
            let shape = integers(arguments[2]), let strides = integers(arguments[3])
        else {
            throw refusal("\(global) with other arguments", expected: "storage, offset, size and stride")
        }
        var type = storages[storage].type
        if case .rebuildTensorV3 = global {
            guard arguments.count >= 7, case .global(.elementType(let stated)) = arguments[6] else {
                throw refusal("\(global) without a dtype", expected: "one")
            }
            type = stated
        }
        guard let type else { throw refusal("a tensor of a storage without a type", expected: "a typed storage") }
        guard shape.count == strides.count, shape.count <= Self.maximumRank,
            shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), offset >= 0
        else {
            throw refusal(
                "a tensor of size \(shape), stride \(strides), offset \(offset)", expected: "a view of its storage")
        }
        tensors.append(PickleTensor(storage: storage, type: type, offset: offset, shape: shape, strides: strides))
        return .tensor(tensors.count - 1)
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        let items: [PickleValue]
        switch value {
        case .tuple(let index): items = tuples[index]
        case .list(let index): items = lists[index]
        default: return nil
        }
        guard items.count <= Self.maximumRank else { return nil }
        var result: [Int] = []
        for item in items {
            guard case .int(let number) = item else { return nil }
            result.append(number)
        }
        return result
    }

    /// State set on an object. Ordered dictionaries of weights carry a table of versions, which nothing here reads.
    private mutating func build() throws(Failure) {
        let state = try pop()
        let object = try top()
        guard case .dict = object, case .dict = state else {
            throw refusal("state of \(object.kind)", expected: "only that of an OrderedDict")
        }
    }

    /// A reference to a storage: `("storage", class, key, location, number of elements)`.
    private mutating func pushStorage() throws(Failure) {
        let expected = "(\"storage\", class, key, location, count)"
        guard case .tuple(let index) = try pop() else {
            throw refusal("a reference of another form", expected: expected)
        }
        let parts = tuples[index]
        guard parts.count == 5, case .string("storage") = parts[0], case .global(.storage(let type)) = parts[1],
            case .string(let key) = parts[2], case .string = parts[3], case .int(let count) = parts[4], count >= 0
        else { throw refusal("a reference of another form", expected: expected) }
        if let known = storageOfKey[key] {
            guard storages[known].type == type, storages[known].count == count else {
                throw refusal("storage \"\(key)\" in two forms", expected: "one")
            }
            stack.append(.storage(known))
            return
        }
        storages.append(PickleStorage(key: key, type: type, count: count))
        storageOfKey[key] = storages.count - 1
        stack.append(.storage(storages.count - 1))
    }

    private func refusal(_ found: String, expected: String) -> Failure {
        .badData(place: "pickle byte \(instruction)", found, expected: expected)
    }
}
