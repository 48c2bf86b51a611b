// Each row divided by its length.

struct Args { rows: u32, width: u32 }

@group(0) @binding(0) var<storage, read> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if row >= args.rows {
        return;
    }
    let start = row * args.width;
    var sum = 0.0;
    for (var at = thread; at < args.width; at += THREADS) {
        sum += x[start + at] * x[start + at];
    }
    let length = max(sqrt(total(thread, sum)), 1e-12);
    for (var at = thread; at < args.width; at += THREADS) {
        y[start + at] = x[start + at] / length;
    }
}
