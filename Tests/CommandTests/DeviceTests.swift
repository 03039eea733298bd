import RandomModels
import Testing

/// Training by the plug-in for GPUs, its kernels run by the processor: what a machine without a GPU can test of it.
@Suite struct DeviceTests {
    /// A shell with the plug-in, emulated; nil where there is no C++ compiler or no OpenBLAS to build with.
    private static func shell() -> Shell? {
        let shell = Shell()
        guard shell.run("command -v c++ && pkg-config --exists openblas").status == 0 else { return nil }
        let built = shell.run("'\(Shell.root)/Sources/CUDAPlugin/build' --emulate ./emulated.so")
        #expect(built.status == 0, "\(built)")
        return shell
    }

    @Test func operationsAgreeWithTheProcessors() throws {
        guard let shell = Self.shell() else { return }
        let result = shell.run("ssdf-train device-check --device ./emulated.so --threads 2")
        #expect(result.status == 0 && result.text.hasSuffix("all agree\n"), "\(result) \(result.text)")
        #expect(result.text.split(separator: "\n").count { $0.hasPrefix("    ok") } > 70)
    }

    /// Both stages take the steps that the processor takes, within rounding, and go on where they were stopped.
    @Test func stagesTrainAsOnTheProcessor() throws {
        guard let shell = Self.shell() else { return }
        shell.write("tiny.yaml", TinyModel.yaml(steps: 3))
        let result = shell.run(
            """
            set -e
            ssdf-train vae --config tiny.yaml -o here
            cp -r here there
            for stage in dense sparse; do
                ssdf-train dit --stage $stage --config tiny.yaml -o here
                ssdf-train dit --stage $stage --config tiny.yaml -o there --device ./emulated.so --stop-after 0.00001
                wc -l < there/training/${stage}_dit.jsonl
                ssdf-train dit --stage $stage --config tiny.yaml -o there --device ./emulated.so --resume
                # The same encoder for both.
                cp here/dense_image_encoder.safetensors there
            done
            """)
        #expect(result.status == 0 && result.text == "1\n1\n", "\(result)")
        for stage in ["dense", "sparse"] {
            let logs = ["here", "there"].map { folder in
                shell.run("grep -o '\"loss\":[0-9.]*' \(folder)/training/\(stage)_dit.jsonl | cut -d: -f2").text
                    .split(separator: "\n").compactMap { Double($0) }
            }
            #expect(logs[0].count == 3 && logs[1].count == 3, "\(logs)")
            for (a, b) in zip(logs[0], logs[1]) { #expect(abs(a - b) < 1e-3 * a, "\(stage): \(logs)") }
        }
        let absent = shell.run("ssdf-train dit --stage dense --config tiny.yaml -o new --device ./absent.so")
        #expect(absent.status == 69 && absent.err.contains("absent.so"), "\(absent)")
    }
}
