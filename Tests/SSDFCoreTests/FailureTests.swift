import SSDFCore
import Testing

@Suite struct FailureTests {
    @Test func saysFilePlaceFoundAndExpected() {
        let failure = Failure.badData(file: "cup.ssdf", place: "grid \"sdf\"", "voxel size is 0", expected: "> 0")
        #expect(failure.description == "cup.ssdf: grid \"sdf\": voxel size is 0, expected > 0")
        #expect(failure.cause.rawValue == 65)
    }

    @Test func fillsInAFileOnce() {
        let bare = Failure(.inputOutput, "cannot read")
        #expect(bare.inFile("a").inFile("b").description == "a: cannot read")
    }

    @Test func isOneLineWithoutControlCharacters() {
        let failure = Failure(.badData, file: "a\u{1b}[2J", place: "line\n2", "\u{7}\u{9b}é")
        #expect(failure.description == "a?[2J: line?2: ??é")
    }
}
