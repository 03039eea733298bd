import Foundation
import SSDFCore
import SSDFTraining
import Testing

/// Several processes make the bytes that one makes, here with threads in their place.
@Suite struct ProcessGroupTests {
    @Test(arguments: [1, 2, 3, 4]) func addsInTheOrderOfRanks(count: Int) throws {
        for length in [0, 1, 2, 5, 64, 1000] {
            let parts = (0..<count).map { rank -> [Float] in
                var generator = Philox(seed: 3, stream: UInt64(rank))
                return (0..<length).map { _ in Float(generator.uniform() * 2 - 1) }
            }
            var generator = Philox(seed: 4)
            let start = (0..<length).map { _ in Float(generator.uniform()) }
            for isFirst in [true, false] {
                var expected = isFirst ? parts[0] : zip(start, parts[0]).map { $0 + $1 }
                for part in parts[1...] { for index in 0..<length { expected[index] += part[index] } }
                let totals = try ThreadProcesses(count: count).run { messages in
                    var total = start
                    total.withUnsafeMutableBufferPointer { total in
                        parts[messages.rank].withUnsafeBufferPointer {
                            ProcessGroup(messages, pieceLength: 7).add($0, to: total, isFirst: isFirst)
                        }
                    }
                    return total
                }
                for total in totals { #expect(total == expected, "\(length) numbers") }
            }
        }
    }

    @Test func gathersInOrder() throws {
        let lists = try ThreadProcesses(count: 3).run { ProcessGroup($0).gather([Double($0.rank), 7]) }
        #expect(lists == [[Double]](repeating: [0, 7, 1, 7, 2, 7], count: 3))
    }

    @Test func oneFailureIsEverybodys() throws {
        let failures = try ThreadProcesses(count: 3).run { messages -> Failure? in
            do {
                try ProcessGroup(messages).together {
                    if messages.rank > 0 {
                        throw Failure.badData(file: "f\(messages.rank)", place: "line 2", "nothing", expected: "data")
                    }
                }
                return nil
            } catch {
                return error as? Failure
            }
        }
        let expected = Failure(
            .badData, file: "f1", place: "line 2", "nothing, expected data (process 1 of 3)")
        #expect(failures == [expected, expected, expected])
    }

    @Test func whatAllHaveInCommonMustBeEqual() throws {
        let found = try ThreadProcesses(count: 2).run { messages -> String in
            do {
                try ProcessGroup(messages).agree(on: "same", "version")
                try ProcessGroup(messages).agree(on: "isa\(messages.rank)", "instruction set")
                return "agreed"
            } catch {
                return "\(error)"
            }
        }
        let expected = "instruction set isa1, expected isa0 as on process 0 (process 1 of 2)"
        #expect(found == [expected, expected])
    }

    /// With one and with two micro-batches a process.
    @Test(arguments: [(2, 2), (4, 4), (2, 4)]) func processesEqualOneWithAsManyMicroBatches(
        count: Int, accumulation: Int
    ) throws {
        let yaml = AutoencoderTrainingTests.yaml.replacingOccurrences(
            of: "batch: 3", with: "batch: 2, accumulation: \(accumulation)")
        let file = try TrainingFile(yaml: yaml)
        let single = try AutoencoderTrainer(file, threads: 1)
        let records = [try single.advance(), try single.advance()]
        let expected = try AutoencoderTrainingTests.bytes(single)
        let found = try ThreadProcesses(count: count).run { messages in
            let trainer = try AutoencoderTrainer(file, threads: 1, reduction: ProcessGroup(messages))
            let records = [try trainer.advance(), try trainer.advance()]
            return (records, try AutoencoderTrainingTests.bytes(trainer))
        }
        for (theirs, bytes) in found {
            #expect(bytes == expected)
            #expect(theirs == records)
        }
    }

    /// Process 0 alone has read a checkpoint.
    @Test func stateOfTheFirstBecomesThatOfAll() throws {
        let file = try TrainingFile(yaml: AutoencoderTrainingTests.yaml)
        let found = try ThreadProcesses(count: 2).run { messages in
            let trainer = try AutoencoderTrainer(file, threads: 1)
            if messages.rank == 0 { _ = try trainer.advance() }
            ProcessGroup(messages).broadcast(trainer.state)
            return try AutoencoderTrainingTests.bytes(trainer)
        }
        #expect(found[0] == found[1])
    }
}
