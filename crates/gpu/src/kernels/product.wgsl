// y = x weight^T + bias: tiles of 64 x 64 results, 4 x 4 of which each thread sums in registers, over steps of 16 values
// of a row, which all threads of the group bring to shared memory.

struct Args { rows: u32, wide: u32, out: u32, biased: u32, across: u32 }

@group(0) @binding(0) var<storage, read> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const TILE = 64u;
const STEP = 16u;
// Longer than a tile, so that neighbouring threads do not wait for one bank of shared memory.
const LINE = 68u;

var<workgroup> left: array<f32, STEP * LINE>;
var<workgroup> right: array<f32, STEP * LINE>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) place: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = group.x + group.y * groups.x;
    let row = tile / args.across * TILE;
    let column = tile % args.across * TILE;
    let step = thread % STEP;
    var sums: array<vec4<f32>, 4>;
    for (var start = 0u; start < args.wide; start += STEP) {
        let at = start + step;
        for (var line = thread / STEP; line < TILE; line += STEP) {
            var value = 0.0;
            if at < args.wide && row + line < args.rows {
                value = x[(row + line) * args.wide + at];
            }
            left[step * LINE + line] = value;
            value = 0.0;
            if at < args.wide && column + line < args.out {
                value = weight[(column + line) * args.wide + at];
            }
            right[step * LINE + line] = value;
        }
        workgroupBarrier();
        for (var k = 0u; k < STEP; k++) {
            let a = k * LINE + place.y * 4u;
            let b = k * LINE + place.x * 4u;
            let factors = vec4<f32>(right[b], right[b + 1u], right[b + 2u], right[b + 3u]);
            sums[0] += left[a] * factors;
            sums[1] += left[a + 1u] * factors;
            sums[2] += left[a + 2u] * factors;
            sums[3] += left[a + 3u] * factors;
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let to = row + place.y * 4u + i;
        for (var j = 0u; j < 4u; j++) {
            let at = column + place.x * 4u + j;
            if to < args.rows && at < args.out {
                var sum = sums[i][j];
                if args.biased == 1u {
                    sum += bias[at];
                }
                y[to * args.out + at] = sum;
            }
        }
    }
}
