import FixtureMeshes
import SSDFCore
import SSDFNeural
import Testing

private func refusal(_ yaml: String) -> String? {
    do {
        _ = try ModelConfig(yaml: yaml)
        return nil
    } catch {
        return "\(error)"
    }
}

private let scheduler = "s:\n  target: diffusers.FlowMatchEulerDiscreteScheduler\n  params:\n    shift: 6.0\n"

@Suite struct ModelConfigTests {
    @Test func readsTheRecordedConfiguration() throws {
        guard let folder = SharedData.folder("parity") else { return }
        let config = try ModelConfig(yaml: try text(path: folder + "/j_checkpoint_v1_1/config.yaml"))
        #expect(config.components.count == 13)
        #expect(config.notes == [])
        guard case .sparseDiT(let dit)? = config["sparse_dit_1024"] else {
            Issue.record("no sparse DiT")
            return
        }
        #expect(dit.resolution == 128 && dit.numHeads == 4 && dit.compressionVersion == .v1 && dit.topk == 8)
        guard case .scheduler(let scheduler)? = config["dense_scheduler"] else {
            Issue.record("no scheduler")
            return
        }
        #expect(
            scheduler
                == {
                    var s = SchedulerConfig(); s.shift = 6; return s
                }())
    }

    @Test func goesByTheLastComponentOfTheClass() throws {
        let config = try ModelConfig(yaml: "s: {target: a.fork.FlowMatchEulerDiscreteScheduler}")
        #expect(config["s"] == .scheduler(SchedulerConfig()))
        #expect(refusal("s: {target: a.fork.Other}")?.contains("class \"Other\", expected one of DenseDiT") == true)
    }

    @Test func notesKeysWithoutMeaning() throws {
        let config = try ModelConfig(yaml: "version: 1.1\n" + scheduler + "    colour: blue\n  extra: 1\n")
        #expect(config.notes == ["version", "s.extra", "s.params.colour"])
    }

    @Test func refusesWrongTypesWithLineAndKey() {
        #expect(refusal(scheduler.replacingShift("fast")) == "line 4: s.params.shift: \"fast\", expected a number")
        #expect(refusal(scheduler.replacingShift("[1]")) == "line 4: s.params.shift: a list, expected a number")
        #expect(refusal(scheduler.replacingShift("\"6\"")) == "line 4: s.params.shift: \"6\", expected a number")
        #expect(refusal(scheduler.replacingShift("-1"))?.contains("above 0") == true)
        #expect(refusal(scheduler.replacingShift(".inf")) == "line 4: s.params.shift: \".inf\", expected a number")
        #expect(
            refusal("s:\n  target: SparseSDFVAE\n  params: {embed_dim: 0}")
                == "line 3: s.params.embed_dim: 0, expected a whole number from 1 to 65536")
        #expect(refusal("s:\n  target: SparseSDFVAE\n") == "s.params.embed_dim: no value, expected one")
        #expect(refusal("s:\n  target: SparseSDFVAE\n  params: 3")?.contains("expected a mapping") == true)
        #expect(refusal("s:\n  target: 3\n")?.contains("expected a text") == true)
        #expect(refusal("a/b:\n  target: x\n")?.contains("letters, digits and underscores") == true)
    }

    @Test func refusesBombsDuplicatesAndNonsense() {
        #expect(refusal("a: &x [1]\nb: [*x, *x]")?.contains("line 1: \"&\", an anchor or alias") == true)
        #expect(refusal("? *x : 1")?.contains("an anchor or alias") == true)
        #expect(refusal("s: {a: \"'\", b: *x}")?.contains("an anchor or alias") == true)
        #expect(refusal(scheduler + scheduler)?.contains("appears twice") == true)
        #expect(refusal("s: {target: a, target: b}")?.contains("appears twice") == true)
        #expect(refusal("") == "an empty file, expected a configuration")
        #expect(refusal("- 1")?.contains("expected a mapping") == true)
        #expect(refusal("a: [")?.contains("not YAML") == true)
        #expect(refusal("a: 1\n---\nb: 2")?.contains("a second document") == true)
        #expect(refusal("{[1]: 2}")?.contains("a key that is not a text") == true)
        #expect(
            refusal("a: " + String(repeating: "[", count: 50) + String(repeating: "]", count: 50))?.contains("levels")
                == true)
        #expect(refusal("a: " + String(repeating: "[", count: 100_000))?.contains("levels") == true)
        #expect(refusal(String(repeating: "#", count: 2 << 20))?.contains("at most") == true)
        #expect(refusal("x: 1") == "no components, expected at least one")
    }

    @Test func allowsAmpersandsAndStarsWithinWords() throws {
        let config = try ModelConfig(yaml: "# 2 * 3 & more\n" + scheduler + "    note: a&b * c\n")
        #expect(config.notes == ["s.params.note"])
    }
}

extension String {
    fileprivate func replacingShift(_ value: String) -> String {
        split(separator: "6.0", omittingEmptySubsequences: false).joined(separator: value)
    }
}
