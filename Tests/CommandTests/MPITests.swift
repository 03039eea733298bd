import RandomModels
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// `ssdf-train` under `mpirun`, as it is built with the trait MPI. The long form alone: it builds the program once more, and
/// needs Open MPI, which `.ci/setup long` installs.
@Suite struct MPITests {
    /// Two and four processes on one machine leave the bytes of one that does the work of all.
    @Test(.enabled(if: getenv("SSDF_LONG_TESTS") != nil)) func processesLeaveTheBytesOfOne() {
        let shell = Shell()
        let built = shell.run(
            "cd '\(Shell.root)' && swift build -c release --traits MPI --scratch-path .build/mpi --product ssdf-train")
        #expect(built.status == 0, "\(built.text.suffix(2000)) \(built)")
        shell.write(
            "tiny.yaml",
            TinyModel.yaml(steps: 3).replacing("batch: 1,", with: "batch: 2, accumulation: 4,")
                .replacing("batch: 4, group: 2,", with: "batch: 2, group: 1, accumulation: 4,")
                .replacing(
                    "  sparse_dit: {steps: 3, batch: 2,", with: "  sparse_dit: {steps: 3, batch: 1, accumulation: 4,"))
        let page = String(decoding: shell.read("\(Shell.root)/man/ssdf-train.1"), as: UTF8.self)
        let example = page.split(separator: "\n").first { $0.hasPrefix(".Dl $ mpirun ") }?.dropFirst(6) ?? "false"
        shell.write(
            "autoencoder.yaml", TinyModel.yaml(steps: 1).replacing("batch: 1,", with: "batch: 1, accumulation: 4,"))
        let shown = shell.run(
            """
            export PATH='\(Shell.root)/.build/mpi/release':$PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
            export OMPI_MCA_rmaps_base_oversubscribe=1
            \(example) && wc -l < parallel/training/vae.jsonl
            """)
        #expect(shown.status == 0 && shown.text == "1\n", "\(example): \(shown)")
        let result = shell.run(
            """
            set -e
            tool='\(Shell.root)/.build/mpi/release/ssdf-train'
            train() {
                "$@" "$tool" vae --config tiny.yaml -o $folder --threads 1
                for stage in dense sparse; do
                    "$@" "$tool" dit --stage $stage --config tiny.yaml -o $folder --threads 1
                done
            }
            folder=one
            train env
            for count in 2 4; do
                folder=ranks$count
                train mpirun --allow-run-as-root --oversubscribe -n $count
                for part in vae dense_dit sparse_dit; do
                    cmp one/training/$part.checkpoint $folder/training/$part.checkpoint
                    wc -l < $folder/training/$part.jsonl
                done
                cat one/*.safetensors | cmp - <(cat $folder/*.safetensors)
            done
            """)
        #expect(result.status == 0, "\(result) \(result.text)")
        #expect(result.text == String(repeating: "3\n", count: 6), "\(result.text)")
    }
}
