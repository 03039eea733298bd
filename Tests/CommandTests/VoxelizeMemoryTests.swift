import Testing

/// Memory in proportion to the band, never to the cube.
@Suite struct VoxelizeMemoryTests {
    @Test func aThinBandInALargeCubeNeedsLittle() {
        let shell = Shell.withBall()
        // 2048³ samples of four bytes would be 32 GiB.
        let result = shell.run(
            "ssdf-voxelize ball.obj --resolution 2048 --half-width 1 --max-memory 1G -o x.ssdf && ssdf-inspect x.ssdf")
        #expect(result.status == 0, "\(result)")
    }
}
